//! Every fault that a config can have, as operators see it: one file in `tests/config` for each
//! kind, and beside it what is said about it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use toolgate_runtime::docker::Lifetime;

use super::*;
use crate::auth::Servers;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn env(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/op".to_owned()),
        "API_HOST" => Some("api.example.com".to_owned()),
        "SESSION_KEY" => Some("0123456789abcdef".to_owned()),
        "API_TOKEN" => Some("hunter2-hunter2".to_owned()),
        "BROKEN_TOKEN" => Some("hunter2\nhunter2".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("toolgate.toml"), &env)
}

fn full() -> (String, Config) {
    let text = std::fs::read_to_string(cases().join("full.toml")).unwrap();
    let config = Config::parse(&text, Path::new("/etc/toolgate/toolgate.toml"), &env).unwrap();
    (text, config)
}

#[test]
fn each_fault_is_told_with_its_line_its_cause_and_a_hint() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(cases());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut files: Vec<_> = std::fs::read_dir(cases()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "toml") && !path.ends_with("full.toml"));
    assert!(files.len() >= 12, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let errors = parse(&text).expect_err(name);
        settings.bind(|| insta::assert_snapshot!(name, errors));
    }
}

#[test]
fn every_key_is_read() {
    let (_, config) = full();
    let gateway = &config.gateway;
    assert_eq!(gateway.listen.to_string(), "0.0.0.0:0");
    assert_eq!(gateway.http.origins, ["https://app.example.com"]);
    assert_eq!(gateway.http.hosts, ["tools.example.com", "tools.example.com:8443"]);
    assert_eq!((gateway.http.body, gateway.http.connections), (1 << 20, 16));
    let times = [&gateway.http.header_timeout, &gateway.http.body_timeout, &gateway.http.write_timeout];
    assert_eq!(times.map(std::time::Duration::as_secs), [1, 2, 3]);
    assert_eq!((gateway.http.idle_timeout.as_secs(), gateway.http.drain.as_millis()), (4, 500));
    assert_eq!((gateway.http.resume.as_secs(), gateway.http.drain_delay.as_millis()), (6, 250));
    assert_eq!(gateway.session_key.as_ref().unwrap().expose(), "0123456789abcdef");
    assert_eq!(gateway.session_ttl.unwrap().as_secs(), 8 * 3600);
    assert_eq!(gateway.tools_ttl.unwrap().as_secs(), 5);
    assert_eq!(gateway.log, Some(LogFormat::Json));
    assert_eq!(gateway.state_dir, Path::new("/etc/toolgate/state"));
    let artifacts = &config.artifacts;
    assert_eq!(artifacts.state_dir.as_ref(), Some(&gateway.state_dir));
    assert_eq!(artifacts.plain_http, ["127.0.0.1:5000"]);
    assert_eq!(artifacts.docker_config.as_deref(), Some(Path::new("/home/op/.docker/config.json")));
    assert_eq!(artifacts.max_bytes, 20_000_000);
    let timeouts = [&artifacts.timeouts.connect, &artifacts.timeouts.idle, &artifacts.timeouts.total];
    assert_eq!(timeouts.map(std::time::Duration::as_secs), [1, 2, 10]);
    assert_eq!((config.admission.concurrency, config.admission.memory), (700, Some(3 << 30)));
    let engine = &config.engine;
    assert_eq!((engine.metering.as_str(), engine.compile_timeout.as_secs()), ("epoch", 9));
}

#[test]
fn every_key_of_a_caller_is_read() {
    let (_, config) = full();
    let [ann, ci] = &config.keys[..] else { panic!("{:?}", config.keys) };
    assert_eq!((ann.name.as_str(), ann.owner.as_str()), ("ann", "ann@example.com"));
    assert!(ann.hash.to_string().starts_with("sha256:9f86d081"));
    assert_eq!(ann.servers, Servers::only(["fetch", "local"]));
    assert_eq!((ci.owner.as_str(), &ci.servers), ("ci", &Servers::All));
    assert!(matches!(config.gateway.http.callers, Callers::Keys(_)));
    assert!(!config.gateway.allow_anonymous);
}

#[test]
fn other_hosts_are_let_in_by_a_key_or_by_an_explicit_word() {
    let is_open_by_mistake = |text: &str| parse(text).unwrap().is_open_by_mistake();
    let elsewhere = |more: &str| format!("[gateway]\nlisten = \"0.0.0.0:0\"\n{more}");
    let key = key_section("ann", &format!("sha256:{}", "0".repeat(64)), "Ann \"A\" \\", &["*".to_owned()]);
    let key = key.unwrap();
    assert!(!is_open_by_mistake(""));
    assert!(is_open_by_mistake(&elsewhere("")) && is_open_by_mistake("[gateway]\nlisten = \"[::]:0\""));
    assert!(!is_open_by_mistake(&elsewhere("allow-anonymous = true")));
    assert!(!is_open_by_mistake(&elsewhere(&key)));
    assert_eq!(parse(&key).unwrap().keys[0].owner, "Ann \"A\" \\");
}

#[test]
fn the_memory_of_all_bodies_holds_more_than_one_of_the_largest() {
    let bodies = |limit: &str| {
        let http = parse(&format!("[gateway]\nbody-limit = \"{limit}\"")).unwrap().gateway.http;
        (http.body >> 20, http.bodies >> 20)
    };
    assert_eq!(bodies("4MiB"), (4, 128));
    assert_eq!(bodies("256MiB"), (256, 512));
}

#[test]
fn every_key_of_the_way_out_is_read() {
    let (_, config) = full();
    let egress = &config.egress;
    let times = [&egress.resolve_timeout, &egress.connect_timeout, &egress.tls_timeout];
    assert_eq!(times.map(std::time::Duration::as_secs), [1, 2, 3]);
    let times = [&egress.first_byte_timeout, &egress.between_bytes_timeout];
    assert_eq!(times.map(std::time::Duration::as_secs), [4, 5]);
    assert_eq!((egress.max_response_body, egress.max_request_body), (6 << 20, 7 << 20));
    assert_eq!(egress.extra_ca.as_deref(), Some(Path::new("/etc/toolgate/ca.pem")));
}

#[test]
fn the_config_of_the_operators_guide_is_valid() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operators.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, from_config) = guide.split_once("```toml\n").unwrap();
    let (text, _) = from_config.split_once("```").unwrap();
    let opened: String = text.lines().map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
    let prose = |line: &&str| line.contains(" = ") || line.starts_with('[');
    let opened: String = opened.lines().filter(prose).map(|line| format!("{line}\n")).collect();
    for text in [text, &opened] {
        parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[test]
fn every_key_of_a_server_is_read() {
    let (_, config) = full();
    let fetch = &config.servers["fetch"];
    assert_eq!(fetch.source(), "oci://ghcr.io/acme/fetch:1.2");
    assert_eq!(fetch.container.as_ref().map(|container| container.image.as_str()), Some("mcp/fetch:1.2"));
    let container = fetch.container.as_ref().unwrap();
    assert_eq!((container.cpus, container.memory), (1.5, 32 << 20));
    assert_eq!((container.user.as_str(), container.runtime.as_deref()), ("1000:1000", Some("runsc")));
    assert_eq!((container.command.len(), container.lifetime), (2, Lifetime::Session));
    assert_eq!((container.containers, container.warm), (4, 2));
    assert_eq!((container.idle.as_secs(), container.start.as_secs()), (60, 5));
    assert_eq!(fetch.naming.rename["acme:fetch/fetch@1.0.0#get-page"], "get");
    let grants = &fetch.policy.grants;
    assert_eq!(grants.http()[0].to_string(), "GET https://api.example.com/v1/*");
    assert_eq!(grants.tcp()[0].to_string(), "db.internal:5432");
    assert_eq!(grants.files()[0].host(), Path::new("/etc/toolgate/./data"));
    assert_eq!((grants.files()[0].max(), grants.files()[1].max()), (None, Some(3 << 30)));
    assert_eq!((grants.env()["LANG"].as_str(), grants.env()["TEMPLATE"].as_str()), ("en", "${name}"));
    let secrets: Vec<_> = grants.secrets().iter().map(ToString::to_string).collect();
    assert_eq!(
        secrets,
        [
            "authorization for https://api.example.com from env:API_TOKEN",
            "x-api-key for https://api.example.com from file:/home/op/key",
            "PGPASSWORD in the environment from file:/etc/toolgate/secrets/pg",
        ]
    );
    let target = toolgate_runtime::policy::Target::parse("GET", "https://api.example.com/v1/x").unwrap();
    let (grant, header) = grants.headers_for(&target).next().unwrap();
    assert_eq!(header.bind(grant.read().unwrap()).unwrap().value(), "Bearer hunter2-hunter2");
    let limits = &fetch.policy.limits;
    assert_eq!((limits.fuel, limits.memory, limits.deadline.as_millis()), (1_000_000, 32 << 20, 1500));
    assert_eq!((limits.output, limits.stdio), (1 << 20, 1 << 10));
    assert_eq!((limits.instances, limits.tables, limits.memories), (1, 2, 3));
    assert_eq!((limits.handles, limits.concurrency), (4, 5));
    assert_eq!(config.servers["local"].source(), "file:/etc/toolgate/local.wasm");
    assert_eq!(config.servers["layout"].source(), "oci-layout:/etc/toolgate/tools:clock");
    assert_eq!(config.servers["container"].backend, BackendChoice::Docker);
    let elsewhere = &config.servers["elsewhere"];
    assert_eq!(
        (elsewhere.backend, elsewhere.source()),
        (BackendChoice::Remote, "https://mcp.example.com/mcp".to_owned())
    );
    let remote = elsewhere.remote.as_ref().unwrap();
    assert_eq!((&remote.headers["x-team"], remote.start.as_secs()), (&"search".parse().unwrap(), 7));
    assert_eq!(elsewhere.policy.grants.secrets().len(), 1);
}

#[test]
fn every_override_is_read() {
    let (_, config) = full();
    let overrides = &config.servers["fetch"].overrides;
    let get = &overrides["get"];
    assert_eq!((get.rename.as_deref(), get.title.as_deref()), (Some("fetch"), Some("Fetch a page")));
    assert_eq!((get.hide, get.description.as_deref()), (false, Some("Gets a page.")));
    let annotations: Vec<_> = get.annotations.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let expected = [
        "destructiveHint false",
        "idempotentHint true",
        "openWorldHint true",
        "readOnlyHint true",
        "title \"Fetch\"",
    ];
    assert_eq!(annotations, expected);
    let (url, raw, region) = (&get.parameters["url"], &get.parameters["raw"], &get.parameters["region"]);
    assert_eq!((url.rename.as_deref(), url.description.as_deref()), (Some("address"), Some("Where it is.")));
    assert!(raw.hide && raw.value.is_none() && !url.is_hidden() && raw.is_hidden() && region.is_hidden());
    let value: serde_json::Value = serde_json::from_str(region.value.as_ref().unwrap().0.get()).unwrap();
    assert_eq!(value["name"], "api.example.com");
    assert_eq!(value["ids"], serde_json::json!([1, 16, -1.5, true]));
    assert!(region.value.as_ref().unwrap().0.get().contains(r#""a b":18446744073709551616"#));
    assert!(overrides["post"].hide);
}

#[test]
fn every_key_of_a_profile_is_read() {
    let (_, config) = full();
    let (support, all) = (&config.profiles["support"], &config.profiles["all"]);
    assert_eq!((&support.servers, &all.servers), (&Servers::only(["fetch", "local"]), &Servers::All));
    assert!(support.has_tool("fetch__get") && support.has_tool("local__now"));
    assert!(!support.has_tool("fetch__delete-page") && !support.has_tool("local__then"));
    assert!(all.tools.is_none() && all.has_tool("fetch__delete-page"));
    assert_eq!((support.surface, all.surface), (Surface::All, Surface::Search));
    let catalog = config.catalog();
    assert_eq!((&catalog.profiles, catalog.surface), (&config.profiles, Surface::Search));
    assert_eq!(catalog.searched, ["local".to_owned()].into());
}

#[test]
fn an_empty_file_denies_everything_and_listens_on_loopback() {
    let config = parse("").unwrap();
    assert!(config.gateway.listen.ip().is_loopback());
    assert_eq!(config.gateway.state_dir, Path::new("/home/op/.local/state/toolgate"));
    assert!(config.artifacts.plain_http.is_empty() && config.servers.is_empty());
    assert_eq!((config.admission.concurrency, config.admission.memory), (10_000, None));
    let config = parse("[servers.clock]\ncomponent = \"file:clock.wasm\"").unwrap();
    let policy = &config.servers["clock"].policy;
    assert_eq!(policy.grants, toolgate_runtime::policy::Grants::default());
    assert_eq!(policy.limits, toolgate_runtime::limits::Limits::default());
}

#[test]
fn the_environment_decides_where_state_is() {
    let env = |name: &str| match name {
        STATE_DIR_VAR => Some("/tmp/state".to_owned()),
        name => env(name),
    };
    let config = Config::parse("[gateway]\nstate-dir = \"state\"", Path::new("x.toml"), &env).unwrap();
    assert_eq!(config.gateway.state_dir, Path::new("/tmp/state"));
    let error = Config::parse("", Path::new("toolgate.toml"), &|_| None).unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn a_secret_is_never_printed() {
    let (_, config) = full();
    let printed = format!("{config:?}");
    assert!(!printed.contains("0123456789abcdef") && !printed.contains("hunter2"));
    let leak = |name: &str| (name == "TOKEN").then(|| "hunter2 hunter2".to_owned());
    for value in
        ["log = \"${TOKEN}\"", "listen = \"${TOKEN}\"", "allowed-hosts = [\"x\", \"${TOKEN}\"]", "log = 1"]
    {
        let text = format!("[gateway]\nstate-dir = \"s\"\nsession-key = \"${{TOKEN}}\"\n{value}");
        let error = Config::parse(&text, Path::new("toolgate.toml"), &leak).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn no_truncated_or_bent_file_panics() {
    let (text, _) = full();
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        drop(parse(&text[..end]));
        drop(parse(&format!("{}\u{0}\r=[{{\"{}", &text[..end], &text[end..])));
    }
}

#[test]
fn the_faults_shown_of_one_file_are_bounded() {
    let text: String = (0..10_000).map(|i| format!("k{i} = 1\n")).collect();
    let errors = parse(&text).unwrap_err();
    assert_eq!(errors.errors().len(), MAX_REPORTED);
    assert!(errors.to_string().ends_with("error: 9950 more faults in toolgate.toml\n"));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let load = |name: &str, bytes: Option<&[u8]>| {
        let path = dir.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        let error = Config::load(&path, &env).unwrap_err();
        error.to_string().replace(&dir.path().display().to_string(), "DIR")
    };
    let large = vec![b'#'; usize::try_from(MAX_BYTES).unwrap() + 1];
    assert_eq!(load("none", None), "cannot read the config DIR/none");
    assert_eq!(load("", None), "cannot read the config DIR/");
    assert_eq!(load("large", Some(&large)), "the config DIR/large is larger than 1048576 bytes");
    assert_eq!(load("latin1", Some(b"# caf\xe9")), "the config DIR/latin1 is not UTF-8 at byte 5");
}
