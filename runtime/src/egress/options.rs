//! The limits of outgoing connections, with their defaults.
//!
//! A call's deadline and memory bound everything in the end; these bounds make a slow or hostile
//! server show up as an error that the guest can handle, long before the deadline.

use std::path::PathBuf;
use std::time::Duration;

const KIB: usize = 1024;
const MIB: u64 = 1024 * 1024;

/// Limits and trust of outgoing connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressOptions {
    /// Time for a name to resolve. Against a name server that never answers.
    pub resolve_timeout: Duration,
    /// Time for a TCP connection, over all addresses of a host. Against black holes.
    pub connect_timeout: Duration,
    /// Time for the TLS handshake. Against a server that accepts and stays silent.
    pub tls_timeout: Duration,
    /// Time from the request to the response's headers.
    pub first_byte_timeout: Duration,
    /// Time between two pieces of a response body. Against a server that drips.
    pub between_bytes_timeout: Duration,
    /// Bytes of a header section, sent or received. Against headers as a way to fill memory.
    pub max_header_bytes: usize,
    /// Fields of a header section, sent or received.
    pub max_headers: usize,
    /// Bytes of a response body. Against a body that never ends.
    pub max_response_body: u64,
    /// Bytes of a request body. Against the gateway as a flooding device.
    pub max_request_body: u64,
    /// A PEM file of certificate authorities that are trusted besides the public ones.
    pub extra_ca: Option<PathBuf>,
}

/// The smallest buffer that the HTTP parser takes.
pub(crate) const MIN_HEADER_BYTES: usize = 8 * KIB;

impl Default for EgressOptions {
    fn default() -> Self {
        Self {
            resolve_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            tls_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            between_bytes_timeout: Duration::from_secs(15),
            max_header_bytes: 64 * KIB,
            max_headers: 100,
            max_response_body: 64 * MIB,
            max_request_body: 16 * MIB,
            extra_ca: None,
        }
    }
}
