//! Calls over HTTP: the gateway, the bare echo server as the floor, and wassette, with the server on
//! one core and the client on another, in turns.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use benches::fixture::{Guest, HELLO};
use benches::load::Report;
use benches::proc;
use benches::process::{Policy, Server, peer, version};
use benches::table::{Quantity, Reach, Row};
use tempfile::TempDir;
use toolgate::auth::{ApiKey, Callers, Key, Servers};

use crate::RUNS;
use crate::loading::{Load, SERVER_CPU, at_rate};

const CLIENTS: [usize; 3] = [1, 8, 64];

/// Clients that the highest rate is taken from, and that share half of it.
const MOST: usize = 64;

/// The name that wassette gives the function.
const WASSETTE_TOOL: &str = "greet";

/// The version that the table is about.
const WASSETTE_VERSION: &str = "0.8.0";

/// What a server of the kind is granted in use: one interface of a service, with the secret that the gateway
/// adds there, and some environment.
const GRANTS: &str = r#"
http = ["GET,POST https://api.example.com/v1/*"]
env = { LANG = "en", GREETING_STYLE = "plain" }
secrets = [{ from = "file:token", header = "authorization", value = "Bearer {}", to = "https://api.example.com" }]
"#;

/// Keys of the gateway's callers.
const KEYS: usize = 32;

/// The secret; a machine would have made another.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Contender {
    name: &'static str,
    server: Result<(Server, Load), String>,
    reports: BTreeMap<usize, Vec<Report>>,
}

impl Contender {
    fn new(name: &'static str, server: Result<(Server, Load), String>) -> Self {
        Self { name, server, reports: BTreeMap::new() }
    }

    fn run(&mut self, clients: usize) {
        if let Ok((server, load)) = &self.server {
            let report = Load { clients, ..load.clone() }.run(server);
            self.reports.entry(clients).or_default().push(report);
        }
    }

    fn row(&self, what: &str, clients: usize, figure: impl Fn(&Report) -> Quantity) -> Row {
        let plural = if clients == 1 { "client" } else { "clients" };
        let what = format!("{}: {what}, {clients} {plural}", self.name);
        match &self.server {
            Ok(_) => Row::runs(what, self.reports[&clients].iter().map(figure).collect()),
            Err(why) => Row::missing(what, why.as_str()),
        }
    }

    fn latency(&self, clients: usize) -> Row {
        self.row("latency", clients, |report| Quantity::micros(report.latency.p50))
    }

    fn rate(&self, clients: usize) -> Row {
        self.row("calls", clients, |report| Quantity::Rate(report.per_second))
    }

    fn cpu(&self, clients: usize) -> Row {
        self.row("CPU per call", clients, cpu)
    }

    fn rows(&self) -> Vec<Row> {
        let rates = CLIENTS.map(|clients| self.rate(clients));
        [vec![self.latency(1)], rates.to_vec(), vec![self.cpu(1), self.cpu(8)]].concat()
    }
}

fn cpu(report: &Report) -> Quantity {
    Quantity::micros(report.server.map_or(f64::NAN, |server| server.cpu_micros_per_call))
}

/// Everything over HTTP.
pub(crate) async fn rows() -> Vec<Row> {
    let (site, other) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let mut contenders = [toolgate(&site, &HELLO).await, echo(&HELLO), wassette(&other, &HELLO).await];
    for _ in 0..RUNS {
        for clients in CLIENTS {
            for contender in &mut contenders {
                contender.run(clients);
            }
        }
    }
    let [toolgate, echo, wassette] = contenders;
    let mut rows = reached(&toolgate);
    rows.push(caller());
    rows.extend(half_of_peak(&toolgate, &echo));
    rows.extend(echo.rows());
    rows.extend(wassette.rows());
    rows.extend(ratios(&toolgate, &echo, &wassette));
    rows
}

async fn toolgate(site: &TempDir, guest: &Guest) -> Contender {
    std::fs::write(site.path().join("token"), TOKEN).expect("a secret");
    let policy = Policy { grants: GRANTS, keys: KEYS, ..Policy::default() };
    let server = Server::toolgate(site.path(), &[*guest], policy, SERVER_CPU).await;
    Contender::new("toolgate", Ok((server, Load::of(guest, 1))))
}

fn echo(guest: &Guest) -> Contender {
    let load = Load { more: &["--any-success"], ..Load::of(guest, 1) };
    Contender::new("hyper echo", Ok((Server::echo(SERVER_CPU), load)))
}

async fn wassette(site: &TempDir, guest: &Guest) -> Contender {
    let server = match peer("wassette").and_then(wanted) {
        Err(why) => Err(why),
        Ok(binary) => {
            let server = Server::wassette(site.path(), &binary, guest, WASSETTE_TOOL, SERVER_CPU).await;
            Ok((server, Load { tool: WASSETTE_TOOL.to_owned(), ..Load::of(guest, 1) }))
        }
    };
    Contender::new("wassette", server)
}

/// The binary, if it is of the version that the table is about.
fn wanted(binary: PathBuf) -> Result<PathBuf, String> {
    let said = version(&binary)?;
    if said.split_whitespace().any(|word| word.trim_start_matches('v') == WASSETTE_VERSION) {
        return Ok(binary);
    }
    Err(format!("it is of another version than {WASSETTE_VERSION}: {said}"))
}

fn reached(toolgate: &Contender) -> Vec<Row> {
    let below = |micros| Reach::Below(Quantity::micros(micros));
    let mut rows = toolgate.rows();
    // In the order of `Contender::rows`.
    let goals = [
        Some(below(150.0)),
        None,
        None,
        Some(Reach::AtLeast(Quantity::Rate(20_000.0))),
        None,
        Some(below(40.0)),
    ];
    for (row, goal) in rows.iter_mut().zip(goals) {
        row.reach = goal;
    }
    rows
}

/// What of a call is finding out who calls: its key among as many as the gateway has here.
fn caller() -> Row {
    const TIMES: u32 = 200_000;
    let generated: Vec<_> = (0..KEYS).map(|_| ApiKey::generate().expect("random bytes")).collect();
    let key = |(index, key): (usize, &ApiKey)| Key {
        name: format!("bench-{index}"),
        hash: key.hash(),
        owner: format!("bench-{index}"),
        servers: Servers::All,
    };
    let callers = Callers::of(&generated.iter().enumerate().map(key).collect::<Vec<_>>());
    let header = format!("Bearer {}", generated[KEYS - 1].expose());
    let run = |_| {
        let since = Instant::now();
        for _ in 0..TIMES {
            let caller = callers.identify(Some(black_box(header.as_bytes())));
            assert!(black_box(caller).is_ok(), "its key is there");
        }
        Quantity::Time(since.elapsed() / TIMES)
    };
    Row::runs("finding out who calls, by its key".to_owned(), (0..RUNS).map(run).collect())
}

/// Latency at half of the gateway's highest rate, in an open loop; and that of the echo server at the same
/// rate, since what the machine does to any server is in both.
fn half_of_peak(toolgate: &Contender, echo: &Contender) -> Vec<Row> {
    let (Ok((server, load)), Ok((floor, beside))) = (&toolgate.server, &echo.server) else {
        return Vec::new();
    };
    let Some(peak) = toolgate.rate(MOST).median() else { return Vec::new() };
    let half = |load: &Load| Load { clients: MOST, rate: Some((peak / 2.0).round()), ..load.clone() };
    let (load, beside) = (half(load), half(beside));
    let (mut reports, mut floors, mut stolen) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let before = proc::stolen();
        reports.push(load.run(server));
        floors.push(beside.run(floor));
        stolen.push(Quantity::Time(proc::stolen().saturating_sub(before)));
    }
    let [p50, p99, ratio] = spread("toolgate", &reports);
    let [low, high, floor] = spread("hyper echo", &floors);
    let over = Row::ratio("p99 at that rate: toolgate over hyper echo", &p99, &high);
    let stolen = Row::runs("processor time that the machine's host took meanwhile", stolen);
    vec![p50, p99, ratio.reach(Reach::Below(Quantity::Ratio(5.0))), low, high, floor, over, stolen]
}

/// Median, p99, and the one over the other.
fn spread(name: &str, reports: &[Report]) -> [Row; 3] {
    let row = |what: &str, figure: fn(&Report) -> f64| {
        at_rate(format!("{name}: {what} at half of toolgate's peak rate"), reports, figure)
    };
    let (p50, p99) = (row("median", |r| r.latency.p50), row("p99", |r| r.latency.p99));
    let ratio = Row::ratio(format!("{name}: p99 over median at half of toolgate's peak rate"), &p99, &p50);
    [p50, p99, ratio]
}

fn ratios(toolgate: &Contender, echo: &Contender, wassette: &Contender) -> Vec<Row> {
    let least = || Reach::AtLeast(Quantity::Ratio(3.0));
    vec![
        Row::ratio("CPU per call, 8 clients: toolgate over hyper echo", &toolgate.cpu(8), &echo.cpu(8))
            .reach(Reach::Below(Quantity::Ratio(2.0))),
        Row::ratio("calls, 8 clients: toolgate over wassette", &toolgate.rate(8), &wassette.rate(8))
            .reach(least()),
        Row::ratio("CPU per call, 8 clients: wassette over toolgate", &wassette.cpu(8), &toolgate.cpu(8))
            .reach(least()),
        Row::ratio("latency, 1 client: wassette over toolgate", &wassette.latency(1), &toolgate.latency(1))
            .reach(least()),
    ]
}
