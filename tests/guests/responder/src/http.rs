//! Requests read, responses written.

use serde_json::{Value, json};
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{OutputStream, StreamError};

/// Written at a time: the most that WASI lets a blocking write take.
const CHUNK: usize = 4096;

/// Read at a time, or fewer, as its host likes.
const MANY: u64 = 1 << 40;

pub(crate) struct Request {
    /// How it was sent: method, scheme, authority, path.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    /// The most bytes that came at a time.
    pub(crate) largest: usize,
}

impl Request {
    pub(crate) fn read(request: IncomingRequest) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let headers = request.headers().entries().into_iter().map(|(name, value)| (name, text(value)));
        let line = format!(
            "{:?} {:?} {} {}",
            request.method(),
            request.scheme().unwrap(),
            request.authority().unwrap(),
            request.path_with_query().unwrap()
        );
        let headers = headers.collect();
        let body = request.consume().unwrap();
        let stream = body.stream().unwrap();
        let (mut bytes, mut largest) = (Vec::new(), 0);
        loop {
            match stream.blocking_read(MANY) {
                Ok(more) => {
                    largest = largest.max(more.len());
                    bytes.extend(more);
                }
                Err(StreamError::Closed) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
        Self { line, headers, body: serde_json::from_slice(&bytes).unwrap(), largest }
    }
}

pub(crate) fn header(request: &Request, name: &str) -> Value {
    let found = request.headers.iter().find(|(own, _)| own == name);
    found.map_or(Value::Null, |(_, value)| value.as_str().into())
}

/// A response, not yet begun.
pub(crate) struct Out(ResponseOutparam);

/// One that has.
pub(crate) struct Body {
    body: OutgoingBody,
    stream: OutputStream,
}

impl Out {
    pub(crate) fn of(outparam: ResponseOutparam) -> Self {
        Self(outparam)
    }

    pub(crate) fn begin(self, status: u16, headers: &[(&str, &str)]) -> Body {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let response = OutgoingResponse::new(Fields::from_list(&headers).unwrap());
        response.set_status_code(status).unwrap();
        let body = response.body().unwrap();
        ResponseOutparam::set(self.0, Ok(response));
        let stream = body.write().unwrap();
        Body { body, stream }
    }

    pub(crate) fn events(self) -> Body {
        self.begin(200, &[("content-type", "text/event-stream")])
    }

    pub(crate) fn json(self, status: u16, body: &str) {
        let mut out = self.begin(status, &[("content-type", "application/json")]);
        out.write(body);
        out.end();
    }

    pub(crate) fn result(self, request: &Request, mut result: Value) {
        result["resultType"] = "complete".into();
        self.json(200, &message(request, &result).to_string());
    }

    pub(crate) fn error(self, request: &Request, status: u16, code: i64, message: &str, data: &Value) {
        let error = json!({ "code": code, "message": message, "data": data });
        let body = json!({ "jsonrpc": "2.0", "id": request.body["id"], "error": error });
        self.json(status, &body.to_string());
    }

    pub(crate) fn fail(self) {
        let why = ErrorCode::InternalError(Some("\u{1b}[2Jno".repeat(1000)));
        ResponseOutparam::set(self.0, Err(why));
    }
}

impl Body {
    pub(crate) fn write(&mut self, text: &str) {
        for piece in text.as_bytes().chunks(CHUNK) {
            self.stream.blocking_write_and_flush(piece).unwrap();
        }
    }

    pub(crate) fn event(&mut self, message: &Value) {
        self.write(&format!("data: {message}\n\n"));
    }

    pub(crate) fn progress(&mut self, request: &Request, progress: u32) {
        let token = &request.body["params"]["_meta"]["progressToken"];
        let params = json!({ "progressToken": token, "progress": progress, "total": 3 });
        self.event(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }));
    }

    pub(crate) fn give_up(self) {
        // In this order, as one is a part of the other.
        drop(self.stream);
        drop(self.body);
    }

    pub(crate) fn end(self) {
        drop(self.stream);
        OutgoingBody::finish(self.body, None).unwrap();
    }
}

pub(crate) fn message(request: &Request, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": request.body["id"], "result": result })
}
