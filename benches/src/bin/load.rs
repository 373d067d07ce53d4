//! `load`: calls one tool of a server on this host, at a rate or as fast as it answers, and tells
//! how long that took. The work is done in `benches::load`; this is its command line.

use std::process::ExitCode;
use std::time::Duration;

use benches::connection::Expect;
use benches::load::{Plan, run};
use benches::request::tools_call;
use benches::target::Target;
use clap::Parser;

/// Connections at most. Against using up the host's ports and file descriptors.
const MAX_CLIENTS: i64 = 20_000;

/// Calls a tool again and again over HTTP, and tells latency, throughput, errors and the server's cost
#[derive(Debug, Parser)]
#[command(after_help = "\
Without --rate, every client sends its next call when it has its answer: the highest throughput.
With --rate, calls are due at fixed times and latency counts from when a call was due, so that a
server that stalls can't hide it. The client then keeps one core busy: give it its own.

Example, for a server on the first core:
  taskset -c 0 toolgate serve &
  taskset -c 1 cargo run -p benches --release --bin load -- --url http://127.0.0.1:8080/mcp \\
    --tool clock__now --arguments '{}' --clients 64 --rate 10000 --duration 10 --pid $(pidof toolgate)")]
struct Arguments {
    /// The endpoint; loopback only
    #[arg(long, default_value = "http://127.0.0.1:8080/mcp")]
    url: Target,
    /// The tool to call
    #[arg(long)]
    tool: String,
    /// Its arguments, as a JSON object
    #[arg(long, default_value = "{}", value_parser = object)]
    arguments: serde_json::Value,
    /// A header to add, as `name: value`; may be given again
    #[arg(long, value_parser = header)]
    header: Vec<String>,
    /// Connections, and so the most calls in flight
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=MAX_CLIENTS))]
    clients: u16,
    /// Calls a second; as many as are answered if absent
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// Seconds to measure
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    duration: Duration,
    /// Seconds to call before measuring
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    warmup: Duration,
    /// Stop after this many calls
    #[arg(long, default_value_t = 100_000_000)]
    max_requests: u64,
    /// Seconds to wait for one answer
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// The server's process: tell its processor time and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Count every 2xx as an answer, for servers that don't speak MCP
    #[arg(long)]
    any_success: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    match run(plan(arguments)).await {
        Ok(report) => {
            let text =
                if json { serde_json::to_string(&report).expect("numbers") } else { report.to_string() };
            print(&text);
            if report.answered > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            tell(&format!(
                "error: the server's process can't be looked at: {error}\nhint: --pid names a running process"
            ));
            ExitCode::FAILURE
        }
    }
}

fn plan(arguments: Arguments) -> Plan {
    let request = tools_call(&arguments.url, &arguments.tool, &arguments.arguments, &arguments.header);
    Plan {
        target: arguments.url,
        request,
        expect: if arguments.any_success { Expect::Success } else { Expect::ToolResult },
        clients: usize::from(arguments.clients),
        rate: arguments.rate,
        warmup: arguments.warmup,
        duration: arguments.duration,
        max_requests: arguments.max_requests,
        timeout: arguments.timeout,
        pid: arguments.pid,
    }
}

fn object(text: &str) -> Result<serde_json::Value, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("a tool's arguments are a JSON object".to_owned()) }
}

fn header(text: &str) -> Result<String, String> {
    let (name, _) = text.split_once(": ").ok_or("a header is `name: value`")?;
    if name.is_empty() || text.contains(|c: char| c.is_control()) {
        return Err("a header has a name, and is one line".to_owned());
    }
    Ok(text.to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn positive(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number of calls a second".to_owned())?;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err("a rate is above zero".to_owned()) }
}

#[allow(clippy::print_stdout, reason = "the report is what this program is for")]
fn print(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr, reason = "a command line that talks to a person")]
fn tell(text: &str) {
    eprintln!("{text}");
}
