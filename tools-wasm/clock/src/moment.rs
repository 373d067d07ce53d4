//! Points in time: reading them from text, describing them, subtracting them.
//!
//! Text is ISO 8601 with the zone in brackets (RFC 9557). Where a text names neither zone nor
//! offset, the caller's zone is used; where it names both and they contradict each other, it is
//! refused rather than guessed.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::{Dst, TimeZone};
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit, Zoned};

/// The longest text that is read as a time; RFC 9557 with nanoseconds and a zone has some 70.
/// Against a megabyte of text coming back in the error.
const MAX_TEXT: usize = 128;

/// One point in time, seen in one zone.
#[derive(Debug, PartialEq, Eq)]
pub struct Moment {
    /// RFC 9557.
    pub time: String,
    /// IANA name, or the offset of a fixed zone.
    pub zone: String,
    /// `+01:00`.
    pub offset: String,
    /// Whether daylight saving is in force.
    pub daylight_saving: bool,
    /// In English.
    pub weekday: &'static str,
    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    pub unix: i64,
}

/// The time from one moment to another.
#[derive(Debug, PartialEq, Eq)]
pub struct Elapsed {
    /// Without the fraction.
    pub seconds: i64,
    /// ISO 8601, in calendar units of the start's zone.
    pub duration: String,
}

/// The current time in a zone, to the millisecond: more digits only cost the reader.
pub fn now(now: Timestamp, zone: TimeZone) -> Zoned {
    let round = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Floor);
    now.round(round).unwrap_or(now).to_zoned(zone)
}

/// Reads a time; `zone` applies to texts without zone and offset, `now` to those without a date.
///
/// # Errors
/// A sentence that quotes the text and shows the form that is expected.
pub fn parse(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Zoned, String> {
    let text = text.trim();
    if text.len() > MAX_TEXT {
        return Err(format!(
            "a time of {} bytes is too long; write it like 2026-11-21T15:04:05Z",
            text.len()
        ));
    }
    read(text, zone, now).map_err(|error| unreadable(text, &error))
}

/// Describes a time for the reader.
pub fn describe(zoned: &Zoned) -> Moment {
    let offset = offset_text(zoned);
    Moment {
        time: zoned.to_string(),
        zone: zoned.time_zone().iana_name().map_or_else(|| offset.clone(), str::to_owned),
        offset,
        daylight_saving: zoned.time_zone().to_offset_info(zoned.timestamp()).dst() == Dst::Yes,
        weekday: weekday_name(zoned.weekday()),
        unix: unix_seconds(zoned.timestamp()),
    }
}

/// The time from `start` to `end`, in the calendar of their common zone.
///
/// # Errors
/// If the two are in different zones, in which days and months are not the same.
pub fn difference(start: &Zoned, end: &Zoned) -> Result<Elapsed, String> {
    let span = start
        .until((Unit::Year, end))
        .map_err(|error| format!("no difference between {start} and {end}: {error}"))?;
    let exact: SignedDuration = start.timestamp().duration_until(end.timestamp());
    Ok(Elapsed { seconds: exact.as_secs(), duration: span.to_string() })
}

fn read(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Zoned, jiff::Error> {
    let pieces = match Pieces::parse(text) {
        Ok(pieces) => pieces,
        Err(error) => {
            let time: Time = text.parse().map_err(|_: jiff::Error| error)?;
            return local(now.to_zoned(zone.clone()).date().to_datetime(time), zone);
        }
    };
    if pieces.time_zone_annotation().is_some() {
        return text.parse();
    }
    let written = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    match pieces.offset() {
        None => local(written, zone),
        // RFC 9557 section 2: `Z` tells the instant but no local offset, so the caller's zone shows it.
        Some(PiecesOffset::Zulu) => Ok(written.to_zoned(TimeZone::UTC)?.with_time_zone(zone.clone())),
        Some(offset) => written.to_zoned(TimeZone::fixed(offset.to_numeric_offset())),
    }
}

/// A local time that is skipped becomes the later one, one that repeats the first.
fn local(time: DateTime, zone: &TimeZone) -> Result<Zoned, jiff::Error> {
    zone.to_ambiguous_zoned(time).compatible()
}

fn offset_text(zoned: &Zoned) -> String {
    let seconds = zoned.offset().seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    match seconds.abs() % 60 {
        0 => format!("{sign}{hours:02}:{minutes:02}"),
        rest => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
    }
}

fn unix_seconds(timestamp: Timestamp) -> i64 {
    // as_second() rounds toward zero, which before 1970 is up.
    timestamp.as_second() - i64::from(timestamp.subsec_nanosecond() < 0)
}

fn weekday_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

fn unreadable(text: &str, cause: &jiff::Error) -> String {
    format!(
        "can't read `{text}` as a time ({cause}); write it like 2026-11-21T15:04:05, with Z, an \
         offset or a [Zone] at the end if it is not in the zone given"
    )
}

#[cfg(test)]
mod tests;
