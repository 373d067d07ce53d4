//! Who may call, and what they learn who may not.

use super::*;
use crate::auth::{ApiKey, Callers, Key, Servers};

/// Two servers, one of which can't run, and a key each for: all, the one, the other.
struct Keyed {
    served: Served,
    all: ApiKey,
    one: ApiKey,
    other: ApiKey,
}

async fn start_keyed() -> Keyed {
    let [all, one, other] = std::array::from_fn(|_| ApiKey::generate().unwrap());
    let key = |name: &str, key: &ApiKey, servers| Key {
        name: name.to_owned(),
        hash: key.hash(),
        owner: format!("{name}@example.com"),
        servers,
    };
    let keys = [
        key("all", &all, Servers::All),
        key("one", &one, Servers::only(["fake"])),
        key("other", &other, Servers::only(["second"])),
    ];
    let fake = Fake::of_all_kinds();
    let broken = ServerState::Unavailable("a secret reason".to_owned());
    let entries = vec![
        fake::entry("fake", Arc::clone(&fake) as _),
        fake::entry("second", Fake::new(&[("echo", fake::Does::Echo)]) as _),
        fake::entry_with("broken", broken, Limits::default()),
    ];
    let gateway = Gateway::new(fake::catalog(entries), GatewaySettings::default());
    let settings = HttpSettings { callers: Callers::of(&keys), ..HttpSettings::default() };
    Keyed { served: start_gateway(Arc::new(gateway), fake, settings).await, all, one, other }
}

impl Ask {
    fn with(self, key: &ApiKey) -> Self {
        self.header("authorization", &format!("Bearer {}", key.expose()))
    }
}

async fn tools(ask: Ask, served: &Served) -> Vec<String> {
    let result = ask.send(served).await.json()["result"].clone();
    assert_eq!(result["cacheScope"], "private", "{result}");
    let tools = result["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn without_a_key_nothing_but_a_probe_is_answered() {
    let Keyed { served, all, .. } = start_keyed().await;
    let refused = call("fake__echo").send(&served).await;
    assert_eq!((refused.status, refused.code()), (401, 401));
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"toolgate\""));
    let ended = Ask::new("DELETE", "/mcp").header("mcp-session-id", "x").send(&served).await;
    assert_eq!(ended.status, 401);
    for path in ["/mcp/fake", "/mcp/none", "/health"] {
        let method = if path == "/health" { "GET" } else { "POST" };
        assert_eq!(Ask::new(method, path).send(&served).await.status, 401, "{path}");
    }
    assert_eq!(Ask::new("GET", "/livez").send(&served).await.status, 200);
    let ready = Ask::new("GET", "/readyz").send(&served).await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "{\"status\":\"ready\"}\n"));
    assert!(Ask::new("GET", "/readyz").with(&all).send(&served).await.body.contains("second"));
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_wrong_key_is_told_so_and_not_repeated() {
    let Keyed { served, all, .. } = start_keyed().await;
    let good = format!("Bearer {}", all.expose());
    let guess = format!("Bearer {}", ApiKey::generate().unwrap().expose());
    let short = &good[..good.len() - 1];
    for bad in [guess.as_str(), short, "Bearer", "Basic eDp5", all.expose(), "Bearer x, Bearer y"] {
        let refused = call("fake__echo").header("authorization", bad).send(&served).await;
        assert_eq!((refused.status, refused.code()), (401, 401), "{bad}");
        let challenge = refused.header("www-authenticate").unwrap();
        assert_eq!(challenge, "Bearer realm=\"toolgate\", error=\"invalid_token\"");
        assert!(!refused.body.contains("toolgate_"), "{refused:?}");
    }
    let mut twice = call("fake__echo").with(&all);
    twice.headers.push(("authorization".to_owned(), good));
    assert_eq!(twice.send(&served).await.status, 401);
}

#[tokio::test]
async fn a_key_opens_its_servers_and_shows_no_others() {
    let Keyed { served, all, one, other } = start_keyed().await;
    let list = || stateless(1, "tools/list", json!({}));
    assert_eq!(tools(list().with(&other), &served).await, ["second__echo"]);
    assert_eq!(tools(list().with(&other), &served).await, ["second__echo"], "as it was kept");
    let everything = tools(list().with(&all), &served).await;
    let of_one = tools(list().with(&one), &served).await;
    assert!(everything.len() == of_one.len() + 1 && of_one.iter().all(|name| name.starts_with("fake__")));
    assert_eq!(tools(list().at("/mcp/second").with(&other), &served).await, ["echo"]);

    assert!(call("second__echo").with(&other).send(&served).await.json()["result"].is_object());
    assert!(call("echo").at("/mcp/second").with(&other).send(&served).await.json()["result"].is_object());
    // What is not open, and what is not there, look alike; also where the server can't run.
    let refused = |tool: &'static str| {
        let ask = call(tool).with(&other);
        let served = &served;
        async move {
            let answer = ask.send(served).await;
            (answer.status, answer.body.replace(tool, "NAME"))
        }
    };
    let absent = refused("absent__echo").await;
    assert_eq!(refused("fake__echo").await, absent);
    assert_eq!(refused("broken__echo").await, absent);
    let at = |path: &'static str| {
        let ask = call("echo").at(path).with(&other);
        let served = &served;
        async move {
            let answer = ask.send(served).await;
            (answer.status, answer.body.replace(&path[5..], "NAME"))
        }
    };
    let absent = at("/mcp/absent").await;
    assert_eq!(absent.0, 403);
    assert_eq!((at("/mcp/fake").await, at("/mcp/broken").await), (absent.clone(), absent));
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 0);

    let health = Ask::new("GET", "/health").with(&other).send(&served).await.json();
    let names: Vec<_> = health["servers"].as_array().unwrap().iter().map(|server| &server["name"]).collect();
    assert_eq!(names, ["second"]);
}

#[tokio::test]
async fn a_session_is_nobody_elses() {
    let Keyed { served, all, one, .. } = start_keyed().await;
    let open = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
    let opened = Ask::post(&request(0, "initialize", open)).with(&one).send(&served).await;
    let token = opened.header("mcp-session-id").unwrap().to_owned();
    let in_session = |ask: Ask, key: &ApiKey| {
        ask.header("mcp-session-id", &token).header("mcp-protocol-version", "2025-06-18").with(key)
    };
    let ping = || Ask::post(&request(1, "ping", json!({})));
    assert_eq!(in_session(ping(), &one).send(&served).await.status, 200);
    assert_eq!(in_session(ping(), &all).send(&served).await.status, 404);
    let ended = in_session(Ask::new("DELETE", "/mcp"), &all).send(&served).await;
    assert_eq!(ended.status, 404, "nor can anybody else end it");
    assert_eq!(in_session(ping(), &one).send(&served).await.status, 200);
    // Rights are those of each request: the session gives none.
    let call = Ask::post(&request(2, "tools/call", json!({ "name": "second__echo" })));
    assert_eq!(in_session(call, &one).send(&served).await.code(), -32602);
    assert_eq!(in_session(Ask::new("DELETE", "/mcp"), &one).send(&served).await.status, 204);
}

#[tokio::test]
async fn a_browser_may_ask_before_it_sends_a_key() {
    let (gateway, fake) = fake::gateway();
    let key = ApiKey::generate().unwrap();
    let (hash, servers) = (key.hash(), Servers::All);
    let keys = [Key { name: "page".to_owned(), hash, owner: "page".to_owned(), servers }];
    let origins = vec!["https://app.example.com".to_owned()];
    let settings = HttpSettings { callers: Callers::of(&keys), origins, ..HttpSettings::default() };
    let served = start_gateway(gateway, fake, settings).await;
    let page = |ask: Ask| ask.header("origin", "https://app.example.com");
    let preflight = page(Ask::new("OPTIONS", "/mcp")).send(&served).await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("authorization"));
    let refused = page(call("fake__echo")).send(&served).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("access-control-allow-origin").is_some(), "the page may read why");
    assert_eq!(page(call("fake__echo")).with(&key).send(&served).await.status, 200);
}
