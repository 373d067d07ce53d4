use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::pace::LATE;
use super::{Plan, Report, run};
use crate::connection::Expect;
use crate::target::Target;

const REQUEST: &[u8] = b"ping";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// How long the stalling server is silent, once.
const STALL: Duration = Duration::from_millis(300);

fn plan(target: Target) -> Plan {
    Plan {
        target,
        request: Bytes::from_static(REQUEST),
        expect: Expect::Success,
        clients: 1,
        rate: None,
        warmup: Duration::ZERO,
        duration: Duration::from_secs(30),
        max_requests: u64::MAX,
        timeout: Duration::from_secs(20),
        pid: None,
    }
}

/// A server on loopback that handles each connection with `serve`.
async fn server<F: Future<Output = ()> + Send + 'static>(serve: fn(TcpStream) -> F) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    Target { address, path: "/".to_owned() }
}

async fn answer(stream: &mut TcpStream) -> bool {
    let mut request = [0; REQUEST.len()];
    stream.read_exact(&mut request).await.is_ok() && stream.write_all(ANSWER).await.is_ok()
}

async fn prompt(mut stream: TcpStream) {
    while answer(&mut stream).await {}
}

async fn stall_once(stream: TcpStream) {
    tokio::time::sleep(STALL).await;
    prompt(stream).await;
}

async fn stall_past_the_end(stream: TcpStream) {
    tokio::time::sleep(LATE + STALL).await;
    prompt(stream).await;
}

async fn hang_up(mut stream: TcpStream) {
    answer(&mut stream).await;
}

#[tokio::test]
async fn no_more_calls_are_sent_than_allowed() {
    let target = server(prompt).await;
    let report: Report = run(Plan { clients: 3, max_requests: 100, ..plan(target) }).await.expect("a report");
    assert_eq!((report.answered, report.errors.len(), report.unsent), (100, 0, 0));
}

/// One stall of 300 ms at 1,000 calls a second delays hundreds of calls. A closed loop would see
/// one slow call of 600; here the median of all calls is that of calls that were due in the stall.
#[tokio::test]
async fn a_stall_counts_for_every_call_that_was_due_in_it() {
    let target = server(stall_once).await;
    let plan = Plan { rate: Some(1_000.0), max_requests: 400, ..plan(target) };
    let report = run(plan).await.expect("a report");
    assert_eq!(report.answered, 400, "{report:?}");
    assert!(report.latency.p50 > 50_000.0, "the median hides the stall: {report:?}");
    assert!(report.latency.max >= 290_000.0, "{report:?}");
}

#[tokio::test]
async fn what_a_stall_at_the_end_holds_up_is_sent_late_and_counts_as_late() {
    let target = server(stall_once).await;
    let plan = Plan { rate: Some(100.0), duration: Duration::from_millis(100), ..plan(target) };
    let report = run(plan).await.expect("a report");
    assert_eq!((report.answered, report.unsent), (10, 0), "{report:?}");
    // The last one was due after 90 ms, and all of them waited for the end of the stall.
    assert!(report.latency.p50 > 200_000.0, "{report:?}");
}

#[tokio::test]
async fn what_a_slow_server_leaves_unsent_is_told() {
    let target = server(stall_past_the_end).await;
    let plan = Plan { rate: Some(100.0), duration: Duration::from_millis(100), ..plan(target) };
    let report = run(plan).await.expect("a report");
    assert_eq!((report.answered, report.unsent), (1, 9), "{report:?}");
}

#[tokio::test]
async fn a_broken_connection_is_counted_and_replaced() {
    let target = server(hang_up).await;
    let report = run(Plan { max_requests: 10, ..plan(target) }).await.expect("a report");
    assert_eq!(report.answered, 5, "{report:?}");
    assert_eq!(report.errors.values().sum::<u64>(), 5, "{report:?}");
}

#[tokio::test]
async fn a_call_without_answer_times_out() {
    let target = server(stall_once).await;
    let plan = Plan { max_requests: 1, timeout: Duration::from_millis(30), ..plan(target) };
    let report = run(plan).await.expect("a report");
    assert_eq!(report.errors.get("timed out"), Some(&1), "{report:?}");
}
