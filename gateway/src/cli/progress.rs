//! Progress of long work: lines on stderr for whoever waits at a terminal.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use super::output::{human_size, plain};
use crate::assemble::{Progress, Step};

/// Shows each step at a terminal, and nothing elsewhere.
pub(super) fn shown() -> Progress {
    let terminal = std::io::stderr().is_terminal();
    Arc::new(move |server, step| {
        if terminal {
            line(&describe(server, &step));
        }
    })
}

/// Logs each step, for a process that serves.
pub(super) fn logged() -> Progress {
    Arc::new(|server, step| tracing::debug!("{}", describe(server, &step)))
}

/// One line of progress.
pub(super) fn line(text: &str) {
    // Nobody is left to tell if stderr is gone.
    drop(writeln!(std::io::stderr().lock(), "{}", plain(text)));
}

fn describe(server: &str, step: &Step<'_>) -> String {
    match step {
        Step::Pulling(reference) => format!("{server}: fetching {reference}"),
        Step::Preparing(found) => format!("{server}: preparing {}", human_size(found.size)),
        Step::Asking(url) => format!("{server}: asking {url}"),
        Step::Starting(image) => format!("{server}: starting {image}"),
        Step::PullingImage(image, pulled) => {
            let (current, total) = (human_size(pulled.current), human_size(pulled.total));
            format!("{server}: pulling {image}: {current} of {total}")
        }
    }
}
