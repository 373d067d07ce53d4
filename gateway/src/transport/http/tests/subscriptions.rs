//! `subscriptions/listen` of 2026-07-28.

use super::listening::{Stream, get};
use super::*;
use crate::mcp::updates::Update;

/// The request with that id.
fn listen(id: u32, notifications: Value) -> Ask {
    stateless(id, "subscriptions/listen", json!({ "notifications": notifications }))
}

fn of(id: u32, method: &str) -> Value {
    let meta = json!({ "io.modelcontextprotocol/subscriptionId": id });
    json!({ "jsonrpc": "2.0", "method": method, "params": { "_meta": meta } })
}

fn acknowledged(id: u32, notifications: Value) -> Value {
    let mut message = of(id, "notifications/subscriptions/acknowledged");
    message["params"]["notifications"] = notifications;
    message
}

#[tokio::test]
async fn what_was_asked_for_is_acknowledged_first_and_told_by_the_name_of_the_request() {
    let served = start().await;
    let found = stateless(1, "server/discover", json!({})).send(&served).await;
    assert_eq!(found.json()["result"]["capabilities"]["tools"]["listChanged"], true);
    let stream = Stream::of(&served, &listen(7, json!({ "toolsListChanged": true, "taskIds": ["a"] }))).await;
    until("the acknowledgment", || !stream.messages().is_empty()).await;
    assert_eq!(stream.messages(), [acknowledged(7, json!({ "toolsListChanged": true }))]);
    served.gateway.replace(fake::with_tool("fake", "other"));
    until("a word of it", || stream.messages().len() == 2).await;
    assert_eq!(stream.messages()[1], of(7, "notifications/tools/list_changed"));
    assert!(!stream.ended.load(Ordering::SeqCst));
}

#[tokio::test]
async fn only_what_was_asked_for_is_told() {
    let fake = Fake::of_mcp("prompt", "a:b", "a:{c}");
    let catalog_of = |prompt, tool| {
        let prompts = fake::entry("one", Fake::of_mcp(prompt, "a:b", "a:{c}") as _);
        fake::catalog(vec![prompts, fake::entry("two", Fake::new(&[(tool, fake::Does::Echo)]) as _)])
    };
    let settings = GatewaySettings { servers_of_mcp: true, ..GatewaySettings::default() };
    let gateway = Arc::new(Gateway::new(catalog_of("prompt", "a"), settings));
    let served = start_gateway(gateway, fake, HttpSettings::default()).await;
    let prompts = Stream::of(&served, &listen(1, json!({ "promptsListChanged": true }))).await;
    let both = json!({ "toolsListChanged": true, "promptsListChanged": true });
    let both = Stream::of(&served, &listen(2, both)).await;
    served.gateway.replace(catalog_of("prompt", "b"));
    until("a word of tools", || both.messages().len() == 2).await;
    served.gateway.replace(catalog_of("other", "b"));
    until("a word of prompts", || prompts.messages().len() == 2 && both.messages().len() == 3).await;
    assert_eq!(prompts.messages()[1], of(1, "notifications/prompts/list_changed"));
    assert_eq!(both.messages()[2], of(2, "notifications/prompts/list_changed"));
}

#[tokio::test]
async fn the_gateway_ends_it_with_its_result_when_it_stops() {
    let mut served = start().await;
    let stream = Stream::of(&served, &listen(3, json!({ "toolsListChanged": true }))).await;
    served.stop.take().unwrap().send(()).unwrap();
    until("the end", || stream.ended.load(Ordering::SeqCst)).await;
    let last = stream.messages().pop().unwrap();
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(3), &json!("complete")), "{last}");
    assert_eq!(last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 3, "{last}");
    tokio::time::timeout(Duration::from_secs(5), served.done).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn where_nothing_is_to_be_told_it_ends_at_once() {
    let served = start().await;
    let asked = json!({ "promptsListChanged": true, "resourceSubscriptions": ["a:b"] });
    let stream = Stream::of(&served, &listen(4, asked)).await;
    until("the end", || stream.ended.load(Ordering::SeqCst)).await;
    let messages = stream.messages();
    assert_eq!(messages[0], acknowledged(4, json!({})));
    assert_eq!((messages.len(), &messages[1]["id"]), (2, &json!(4)), "{messages:?}");
}

#[tokio::test]
async fn it_takes_a_client_that_reads_events_and_says_what_it_wants() {
    let served = start().await;
    let asked = listen(5, json!({ "toolsListChanged": true }));
    assert_eq!(asked.header("accept", "application/json").send(&served).await.status, 406);
    for wrong in [json!(null), json!([]), json!({ "toolsListChanged": 1 })] {
        let answer = listen(5, wrong.clone()).send(&served).await;
        assert_eq!(answer.code(), -32602, "{wrong}: {answer:?}");
    }
}

/// Two servers with resources; those that end in `unwatched` can't be watched.
pub(super) async fn start_watched() -> Served {
    let one = Fake::of_mcp("say", "odd://a", "odd://t/{id}");
    let two = Fake::of_mcp("say", "odd://b", "even://{id}");
    let entries = vec![fake::entry("one", Arc::clone(&one) as _), fake::entry("two", two as _)];
    let settings = GatewaySettings { servers_of_mcp: true, ..GatewaySettings::default() };
    let gateway = Gateway::new(fake::catalog(entries), settings);
    start_gateway(Arc::new(gateway), one, HttpSettings::default()).await
}

pub(super) fn change(served: &Served, server: &str, uri: &str) {
    let update = Update { server: server.into(), uri: uri.into() };
    served.gateway.updates().tell(update);
}

#[tokio::test]
async fn resources_that_can_be_watched_are_acknowledged_and_told_when_they_change() {
    let served = start_watched().await;
    let asked = json!({ "resourceSubscriptions": ["odd://a", "odd://t/unwatched", "none://x", "odd://t/7"] });
    let stream = Stream::of(&served, &listen(8, asked)).await;
    until("the acknowledgment", || !stream.messages().is_empty()).await;
    let can_be = json!({ "resourceSubscriptions": ["odd://a", "odd://t/7"] });
    assert_eq!(stream.messages(), [acknowledged(8, can_be)]);
    change(&served, "one", "odd://t/unwatched");
    change(&served, "one", "odd://t/7");
    until("a word of it", || stream.messages().len() == 2).await;
    let mut told = of(8, "notifications/resources/updated");
    told["params"]["uri"] = json!("odd://t/7");
    assert_eq!(stream.messages()[1], told);
    let many: Vec<_> = (0..65).map(|number| format!("odd://t/{number}")).collect();
    assert_eq!(listen(9, json!({ "resourceSubscriptions": many })).send(&served).await.code(), -32602);
}

#[tokio::test]
async fn a_session_hears_on_its_stream_of_the_resources_that_it_watches() {
    let served = start_watched().await;
    let (stream, token) = Stream::of_session(&served, "/mcp/one").await;
    let ask = |id: u32, method: &str, uri: &str| {
        Ask::post(&request(id, method, json!({ "uri": uri }))).header("mcp-session-id", &token).at("/mcp/one")
    };
    for uri in ["odd://a", "odd://t/7"] {
        let answer = ask(1, "resources/subscribe", uri).send(&served).await;
        assert!(answer.json()["result"].is_object(), "{answer:?}");
    }
    let refused = ask(2, "resources/subscribe", "odd://t/unwatched").send(&served).await;
    assert_eq!(refused.code(), -32601, "{refused:?}");
    assert_eq!(ask(3, "resources/unsubscribe", "odd://a").send(&served).await.json()["result"], json!({}));
    // Of another server, one that it no longer watches, one that it never did, and then the one.
    for (server, uri) in
        [("two", "odd://t/7"), ("one", "odd://a"), ("one", "odd://t/unwatched"), ("one", "odd://t/7")]
    {
        change(&served, server, uri);
    }
    until("a word of it", || !stream.messages().is_empty()).await;
    let params = json!({ "uri": "odd://t/7" });
    let told = json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params });
    assert_eq!(stream.messages(), [told]);
}

#[tokio::test]
async fn a_session_that_comes_back_hears_of_resources_that_changed_meanwhile() {
    let served = start_watched().await;
    let (stream, token) = Stream::of_session(&served, "/mcp/one").await;
    for uri in ["odd://a", "odd://t/7"] {
        let ask = Ask::post(&request(1, "resources/subscribe", json!({ "uri": uri }))).at("/mcp/one");
        ask.header("mcp-session-id", &token).send(&served).await;
    }
    until("the first event", || stream.events().len() == 1).await;
    let last = stream.events()[0].id.clone();
    drop(stream);
    for (server, uri) in [("one", "odd://a"), ("two", "odd://t/7"), ("one", "odd://none"), ("one", "odd://a")]
    {
        change(&served, server, uri);
    }
    let back = get("/mcp/one", &token).header("last-event-id", &last);
    let again = Stream::of(&served, &back).await;
    change(&served, "one", "odd://t/7");
    until("a word of both", || again.messages().len() == 2).await;
    let uris = again.messages().into_iter().map(|message| message["params"]["uri"].clone());
    assert_eq!(uris.collect::<Vec<_>>(), ["odd://a", "odd://t/7"]);
    let later = Stream::of(&served, &back.header("last-event-id", &again.events()[1].id)).await;
    until("the last", || later.messages().len() == 1).await;
    assert_eq!(later.messages()[0]["params"]["uri"], "odd://t/7");
}
