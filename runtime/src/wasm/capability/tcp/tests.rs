//! Which connections a call may open after what it resolved.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeMap;
use std::io;

use super::*;
use crate::egress::{EgressOptions, Resolve};
use crate::events::{Observer, Stdio, Usage};
use crate::limits::Limits;
use crate::policy::{Grants, TcpGrant};
use crate::wasm::descriptors::of_process;

/// Answers each question differently: first as the owner of a name would, then as an attacker.
#[derive(Default)]
struct Rebinding(Mutex<Vec<&'static str>>);

#[wasmtime_wasi::async_trait]
impl Resolve for Rebinding {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
        Ok(answer.split(',').map(|ip| ip.parse().unwrap()).collect())
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<Denial>>);

impl Observer for Told {
    fn stdio(&self, _: Stdio, _: &[u8]) {}
    fn stdio_dropped(&self, _: u64) {}
    fn denied(&self, denial: &Denial) {
        self.0.lock().unwrap().push(denial.clone());
    }
    fn finished(&self, _: &Usage) {}
}

fn call(grants: &[&str], answers: &[&'static str]) -> (Tcp, Arc<Told>) {
    let tcp = grants.iter().map(|text| TcpGrant::parse(text).unwrap()).collect();
    let grants = Grants::new(Vec::new(), tcp, Vec::new(), BTreeMap::new()).unwrap();
    let policy = Arc::new(Policy { grants, limits: Limits::default() });
    let resolver = Arc::new(Rebinding(Mutex::new(answers.to_vec())));
    let egress = Arc::new(Egress::with_resolver(EgressOptions::default(), resolver).unwrap());
    let told = Arc::new(Told::default());
    let descriptors = Descriptors::of_server(&of_process(1024));
    (Tcp::new(&policy, &egress, descriptors, Denials::new(told.clone())), told)
}

fn connects(tcp: &Tcp, address: &str) -> bool {
    tcp.permits(address.parse().unwrap(), SocketAddrUse::TcpConnect)
}

#[tokio::test]
async fn a_connection_goes_to_what_a_granted_name_resolved_to() {
    let (tcp, told) = call(&["db.example:5432"], &["9.9.9.9,2620:fe::9"]);
    assert!(!connects(&tcp, "9.9.9.9:5432"), "not before it was resolved");
    assert_eq!(tcp.resolve("db.example").await.unwrap().len(), 2);
    assert!(connects(&tcp, "9.9.9.9:5432"));
    assert!(connects(&tcp, "[2620:fe::9]:5432"));
    assert!(!connects(&tcp, "9.9.9.9:22"));
    assert!(!connects(&tcp, "9.9.9.10:5432"));
    let told = told.0.lock().unwrap();
    assert_eq!(told[0].allow.as_deref(), Some("tcp = [\"9.9.9.9:5432\"]"));
    assert_eq!(told[1].allow.as_deref(), Some("tcp = [\"db.example:22\"]"));
}

#[tokio::test]
async fn a_name_that_was_not_granted_is_not_even_asked_for() {
    let (tcp, told) = call(&["db.example:5432"], &["9.9.9.9"]);
    assert!(matches!(tcp.resolve("evil.example").await, Err(ErrorCode::AccessDenied)));
    assert!(!connects(&tcp, "9.9.9.9:5432"));
    assert_eq!(told.0.lock().unwrap()[0].allow.as_deref(), Some("tcp = [\"evil.example:PORT\"]"));
}

#[tokio::test]
async fn a_second_answer_opens_nothing_inside() {
    let (tcp, told) = call(&["db.example:5432"], &["9.9.9.9", "169.254.169.254", "9.9.9.9,10.0.0.1"]);
    tcp.resolve("db.example").await.unwrap();
    for inside in ["169.254.169.254:5432", "10.0.0.1:5432"] {
        assert!(tcp.resolve("db.example").await.is_err());
        assert!(!connects(&tcp, inside), "{inside}");
    }
    assert!(told.0.lock().unwrap()[0].reason.contains("169.254.169.254"));
}

#[tokio::test]
async fn a_grant_names_its_private_addresses() {
    let (tcp, _) = call(&["db.internal:5432 @10.0.0.0/8", "db.internal:22"], &["10.1.2.3"]);
    tcp.resolve("db.internal").await.unwrap();
    assert!(connects(&tcp, "10.1.2.3:5432"));
    assert!(!connects(&tcp, "10.1.2.3:22"), "this grant names no private address");
    let (tcp, _) = call(&["127.0.0.1:6379"], &["9.9.9.9"]);
    assert!(connects(&tcp, "127.0.0.1:6379"));
    assert!(!connects(&tcp, "127.0.0.1:6380"));
}

#[test]
fn listening_and_udp_are_always_refused() {
    let (tcp, told) = call(&["127.0.0.1:6379"], &["9.9.9.9"]);
    let permits = |address: &str, usage| tcp.permits(address.parse().unwrap(), usage);
    assert!(permits("0.0.0.0:0", SocketAddrUse::TcpBind), "implied by a connect");
    assert!(!permits("127.0.0.1:6379", SocketAddrUse::TcpBind));
    assert!(!permits("0.0.0.0:0", SocketAddrUse::TcpListen));
    assert!(!permits("127.0.0.1:6379", SocketAddrUse::TcpAccept));
    assert!(!permits("127.0.0.1:6379", SocketAddrUse::UdpSend));
    assert!(!permits("0.0.0.0:0", SocketAddrUse::UdpBind));
    let told = told.0.lock().unwrap();
    let seen: Vec<_> = told.iter().map(|denial| denial.capability).collect();
    assert_eq!(seen, ["listen", "listen", "listen", "udp", "udp"]);
    assert!(told.iter().all(|denial| denial.allow.is_none()));
}

#[test]
fn denials_are_told_up_to_a_limit() {
    let (tcp, told) = call(&["127.0.0.1:6379"], &["9.9.9.9"]);
    for port in 1..1000u16 {
        assert!(!connects(&tcp, &format!("127.0.0.1:{port}")));
    }
    assert_eq!(told.0.lock().unwrap().len(), crate::events::MAX_DENIALS);
}

#[test]
fn sockets_are_bounded_and_the_first_ones_show_what_was_wanted() {
    let (granted, _) = call(&["127.0.0.1:6379"], &["9.9.9.9"]);
    assert_eq!((0..1000).filter(|_| granted.may_create()).count(), MAX_SOCKETS);
    let (bare, told) = call(&[], &["9.9.9.9"]);
    assert_eq!((0..1000).filter(|_| bare.may_create()).count(), MAX_REFUSED_SOCKETS);
    assert!(!connects(&bare, "10.0.0.7:5432"));
    assert_eq!(told.0.lock().unwrap()[0].allow.as_deref(), Some("tcp = [\"10.0.0.7:5432\"]"));
}
