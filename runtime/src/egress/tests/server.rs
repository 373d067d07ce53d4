//! Servers that say what they are told to, whatever they are asked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    counts: Arc<Counts>,
    task: tokio::task::AbortHandle,
}

#[derive(Default)]
struct Counts {
    opened: AtomicUsize,
    closed: AtomicUsize,
    /// What came in `authorization`, each line.
    heard: Mutex<Vec<String>>,
}

#[derive(Clone)]
enum Say {
    /// This, and then nothing, with the connection left open.
    Once(String),
    /// This, and then the connection is closed.
    AndClose(String),
    /// The second again and again after the first.
    Endless(String, String),
    /// The request, as the body of a response.
    Echo,
}

/// A whole response. `status` may hold further header lines.
pub(super) fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(super) fn certificate(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/egress/tests/certs").join(name)
}

impl Server {
    pub(super) async fn raw(text: String) -> Self {
        Self::start(Say::Once(text), None).await
    }

    pub(super) async fn silent() -> Self {
        Self::raw(String::new()).await
    }

    pub(super) async fn closing(text: &str) -> Self {
        Self::start(Say::AndClose(text.to_owned()), None).await
    }

    pub(super) async fn endless(start: &str, again: String) -> Self {
        Self::start(Say::Endless(start.to_owned(), again), None).await
    }

    pub(super) async fn echo() -> Self {
        Self::start(Say::Echo, None).await
    }

    pub(super) async fn tls(name: &str, text: String) -> Self {
        let chain = CertificateDer::pem_file_iter(certificate(&format!("{name}.pem"))).unwrap();
        let chain = chain.collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(certificate(&format!("{name}.key"))).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self::start(Say::Once(text), Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start(say: Say, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let shared = counts.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.opened.fetch_add(1, Ordering::SeqCst);
                let (say, tls, counts) = (say.clone(), tls.clone(), shared.clone());
                tokio::spawn(async move {
                    match tls {
                        None => talk(stream, say, &counts).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                talk(stream, say, &counts).await;
                            }
                        }
                    }
                    counts.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, counts, task: task.abort_handle() }
    }

    /// Connections that were accepted so far.
    pub(super) fn connections(&self) -> usize {
        self.counts.opened.load(Ordering::SeqCst)
    }

    /// The lines with credentials in the requests so far.
    pub(super) fn heard(&self) -> Vec<String> {
        self.counts.heard.lock().unwrap().clone()
    }

    /// Waits until the client has closed a connection; fails if it does not.
    pub(super) async fn closed(&self) {
        for _ in 0..500 {
            if self.counts.closed.load(Ordering::SeqCst) > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the connection is still open");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads a request, says its part, and waits for the client to close. A client that goes away is
/// what many tests are about, so its errors end the talk and nothing else.
async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, say: Say, counts: &Counts) {
    let mut request = vec![0; 64 * 1024];
    let mut size = stream.read(&mut request).await.unwrap_or(0);
    if matches!(say, Say::Echo) {
        // Head and body may come in two pieces.
        let more = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut request[size..])).await;
        size += more.map_or(0, |read| read.unwrap_or(0));
    }
    let lines = String::from_utf8_lossy(&request[..size]);
    let credentials = lines.lines().filter(|line| line.starts_with("authorization"));
    counts.heard.lock().unwrap().extend(credentials.map(str::to_owned));
    let said = match &say {
        Say::Once(text) | Say::AndClose(text) | Say::Endless(text, _) => text.clone(),
        Say::Echo => answer("200 OK", &String::from_utf8_lossy(&request[..size])),
    };
    if stream.write_all(said.as_bytes()).await.is_err() || matches!(say, Say::AndClose(_)) {
        return;
    }
    if let Say::Endless(_, again) = &say {
        while stream.write_all(again.as_bytes()).await.is_ok() {}
    }
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
}
