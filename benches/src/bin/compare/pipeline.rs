//! Calls through the whole pipeline in process, on one thread and on two: besides what calls share at the
//! sandbox, the catalog, admission, the record, and the log's queue, whose thread writes to a file.
//!
//! Each run is a process of its own, this program again: there is one log to a process, and it goes to
//! stderr, which is that file.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use benches::fixture::{self, Guest, HELLO, WORDS};
use benches::table::{Quantity, Row};
use tempfile::TempDir;
use toolgate::config::LogFormat;
use toolgate::logging;
use tracing::Level;

use crate::RUNS;
use crate::sandbox::{named, rate, throughput};

/// The first argument of a run's process; the guest's name and the number of threads follow.
pub(crate) const RUN: &str = "pipeline-run";

/// Of so many records one may be dropped, as the log does when its thread gets no turn. More of them would be
/// calls that cost less than others.
const LOST: u64 = 1_000;

const GUESTS: [Guest; 2] = [HELLO, WORDS];

/// All rows of this part.
pub(crate) async fn rows() -> Vec<Row> {
    let site = TempDir::new().expect("a folder");
    GUESTS.iter().flat_map(|guest| threads(guest, site.path())).collect()
}

fn threads(guest: &Guest, site: &Path) -> Vec<Row> {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        one.push(start(guest, 1, site));
        two.push(start(guest, 2, site));
    }
    let row = |what: &str, runs: Vec<Result<Quantity, String>>| {
        let what = named(&format!("pipeline and record: {what}"), guest);
        match runs.into_iter().collect::<Result<_, _>>() {
            Ok(runs) => Row::runs(what, runs),
            Err(why) => Row::missing(what, why),
        }
    };
    let (one, two) = (row("calls on one thread", one), row("calls on two threads", two));
    let ratio = Row::ratio(named("pipeline and record: two threads over one", guest), &two, &one);
    vec![one, two, ratio]
}

/// Has a process run, and looks whether the calls' records are in the file.
fn start(guest: &Guest, threads: usize, site: &Path) -> Result<Quantity, String> {
    let log = site.join("log");
    let output = Command::new(std::env::current_exe().expect("the path of this program"))
        .args([RUN, guest.name, &threads.to_string()])
        .stdin(Stdio::null())
        .stderr(File::create(&log).expect("a log"))
        .output()
        .expect("this program starts");
    let written = fs::read_to_string(&log).expect("the log");
    let told = String::from_utf8_lossy(&output.stdout);
    let calls: u64 = told.trim().parse().unwrap_or_else(|_| panic!("no count of calls: {told}\n{written}"));
    let records = written.lines().filter(|line| line.contains(r#""outcome":"ok""#)).count() as u64;
    let lost = calls.abs_diff(records);
    if lost > calls / LOST {
        Err(format!("{lost} of {calls} records are not in the log"))
    } else {
        Ok(rate(calls))
    }
}

/// One run, in a process of its own.
pub(crate) async fn run(arguments: &[String]) -> ExitCode {
    let [name, threads] = arguments else { return ExitCode::FAILURE };
    let guest = GUESTS.into_iter().find(|guest| guest.name == name).expect("a guest of this part");
    let threads = threads.parse().expect("a number of threads");
    logging::start(Some(LogFormat::Json), Level::INFO).expect("a log");
    let state = TempDir::new().expect("a folder");
    let artifact = guest.artifact(state.path()).await;
    let component = guest.prepare(&fixture::engine(), &artifact, None).await;
    let gateway = fixture::gateway(&guest, component);
    let call = async || fixture::through_pipeline(&gateway, &guest).await;
    let calls = throughput(call, threads);
    logging::flush();
    print(calls);
    ExitCode::SUCCESS
}

#[allow(clippy::print_stdout, reason = "who started this process reads it")]
fn print(calls: u64) {
    println!("{calls}");
}
