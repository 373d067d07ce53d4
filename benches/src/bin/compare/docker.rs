//! `docker run` of the same tool, where an engine is up: a fresh container for one greeting.
//!
//! `cargo xtask bench` makes the image: one static program, so that nothing in it is slow to start.

use std::process::{Command, Stdio};
use std::time::Instant;

use benches::process::peer;
use benches::table::{Quantity, Reach, Row};

/// Containers that are run.
const CONTAINERS: usize = 7;

/// As `cargo xtask bench` names it.
const IMAGE: &str = "toolgate-bench:greet";

const WHAT: &str = "docker run --rm of the same greeting";

/// All rows of this part; `fresh` is the sandbox's own.
pub(crate) fn rows(fresh: &Row) -> Vec<Row> {
    let docker = match peer("docker-image") {
        Ok(_) => Row::runs(WHAT, (0..CONTAINERS).map(|_| container()).collect()),
        Err(why) => Row::missing(WHAT, why),
    };
    let ratio = Row::ratio("docker run over fresh instance and call", &docker, fresh)
        .reach(Reach::AtLeast(Quantity::Ratio(10_000.0)));
    vec![docker, ratio]
}

fn container() -> Quantity {
    let since = Instant::now();
    let output = Command::new("docker")
        .args([
            "run",
            "--rm",
            "--network",
            "none",
            "--read-only",
            "--cap-drop",
            "ALL",
            IMAGE,
            "/greet",
            "Ada",
        ])
        .stdin(Stdio::null())
        .output()
        .expect("docker starts");
    let elapsed = since.elapsed();
    assert!(output.stdout.starts_with(b"Hello, Ada!"), "{}", String::from_utf8_lossy(&output.stderr));
    Quantity::Time(elapsed)
}
