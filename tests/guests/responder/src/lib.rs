//! A component of `wasi:http/incoming-handler` that speaks MCP without sessions. What it offers it says as the variable
//! `LIST` has it; what it answers depends on the name of the tool, and much of that is no answer.

mod http;
mod offers;
mod tools;

use serde_json::{Value, json};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use http::{Out, Request};

wasip2::http::proxy::export!(Responder);

struct Responder;

impl wasip2::exports::http::incoming_handler::Guest for Responder {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let request = Request::read(request);
        let out = Out::of(response);
        let params = &request.body["params"];
        match request.body["method"].as_str().unwrap_or_default() {
            "server/discover" => offers::discover(&request, out),
            method if method.ends_with("/list") => offers::list(&request, method, out),
            "tools/call" => tools::call(&request, out),
            "prompts/get" => {
                let who = params["arguments"]["who"].as_str().unwrap_or("you");
                let content = json!({ "type": "text", "text": format!("Greet {who}.") });
                out.result(&request, json!({ "messages": [{ "role": "user", "content": content }] }));
            }
            "resources/read" if params["uri"].as_str().is_some_and(|uri| uri.starts_with("responder://")) => {
                let said = json!({ "uri": params["uri"], "text": http::header(&request, "mcp-name") });
                out.result(&request, json!({ "contents": [said] }));
            }
            "resources/read" => out.error(&request, 404, -32602, "there is no such resource", &params["uri"]),
            "completion/complete" => {
                let begin = params["argument"]["value"].as_str().unwrap_or_default();
                let values = json!([format!("{begin}a"), format!("{begin}b")]);
                out.result(&request, json!({ "completion": { "values": values } }));
            }
            method => out.error(&request, 404, -32601, "unknown method", &Value::from(method)),
        }
    }
}
