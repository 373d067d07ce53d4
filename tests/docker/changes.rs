//! Lists that change, as the official SDK hears of it: of a container that changes its tools, and of an engine
//! that comes.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ProtocolVersion, ServerNotification, SubscriptionFilter};
use rmcp::service::NotificationContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::support::{Docked, READY, went_well};

/// A client that hears of tools that change.
#[derive(Clone, Default)]
struct Hears(Arc<Notify>);

impl ClientHandler for Hears {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn a_client_hears_of_tools_that_its_server_changes() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"warm\"").await;
    docked.gateway.logged_within(Duration::from_secs(30), READY).await;
    let hears = Hears::default();
    let transport = StreamableHttpClientTransport::from_uri(docked.gateway.url("/mcp/odd"));
    let client =
        hears.clone().serve_with_lifecycle(transport, ClientLifecycleMode::Initialize).await.unwrap();
    let has_later = async || client.list_all_tools().await.unwrap().iter().any(|tool| tool.name == "later");
    assert!(!has_later().await);
    went_well(&docked.client().call("change-tools", json!({})).await);
    timeout(Duration::from_secs(10), hears.0.notified()).await.expect("a word of it");
    assert!(has_later().await);
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_client_without_a_session_hears_of_them_by_its_subscription() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"warm\"").await;
    docked.gateway.logged_within(Duration::from_secs(30), READY).await;
    let transport = StreamableHttpClientTransport::from_uri(docked.gateway.url("/mcp/odd"));
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let client = ().serve_with_lifecycle(transport, lifecycle).await.unwrap();
    let wanted = SubscriptionFilter::builder().tools_list_changed().resources_list_changed().build();
    let mut subscription = client.listen(wanted.clone()).await.unwrap();
    assert_eq!(subscription.acknowledged(), &wanted);
    went_well(&docked.client().call("change-tools", json!({})).await);
    let told = timeout(Duration::from_secs(10), subscription.next()).await.expect("a word of it").unwrap();
    assert!(matches!(told, Some(ServerNotification::ToolListChangedNotification(_))), "{told:?}");
    assert!(client.list_all_tools().await.unwrap().iter().any(|tool| tool.name == "later"));
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_client_hears_of_a_resource_that_its_server_changes() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"warm\"").await;
    docked.gateway.logged_within(Duration::from_secs(30), READY).await;
    let transport = StreamableHttpClientTransport::from_uri(docked.gateway.url("/mcp/odd"));
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let client = ().serve_with_lifecycle(transport, lifecycle).await.unwrap();
    let wanted = SubscriptionFilter::builder().resource_subscription("odd://watched").build();
    let mut subscription = client.listen(wanted.clone()).await.unwrap();
    assert_eq!(subscription.acknowledged(), &wanted);
    let changed =
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"odd://watched"}}"#;
    went_well(&docked.client().call("tell", json!({ "lines": [changed] })).await);
    let told = timeout(Duration::from_secs(10), subscription.next()).await.expect("a word of it").unwrap();
    assert!(matches!(told, Some(ServerNotification::ResourceUpdatedNotification(_))), "{told:?}");
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_server_whose_containers_end_with_their_calls_is_watched_by_nobody() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"call\"").await;
    docked.gateway.logged_within(Duration::from_secs(30), READY).await;
    let client = docked.gateway.client_of("odd");
    let asked = json!({ "notifications": { "resourceSubscriptions": ["odd://watched"] } });
    // Nothing of it can be told, so it is answered at once.
    let body = client.stream("subscriptions/listen", asked).await;
    assert!(body.contains(r#""notifications":{}"#) && body.contains(r#""resultType":"complete""#), "{body}");
}
