//! Name servers that never answer, and who suffers for it.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::super::resolve::{MAX_LOOKUPS, MAX_LOOKUPS_OF_CALL, MAX_LOOKUPS_OF_SERVER};
use super::super::{Egress, EgressError, EgressOptions, Resolve, Step};
use crate::policy::Host;

/// Answers for `good`, and for everything else only once it is let.
struct Tarpit {
    asked: AtomicUsize,
    let_go: Semaphore,
}

#[async_trait::async_trait]
impl Resolve for Tarpit {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if name != "good" {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.let_go.acquire().await.map_err(io::Error::other)?.forget();
        }
        Ok(vec![IpAddr::from([192, 0, 2, 1])])
    }
}

fn tarpit() -> (Egress, Arc<Tarpit>) {
    let resolver = Arc::new(Tarpit { asked: AtomicUsize::default(), let_go: Semaphore::new(0) });
    let options = EgressOptions { resolve_timeout: Duration::from_millis(200), ..EgressOptions::default() };
    (Egress::with_resolver(options, resolver.clone()).unwrap(), resolver)
}

async fn resolve(egress: Egress, name: &str) -> Result<Vec<IpAddr>, EgressError> {
    egress.resolve_unjudged(&Host::Name(name.to_owned())).await
}

/// Asks `times` times at once for a name that is not answered for, until it is given up.
async fn get_stuck(times: usize, egress: impl Fn() -> Egress) {
    let lookups: Vec<_> = (0..times).map(|_| tokio::spawn(resolve(egress(), "evil"))).collect();
    for lookup in lookups {
        let given_up = lookup.await.unwrap().unwrap_err();
        assert!(matches!(given_up, EgressError::Timeout { what: Step::Resolve, .. }), "{given_up}");
    }
}

#[tokio::test]
async fn one_server_cannot_take_all_lookups() {
    let (egress, resolver) = tarpit();
    let (evil, good) = (egress.for_server(), egress.for_server());
    get_stuck(2 * MAX_LOOKUPS, || evil.for_call()).await;
    assert_eq!(resolver.asked.load(Ordering::SeqCst), MAX_LOOKUPS_OF_SERVER);
    assert!(resolve(good.for_call(), "good").await.is_ok(), "another server has its own");
    assert!(resolve(evil.for_call(), "good").await.is_err(), "a question is held until it is answered");
    resolver.let_go.add_permits(MAX_LOOKUPS_OF_SERVER);
    assert!(resolve(evil.for_call(), "good").await.is_ok(), "and then no longer");
}

#[tokio::test]
async fn one_call_cannot_take_all_lookups_of_its_server() {
    let (egress, resolver) = tarpit();
    let server = egress.for_server();
    let evil = server.for_call();
    get_stuck(MAX_LOOKUPS_OF_SERVER, || evil.clone()).await;
    assert_eq!(resolver.asked.load(Ordering::SeqCst), MAX_LOOKUPS_OF_CALL);
    assert!(resolve(server.for_call(), "good").await.is_ok());
}

#[tokio::test]
async fn lookups_of_all_servers_are_bounded_together() {
    let (egress, resolver) = tarpit();
    get_stuck(MAX_LOOKUPS + 1, || egress.for_server()).await;
    assert_eq!(resolver.asked.load(Ordering::SeqCst), MAX_LOOKUPS);
}
