//! `serve` and `stdio` as processes: how they start, what they tell, how they end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use site::{CONFIG, Run, Site, call_body, pin, post_call, wait_for};

#[test]
fn a_port_in_use_is_told() {
    let site = Site::new(CONFIG);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut run = site.run(&["serve", "--listen", &address]);
    run.stderr = run.stderr.replace(&address, "ADDRESS");
    pin!("serve-port-in-use", run);
}

#[test]
fn serve_tells_its_address_and_ends_on_a_signal() {
    let site = Site::new(&format!("{CONFIG}\n[servers.absent]\ncomponent = \"file:absent.wasm\"\n"));
    for signal in [Signal::TERM, Signal::INT] {
        let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let address = wait_for(&site.path("port"));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let run = Run::of(child.wait_with_output().unwrap(), site.dir.path());
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("serving at http://{}/mcp", address.trim())), "{}", run.stderr);
        let unavailable = run.stderr.lines().find(|line| line.contains("unavailable")).unwrap();
        let event: serde_json::Value = serde_json::from_str(unavailable).unwrap();
        assert_eq!((&event["server"], &event["level"]), (&"absent".into(), &"ERROR".into()));
        fs::remove_file(site.path("port")).unwrap();
    }
}

#[test]
fn serve_answers_calls_and_a_second_signal_does_not_wait_for_them() {
    let site =
        Site::new(&CONFIG.replace("fuel = 1_000_000", "fuel = 9_000_000_000_000_000_000\ndeadline = \"1h\""));
    let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let address = wait_for(&site.path("port"));
    let mut answered = post_call(address.trim(), "calc__answer");
    let mut reply = String::new();
    answered.read_to_string(&mut reply).unwrap();
    assert!(reply.contains(r#""structuredContent":{"result":42}"#), "{reply}");
    let _spinning = post_call(address.trim(), "calc__spin");
    std::thread::sleep(Duration::from_millis(300));
    let kill = |child: &Child| kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    kill(&child);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the first signal lets the call go on");
    kill(&child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_is_whole_in_the_end() {
    // More lines than a pipe holds.
    const CALLS: usize = 400;
    let site = Site::new(CONFIG);
    let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
    let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let address = wait_for(&site.path("port"));
    for _ in 0..CALLS {
        let mut reply = String::new();
        let mut answered = post_call(address.trim(), "calc__answer");
        answered.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        answered.read_to_string(&mut reply).unwrap();
        assert!(reply.contains(r#""structuredContent":{"result":42}"#), "{reply}");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let run = Run::of(child.wait_with_output().unwrap(), site.dir.path());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.len() > 64 << 10, "the pipe was never full");
    assert_eq!(run.stderr.lines().filter(|line| line.contains("\"outcome\":\"ok\"")).count(), CALLS);
    assert!(run.stderr.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn a_server_that_was_unavailable_is_served_once_it_can_be() {
    let site = Site::new(CONFIG);
    fs::rename(site.path("calc.wasm"), site.path("later.wasm")).unwrap();
    let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let address = wait_for(&site.path("port"));
    let reply = || {
        let mut reply = String::new();
        post_call(address.trim(), "calc__answer").read_to_string(&mut reply).unwrap();
        reply
    };
    let refused = reply();
    assert!(refused.contains("unavailable") && !refused.contains("calc.wasm"), "{refused}");
    fs::rename(site.path("later.wasm"), site.path("calc.wasm")).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !reply().contains(r#""structuredContent":{"result":42}"#) {
        assert!(Instant::now() < end, "{}", reply());
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn stdio_speaks_the_protocol_and_nothing_else() {
    let site = Site::new(&format!("{CONFIG}\n[servers.absent]\ncomponent = \"file:absent.wasm\"\n"));
    let mut child = site.command(&["stdio"]);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let call = format!("{}\n", call_body("calc__answer"));
    child.stdin.take().unwrap().write_all(call.as_bytes()).unwrap();
    let run = Run::of(child.wait_with_output().unwrap(), site.dir.path());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 1, "{}", run.stdout);
    let reply: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(reply["result"]["structuredContent"], serde_json::json!({ "result": 42 }));
    assert!(run.stderr.contains("unavailable: absent.wasm"), "{}", run.stderr);
}

#[test]
fn it_is_alive_before_it_is_ready() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = silent.local_addr().unwrap();
    let site = Site::new(&format!(
        "{CONFIG}\n[registries]\nplain-http = [\"{registry}\"]\n\
         [servers.far]\ncomponent = \"oci://{registry}/far:1\"\n"
    ));
    // Free a moment ago; the port file comes too late to tell.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut child = site.command(&["serve", "--listen", &address, "--port-file", "port"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while get(&address, "/livez").is_none() {
        assert!(Instant::now() < end, "it does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!site.path("port").exists(), "it is ready too soon for this test");
    assert!(get(&address, "/livez").unwrap().starts_with("HTTP/1.1 200 OK"));
    let ready = get(&address, "/readyz").unwrap();
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains(r#"{"status":"starting"}"#), "{ready}");
    assert!(get(&address, "/health").unwrap().contains(r#""status":"starting""#));
    wait_for(&site.path("port"));
    let ready = get(&address, "/readyz").unwrap();
    assert!(ready.starts_with("HTTP/1.1 200 OK"), "{ready}");
    assert!(ready.contains(r#""calc":"ready""#) && ready.contains(r#""far":"unavailable""#), "{ready}");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A response, if somebody listens.
fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    Some(reply)
}

#[test]
fn a_server_whose_names_are_too_long_is_told_in_the_log() {
    let name = "a-server-with-a-long-name-indeed";
    let long = format!(
        "[servers.{name}]\ncomponent = \"file:calc.wasm\"\nrename = {{ answer = \"{}\" }}\n",
        "x".repeat(40)
    );
    let site = Site::new(&format!("{CONFIG}\n{long}"));
    let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
    let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&site.path("port"));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let run = Run::of(child.wait_with_output().unwrap(), site.dir.path());
    let told: Vec<&str> = run.stderr.lines().filter(|line| line.contains(name)).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let event: serde_json::Value = serde_json::from_str(told[0]).unwrap();
    assert_eq!(event["level"], "ERROR");
    let message = event["message"].as_str().unwrap();
    assert!(message.starts_with("unavailable: ") && message.contains("`rename` in [servers."), "{message}");
}

#[test]
fn stdio_lets_a_call_finish_when_it_is_told_to_stop() {
    // Long enough to be stopped in the middle, and over before the test's patience.
    let site = Site::new(&CONFIG.replace("fuel = 1_000_000", "fuel = 600_000_000"));
    let mut child = site.command(&["stdio"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(input, "{}", call_body("calc__answer")).unwrap();
    assert!(output.next().unwrap().unwrap().contains(r#"{"result":42}"#));
    writeln!(input, "{}", call_body("calc__spin")).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let answer = output.next().unwrap().unwrap();
    assert!(answer.contains(r#""toolgate/error":"fuel""#), "{answer}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn health_tells_whether_a_gateway_is_ready_and_why_not() {
    let site = Site::new(&CONFIG.replace("[gateway]", "[gateway]\nlisten = \"127.0.0.1:0\""));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = taken.local_addr().unwrap().to_string();
    drop(taken);
    let at = |address: &str| format!("http://{address}");
    let mut run = site.run(&["health", "--url", &at(&free)]);
    run.stderr = run.stderr.replace(&free, "ADDRESS");
    pin!("health-nobody", run);
    pin!("health-no-url", site.run(&["health", "--url", "https://tools.example.com/mcp"]));
    let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let address = wait_for(&site.path("port")).trim().to_owned();
    pin!("health-ready", site.run(&["health", "--url", &at(&address)]));
    assert_eq!(site.run(&["health", "--live", "--url", &at(&address)]).stdout, "alive\n");
    // Where nothing says otherwise, where the config says that it listens.
    let mut command = site.command(&["health"]);
    command.env("TOOLGATE_CONFIG_TEXT", format!("[gateway]\nlisten = \"{address}\""));
    assert_eq!(Run::of(command.output().unwrap(), site.dir.path()).stdout, "ready\n");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn health_tells_that_a_gateway_stops() {
    let site = Site::new(&format!("[gateway]\ndrain-delay = \"20s\"\n{CONFIG}"));
    let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let address = wait_for(&site.path("port")).trim().to_owned();
    let ask = || site.run(&["health", "--url", &format!("http://{address}")]);
    assert_eq!(ask().code, Some(0));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let mut run = ask();
    while run.code == Some(0) && Instant::now() < until {
        run = ask();
    }
    run.stderr = run.stderr.replace(&address, "ADDRESS");
    pin!("health-stopping", run);
    child.kill().unwrap();
    child.wait().unwrap();
}
