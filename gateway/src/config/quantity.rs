//! Sizes and durations as operators write them: `64MiB`, `30s`.
//!
//! A unit is always written: a bare `30` would be milliseconds to one reader and minutes to the
//! next. Fractions are left out, every value has an exact spelling.

use std::time::Duration;

/// Why a quantity can't be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum QuantityError {
    /// No number, or no known unit.
    #[error("`{given}` is not {what}: write a whole number and one of {units}")]
    Form {
        /// As written.
        given: String,
        /// `a size` or `a duration`.
        what: &'static str,
        /// The units.
        units: &'static str,
    },
    /// More than 64 bits hold.
    #[error("`{0}` is too large")]
    TooLarge(String),
    /// More than there may be.
    #[error("`{given}` is more than {max}, the most there may be")]
    TooMuch {
        /// As written.
        given: String,
        /// The bound.
        max: String,
    },
    /// Nothing could ever run under it.
    #[error("must be more than 0")]
    Zero,
}

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

const DURATIONS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Reads `64MiB` as bytes: more than 0, at most `max`.
pub fn size_up_to(max: u64) -> impl Fn(&str) -> Result<u64, QuantityError> {
    move |text| {
        let bytes = quantity(text, SIZES, "a size", "B, KiB, MiB, GiB, kB, MB, GB")?;
        bounded(text, bytes, max, || show_size(max))
    }
}

/// Reads `30s` as a duration: more than 0, at most `max`.
pub fn duration_up_to(max: Duration) -> impl Fn(&str) -> Result<Duration, QuantityError> {
    move |text| {
        let millis = quantity(text, DURATIONS, "a duration", "ms, s, m, h")?;
        let time = Duration::from_millis(millis);
        bounded(text, time, max, || show_duration(max))
    }
}

/// Bytes in the largest unit that says them exactly: `64MiB`.
pub fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES[..4])
}

/// A duration in the largest unit that says it exactly: `30s`.
pub fn show_duration(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    show(millis, DURATIONS)
}

fn show(value: u64, units: &[(&str, u64)]) -> String {
    let exact = |(_, scale): &&(&str, u64)| value >= *scale && value.is_multiple_of(*scale);
    let (unit, scale) = units.iter().rev().find(exact).unwrap_or(&units[0]);
    format!("{}{unit}", value / scale)
}

fn bounded<T: PartialOrd>(
    text: &str,
    value: T,
    max: T,
    show_max: impl FnOnce() -> String,
) -> Result<T, QuantityError> {
    if value <= max {
        return Ok(value);
    }
    Err(QuantityError::TooMuch { given: text.to_owned(), max: show_max() })
}

fn quantity(
    text: &str,
    known: &[(&str, u64)],
    what: &'static str,
    units: &'static str,
) -> Result<u64, QuantityError> {
    let form = || QuantityError::Form { given: text.chars().take(40).collect(), what, units };
    let too_large = || QuantityError::TooLarge(text.chars().take(40).collect());
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, scale) = *known.iter().find(|(name, _)| *name == unit.trim_start()).ok_or_else(form)?;
    if number.is_empty() {
        return Err(form());
    }
    let number: u64 = number.parse().map_err(|_| too_large())?;
    match number.checked_mul(scale).ok_or_else(too_large)? {
        0 => Err(QuantityError::Zero),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn size(text: &str) -> Result<u64, QuantityError> {
        size_up_to(1 << 30)(text)
    }

    fn duration(text: &str) -> Result<Duration, QuantityError> {
        duration_up_to(Duration::from_secs(7200))(text)
    }

    #[test]
    fn reads_every_unit() {
        assert_eq!(size("64MiB"), Ok(64 * 1024 * 1024));
        assert_eq!(size("1 kB"), Ok(1000));
        assert_eq!(size("7B"), Ok(7));
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
    }

    #[test]
    fn refuses_what_has_no_meaning() {
        for text in ["", "64", "MiB", "64mib", "-1s", "1.5s", "1e3B", "30 sec", "٣s"] {
            let size = size(text).unwrap_err();
            assert!(matches!(size, QuantityError::Form { .. }), "{text}: {size}");
        }
        assert_eq!(size("0MiB"), Err(QuantityError::Zero));
        let large = "99999999999GiB";
        assert_eq!(size(large), Err(QuantityError::TooLarge(large.into())));
        let error = size("2GiB").unwrap_err().to_string();
        assert_eq!(error, "`2GiB` is more than 1GiB, the most there may be");
    }

    #[test]
    fn shows_what_it_reads() {
        for text in ["1B", "1500B", "64KiB", "1GiB"] {
            assert_eq!(show_size(size(text).unwrap()), text);
        }
        for text in ["1ms", "1500ms", "90s", "2h"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
    }
}
