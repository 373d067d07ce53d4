//! The component's exports: the wall clock and the pure functions, joined.

#![allow(missing_docs, reason = "generated bindings; the WIT is the documentation")]

use jiff::Timestamp;

use crate::{moment, zone};

wit_bindgen::generate!({ world: "time-tools" });

use exports::toolgate::clock::clock::{Elapsed, Guest, Moment};

struct Component;

export!(Component);

impl Guest for Component {
    fn now(zone: Option<String>) -> Result<Moment, String> {
        let zone = zone::parse_or_utc(zone.as_deref())?;
        Ok(moment::describe(&moment::now(Timestamp::now(), zone)).into())
    }

    fn convert(time: String, to_zone: String, from_zone: Option<String>) -> Result<Moment, String> {
        let from = zone::parse_or_utc(from_zone.as_deref())?;
        let to = zone::parse(&to_zone)?;
        let zoned = moment::parse(&time, &from, Timestamp::now())?;
        Ok(moment::describe(&zoned.with_time_zone(to)).into())
    }

    fn difference(start: String, end: String, zone: Option<String>) -> Result<Elapsed, String> {
        let zone = zone::parse_or_utc(zone.as_deref())?;
        let now = Timestamp::now();
        let start = moment::parse(&start, &zone, now)?.with_time_zone(zone.clone());
        let end = moment::parse(&end, &zone, now)?.with_time_zone(zone);
        let elapsed = moment::difference(&start, &end)?;
        Ok(Elapsed {
            seconds: elapsed.seconds,
            duration: elapsed.duration,
            start: start.to_string(),
            end: end.to_string(),
        })
    }

    fn zones(filter: Option<String>) -> Vec<String> {
        zone::names(filter.as_deref().unwrap_or_default())
    }
}

impl From<moment::Moment> for Moment {
    fn from(moment: moment::Moment) -> Self {
        Self {
            time: moment.time,
            zone: moment.zone,
            offset: moment.offset,
            daylight_saving: moment.daylight_saving,
            weekday: moment.weekday.to_owned(),
            unix: moment.unix,
        }
    }
}
