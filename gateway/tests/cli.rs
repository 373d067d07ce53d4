//! The command line as people and scripts meet it: what is printed where, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};

use site::{CONFIG, Run, Site, pin};

#[test]
fn every_command_explains_itself_with_an_example() {
    let site = Site::new("");
    pin!("help", site.run(&["--help"]));
    let commands = [
        "serve", "stdio", "call", "list", "inspect", "check", "audit", "doctor", "health", "pull", "push",
        "key", "import",
    ];
    for command in commands {
        let run = site.run(&[command, "--help"]);
        assert!(run.stdout.contains("Example:"), "{command}");
        pin!(format!("help-{command}"), run);
    }
    pin!("help-import-docker-catalog", site.run(&["import", "docker-catalog", "--help"]));
}

#[test]
fn wrong_usage_ends_with_2() {
    let site = Site::new(CONFIG);
    pin!("usage-no-command", site.run(&[]));
    pin!("usage-unknown-command", site.run(&["serv"]));
    pin!("usage-unknown-option", site.run(&["list", "--jsn"]));
    pin!("usage-listen", site.run(&["serve", "--listen", "localhost"]));
    pin!("usage-no-reference", site.run(&["pull", "./calc.wasm"]));
    pin!("usage-call-no-tool", site.run(&["call", "calc"]));
    pin!("usage-call-not-json", site.run(&["call", "calc__add", "{a: 1}"]));
    pin!("usage-call-not-an-object", site.run(&["call", "calc__add", "[1, 2]"]));
    pin!("usage-call-no-file", site.run(&["call", "calc__add", "@none.json"]));
    pin!("usage-call-unknown-server", site.run(&["call", "clac__add"]));
    pin!("usage-call-unknown-tool", site.run(&["call", "calc", "multiply"]));
}

#[test]
fn a_config_that_is_missing_or_wrong_is_told() {
    let site = Site::new("[gateway]\nlissten = \"127.0.0.1:0\"\n\n[servers.calc]\n");
    pin!("config-missing", site.run(&["check", "--config", "none.toml"]));
    pin!("config-a-directory", site.run(&["check", "--config", "."]));
    pin!("config-faults", site.run(&["check"]));
    site.write("latin1.toml", b"# caf\xe9\n");
    pin!("config-not-utf8", site.run(&["serve", "--config", "latin1.toml"]));
    site.write("large.toml", &vec![b'\n'; 1024 * 1024 + 1]);
    pin!("config-too-large", site.run(&["stdio", "--config", "large.toml"]));
    let mut from_env = site.command(&["list"]);
    let run = Run::of(from_env.env("TOOLGATE_CONFIG", "elsewhere.toml").output().unwrap(), site.dir.path());
    assert!(run.stderr.starts_with("error: cannot read the config elsewhere.toml\n"), "{}", run.stderr);
}

#[test]
fn an_audit_scores_each_server_and_says_what_to_change() {
    let site = Site::new(CONFIG);
    pin!("audit", site.run(&["audit"]));
    pin!("audit-json", site.run(&["audit", "calc", "--json"]));
    pin!("audit-fails", site.run(&["audit", "--at-least", "80"]));
    pin!("audit-unknown", site.run(&["audit", "clac"]));
}

#[test]
fn a_key_is_shown_once_beside_the_lines_that_admit_it() {
    let site = Site::new(CONFIG);
    pin!("help-key-new", site.run(&["key", "new", "--help"]));
    let mut run = site.run(&["key", "new", "ann", "--owner", "ann@example.com", "--server", "calc"]);
    let (_, key) = run.stderr.split_once("key: ").unwrap();
    let key = key.lines().next().unwrap().to_owned();
    assert!(!run.stdout.contains(&key[9..]), "the config has its hash alone");
    let hash = toolgate_runtime::artifact::Digest::of(key.as_bytes()).to_string();
    run.stdout = run.stdout.replace(&hash, "HASH");
    run.stderr = run.stderr.replace(&key, "KEY");
    pin!("key-new", run);
    let made = site.run(&["key", "new", "ci", "--server", "*", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    assert_eq!((&made["owner"], &made["servers"][0]), (&"ci".into(), &"*".into()));
    assert_ne!(made["key"], key.as_str());
    pin!("usage-key-no-server", site.run(&["key", "new", "ann"]));
    pin!("usage-key-bad-name", site.run(&["key", "new", "ann smith", "--server", "calc"]));
    pin!("usage-key-bad-server", site.run(&["key", "new", "ann", "--server", "Calc\u{1b}[2J"]));
    pin!("usage-key-bad-owner", site.run(&["key", "new", "ann", "--owner", "local", "--server", "calc"]));
}

#[test]
fn without_a_key_other_hosts_are_let_in_by_an_explicit_word_alone() {
    let open = format!("[gateway]\nlisten = \"0.0.0.0:0\"\n{CONFIG}");
    let site = Site::new(&open);
    pin!("serve-open-by-mistake", site.run(&["serve"]));
    let check = site.run(&["check"]);
    assert_eq!(check.code, Some(1));
    assert!(check.stderr.contains("error: other hosts could reach 0.0.0.0:0"), "{}", check.stderr);
    let loopback = Site::new(CONFIG);
    let told = loopback.run(&["serve", "--listen", "0.0.0.0:0"]);
    assert!(told.code == Some(1) && told.stderr.contains("allow-anonymous = true"), "{}", told.stderr);
}

#[test]
fn a_log_filter_that_makes_no_sense_is_told() {
    let site = Site::new(CONFIG);
    let output = site.command(&["check"]).env("TOOLGATE_LOG", "loud").output().unwrap();
    pin!("log-filter", Run::of(output, site.dir.path()));
    let output = site.command(&["check"]).env("TOOLGATE_LOG", "warn,toolgate=loud").output().unwrap();
    pin!("log-filter-level", Run::of(output, site.dir.path()));
}

#[test]
fn check_shows_what_each_server_resolves_to_and_fails_if_one_is_unavailable() {
    let site = Site::new(CONFIG);
    pin!("check-ready", site.run(&["check"]));
    let broken = "
[docker]
host = \"unix:///nowhere/docker.sock\"
[servers.absent]
component = \"file:absent.wasm\"
[servers.container]
image = \"mcp/fetch:1.2\"
[servers.far]
url = \"http://127.0.0.1:1/mcp\"
[servers.garbage]
component = \"file:garbage.wasm\"
[servers.module]
component = \"file:module.wasm\"
[servers.truncated]
component = \"file:truncated.wasm\"
";
    site.write("toolgate.toml", format!("{CONFIG}{broken}").as_bytes());
    site.write("garbage.wasm", b"not wasm");
    site.write("module.wasm", &wat::parse_str("(module)").unwrap());
    let component = fs::read(site.path("calc.wasm")).unwrap();
    site.write("truncated.wasm", &component[..component.len() / 2]);
    pin!("check-unavailable", site.run(&["check"]));
    let run = site.run(&["check", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let states: Vec<_> = report["servers"].as_array().unwrap().iter().map(|s| s["state"].clone()).collect();
    assert_eq!(states.iter().filter(|state| *state == "ready").count(), 1, "{report}");
    assert_eq!((run.code, states.len()), (Some(1), 7));
    assert!(!run.stdout.contains("never-shown"));
}

#[test]
fn a_clash_of_tool_names_names_the_key_to_change() {
    let site = Site::new(&format!("{CONFIG}\n[servers.calc.rename]\nadd = \"answer\"\n"));
    pin!("check-clash", site.run(&["check"]));
    let site = Site::new(&format!("{CONFIG}\n[servers.calc.rename]\nsum = \"total\"\n"));
    pin!("check-rename-of-nothing", site.run(&["check"]));
    let site = Site::new(&format!("{CONFIG}\n[servers.calc.rename]\nadd = \"sum\"\n"));
    assert!(site.run(&["list"]).stdout.contains("calc__sum"));
}

#[test]
fn a_grant_that_cannot_be_given_is_told() {
    let config = CONFIG.replace("host = \".\"", "host = \"no-such-directory\"");
    pin!("check-no-directory", Site::new(&config).run(&["check"]));
}

#[test]
fn check_shows_where_a_secret_goes_and_never_what_it_is() {
    let secrets = "secrets = [
    { from = \"env:API_TOKEN\", header = \"authorization\", value = \"Bearer {}\", to = \"https://api.example.com\" },
    { from = \"file:token\", env = \"PGPASSWORD\" },
]
env = ";
    let site = Site::new(&CONFIG.replace("env = ", secrets));
    let check = |args: &[&str]| {
        let output = site.command(args).env("API_TOKEN", "never-shown").output().unwrap();
        Run::of(output, site.dir.path())
    };
    pin!("check-secret-missing", check(&["check"]));
    site.write("token", b"never-shown\n");
    pin!("check-secrets", check(&["check"]));
    assert!(!check(&["check", "--json"]).stdout.contains("never-shown"));
}

#[test]
fn list_prints_the_names_that_clients_see() {
    let site = Site::new(&format!("{CONFIG}\n[servers.absent]\ncomponent = \"file:absent.wasm\"\n"));
    pin!("list", site.run(&["list"]));
    let run = site.run(&["list", "--json"]);
    let tools: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(tools[1]["name"], "calc__add");
    assert_eq!(tools[1]["inputSchema"]["required"], serde_json::json!(["a", "b"]));
}

#[test]
fn call_prints_the_result_and_what_it_used() {
    let site = Site::new(CONFIG);
    for words in [&["calc__add"][..], &["calc", "add"]] {
        let run = site.run(&[&["call"], words, &["{\"a\": 40, \"b\": 2}"]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), "42\n"), "{}", run.stderr);
        assert!(run.stderr.contains("fuel ") && run.stderr.contains("memory "), "{}", run.stderr);
    }
    site.write("arguments.json", b"{\"a\": 1, \"b\": 2}\n");
    assert_eq!(site.run(&["call", "calc__add", "@arguments.json"]).stdout, "3\n");
    let mut child = site.command(&["call", "calc__add", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"a\": 2, \"b\": 3}").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"5\n");
    let run = site.run(&["call", "calc__answer", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["structuredContent"]["result"], &report["isError"]), (&42.into(), &false.into()));
    assert!(report["usage"]["fuel"].as_u64().unwrap() > 0);
}

#[test]
fn a_call_that_fails_ends_with_1() {
    let site = Site::new(CONFIG);
    let run = site.run(&["call", "calc__spin"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.ends_with("error: out of fuel: the call burned its budget of 1000000\n"),
        "{}",
        run.stderr
    );
    let run = site.run(&["call", "calc__add", "{\"a\": -1, \"b\": 2}"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("error: invalid arguments: "), "{}", run.stderr);
    let run = site.run(&["call", "calc__spin", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &report["error"]["code"]), (Some(1), &"fuel".into()));
}

#[test]
fn inspect_needs_no_config() {
    let site = Site::new("");
    fs::remove_file(site.path("toolgate.toml")).unwrap();
    pin!("inspect", site.run(&["inspect", "file:calc.wasm"]));
    let run = site.run(&["inspect", "file:calc.wasm", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["tools"][0]["name"], "answer");
    pin!("inspect-absent", site.run(&["inspect", "file:absent.wasm"]));
    pin!("inspect-no-server", site.run(&["inspect", "calc"]));
    site.write("module.wasm", &wat::parse_str("(module)").unwrap());
    pin!("inspect-module", site.run(&["inspect", "file:module.wasm"]));
}

#[test]
fn inspect_shows_the_grants_that_the_imports_of_wasi_can_make_use_of() {
    let interfaces =
        ["cli/environment", "filesystem/preopens", "http/outgoing-handler", "sockets/tcp", "random/random"];
    let imports = interfaces.map(|name| format!("(import \"wasi:{name}@0.2.6\" (instance))"));
    let site = Site::new("");
    site.write("wasi.wasm", &wat::parse_str(format!("(component {})", imports.concat())).unwrap());
    pin!("inspect-grants", site.run(&["inspect", "file:wasi.wasm"]));
}

#[test]
fn inspect_says_what_keeps_a_component_or_a_function_from_being_served() {
    let site = Site::new("");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests/wat");
    for name in ["unknown-import", "clash", "future", "map", "long-name"] {
        let wat = fs::read_to_string(fixtures.join(format!("{name}.wat"))).unwrap();
        site.write(&format!("{name}.wasm"), &wat::parse_str(wat).unwrap());
        pin!(format!("inspect-{name}"), site.run(&["inspect", &format!("file:{name}.wasm")]));
    }
}

#[test]
fn inspect_takes_a_layout_with_and_without_a_tag() {
    let site = Site::new("");
    site.run(&["push", "calc.wasm", "oci-layout:registry:calc"]);
    pin!("inspect-layout", site.run(&["inspect", "oci-layout:registry:calc"]));
    assert_eq!(site.run(&["inspect", "oci-layout:registry"]).code, Some(0), "there is only one");
    pin!("inspect-layout-unknown-tag", site.run(&["inspect", "oci-layout:registry:clac"]));
    pin!("inspect-no-layout", site.run(&["inspect", "oci-layout:nowhere:calc"]));
}

#[test]
fn inspect_takes_the_name_of_a_server() {
    let site = Site::new(CONFIG);
    assert!(site.run(&["inspect", "calc"]).stdout.contains("[servers.calc]"));
    pin!("inspect-unknown-server", site.run(&["inspect", "clac"]));
}

#[test]
fn what_is_pushed_to_a_layout_can_be_pulled_and_served() {
    let site = Site::new("[servers.calc]\ncomponent = \"oci-layout:registry:calc\"\n");
    let pushed = site.run(&["push", "calc.wasm", "oci-layout:registry:calc", "--json"]);
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    pin!("push", site.run(&["push", "calc.wasm", "oci-layout:registry:calc"]));
    let pulled = site.run(&["pull", "oci-layout:registry:calc", "--output", "copy.wasm"]);
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(fs::read(site.path("copy.wasm")).unwrap(), fs::read(site.path("calc.wasm")).unwrap());
    assert_eq!(site.run(&["call", "calc__answer"]).stdout, "42\n");
    pin!("pull-unknown-tag", site.run(&["pull", "oci-layout:registry:clac"]));
    pin!("push-no-file", site.run(&["push", "none.wasm", "oci-layout:registry:calc"]));
    pin!("push-to-a-file", site.run(&["push", "calc.wasm", "file:copy.wasm"]));
}

#[test]
fn a_state_directory_that_cannot_be_used_costs_time_and_nothing_else() {
    let site = Site::new(CONFIG);
    site.write("state", b"a file is in its place");
    let run = site.run(&["call", "calc__answer"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "42\n"), "{}", run.stderr);
    assert!(run.stderr.starts_with("warning: the state directory DIR/state: "), "{}", run.stderr);
}

#[test]
fn processes_may_share_a_state_directory() {
    let site = Site::new(CONFIG);
    let start = || {
        let mut command = site.command(&["call", "calc__answer"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..4).map(|_| start()).collect();
    for child in children {
        let run = Run::of(child.wait_with_output().unwrap(), site.dir.path());
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), "42\n"), "{}", run.stderr);
        assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let site = Site::new(CONFIG);
    let mut child = site.command(&["check", "--json"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
}
