//! What any HTTP client may try.

use std::sync::atomic::Ordering;

use super::*;
use crate::catalog::ServerState;

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let served = start().await;
    for (name, value) in [
        ("host", "evil.example.com"),
        ("host", "evil.example.com:8080"),
        ("origin", "http://evil.example.com"),
        ("origin", "null"),
        ("origin", "http://localhost:6274"),
    ] {
        let answer = call("fake__echo").header(name, value).send(&served).await;
        assert_eq!((answer.status, answer.code()), (403, 403), "{name}: {value}");
        assert!(answer.json().get("id").is_none());
    }
    let own = call("fake__echo").header("host", "localhost:8080").header("origin", "http://localhost:8080");
    assert_eq!(own.send(&served).await.status, 200);
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 1);
    for method in ["DELETE", "OPTIONS"] {
        let ask = Ask::new(method, "/mcp").header("origin", "http://evil.example.com");
        let answer = ask.header("access-control-request-method", "POST").send(&served).await;
        assert_eq!(answer.status, 403);
        assert!(!answer.head.contains("access-control"), "{answer:?}");
    }
}

#[tokio::test]
async fn configured_hosts_and_origins_are_allowed() {
    let settings = HttpSettings {
        hosts: vec!["tools.example.com".into()],
        origins: vec!["https://app.example.com".into()],
        ..HttpSettings::default()
    };
    let served = start_with(settings).await;
    let ask = call("fake__echo").header("host", "tools.example.com");
    assert_eq!(ask.send(&served).await.status, 200);
    let ask = ask.header("origin", "https://app.example.com");
    assert_eq!(ask.send(&served).await.status, 200);
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_call_and_read() {
    let origins = vec!["https://app.example.com".into()];
    let served = start_with(HttpSettings { origins, ..HttpSettings::default() }).await;
    let page = |ask: Ask| ask.header("origin", "https://app.example.com");
    let preflight = page(Ask::new("OPTIONS", "/mcp/fake"))
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,mcp-protocol-version");
    let answer = preflight.send(&served).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, DELETE"));
    let allowed = answer.header("access-control-allow-headers").unwrap();
    for header in ["content-type", "mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name"] {
        assert!(allowed.split(", ").any(|name| name == header), "{header}");
    }
    let refusal = Ask::new("PUT", "/mcp");
    for (ask, status) in [(call("fake__echo"), 200), (call("fake__no"), 200), (refusal, 405)] {
        let answer = page(ask.clone()).send(&served).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
        assert!(answer.header("access-control-expose-headers").unwrap().contains("mcp-session-id"));
        assert_eq!(answer.header("vary"), Some("origin"));
        assert!(ask.send(&served).await.header("access-control-allow-origin").is_none());
    }
    assert_eq!(Ask::new("OPTIONS", "/mcp").send(&served).await.status, 405, "no page asks");
}

#[tokio::test]
async fn a_body_must_be_declared_as_json_and_an_answer_acceptable() {
    let served = start().await;
    let list = stateless(1, "tools/list", json!({}));
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let answer = list.clone().header("content-type", kind).send(&served).await;
        assert_eq!((answer.status, answer.code()), (415, 415), "{kind}");
    }
    assert_eq!(list.clone().without("content-type").send(&served).await.status, 415);
    let with_charset = list.clone().header("content-type", "application/json; charset=utf-8");
    assert_eq!(with_charset.send(&served).await.status, 200);
    let html = list.clone().header("accept", "text/html").send(&served).await;
    assert_eq!((html.status, html.code()), (406, 406));
    assert_eq!(list.without("accept").send(&served).await.status, 200);
}

#[tokio::test]
async fn malformed_bodies_are_answered_and_harm_nothing() {
    let served = start().await;
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("\u{feff}{}", -32700),
        ("nul", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#, -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#, -32600),
        ("null", -32600),
        ("\"x\"", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":5}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#, -32602),
    ] {
        let answer = Ask::raw(body).send(&served).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{body}");
    }
    let mut invalid_utf8 = Ask::raw("");
    invalid_utf8.body = b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"ping\"}".to_vec();
    assert_eq!(invalid_utf8.send(&served).await.code(), -32700);
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(Ask::raw(&deep).send(&served).await.status, 400);
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{deep}}}}}"#);
    assert_eq!(Ask::raw(&deep).send(&served).await.status, 400);
    assert_eq!(call("fake__echo").send(&served).await.status, 200);
}

#[tokio::test]
async fn an_id_is_echoed_as_it_came() {
    let served = start().await;
    for id in ["1", "-5", "18446744073709551616", r#""x""#, r#""""#, r#""é\n""#] {
        let body = call("fake__echo").body;
        let body = String::from_utf8(body).unwrap().replace(r#""id":7"#, &format!(r#""id":{id}"#));
        let mut ask = call("fake__echo");
        ask.body = body.into_bytes();
        let answer = ask.send(&served).await;
        assert!(answer.body.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"#)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_large_body_is_refused_without_reading_it() {
    let served = start().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 104857600\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut chunk = [0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut chunk)).await;
    let answer = Answer::parse(&chunk[..read.unwrap().unwrap()]);
    assert_eq!(answer.status, 413);
    assert_eq!(answer.code(), 413);
}

#[tokio::test]
async fn a_client_that_sends_a_large_body_first_can_read_the_refusal() {
    let served = start().await;
    let mut ask = Ask::raw("");
    ask.body = vec![b'x'; 6 * 1024 * 1024];
    assert_eq!(ask.send(&served).await.status, 413);
    let mut chunked = Ask::raw("").header("transfer-encoding", "chunked");
    chunked.body = [format!("{:x}\r\n", ask.body.len()).as_bytes(), &ask.body].concat();
    assert_eq!(chunked.send(&served).await.status, 413);
}

#[tokio::test]
async fn bodies_beyond_their_common_memory_are_refused_until_it_is_free() {
    let settings = HttpSettings { bodies: 128 * 1024, ..HttpSettings::default() };
    let served = start_with(settings).await;
    let mut held = TcpStream::connect(served.address).await.unwrap();
    let mut large = call("fake__echo");
    large.body.resize(100 * 1024, b' ');
    let large = large.bytes();
    held.write_all(&large[..large.len() - 1]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut second = call("fake__echo");
    second.body.resize(24 * 1024, b' ');
    let refused = second.send(&served).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(call("fake__echo").send(&served).await.status, 200, "a small one still fits");
    held.write_all(b" ").await.unwrap();
    assert_eq!(read_all(&mut held).await.status, 200);
    assert_eq!(second.send(&served).await.status, 200);
}

#[tokio::test]
async fn answers_beyond_their_common_memory_are_refused_until_it_is_free() {
    const MIB: usize = 1024 * 1024;
    let settings = HttpSettings { answers: 32 * MIB, ..HttpSettings::default() };
    let served = start_flood(20 * MIB, settings).await;
    let mut held = TcpStream::connect(served.address).await.unwrap();
    held.write_all(&call("fake__flood").bytes()).await.unwrap();
    held.readable().await.unwrap();
    let refused = call("fake__flood").send(&served).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.json()["id"], 7);
    let list = stateless(1, "tools/list", json!({})).send(&served).await;
    assert_eq!(list.status, 200, "a small one still fits");
    assert_eq!(
        read_all(&mut held).await.json()["result"]["content"][0]["text"].as_str().unwrap().len(),
        20 * MIB
    );
    assert_eq!(call("fake__flood").send(&served).await.status, 200);
}

#[tokio::test]
async fn no_tool_runs_while_there_is_no_memory_for_any_answer() {
    let settings = HttpSettings { answers: 4096, ..HttpSettings::default() };
    let served = start_with(settings).await;
    let mut held = TcpStream::connect(served.address).await.unwrap();
    held.write_all(&call("fake__hang").bytes()).await.unwrap();
    let fake = Arc::clone(&served.fake);
    until("the call", || fake.begun.load(Ordering::SeqCst) == 1).await;
    assert_eq!(call("fake__echo").send(&served).await.status, 503);
    assert_eq!(fake.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let settings = HttpSettings { header_timeout: Duration::from_millis(200), ..HttpSettings::default() };
    let served = start_with(settings).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    let mut slow = TcpStream::connect(served.address).await.unwrap();
    slow.write_all(b"POST /mcp HT").await.unwrap();
    let dripping = async {
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if slow.write_all(b"T").await.is_err() {
                return;
            }
        }
        panic!("a head may be sent byte by byte");
    };
    dripping.await;
    assert_eq!(read_all(&mut silent).await.body, "");
}

#[tokio::test]
async fn a_slow_body_is_answered_with_408() {
    let settings = HttpSettings { body_timeout: Duration::from_millis(100), ..HttpSettings::default() };
    let served = start_with(settings).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let whole = call("fake__echo").bytes();
    stream.write_all(&whole[..whole.len() - 5]).await.unwrap();
    assert_eq!(read_all(&mut stream).await.status, 408);
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let settings = HttpSettings { idle_timeout: Duration::from_millis(100), ..HttpSettings::default() };
    let served = start_with(settings).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let slow = call("fake__slow").without("connection");
    stream.write_all(&slow.bytes()).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert_eq!(answer.status, 200, "the call took longer than a connection may idle");
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off() {
    let settings = HttpSettings { write_timeout: Duration::from_millis(200), ..HttpSettings::default() };
    let served = start_with(settings).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let flood = call("fake__flood").without("connection").bytes();
    for _ in 0..20 {
        stream.write_all(&flood).await.unwrap();
    }
    // Without reading, the socket buffers fill and the server gives up.
    let fake = Arc::clone(&served.fake);
    until("the first answer", || fake.ended.load(Ordering::SeqCst) >= 1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(fake.begun.load(Ordering::SeqCst) < 20, "answers were written to nobody");
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    drop(read.expect("the connection ends"));
}

#[tokio::test]
async fn a_call_ends_when_its_client_goes_away() {
    let served = start().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&call("fake__hang").bytes()).await.unwrap();
    let fake = Arc::clone(&served.fake);
    until("the call", || fake.begun.load(Ordering::SeqCst) == 1).await;
    drop(stream);
    until("its end", || fake.ended.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_may_probe_and_are_else_told_to_come_back() {
    let served = start_with(HttpSettings { connections: 1, ..HttpSettings::default() }).await;
    let mut held = TcpStream::connect(served.address).await.unwrap();
    held.write_all(b"POST").await.unwrap();
    let ask = call("fake__echo");
    let refused = ask.send(&served).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    let keeps_open = Ask::new("GET", "/livez").without("connection");
    assert_eq!(keeps_open.send(&served).await.status, 200, "answered, and closed");
    drop(held);
    for _ in 0..100 {
        if ask.send(&served).await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn silent_connections_beyond_the_limit_lose_their_place_soon() {
    let served = start_with(HttpSettings { connections: 1, ..HttpSettings::default() }).await;
    let mut silent = Vec::new();
    for _ in 0..17 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    assert_eq!(Ask::new("GET", "/livez").send(&served).await.status, 200);
}

#[tokio::test]
async fn overload_is_503_with_retry_after() {
    use toolgate_runtime::limits::Limits;
    let fake = Fake::new(&[("slow", fake::Does::Sleep(Duration::from_millis(400)))]);
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let state = ServerState::Ready(Arc::clone(&fake) as _);
    let catalog = fake::catalog(vec![fake::entry_with("fake", state, limits)]);
    let gateway = Arc::new(Gateway::new(catalog, GatewaySettings::default()));
    let served = Arc::new(start_gateway(gateway, fake, HttpSettings::default()).await);
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let served = Arc::clone(&served);
            tokio::spawn(async move { call("fake__slow").send(&served).await })
        })
        .collect();
    let mut statuses = Vec::new();
    for call in calls {
        let answer = call.await.unwrap();
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert_eq!(answer.code(), 503);
            assert_eq!(answer.json()["id"], 7);
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 5, "one runs and four wait");
}

#[tokio::test]
async fn paths_and_methods_that_serve_nothing_say_so() {
    let served = start().await;
    for path in ["/", "/mcpx", "/mcp/a/b", "/.well-known/oauth-protected-resource"] {
        assert_eq!(Ask::new("GET", path).send(&served).await.status, 404, "{path}");
    }
    for (method, path) in [("PUT", "/mcp"), ("OPTIONS", "/mcp"), ("POST", "/livez")] {
        assert_eq!(Ask::new(method, path).send(&served).await.status, 405, "{path}");
    }
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01 not HTTP at all\r\n\r\n").await.unwrap();
    assert_eq!(read_all(&mut stream).await.status, 400);
}

#[tokio::test]
async fn probes_tell_alive_ready_and_healthy() {
    let starting = Arc::new(Gateway::starting(GatewaySettings::default()));
    let fake = Fake::of_all_kinds();
    let served = start_gateway(Arc::clone(&starting), Arc::clone(&fake), HttpSettings::default()).await;
    let get = |path| Ask::new("GET", path);
    assert_eq!(get("/livez").send(&served).await.status, 200);
    let ready = get("/readyz").send(&served).await;
    assert_eq!((ready.status, ready.json()["status"].clone()), (503, json!("starting")));
    let list = stateless(1, "tools/list", json!({})).send(&served).await;
    assert_eq!((list.status, list.code()), (503, 503));

    starting.replace(fake::catalog(vec![
        fake::entry("fake", fake as _),
        fake::entry_with("broken", ServerState::Unavailable("/secret".into()), Default::default()),
    ]));
    let ready = get("/readyz").send(&served).await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["servers"], json!({ "fake": "ready", "broken": "unavailable" }));
    let by_address = get("/readyz").header("host", "10.1.2.3:8080").send(&served).await;
    assert_eq!(by_address.status, 200);
    assert!(by_address.json().get("servers").is_none());
    assert_eq!(get("/health").header("host", "10.1.2.3").send(&served).await.status, 403);
    let health = get("/health").send(&served).await;
    assert_eq!(health.json()["servers"][0]["tools"], 9);
    assert_eq!(health.json()["servers"][1]["state"], "unavailable");
    assert!(!health.body.contains("secret"));
}

#[tokio::test]
async fn stopping_lets_calls_finish_and_takes_no_more() {
    let mut served = start().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    let slow = call("fake__slow").without("connection");
    stream.write_all(&slow.bytes()).await.unwrap();
    let fake = Arc::clone(&served.fake);
    until("the call", || fake.begun.load(Ordering::SeqCst) == 1).await;
    served.stop.take().unwrap().send(()).unwrap();
    assert_eq!(read_all(&mut stream).await.status, 200);
    read_all(&mut idle).await;
    served.done.await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_gateway_that_stops_is_not_ready_but_serves_until_the_delay_is_over() {
    let settings = HttpSettings { drain_delay: Duration::from_millis(500), ..HttpSettings::default() };
    let mut served = start_with(settings).await;
    let ready = Ask::new("GET", "/readyz");
    assert_eq!(ready.send(&served).await.status, 200);
    served.stop.take().unwrap().send(()).unwrap();
    let gateway = Arc::clone(&served.gateway);
    until("the end", || gateway.is_stopping()).await;
    let answer = ready.send(&served).await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "{\"status\":\"stopping\"}\n"));
    assert_eq!(Ask::new("GET", "/livez").send(&served).await.status, 200);
    // Kept alive, were it not for the end.
    let answer = call("fake__echo").header("connection", "keep-alive").send(&served).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    served.done.await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_call_on_a_connection_that_was_not_yet_accepted_is_answered_at_the_end() {
    let (gateway, fake) = fake::gateway();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    stream.write_all(&call("fake__echo").bytes()).await.unwrap();
    // Told to end before it accepts anything.
    let at_once = std::future::ready(());
    let served = tokio::spawn(serve(listener, gateway, HttpSettings::default(), at_once));
    assert_eq!(read_all(&mut stream).await.status, 200);
    served.await.unwrap().unwrap();
    drop(fake);
}

#[tokio::test]
async fn stopping_waits_no_longer_than_the_drain() {
    let settings = HttpSettings { drain: Duration::from_millis(100), ..HttpSettings::default() };
    let mut served = start_with(settings).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&call("fake__hang").bytes()).await.unwrap();
    let fake = Arc::clone(&served.fake);
    until("the call", || fake.begun.load(Ordering::SeqCst) == 1).await;
    served.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), served.done).await.unwrap().unwrap().unwrap();
    assert_eq!(fake.ended.load(Ordering::SeqCst), 1);
}
