//! One request and its answer over `wasi:http`.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::streams::{InputStream, StreamError};

use crate::follow::Reply;
use crate::page::MAX_BODY;
use crate::url::Url;

/// How long a server may take to accept, to begin its answer, and between two parts of it. Against
/// servers that keep a call waiting until its deadline, without an error that says why.
const TIMEOUT_NANOSECONDS: u64 = 10_000_000_000;

/// Read in one host call.
const CHUNK: u64 = 64 * 1024;

const HEADERS: &[(&str, &str)] = &[
    ("user-agent", concat!("toolgate-fetch/", env!("CARGO_PKG_VERSION"))),
    (
        "accept",
        "text/markdown, text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.9, */*;q=0.5",
    ),
    // There is no decompressor in here.
    ("accept-encoding", "identity"),
];

/// Sends a GET.
///
/// # Errors
/// A sentence about what went wrong on the way, without the address.
pub(crate) fn get(url: &Url) -> Result<Reply, String> {
    let response = send(url)?;
    let headers = response.headers();
    let header =
        |name: &str| headers.get(name).first().map(|value| String::from_utf8_lossy(value).trim().to_owned());
    let mut reply = Reply {
        status: response.status(),
        location: header("location"),
        content_type: header("content-type").unwrap_or_default(),
        body: Vec::new(),
        truncated: false,
    };
    if let Some(coding) = header("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity"))
    {
        return Err(format!("the server sends it compressed ({coding}) although it was asked not to"));
    }
    drop(headers);
    if !reply.is_redirect() {
        read(&response, &mut reply)?;
    }
    Ok(reply)
}

fn send(url: &Url) -> Result<IncomingResponse, String> {
    let unsent = |()| "the address can't be sent".to_owned();
    let fields = Fields::new();
    for (name, value) in HEADERS {
        fields.append(name, value.as_bytes()).map_err(|_| format!("the header {name} can't be sent"))?;
    }
    let request = OutgoingRequest::new(fields);
    let scheme = if url.secure { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).map_err(unsent)?;
    request.set_authority(Some(&url.authority)).map_err(unsent)?;
    request.set_path_with_query(Some(&url.path)).map_err(unsent)?;
    let pending = handle(request, Some(options())).map_err(|error| explain(&error))?;
    loop {
        match pending.get() {
            Some(answer) => {
                let answer = answer.map_err(|()| "the answer was taken already".to_owned())?;
                return answer.map_err(|error| explain(&error));
            }
            None => pending.subscribe().block(),
        }
    }
}

/// A host that does not support a timeout refuses it; the call's deadline remains.
fn options() -> RequestOptions {
    let options = RequestOptions::new();
    let _ = options.set_connect_timeout(Some(TIMEOUT_NANOSECONDS));
    let _ = options.set_first_byte_timeout(Some(TIMEOUT_NANOSECONDS));
    let _ = options.set_between_bytes_timeout(Some(TIMEOUT_NANOSECONDS));
    options
}

fn read(response: &IncomingResponse, reply: &mut Reply) -> Result<(), String> {
    let body = response.consume().map_err(|()| "the answer has no body".to_owned())?;
    let stream: InputStream = body.stream().map_err(|()| "the body was taken already".to_owned())?;
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => reply.body.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => {
                let cause = wasip2::http::types::http_error_code(&error);
                let cause = cause.map_or_else(|| "the connection broke".to_owned(), |code| explain(&code));
                return Err(format!("after {} bytes of the answer: {cause}", reply.body.len()));
            }
        }
        if reply.body.len() > MAX_BODY {
            reply.body.truncate(MAX_BODY);
            reply.truncated = true;
            return Ok(());
        }
    }
}

/// The host's error in words that tell a model whether to try again, elsewhere, or not at all.
fn explain(error: &ErrorCode) -> String {
    let text = match error {
        ErrorCode::HttpRequestDenied => "the operator of this gateway does not allow this address",
        ErrorCode::DestinationIpProhibited => {
            "the address leads into a network that the operator does not allow"
        }
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            "the host name was not found"
        }
        ErrorCode::ConnectionTimeout | ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
            "the server took too long to answer"
        }
        ErrorCode::ConnectionRefused
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable => "the server can't be reached",
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => "the server broke it off",
        ErrorCode::TlsCertificateError => "the server's certificate is not valid for it",
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
            "no secure connection could be agreed on"
        }
        ErrorCode::HttpResponseBodySize(_) | ErrorCode::HttpResponseHeaderSectionSize(_) => {
            "the answer is larger than the operator allows"
        }
        ErrorCode::InternalError(Some(cause)) => cause,
        other => return format!("{other:?}"),
    };
    text.to_owned()
}
