//! The one table: medians beside what is to be reached, and a reason where there is no figure.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A row: what was measured, what was found, and the goal if there is one.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The figures, or why there are none.
    pub found: Result<Figures, String>,
    /// What is to be reached.
    pub reach: Option<Reach>,
}

/// A median with its spread.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// The median.
    pub median: Quantity,
    /// The lowest that counts: of the median's 95% interval, or of all runs.
    pub low: Quantity,
    /// The highest that counts.
    pub high: Quantity,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// The median shall be below.
    Below(Quantity),
    /// The median shall be this or more.
    AtLeast(Quantity),
}

/// A measured quantity.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Quantity {
    /// A time.
    Time(Duration),
    /// Bytes.
    Bytes(u64),
    /// Calls a second.
    Rate(f64),
    /// One quantity over another.
    Ratio(f64),
}

impl Quantity {
    /// A time in microseconds.
    pub fn micros(micros: f64) -> Self {
        Self::Time(Duration::from_secs_f64(micros.max(0.0) / 1e6))
    }

    fn number(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Bytes(bytes) => bytes as f64,
            Self::Rate(number) | Self::Ratio(number) => number,
        }
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Self::Time(time) if time.as_millis() >= 1 => format!("{:.2} ms", time.as_secs_f64() * 1e3),
            Self::Time(time) if time.as_micros() >= 1 => format!("{:.1} µs", time.as_secs_f64() * 1e6),
            Self::Time(time) => format!("{} ns", time.as_nanos()),
            Self::Bytes(bytes) if *bytes < 1_000_000 => format!("{:.0} kB", *bytes as f64 / 1e3),
            Self::Bytes(bytes) => format!("{:.1} MB", *bytes as f64 / 1e6),
            Self::Rate(rate) => format!("{rate:.0}/s"),
            Self::Ratio(ratio) if *ratio < 100.0 => format!("{ratio:.2}x"),
            Self::Ratio(ratio) => format!("{ratio:.0}x"),
        };
        f.pad(&text)
    }
}

impl Row {
    /// A row of several runs.
    ///
    /// # Panics
    /// Without any run.
    pub fn runs(what: impl Into<String>, mut runs: Vec<Quantity>) -> Self {
        runs.sort_by(|a, b| a.number().total_cmp(&b.number()));
        let (low, high) = (*runs.first().expect("a run"), *runs.last().expect("a run"));
        let figures = Figures { median: runs[runs.len() / 2], low, high };
        Self { what: what.into(), found: Ok(figures), reach: None }
    }

    /// A row without figures.
    pub fn missing(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), found: Err(why.into()), reach: None }
    }

    /// One row's median over another's; the spread is the widest that both allow.
    pub fn ratio(what: impl Into<String>, over: &Self, under: &Self) -> Self {
        let found = over.found.clone().and_then(|over| {
            let under = under.found.clone()?;
            let ratio = |a: Quantity, b: Quantity| Quantity::Ratio(a.number() / b.number());
            Ok(Figures {
                median: ratio(over.median, under.median),
                low: ratio(over.low, under.high),
                high: ratio(over.high, under.low),
            })
        });
        Self { what: what.into(), found, reach: None }
    }

    /// By how much one time is longer than another, and zero where it is not; the spread is the widest that
    /// both allow.
    pub fn difference(what: impl Into<String>, longer: &Self, shorter: &Self) -> Self {
        let found = longer.found.clone().and_then(|longer| {
            let shorter = shorter.found.clone()?;
            let difference = |a: Quantity, b: Quantity| Quantity::micros((a.number() - b.number()) * 1e6);
            Ok(Figures {
                median: difference(longer.median, shorter.median),
                low: difference(longer.low, shorter.high),
                high: difference(longer.high, shorter.low),
            })
        });
        Self { what: what.into(), found, reach: None }
    }

    /// The median that criterion wrote for a benchmark, with its 95% interval.
    pub fn criterion(what: impl Into<String>, home: &Path, id: &str) -> Self {
        let found = estimates(&home.join(id).join("new/estimates.json"));
        Self {
            what: what.into(),
            found: found.ok_or_else(|| "not measured in this run".to_owned()),
            reach: None,
        }
    }

    /// Sets what is to be reached.
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reach = Some(reach);
        self
    }

    /// The median as a plain number, if there is one: seconds, bytes, calls a second.
    pub fn median(&self) -> Option<f64> {
        self.found.as_ref().ok().map(|figures| figures.median.number())
    }

    fn cells(&self) -> [String; 5] {
        let Ok(Figures { median, low, high }) = self.found else {
            let why = self.found.as_ref().err().cloned().unwrap_or_default();
            return [self.what.clone(), "-".into(), "-".into(), "-".into(), why];
        };
        let reach = self.reach.map_or_else(String::new, |reach| reach.verdict(median));
        [self.what.clone(), median.to_string(), low.to_string(), high.to_string(), reach]
    }
}

impl Reach {
    fn verdict(self, median: Quantity) -> String {
        let (sign, goal, met) = match self {
            Self::Below(goal) => ("<", goal, median.number() < goal.number()),
            Self::AtLeast(goal) => (">=", goal, median.number() >= goal.number()),
        };
        format!("{sign} {goal} {}", if met { "met" } else { "MISSED" })
    }
}

fn estimates(file: &Path) -> Option<Figures> {
    let estimates: serde_json::Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    let median = &estimates["median"];
    let interval = &median["confidence_interval"];
    let time = |nanos: &serde_json::Value| Some(Quantity::micros(nanos.as_f64()? / 1e3));
    Some(Figures {
        median: time(&median["point_estimate"])?,
        low: time(&interval["lower_bound"])?,
        high: time(&interval["upper_bound"])?,
    })
}

/// The table as text.
pub fn render(rows: &[Row]) -> String {
    let lines = [
        ["what", "median", "low", "high", "reach"].map(str::to_owned),
        std::array::from_fn(|_| "---".into()),
    ];
    let lines: Vec<[String; 5]> = lines.into_iter().chain(rows.iter().map(Row::cells)).collect();
    let wide: [usize; 5] = std::array::from_fn(|column| {
        lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0)
    });
    let mut out = String::new();
    for cells in &lines {
        for (cell, wide) in cells.iter().zip(wide) {
            write!(out, "| {cell:wide$} ").expect("a string takes all");
        }
        out.push_str("|\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Quantity, Reach, Row, render};

    #[test]
    fn a_goal_is_met_or_missed_and_a_missing_row_says_why() {
        let rate = |rate| Row::runs("rate", vec![Quantity::Rate(rate); 3]);
        let table = render(&[
            rate(30_000.0).reach(Reach::AtLeast(Quantity::Rate(20_000.0))),
            rate(10_000.0).reach(Reach::AtLeast(Quantity::Rate(20_000.0))),
            Row::ratio("half", &rate(1.0), &rate(2.0)).reach(Reach::Below(Quantity::Ratio(2.0))),
            Row::missing("docker run", "no engine"),
            Row::ratio("none", &rate(1.0), &Row::missing("x", "not installed")),
        ]);
        let reach: Vec<_> =
            table.lines().skip(2).map(|line| line.rsplit('|').nth(1).expect("a cell").trim()).collect();
        assert_eq!(
            reach,
            [">= 20000/s met", ">= 20000/s MISSED", "< 2.00x met", "no engine", "not installed"]
        );
        assert!(table.contains("0.50x"), "{table}");
    }

    #[test]
    fn the_median_is_the_middle_run() {
        let runs = [3.0, 1.0, 2.0].map(Quantity::micros).to_vec();
        assert_eq!(Row::runs("x", runs).median(), Some(2e-6));
    }
}
