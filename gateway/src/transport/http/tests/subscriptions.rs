//! `subscriptions/listen` of 2026-07-28.

use super::listening::Stream;
use super::*;

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
