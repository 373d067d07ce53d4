//! `[engine]`: how components are compiled and metered, the same for all servers.

use std::time::Duration;

use toolgate_runtime::wasm::{EngineOptions, Metering};

use super::error::Invalid;
use super::quantity::duration_up_to;
use super::raw::Section;

/// Upper bound of `compile-timeout`. Nobody waits longer for a start.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

/// How components are compiled and metered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// How guests are kept from running without end.
    pub metering: Metering,
    /// Compilations that take longer are given up.
    pub compile_timeout: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { metering: Metering::default(), compile_timeout: EngineOptions::COMPILE_TIMEOUT }
    }
}

pub(super) fn read(section: Option<Section<'_, '_>>) -> EngineConfig {
    let mut config = EngineConfig::default();
    let Some(section) = section else {
        return config;
    };
    section.set(&mut config.metering, "metering", "fuel", metering);
    section.set(&mut config.compile_timeout, "compile-timeout", "120s", duration_up_to(MAX_TIMEOUT));
    section.finish();
    config
}

fn metering(text: &str) -> Result<Metering, Invalid> {
    text.parse().map_err(|()| {
        Invalid::new(format!("`{text}` is not a way of metering"))
            .hint("write fuel for exact accounts, or epoch for speed without them")
    })
}
