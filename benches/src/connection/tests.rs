use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Connection, Expect, Fault};

/// A server that answers each request of a connection with the next of these texts, a few bytes at
/// a time, and closes after the last.
async fn server(answers: Vec<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        for answer in answers {
            let mut request = [0; 4];
            stream.read_exact(&mut request).await.expect("a request");
            for part in answer.as_bytes().chunks(7) {
                stream.write_all(part).await.expect("the client reads");
                tokio::task::yield_now().await;
            }
        }
    });
    address
}

async fn exchange(answer: &str) -> Result<(), Fault> {
    let mut connection = Connection::open(server(vec![answer.to_owned()]).await).await.expect("a connection");
    connection.exchange(&Bytes::from_static(b"ping"), Expect::ToolResult).await
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn one_connection_carries_many_answers() {
    let answer = ok("{\"result\":{\"isError\":false}}");
    let address = server(vec![answer.clone(), answer]).await;
    let mut connection = Connection::open(address).await.expect("a connection");
    for _ in 0..2 {
        connection.exchange(&Bytes::from_static(b"ping"), Expect::ToolResult).await.expect("an answer");
    }
}

#[tokio::test]
async fn errors_are_told_apart() {
    let tool = exchange(&ok("{\"result\":{\"isError\":true}}")).await;
    assert!(matches!(tool, Err(Fault::Tool)), "{tool:?}");
    let rpc = exchange(&ok("{\"error\":{}}")).await;
    assert!(matches!(rpc, Err(Fault::Rpc)), "{rpc:?}");
    let status = exchange("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(status, Err(Fault::Status(503))), "{status:?}");
}

#[tokio::test]
async fn a_broken_or_unreadable_answer_ends_the_connection() {
    let short = exchange("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{").await;
    assert!(matches!(&short, Err(fault @ Fault::Broken(_)) if !fault.spares_connection()), "{short:?}");
    let endless = exchange("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").await;
    assert!(
        matches!(&endless, Err(fault @ Fault::Unreadable(_)) if !fault.spares_connection()),
        "{endless:?}"
    );
    let huge = exchange("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").await;
    assert!(matches!(huge, Err(Fault::Unreadable(_))), "{huge:?}");
}
