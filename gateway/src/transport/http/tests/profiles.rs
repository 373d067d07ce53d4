//! `/mcp/profile/NAME`: a choice of servers and tools.

use super::*;
use crate::auth::{ApiKey, Callers, Key, Servers};
use crate::catalog::{Profile, Surface, ToolPattern};
use crate::fake::Does;

/// Servers `fake`, `other` and `profile`, the profiles `some`, of the first without one tool, and `rest`, of the others.
async fn start_profiled(callers: Callers) -> Served {
    let fake = Fake::new(&[("echo", Does::Echo), ("slow", Does::Sleep(Duration::from_millis(1)))]);
    let entries = vec![
        fake::entry("fake", Arc::clone(&fake) as _),
        fake::entry("other", Fake::new(&[("echo", Does::Echo)])),
        fake::entry("profile", Fake::new(&[("own", Does::Echo)])),
    ];
    let some = Profile {
        servers: Servers::only(["fake"]),
        tools: None,
        hide: vec![ToolPattern("fake__slow".to_owned())],
        surface: Surface::All,
    };
    let rest = Profile {
        servers: Servers::only(["other", "profile"]),
        tools: None,
        hide: Vec::new(),
        surface: Surface::All,
    };
    let profiles = [("some".to_owned(), some), ("rest".to_owned(), rest)].into();
    let catalog =
        Catalog::build(entries, &CatalogSettings { profiles, ..CatalogSettings::default() }).unwrap();
    let gateway = Gateway::new(catalog, GatewaySettings::default());
    start_gateway(Arc::new(gateway), fake, HttpSettings { callers, ..HttpSettings::default() }).await
}

fn list(path: &str) -> Ask {
    stateless(1, "tools/list", json!({})).at(path)
}

fn names(answer: &Answer) -> Vec<String> {
    let result = answer.json()["result"].clone();
    let tools = result["tools"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_profile_lists_and_calls_its_own_tools_and_no_others() {
    let served = start_profiled(Callers::default()).await;
    assert_eq!(names(&list("/mcp/profile/some").send(&served).await), ["fake__echo"]);
    assert_eq!(names(&list("/mcp/profile/rest").send(&served).await), ["other__echo", "profile__own"]);
    let called = call("fake__echo").at("/mcp/profile/some").send(&served).await;
    assert_eq!(called.json()["result"]["isError"], false);
    let unknown = call("none__echo").at("/mcp/profile/some").send(&served).await.json();
    for tool in ["fake__slow", "other__echo", "echo"] {
        let refused = call(tool).at("/mcp/profile/some").send(&served).await;
        assert_eq!(refused.code(), -32602, "{tool}");
        let expected = unknown["error"]["message"].as_str().unwrap().replace("none__echo", tool);
        assert_eq!(refused.json()["error"]["message"], expected);
    }
    let nobody = list("/mcp/profile/none").send(&served).await;
    assert_eq!((nobody.status, nobody.code()), (404, 404));
    assert_eq!(nobody.json()["error"]["message"], "no such profile: \"none\"");
    for path in ["/mcp/profile/some/x", "/mcp/profile/", "/mcp/profiles/some", "/mcp/other/some"] {
        assert_eq!(list(path).send(&served).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_server_may_be_called_profile() {
    let served = start_profiled(Callers::default()).await;
    assert_eq!(names(&list("/mcp/profile").send(&served).await), ["own"]);
    let called = call("own").at("/mcp/profile").send(&served).await;
    assert_eq!(called.json()["result"]["isError"], false);
}

#[tokio::test]
async fn keys_decide_what_of_a_profile_is_open() {
    let [one, two] = std::array::from_fn(|_| ApiKey::generate().unwrap());
    let key = |name: &str, key: &ApiKey, servers| Key {
        name: name.to_owned(),
        hash: key.hash(),
        owner: name.to_owned(),
        servers,
    };
    let keys =
        [key("one", &one, Servers::only(["fake"])), key("two", &two, Servers::only(["fake", "other"]))];
    let served = start_profiled(Callers::of(&keys)).await;
    let with = |ask: Ask, key: &ApiKey| ask.header("authorization", &format!("Bearer {}", key.expose()));
    assert_eq!(list("/mcp/profile/some").send(&served).await.status, 401);
    assert_eq!(names(&with(list("/mcp/profile/rest"), &two).send(&served).await), ["other__echo"]);
    let not_open = with(list("/mcp/profile/rest"), &one).send(&served).await;
    let not_there = with(list("/mcp/profile/none"), &one).send(&served).await;
    assert_eq!((not_open.status, not_open.body.replace("rest", "none")), (404, not_there.body));
    let refused = with(call("profile__own").at("/mcp/profile/rest"), &two).send(&served).await;
    assert_eq!((refused.code(), served.fake.begun.load(Ordering::SeqCst)), (-32602, 0));
}
