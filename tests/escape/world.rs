//! The site of one family: a running gateway, files to steal, machines to reach, and the checks
//! that hold for every attempt whatever its transcript says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::client::Client;
use e2e::gateway::{self, Gateway, ends_in, with_hosts};
use e2e::guests;
use e2e::site::Site;
use serde_json::json;

use crate::observed::Observed;
use crate::rest::Rest;
use crate::servers::Servers;

/// Stands for every secret: it lies in files, in the gateway's environment, in another server's
/// grants, and on machines that nobody may reach.
const CANARY: &str = "canary-8f14e45f";

/// Bytes that one attempt may put into the log.
const MAX_LOG: usize = 256 * 1024;

/// How long the record of a call may take after its reply.
const RECORDED: Duration = Duration::from_secs(5);

/// How long servers may take to start, where many gateways start at a time.
const STARTED: Duration = Duration::from_secs(60);

/// How long the last connection of a call may take to close after the call ended.
const CLOSED: Duration = Duration::from_secs(2);

/// Folders that a server may have: to read, two to write, and one with a secret.
const FOLDERS: [&str; 4] = ["ro", "rw", "second", "vault"];

/// Servers that every family has besides its own: whose secrets are wanted, and who must be served
/// whatever happens.
const COMPANY: &str = r#"
[servers.vault]
component = "file:${GUESTS}/misbehave.wasm"
[servers.vault.grants]
secrets = [{ from = "env:CANARY", env = "TOKEN" }]
files = [{ host = "vault", guest = "/vault", mode = "rw" }]

[servers.witness]
component = "file:${GUESTS}/misbehave.wasm"
"#;

/// One family's site, with its gateway running.
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) gateway: Gateway,
    pub(crate) servers: Servers,
    rest: Rest,
}

impl World {
    /// Starts the gateway with a config of this folder.
    pub(crate) async fn start(config: &Path) -> Self {
        let own = crate::folder().join(config);
        let own = fs::read_to_string(&own).unwrap_or_else(|error| panic!("{}: {error}", own.display()));
        let site = Site::new(&format!("{own}{COMPANY}"));
        compile_fixtures(&site);
        for folder in FOLDERS {
            fs::create_dir_all(site.path(folder)).unwrap();
        }
        let servers = Servers::start(CANARY);
        let mut command = gateway::command(&site);
        command.envs(variables(&servers));
        if let Some(descriptors) = own.lines().find_map(|line| line.strip_prefix("# descriptors: ")) {
            command = with_descriptors(&site, descriptors, &command);
        }
        if own.contains("# hosts: ") {
            command = with_names(&site, &own, &command);
        }
        let gateway = Gateway::launch(&site, command).await;
        all_tried(&gateway, &format!("{own}{COMPANY}")).await;
        let rest = Rest::of(gateway.pid()).await;
        let world = Self { site, gateway, servers, rest };
        world.furnish();
        world
    }

    /// Puts the files in place that an attempt finds.
    pub(crate) fn furnish(&self) {
        for folder in FOLDERS {
            empty(&self.site.path(folder));
        }
        self.site.write("ro/a.txt", "inside");
        self.site.write("ro/sub/b.txt", "inside");
        self.site.write("rw/a.txt", "inside");
        self.site.write("rw/sub/b.txt", "inside");
        self.site.write("second/a.txt", "of the second");
        self.site.write("vault/secret.txt", CANARY);
        self.site.write("outside/secret.txt", CANARY);
        self.site.write("outside/sub/secret.txt", CANARY);
    }

    /// What attempts and config may name, and what stands for it in transcripts.
    pub(crate) fn variables(&self) -> BTreeMap<&'static str, String> {
        variables(&self.servers)
    }

    /// The values that differ between runs, longest first, with their names.
    pub(crate) fn names(&self) -> Vec<(String, &'static str)> {
        vec![
            (self.site.dir().display().to_string(), "${SITE}"),
            (format!(":{}", self.servers.granted), ":${GRANTED}"),
            (format!(":{}", self.servers.other), ":${OTHER}"),
            (format!("port {}", self.servers.granted), "port ${GRANTED}"),
        ]
    }

    /// A client of one server.
    pub(crate) fn client(&self, server: &str) -> Client {
        self.gateway.client_of(server)
    }

    /// A copy of everything that no attempt may change.
    pub(crate) fn untouchable(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for folder in ["outside", "vault", "ro"] {
            collect(&self.site.path(folder), &mut files);
        }
        files
    }

    /// A copy of what attempts may change.
    pub(crate) fn changeable(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for folder in ["rw", "second"] {
            collect(&self.site.path(folder), &mut files);
        }
        files
    }

    /// Waits until nothing of the calls before goes on.
    ///
    /// # Panics
    /// When something does, be it a connection, an open file or work.
    pub(crate) async fn at_rest(&self, name: &str) {
        self.servers.read_on();
        let end = Instant::now() + CLOSED;
        while self.servers.open() > 0 {
            assert!(Instant::now() < end, "{name}: a connection outlives its call");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.rest.regained(name).await;
    }

    /// Holds an attempt to what no transcript may bless. `whole` is all that came back, uncut.
    pub(crate) async fn check(&mut self, name: &str, whole: &str, log: &str) {
        assert!(!whole.contains(CANARY), "{name}: the canary left its place:\n{whole}");
        assert!(!log.contains(CANARY), "{name}: the log holds the canary:\n{log}");
        assert!(log.len() < MAX_LOG, "{name}: {} bytes of log", log.len());
        let panicked = Observed::own(log).any(|line| line.contains("panicked"));
        assert!(!panicked, "{name}: the gateway panicked:\n{log}");
        assert_eq!(self.servers.strays(), [""; 0], "{name}: strays arrived");
        assert!(self.gateway.is_alive(), "{name}: the gateway ended:\n{log}");
        let health = reqwest::get(self.gateway.url("/health")).await.unwrap();
        assert!(health.status().is_success(), "{name}: health answers {}", health.status());
        let begin = self.gateway.log().len();
        let served = self.client("witness").call("count", json!({})).await;
        assert_eq!(served["structuredContent"], json!({ "result": 1 }), "{name}: {served}");
        // Not to be taken for a record of the next attempt.
        self.recorded(begin, 1).await;
    }

    /// Waits until so many calls are in the log, or for a while.
    pub(crate) async fn recorded(&self, begin: usize, calls: usize) {
        let end = Instant::now() + RECORDED;
        while Observed::calls(&self.gateway.log()[begin..]).len() < calls && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Waits until every server is ready or refused. Slow ones come after the gateway's first catalog.
async fn all_tried(gateway: &Gateway, config: &str) {
    let names = config.lines().filter_map(|line| line.strip_prefix("[servers.")?.strip_suffix(']'));
    let end = Instant::now() + STARTED;
    for name in names.filter(|name| !name.contains('.')) {
        let told = format!("\"server\":\"{name}\"");
        while !gateway.log().contains(&told) {
            assert!(Instant::now() < end, "{name} does not start:\n{}", gateway.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn variables(servers: &Servers) -> BTreeMap<&'static str, String> {
    let guests = guests::guest("misbehave");
    let guests = guests.parent().unwrap().display().to_string();
    BTreeMap::from([
        ("CANARY", CANARY.to_owned()),
        ("GUESTS", guests),
        ("GRANTED", servers.granted.to_string()),
        ("OTHER", servers.other.to_string()),
    ])
}

/// Puts the hand-written guests into the site, as `wat/NAME.wasm`.
fn compile_fixtures(site: &Site) {
    for entry in fs::read_dir(guests::root().join("tests/guests/wat")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"));
        site.write(&format!("wat/{}.wasm", path.file_stem().unwrap().to_str().unwrap()), bytes);
    }
}

/// The gateway where names mean what the config's lines `# hosts: ADDRESS NAME` say.
fn with_names(site: &Site, config: &str, gateway: &Command) -> Command {
    let hosts: Vec<_> = config.lines().filter_map(|line| line.strip_prefix("# hosts: ")).collect();
    with_hosts(site, &(hosts.join("\n") + "\n"), gateway)
}

/// The gateway where it may have so many descriptors and no more.
fn with_descriptors(site: &Site, descriptors: &str, gateway: &Command) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", descriptors]);
    ends_in(command, site, gateway)
}

fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            collect(&path, files);
            files.insert(path, Vec::new());
        } else if kind.is_file() {
            files.insert(path.clone(), fs::read(&path).unwrap());
        } else {
            files.insert(path, Vec::new());
        }
    }
}
