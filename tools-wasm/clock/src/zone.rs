//! Time zones by name: IANA names in any letter case, `UTC`, and fixed offsets.
//!
//! An unknown name is the most likely mistake of a model ("Berlin", "PST"), so the error offers
//! names that contain what was asked for.

use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// How many names an error suggests; more would bury the message.
const MAX_SUGGESTIONS: usize = 5;

/// The longest name that is looked up or echoed; IANA names have at most 32 bytes. Against a
/// megabyte of text coming back in the error.
const MAX_NAME: usize = 64;

/// The zone of this name, or UTC without one.
///
/// # Errors
/// As [`parse`].
pub fn parse_or_utc(name: Option<&str>) -> Result<TimeZone, String> {
    name.map_or(Ok(TimeZone::UTC), parse)
}

/// The zone of this name.
///
/// # Errors
/// A sentence that names the zone and, where there are some, similar names.
pub fn parse(name: &str) -> Result<TimeZone, String> {
    let name = name.trim();
    if name.len() > MAX_NAME {
        return Err(format!(
            "a time zone name of {} bytes is too long; use an IANA name such as Europe/Berlin",
            name.len()
        ));
    }
    if name.starts_with(['+', '-']) {
        return parse_offset(name);
    }
    if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") {
        return Ok(TimeZone::UTC);
    }
    TimeZoneDatabase::bundled().get(name).map_err(|_| unknown(name))
}

/// The names that contain `filter` in any letter case, sorted.
pub fn names(filter: &str) -> Vec<String> {
    let filter = filter.trim().to_ascii_lowercase();
    let mut names: Vec<String> = TimeZoneDatabase::bundled()
        .available()
        .map(|name| name.as_str().to_owned())
        .filter(|name| name.to_ascii_lowercase().contains(&filter))
        .collect();
    names.sort_unstable();
    names
}

fn parse_offset(text: &str) -> Result<TimeZone, String> {
    DateTimeParser::new()
        .parse_time_zone_with(&TimeZoneDatabase::none(), text)
        .map_err(|_| format!("`{text}` is not an offset from UTC; write it like +05:30"))
}

fn unknown(name: &str) -> String {
    let wanted = name.replace(' ', "_");
    let mut similar = if wanted.is_empty() { Vec::new() } else { names(&wanted) };
    similar.truncate(MAX_SUGGESTIONS);
    let hint = if similar.is_empty() {
        "use an IANA name such as Europe/Berlin, or an offset such as +05:30".to_owned()
    } else {
        format!("did you mean {}?", similar.join(", "))
    };
    format!("unknown time zone `{name}`: {hint}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use jiff::tz::Offset;

    use super::*;

    #[test]
    fn iana_names_are_found_in_any_letter_case() {
        let zone = parse("europe/BERLIN").unwrap();
        assert_eq!(zone.iana_name(), Some("Europe/Berlin"));
    }

    #[test]
    fn utc_and_offsets_are_zones() {
        assert_eq!(parse(" utc ").unwrap(), TimeZone::UTC);
        assert_eq!(parse("+05:30").unwrap(), TimeZone::fixed(Offset::from_seconds(19800).unwrap()));
        assert_eq!(parse_or_utc(None).unwrap(), TimeZone::UTC);
    }

    #[test]
    fn an_unknown_zone_is_answered_with_similar_names() {
        let error = parse("new york").unwrap_err();
        assert_eq!(error, "unknown time zone `new york`: did you mean America/New_York?");
        let error = parse("Atlantis").unwrap_err();
        assert!(error.contains("use an IANA name"), "{error}");
        assert!(parse("").unwrap_err().contains("use an IANA name"));
    }

    #[test]
    fn a_bad_offset_or_an_endless_name_is_refused_briefly() {
        assert!(parse("+99:99").unwrap_err().contains("write it like +05:30"));
        assert!(parse(&"x".repeat(1 << 20)).unwrap_err().len() < 200);
    }

    #[test]
    fn names_are_filtered_and_sorted() {
        assert_eq!(names("berlin"), ["Europe/Berlin"]);
        let all = names("");
        assert!(all.len() > 400 && all.is_sorted(), "{} names", all.len());
        assert!(names("no such zone").is_empty());
    }
}
