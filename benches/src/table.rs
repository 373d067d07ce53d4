//! The one table: medians beside what is to be reached.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A row: what was measured, its median, its spread, and the goal if there is one.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The median.
    pub median: Quantity,
    /// The lowest and highest that count: the median's 95% interval, or all runs' range.
    pub spread: (Quantity, Quantity),
    /// What is to be reached: the median shall be below.
    pub reach: Option<Quantity>,
}

/// A measured quantity.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Quantity {
    /// A time.
    Time(Duration),
    /// Bytes.
    Bytes(u64),
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Self::Time(time) if time.as_millis() >= 1 => format!("{:.2} ms", time.as_secs_f64() * 1e3),
            Self::Time(time) => format!("{:.1} µs", time.as_secs_f64() * 1e6),
            Self::Bytes(bytes) => format!("{:.1} MB", *bytes as f64 / 1e6),
        };
        f.pad(&text)
    }
}

/// Reads the median that criterion wrote for a benchmark.
///
/// # Panics
/// When there is none, since a row without a number must not look like a result.
pub fn criterion_row(home: &Path, id: &str, what: String, reach: Option<Duration>) -> Row {
    let file = home.join(id).join("new/estimates.json");
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let estimates: serde_json::Value = serde_json::from_str(&text).expect("criterion's estimates");
    let median = &estimates["median"];
    let time = |value: &serde_json::Value| {
        Quantity::Time(Duration::from_secs_f64(value.as_f64().expect("nanoseconds") / 1e9))
    };
    let interval = &median["confidence_interval"];
    Row {
        what,
        median: time(&median["point_estimate"]),
        spread: (time(&interval["lower_bound"]), time(&interval["upper_bound"])),
        reach: reach.map(Quantity::Time),
    }
}

/// A row of several runs.
///
/// # Panics
/// Without any run.
pub fn runs_row(what: &str, mut runs: Vec<Quantity>, reach: Option<Quantity>) -> Row {
    runs.sort_by(|a, b| a.partial_cmp(b).expect("one unit"));
    let (first, last) = (*runs.first().expect("a run"), *runs.last().expect("a run"));
    Row { what: what.to_owned(), median: runs[runs.len() / 2], spread: (first, last), reach }
}

/// The table as text.
pub fn render(rows: &[Row]) -> String {
    let wide = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    line(&mut out, wide, ["what", "median", "low", "high", "reach"].map(str::to_owned));
    for row in rows {
        let (low, high) = row.spread;
        let reach = row.reach.map_or_else(String::new, |reach| {
            let met = if row.median < reach { "met" } else { "MISSED" };
            format!("< {reach} {met}")
        });
        let cells = [row.what.clone(), row.median.to_string(), low.to_string(), high.to_string(), reach];
        line(&mut out, wide, cells);
    }
    out
}

fn line(out: &mut String, wide: usize, cells: [String; 5]) {
    let [what, median, low, high, reach] = cells;
    writeln!(out, "| {what:wide$} | {median:>10} | {low:>10} | {high:>10} | {reach:<18} |")
        .expect("a string takes all");
}
