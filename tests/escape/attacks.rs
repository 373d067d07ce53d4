//! Every way to use something up that is tried against a gateway which serves others meanwhile.

/// A call to be repeated.
pub(crate) struct Attack {
    pub(crate) server: &'static str,
    pub(crate) tool: &'static str,
    /// As in a transcript.
    pub(crate) arguments: &'static str,
    /// Clients that repeat it at a time.
    pub(crate) clients: usize,
    /// How it ends when nothing else goes on.
    pub(crate) ends: &'static str,
    /// How it ends, too, while others take the same.
    pub(crate) or: &'static str,
}

impl Attack {
    /// What reports call it.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.server, self.tool)
    }
}

/// Clients of what ends soon: more of them would be a flood of calls, which is another matter.
const FEW: usize = 4;

/// Clients of what lasts: all permits of a server.
pub(crate) const ALL: usize = 64;

const fn few(
    server: &'static str,
    tool: &'static str,
    arguments: &'static str,
    ends: &'static str,
) -> Attack {
    Attack { server, tool, arguments, clients: FEW, ends, or: "deadline" }
}

const fn all(tool: &'static str, arguments: &'static str, ends: &'static str) -> Attack {
    Attack { clients: ALL, ..few("attacker", tool, arguments, ends) }
}

/// Clients of the other tool.
pub(crate) const WITNESSES: usize = 8;

/// What fills memory and stack of each call, in as many calls as there may be in flight.
pub(crate) static FILLS: [Attack; 2] =
    [all("hold-all", FILL, "ok"), Attack { clients: WITNESSES, ..few("witness", "hold-all", FILL, "ok") }];
const FILL: &str = r#"{"depth":10000,"milliseconds":300}"#;

pub(crate) const ATTACKS: &[Attack] = &[
    // Time.
    all("spin", "{}", "deadline"),
    all("spin-in-host-calls", "{}", "deadline"),
    all("sleep-for", r#"{"milliseconds":60000}"#, "deadline"),
    all("poll-many", r#"{"count":100,"milliseconds":60000}"#, "deadline"),
    few("bulk-memory", "run", "{}", "deadline"),
    few("recursion", "run", "{}", "trap"),
    few("start-spins", "run", "{}", "deadline"),
    // Memory and handles.
    few("attacker", "allocate-or-die", "{}", "memory"),
    few("attacker", "overflow-stack", "{}", "trap"),
    few("attacker", "hoard-pollables", r#"{"count":100000}"#, "memory"),
    few("attacker", "hoard-files", r#"{"path":"/rw/a.txt","count":100000}"#, "memory"),
    all("hold-files", r#"{"path":"/rw/a.txt","count":200,"milliseconds":500}"#, "ok"),
    few("attacker", "random-bytes", r#"{"count":1000000}"#, "ok"),
    few("attacker", "leave-timers", r#"{"count":100}"#, "ok"),
    few("grow-table", "grow", r#"{"by":7000000}"#, "ok"),
    few("hoard-resources", "run", r#"{"count":100000}"#, "memory"),
    few("many-instances", "run", "{}", "memory"),
    // What goes in and comes out.
    // More clients would measure what sending it costs them.
    Attack { clients: 2, ..few("attacker", "swap", r#"{"text":"%(x*500000)%"}"#, "ok") },
    Attack { clients: 2, ..few("attacker", "swap", r#"{"text":%([*100000)%%(]*100000)%}"#, "arguments") },
    few("attacker", "huge-string", r#"{"bytes":30000000}"#, "output"),
    few("result-huge-list", "run", "{}", "output"),
    few("result-not-utf8", "run", "{}", "trap"),
    few("attacker", "print-lines", r#"{"to-stderr":true,"line":"spam","count":100000}"#, "ok"),
    few("attacker", "print-bytes", r#"{"to-stderr":false,"bytes":5000000}"#, "ok"),
    // Files.
    few("attacker", "fill-file", r#"{"path":"/rw/full","bytes":100000000}"#, "err"),
    few("attacker", "scatter-bytes", r#"{"path":"/rw/holes","count":1000}"#, "ok"),
    few("attacker", "hoard-names", r#"{"folder":"/rw/sub","count":1000}"#, "ok"),
    few("attacker", "read-often", r#"{"path":"/etc/passwd","turns":100000}"#, "ok"),
    few("attacker", "write-often", r#"{"path":"/rw/out/new","text":"x","turns":1000}"#, "ok"),
    Attack {
        or: "err",
        ..few("attacker", "exchange", r#"{"one":"/rw/sub/b.txt","other":"/rw/out","turns":1000}"#, "ok")
    },
    // The network.
    few(
        "attacker",
        "http-many",
        r#"{"url":"http://127.0.0.1:${GRANTED}/v1/silent","count":100}"#,
        "deadline",
    ),
    few(
        "attacker",
        "http",
        r#"{"method":"GET","url":"http://127.0.0.1:${GRANTED}/v1/endless","headers":[],"body":null}"#,
        "err",
    ),
    few(
        "attacker",
        "http",
        r#"{"method":"GET","url":"http://127.0.0.1:${GRANTED}/v1/headers","headers":[],"body":null}"#,
        "err",
    ),
    few(
        "attacker",
        "http-upload",
        r#"{"url":"http://127.0.0.1:${GRANTED}/v1/upload","bytes":100000000}"#,
        "err",
    ),
    few(
        "attacker",
        "tcp",
        r#"{"address":"127.0.0.1:${GRANTED}","text":"GET /v1/silent HTTP/1.0\r\n\r\n"}"#,
        "deadline",
    ),
    few("attacker", "hoard-connections", r#"{"address":"127.0.0.1:${GRANTED}","count":100000}"#, "memory"),
];
