//! What it does from its start on.

use std::io::Write;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

/// How it serves.
#[derive(Default)]
pub struct Manners {
    /// Speaks this revision, whatever it was asked for.
    pub revision: Option<String>,
    /// Pages of its list of tools.
    pub pages: usize,
    /// Answers that it holds back until the next request has been answered.
    pub out_of_order: bool,
    /// Time before it answers `initialize`.
    pub late: Duration,
}

/// What never becomes a server; `None` for what does.
pub fn ending(arguments: &[String]) -> Option<ExitCode> {
    match arguments.first().map(String::as_str)? {
        "silent" => loop {
            sleep(Duration::from_secs(60));
        },
        "exits" => {
            eprintln!("starting\nno configuration found");
            Some(ExitCode::from(3))
        }
        "garbage" => {
            print(b"{]}\n\xff\xfe<html>\nServer listening on port 3000\n");
            sleep(Duration::from_secs(60));
            Some(ExitCode::SUCCESS)
        }
        "endless-line" => loop {
            print(&[b'x'; 64 * 1024]);
        },
        "closes-stdin" => {
            close_stdin();
            sleep(Duration::from_secs(60));
            Some(ExitCode::SUCCESS)
        }
        _ => None,
    }
}

/// How it serves.
pub fn manners(arguments: &[String]) -> Manners {
    let mut manners = Manners { pages: 1, ..Manners::default() };
    let value = || arguments.get(1).cloned().unwrap_or_default();
    match arguments.first().map_or("", String::as_str) {
        "revision" => manners.revision = Some(value()),
        "pages" => manners.pages = value().parse().unwrap_or(1),
        "late" => manners.late = Duration::from_millis(value().parse().unwrap_or(0)),
        "out-of-order" => manners.out_of_order = true,
        _ => {}
    }
    manners
}

fn print(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::abort();
    }
}

/// By name, as the standard library has no word for it.
pub fn close_stdin() {
    use std::os::fd::{FromRawFd, OwnedFd};
    // SAFETY: nothing of this program reads from it any more.
    drop(unsafe { OwnedFd::from_raw_fd(0) });
}
