//! What it says that it offers.

use serde_json::{Value, json};

use crate::http::{Out, Request};
use crate::tools;

fn variable() -> String {
    std::env::var("LIST").unwrap_or_default()
}

pub(crate) fn discover(request: &Request, out: Out) {
    let mut versions = json!(["2026-07-28", "2099-01-01"]);
    match variable().as_str() {
        "no-mcp" => {
            let mut body = out.begin(404, &[("content-type", "text/html")]);
            body.write("<h1>Not here</h1>");
            return body.end();
        }
        "refuses" => return out.error(request, 400, -32000, "\u{1b}[2Jnot today", &Value::Null),
        "other-revision" => versions = json!(["2025-11-25"]),
        "silent" => return,
        _ => {}
    }
    let capabilities =
        json!({ "tools": {}, "prompts": {}, "resources": {}, "completions": {}, "logging": {} });
    out.result(request, json!({ "supportedVersions": versions, "capabilities": capabilities }));
}

pub(crate) fn list(request: &Request, method: &str, out: Out) {
    let one = |what: Value| vec![what];
    match method {
        "tools/list" => tools_list(request, out),
        "prompts/list" => {
            let argument = json!({ "name": "who", "required": true });
            out.result(
                request,
                json!({ "prompts": one(json!({ "name": "greet", "arguments": [argument] })) }),
            );
        }
        "resources/list" => {
            let listed = one(json!({ "uri": "responder://fixed", "name": "fixed" }));
            out.result(request, json!({ "resources": listed }));
        }
        // Servers may have resources without templates of such.
        "resources/templates/list" if variable() == "no-templates" => {
            out.error(request, 404, -32601, "unknown method", &Value::Null);
        }
        _ => {
            let listed = one(json!({ "uriTemplate": "responder://{name}", "name": "any" }));
            out.result(request, json!({ "resourceTemplates": listed }));
        }
    }
}

fn tools_list(request: &Request, out: Out) {
    let tool = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
    let cursor = request.body["params"]["cursor"].as_str().unwrap_or("0");
    let page: usize = cursor.parse().unwrap();
    match variable().as_str() {
        "traps" => unreachable!(),
        "spins" => tools::spin(),
        "huge" => out.json(200, &"[".repeat(5_000_000)),
        "no-list" => out.result(request, json!({})),
        "asks" => out.json(
            200,
            &json!({ "id": request.body["id"], "result": { "resultType": "input_required", "requestState": "x" } })
                .to_string(),
        ),
        "endless" => out.result(request, json!({ "tools": [tool("a")], "nextCursor": "1" })),
        // Each page has an instance of its own.
        "pages" => {
            let listed = json!([tool(&format!("page-{page}-of-instance-{}", tools::calls()))]);
            let next = (page < 3).then(|| json!((page + 1).to_string()));
            let mut result = json!({ "tools": listed });
            if let Some(next) = next {
                result["nextCursor"] = next;
            }
            out.result(request, result);
        }
        _ => {
            let mut listed: Vec<_> = tools::NAMES.iter().map(|name| tool(name)).collect();
            listed[0]["inputSchema"]["properties"] =
                json!({ "region": { "type": "string", "x-mcp-header": "Region" } });
            out.result(request, json!({ "tools": listed }));
        }
    }
}
