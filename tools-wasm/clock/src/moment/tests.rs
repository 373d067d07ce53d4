#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use super::*;
use crate::zone;

fn noon() -> Timestamp {
    "2026-11-21T12:00:00.123456789Z".parse().unwrap()
}

fn read(text: &str, zone: &str) -> String {
    parse(text, &zone::parse(zone).unwrap(), noon()).unwrap().to_string()
}

fn refusal(text: &str) -> String {
    parse(text, &TimeZone::UTC, noon()).unwrap_err()
}

fn between(start: &str, end: &str, zone: &str) -> Elapsed {
    let zone = zone::parse(zone).unwrap();
    let at = |text| parse(text, &zone, noon()).unwrap().with_time_zone(zone.clone());
    difference(&at(start), &at(end)).unwrap()
}

#[test]
fn now_is_described_in_full_and_to_the_millisecond() {
    let moment = describe(&now(noon(), zone::parse("Europe/Berlin").unwrap()));
    assert_eq!(
        moment,
        Moment {
            time: "2026-11-21T13:00:00.123+01:00[Europe/Berlin]".to_owned(),
            zone: "Europe/Berlin".to_owned(),
            offset: "+01:00".to_owned(),
            daylight_saving: false,
            weekday: "Saturday",
            unix: 1_795_262_400,
        }
    );
}

#[test]
fn every_documented_form_is_read() {
    let tokyo = "2026-11-21T15:04:00+09:00[Asia/Tokyo]";
    assert_eq!(read("2026-11-21T15:04", "Asia/Tokyo"), tokyo);
    assert_eq!(read("2026-11-21 15:04:00", "Asia/Tokyo"), tokyo);
    assert_eq!(read(tokyo, "UTC"), tokyo);
    assert_eq!(read("15:04", "Asia/Tokyo"), tokyo);
    assert_eq!(read("2026-11-21T06:04:00Z", "Asia/Tokyo"), tokyo);
    assert_eq!(read("2026-11-21", "Asia/Tokyo"), "2026-11-21T00:00:00+09:00[Asia/Tokyo]");
    assert_eq!(read("2026-11-21T15:04:00-03:30", "Asia/Tokyo"), "2026-11-21T15:04:00-03:30[-03:30]");
}

#[test]
fn a_time_without_date_means_today_in_its_zone_not_in_utc() {
    // Noon UTC is already the 22nd on Kiritimati (+14).
    assert_eq!(read("00:30", "Pacific/Kiritimati"), "2026-11-22T00:30:00+14:00[Pacific/Kiritimati]");
}

#[test]
fn skipped_and_repeated_local_times_follow_the_documented_rule() {
    assert_eq!(read("2026-03-29T02:30", "Europe/Berlin"), "2026-03-29T03:30:00+02:00[Europe/Berlin]");
    assert_eq!(read("2026-10-25T02:30", "Europe/Berlin"), "2026-10-25T02:30:00+02:00[Europe/Berlin]");
}

#[test]
fn daylight_saving_and_fixed_zones_are_told_apart() {
    let summer = parse("2026-07-01T12:00", &zone::parse("America/New_York").unwrap(), noon()).unwrap();
    let moment = describe(&summer);
    assert!(moment.daylight_saving);
    assert_eq!(moment.offset, "-04:00");
    let fixed = describe(&now(noon(), zone::parse("+05:45").unwrap()));
    assert_eq!((fixed.zone.as_str(), fixed.daylight_saving), ("+05:45", false));
}

#[test]
fn rules_reach_beyond_the_tabulated_years() {
    assert_eq!(read("2199-07-01T12:00", "Europe/Berlin"), "2199-07-01T12:00:00+02:00[Europe/Berlin]");
}

#[test]
fn unix_seconds_before_1970_round_down() {
    let before: Timestamp = "1969-12-31T23:59:59.5Z".parse().unwrap();
    assert_eq!(unix_seconds(before), -1);
    assert_eq!(unix_seconds(Timestamp::UNIX_EPOCH), 0);
}

#[test]
fn differences_are_exact_in_seconds_and_true_to_the_calendar() {
    let elapsed = between("2026-01-31", "2026-03-01T01:00", "UTC");
    assert_eq!((elapsed.seconds, elapsed.duration.as_str()), (29 * 86_400 + 3600, "P1M1DT1H"));
    // The night of the change has 23 hours, yet is one day.
    let elapsed = between("2026-03-28T12:00", "2026-03-29T12:00", "Europe/Berlin");
    assert_eq!((elapsed.seconds, elapsed.duration.as_str()), (23 * 3600, "P1D"));
}

#[test]
fn a_difference_backward_is_negative() {
    let elapsed = between("2026-01-02T00:00:00Z", "2026-01-01T23:59:58Z", "UTC");
    assert_eq!((elapsed.seconds, elapsed.duration.as_str()), (-2, "-PT2S"));
}

#[test]
fn an_unreadable_time_is_quoted_with_the_form_to_use() {
    let error = refusal("tomorrow");
    assert!(error.starts_with("can't read `tomorrow` as a time"), "{error}");
    assert!(error.contains("write it like 2026-11-21T15:04:05"), "{error}");
    assert!(refusal("2026-02-30").contains("2026-02-30"));
    assert!(refusal(&"9".repeat(1 << 20)).len() < 200);
}

#[test]
fn an_offset_that_contradicts_its_zone_is_refused() {
    assert!(refusal("2026-11-21T15:04:00+05:00[Europe/Berlin]").contains("can't read"));
}

#[test]
fn times_at_the_edges_of_the_calendar_do_not_panic() {
    for text in ["9999-12-31T23:59:59", "-009999-01-01", "9999-12-31T23:59:59.999999999-12:00", "0000-01-01"]
    {
        for zone in ["UTC", "Pacific/Kiritimati", "-12:00"] {
            if let Ok(zoned) = parse(text, &zone::parse(zone).unwrap(), noon()) {
                let _ = describe(&zoned);
            }
        }
    }
}
