//! Runs the load generator against a server, as its own process on a core of its own: one program
//! measures what people can measure with it too.

use std::process::{Child, Command, Output, Stdio};

use benches::fixture::Guest;
use benches::load::Report;
use benches::process::{Cpu, Place, Server, built, pinned};
use benches::table::{Quantity, Row};

/// The core of the server that is measured.
pub(crate) const SERVER_CPU: Cpu = Some(0);

/// The core of the load generator.
pub(crate) const LOAD_CPU: Cpu = Some(1);

/// Seconds of one run.
const SECONDS: f64 = 3.0;

/// One run of the load generator.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) tool: String,
    pub(crate) arguments: &'static str,
    pub(crate) clients: usize,
    pub(crate) rate: Option<f64>,
    pub(crate) seconds: f64,
    pub(crate) cpu: Cpu,
    pub(crate) more: &'static [&'static str],
}

impl Load {
    /// Calls the guest's tool of a gateway without a rate.
    pub(crate) fn of(guest: &Guest, clients: usize) -> Self {
        Self {
            tool: guest.public_tool(),
            arguments: guest.arguments,
            clients,
            rate: None,
            seconds: SECONDS,
            cpu: LOAD_CPU,
            more: &[],
        }
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, server: &Server) -> Report {
        self.run_at(&server.place())
    }

    /// The same, for a server that was started otherwise.
    pub(crate) fn run_at(&self, place: &Place) -> Report {
        let output = self.command(place).output().expect("the load generator starts");
        read(&output)
    }

    /// Starts it; it ends by itself.
    pub(crate) fn start(&self, server: &Server) -> Child {
        self.command(&server.place()).stdout(Stdio::null()).spawn().expect("the load generator starts")
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = pinned(&built("load"), self.cpu);
        command.args(["--json", "--timeout", "40", "--arguments", self.arguments, "--tool", &self.tool]);
        command.args(["--url", &place.target.to_string(), "--pid", &place.pid.to_string()]);
        command.args(["--clients", &self.clients.to_string(), "--duration", &self.seconds.to_string()]);
        if let Some(rate) = self.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        command.args(place.headers.iter().flat_map(|header| ["--header", header]));
        command.args(self.more);
        command
    }
}

/// Calls left unsent, of those answered, that don't show in the 99th of a hundred.
const FEW_UNSENT: u64 = 1000;

/// A row of runs at a rate, in microseconds. Where more than a few calls were left unsent there are no
/// figures, since the longest latencies are missing.
pub(crate) fn at_rate(what: String, reports: &[Report], figure: fn(&Report) -> f64) -> Row {
    match reports.iter().find(|report| report.unsent > report.answered / FEW_UNSENT) {
        None => Row::runs(what, reports.iter().map(|report| Quantity::micros(figure(report))).collect()),
        Some(report) => {
            let Report { unsent, answered, .. } = report;
            Row::missing(what, format!("{unsent} calls that were due were never sent, {answered} were"))
        }
    }
}

/// A run with errors measures something else than a run without, so it is none.
fn read(output: &Output) -> Report {
    let report: Report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("no report: {e}\n{}", String::from_utf8_lossy(&output.stderr)));
    assert!(report.errors.is_empty() && report.answered > 0, "not every call was answered: {report:?}");
    report
}
