//! HTTP as a guest that wants more than it was granted would send it: with methods, headers and
//! authorities that a polite client library would not let through.

use std::collections::BTreeMap;
use std::io::Read;

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    Scheme,
};
use wasip2::io::streams::StreamError;

use crate::{Seen, text};

/// Written at a time when a body is uploaded: the most that WASI lets a blocking write take.
const CHUNK: usize = 4096;

/// Sends a request and gives status, headers and body.
pub(crate) fn request(method: &str, url: &str, headers: &[(String, String)], body: Option<&str>) -> Seen {
    let request = prepare(method, url, headers)?;
    let sending = request.body().map_err(|()| "the request has no body".to_owned())?;
    let pending = handle(request, None).map_err(text)?;
    if let Some(body) = body {
        send(&sending, body.as_bytes().chunks(CHUNK))?;
    }
    OutgoingBody::finish(sending, None).map_err(text)?;
    describe(receive(&pending)?)
}

/// Sends a request made of parts that nobody checked.
pub(crate) fn raw_request(scheme: &str, authority: Option<&str>, path: Option<&str>) -> Seen {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme_of(scheme))).map_err(|()| format!("scheme {scheme} refused"))?;
    request.set_authority(authority).map_err(|()| format!("authority {authority:?} refused"))?;
    request.set_path_with_query(path).map_err(|()| format!("path {path:?} refused"))?;
    describe(receive(&handle(request, None).map_err(text)?)?)
}

/// Uploads a body of this many bytes, in whole chunks.
pub(crate) fn upload(url: &str, bytes: u64) -> Seen {
    let request = prepare("POST", url, &[])?;
    let sending = request.body().map_err(|()| "the request has no body".to_owned())?;
    let pending = handle(request, None).map_err(text)?;
    let whole = usize::try_from(bytes).map_err(text)? / CHUNK;
    send(&sending, std::iter::repeat_n(&[b'x'; CHUNK][..], whole))?;
    OutgoingBody::finish(sending, None).map_err(text)?;
    describe(receive(&pending)?)
}

/// Starts `count` requests before it waits for the first answer.
pub(crate) fn many(url: &str, count: u32) -> Seen {
    let mut pending = Vec::new();
    let mut seen = BTreeMap::<String, u32>::new();
    for _ in 0..count {
        match handle(prepare("GET", url, &[])?, None) {
            Ok(response) => pending.push(response),
            Err(error) => *seen.entry(text(error)).or_default() += 1,
        }
    }
    for response in &pending {
        let key = receive(response).map_or_else(|error| error, |response| response.status().to_string());
        *seen.entry(key).or_default() += 1;
    }
    Ok(seen.into_iter().map(|(key, count)| format!("{count} x {key}")).collect::<Vec<_>>().join("\n"))
}

/// Starts `count` requests and waits for none.
pub(crate) fn abandon(url: &str, count: u32) -> Seen {
    for _ in 0..count {
        // Never dropped, so the guest ends none of them.
        std::mem::forget(handle(prepare("GET", url, &[])?, None).map_err(text)?);
    }
    Ok(format!("left {count} requests"))
}

/// Sends a request, and then another to its `location`.
pub(crate) fn follow(url: &str) -> Seen {
    let response = receive(&handle(prepare("GET", url, &[])?, None).map_err(text)?)?;
    let location = response.headers().get("location");
    let location = location.first().ok_or_else(|| format!("{} without a location", response.status()))?;
    request("GET", &String::from_utf8_lossy(location), &[], None)
}

fn prepare(method: &str, url: &str, headers: &[(String, String)]) -> Result<OutgoingRequest, String> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("{url} has no scheme"))?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let fields = Fields::new();
    for (name, value) in headers {
        fields
            .append(name, value.as_bytes())
            .map_err(|error| format!("header {name} refused: {}", text(error)))?;
    }
    let request = OutgoingRequest::new(fields);
    request.set_method(&method_of(method)).map_err(|()| format!("method {method} refused"))?;
    request.set_scheme(Some(&scheme_of(scheme))).map_err(|()| format!("scheme {scheme} refused"))?;
    request.set_authority(Some(authority)).map_err(|()| format!("authority {authority} refused"))?;
    request.set_path_with_query(Some(path)).map_err(|()| format!("path {path} refused"))?;
    Ok(request)
}

/// Writes piece after piece.
///
/// Failures are in the words of WASI, as `std`'s depend on which step of a write finds that the stream
/// has ended.
fn send<'a>(sending: &OutgoingBody, pieces: impl Iterator<Item = &'a [u8]>) -> Result<(), String> {
    let stream = sending.write().map_err(|()| "the body was written already".to_owned())?;
    let mut sent = 0;
    for piece in pieces {
        stream
            .blocking_write_and_flush(piece)
            .map_err(|error| format!("refused after {sent} bytes: {}", why(&error)))?;
        sent += piece.len();
    }
    Ok(())
}

fn why(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "the stream is closed".to_owned(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    }
}

fn receive(pending: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    loop {
        match pending.get() {
            Some(Ok(response)) => return response.map_err(text),
            Some(Err(())) => return Err("the response was taken already".to_owned()),
            None => pending.subscribe().block(),
        }
    }
}

fn describe(response: IncomingResponse) -> Seen {
    let mut described = format!("{}\n", response.status());
    for (name, value) in response.headers().entries() {
        described.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(&value)));
    }
    let body: IncomingBody = response.consume().map_err(|()| "the response has no body".to_owned())?;
    let mut stream = body.stream().map_err(|()| "the body was read already".to_owned())?;
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{described}broken after {} bytes: {error}", bytes.len()))?;
    Ok(format!("{described}\n{}", String::from_utf8_lossy(&bytes)))
}

fn method_of(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme_of(name: &str) -> Scheme {
    match name {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    }
}
