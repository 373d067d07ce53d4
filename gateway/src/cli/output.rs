//! Standard output, where the results of commands go.
//!
//! A reader that goes away early (`toolgate list | head -1`) is no failure of the command.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use serde::Serialize;

use super::failure::Failure;

/// Writes text that ends its own lines.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    written(write_all(text.as_bytes()))
}

/// Writes one JSON value, indented, and a newline.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| Failure::of(&error))?;
    bytes.push(b'\n');
    written(write_all(&bytes))
}

fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new("cannot write to standard output").because(&error))
        }
        _ => Ok(()),
    }
}

/// Columns of text, as wide as their widest cell; the last one is left as it is.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Says on stderr why a command failed.
pub(super) fn complain(failure: &Failure) {
    // Nobody is left to tell if stderr is gone.
    drop(io::stderr().lock().write_all(plain(&failure.to_string()).as_bytes()));
}

/// Text of publishers, guests and registries, without power over the terminal that shows it: no
/// escape sequences, and no characters that turn the direction of writing.
pub(super) fn plain(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// Bytes for a person: `76.1 kB`.
pub(super) fn human_size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(scale, _)| bytes >= *scale) {
        Some((scale, unit)) => format!("{}.{} {unit}", bytes / scale, bytes % scale * 10 / scale),
        None => format!("{bytes} B"),
    }
}

/// A time for a person: `12.3 ms`.
pub(super) fn human_time(time: Duration) -> String {
    match time.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        micros @ ..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        micros => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_publisher_wrote_has_no_power_over_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\n\tc\u{202e}d\r"), "a\u{fffd}[2Jb\n\tc\u{fffd}d\u{fffd}");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0, 999, 76_123, 18_000_000].map(human_size), ["0 B", "999 B", "76.1 kB", "18.0 MB"]);
        let times = [9, 1_250, 59_999, 61_500_000].map(|micros| human_time(Duration::from_micros(micros)));
        assert_eq!(times, ["9 µs", "1.2 ms", "59.9 ms", "61.5 s"]);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bb", ""], ["ccc", "d", "e"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a    bb\nccc  d   e\n");
    }
}
