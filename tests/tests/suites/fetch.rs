//! The tool that reads web pages, against a site of ours: what its grant opens, what its own limits
//! and the operator's cut off, and what model and operator are told of a refusal.

use e2e::client::Client;
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::server::{Answer, End, Request, Server};
use e2e::site::Site;
use serde_json::{Value, json};

/// Pages by path.
fn web(request: &Request) -> Answer {
    let hops = |rest: &str| rest.parse::<u32>().unwrap();
    match request.path.split('?').next().unwrap() {
        "/" => Answer::html(
            "<title>Greenhouse</title><h1>Plan</h1><p>Keep <b>warm</b> roots, see <a href=\"/x\">more</a>.</p>",
        ),
        "/json" => Answer::new(200, r#"{"a":1}"#).header("content-type", "application/json"),
        "/large" => Answer::new(200, vec![b'x'; 300_000]).header("content-type", "text/plain"),
        "/endless" => Answer::new(200, "").header("content-type", "text/plain").end(End::Endless),
        "/break" => Answer::new(200, "half").header("content-type", "text/plain").end(End::Break),
        "/silent" => Answer::new(200, "").end(End::Silent),
        "/image" => Answer::new(200, [0, 1, 2]).header("content-type", "image/png"),
        "/compressed" => Answer::new(200, "x").header("content-encoding", "gzip"),
        "/missing" => Answer::new(404, "<p>No such bed.</p>").header("content-type", "text/html"),
        "/nowhere" => Answer::new(302, ""),
        "/secret-redirect" => Answer::moved("/admin/keys"),
        "/metadata-redirect" => Answer::moved("http://169.254.169.254/latest/meta-data/"),
        path if path.starts_with("/hop/") => match hops(&path["/hop/".len()..]) {
            0 => Answer::moved("/"),
            n => Answer::moved(format!("/hop/{}", n - 1)),
        },
        _ => Answer::new(200, "never to be seen").header("content-type", "text/plain"),
    }
}

struct Setting {
    site: Site,
    web: Server,
    gateway: Gateway,
    client: Client,
}

impl Setting {
    /// `HOST` in the lines of `[servers.fetch.grants]` stands for the web server, `PORT` for its
    /// port.
    async fn new(grants: &str, egress: &str) -> Self {
        let web = Server::start(web);
        let site = Site::new("");
        let gateway = configured(&site, &web, grants, egress).await;
        let client = gateway.client();
        Self { site, web, gateway, client }
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.web.port())
    }

    async fn page(&self, arguments: Value) -> Value {
        let result = self.client.call("fetch__fetch", arguments).await;
        assert_eq!(result["isError"], false, "{result}");
        result["structuredContent"].clone()
    }

    /// What the model reads of a page that can't be had.
    async fn excuse(&self, path: &str) -> String {
        let url = if path.starts_with('/') { self.url(path) } else { path.to_owned() };
        let result = self.client.call("fetch__fetch", json!({ "url": url })).await;
        assert_eq!(result["isError"], true, "{path}: {result}");
        assert!(result["_meta"]["toolgate/error"].is_null(), "the tool's own words: {result}");
        let text = result["content"][0]["text"].as_str().unwrap();
        text.replace(&format!("localhost:{}", self.web.port()), "SITE")
    }

    /// The fields of the latest denial in the log.
    async fn denied(&self, attempt: &str) -> Value {
        let attempt = attempt.replace("SITE", &format!("localhost:{}", self.web.port()));
        let log = self.gateway.logged(&json!(attempt).to_string()).await;
        let line = log.lines().rfind(|line| line.contains("\"denied\"")).unwrap();
        let event: Value = line.parse().unwrap();
        if event["fields"].is_object() { event["fields"].clone() } else { event }
    }
}

async fn configured(site: &Site, web: &Server, grants: &str, egress: &str) -> Gateway {
    let grants = grants.replace("HOST", &web.host()).replace("PORT", &web.port().to_string());
    site.configure(&format!(
        "[egress]\n{egress}\n[servers.fetch]\ncomponent = \"file:{}\"\n[servers.fetch.grants]\n{grants}\n",
        guests::tool("fetch").display()
    ));
    Gateway::start(site).await
}

const PUBLIC: &str = "http = [\"GET http://localhost:PORT/* @127.0.0.1,::1\"]";
/// Not `/admin`.
const SOME: &str = "http = [
  \"GET http://localhost:PORT/ @127.0.0.1,::1\",
  \"GET http://localhost:PORT/secret-redirect @127.0.0.1,::1\",
  \"GET http://localhost:PORT/metadata-redirect @127.0.0.1,::1\",
]";

#[tokio::test]
async fn a_granted_page_comes_as_markdown_text_or_raw() {
    let web = Setting::new(PUBLIC, "").await;
    let page = web.page(json!({ "url": web.url("/") })).await;
    assert_eq!((&page["title"], &page["url"]), (&json!("Greenhouse"), &json!(web.url("/"))));
    let more = web.url("/x");
    assert_eq!(page["content"], format!("# Plan\n\nKeep **warm** roots, see [more]({more})."));
    let text = web.page(json!({ "url": web.url("/"), "format": "text" })).await;
    assert_eq!(text["content"], "Plan\n\nKeep warm roots, see more.");
    let raw = web.page(json!({ "url": web.url("/json?q=1"), "format": "raw" })).await;
    assert_eq!((&raw["content"], &raw["truncated"]), (&json!(r#"{"a":1}"#), &json!(false)));
    let part =
        web.page(json!({ "url": web.url("/large"), "start-index": 250_000, "max-length": 10_000 })).await;
    assert_eq!((&part["total-length"], &part["next-index"]), (&json!(300_000), &json!(260_000)));
    assert_eq!(part["content"].as_str().unwrap().len(), 10_000);
}

#[tokio::test]
async fn five_redirects_are_followed_and_no_more() {
    let web = Setting::new(PUBLIC, "").await;
    let page = web.page(json!({ "url": web.url("/hop/4") })).await;
    assert_eq!((&page["title"], &page["url"]), (&json!("Greenhouse"), &json!(web.url("/"))));
    let told = web.excuse("/hop/5").await;
    assert_eq!(told, "gave up after 5 redirects; the last one led to http://SITE/");
    assert_eq!(web.excuse("/nowhere").await, "http://SITE/nowhere answered 302 without saying where to go");
}

#[tokio::test]
async fn an_endless_page_is_cut_at_the_tools_limit_and_at_the_operators() {
    let web = Setting::new(PUBLIC, "").await;
    let page = web.page(json!({ "url": web.url("/endless"), "max-length": 10 })).await;
    let expected = json!({
        "url": web.url("/endless"), "content-type": "text/plain", "content": "0000000000",
        "total-length": 4_194_304, "next-index": 10, "truncated": true,
    });
    assert_eq!(page, expected);

    let strict = Setting::new(PUBLIC, "max-response-body = \"100KiB\"").await;
    for path in ["/endless", "/large"] {
        let told = strict.excuse(path).await;
        assert!(told.starts_with(&format!("can't fetch http://SITE{path}: after ")), "{told}");
        assert!(
            told.ends_with(" bytes of the answer: the answer is larger than the operator allows"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn faults_of_a_web_server_are_told_so_that_a_model_knows_what_to_do() {
    let web = Setting::new(PUBLIC, "first-byte-timeout = \"300ms\"").await;
    for (path, told) in [
        ("/silent", "can't fetch http://SITE/silent: the server took too long to answer"),
        ("/break", "can't fetch http://SITE/break: after 4 bytes of the answer: the server broke it off"),
        ("/image", "http://SITE/image is not text but image/png"),
        ("/missing", "http://SITE/missing answered 404 (not found): No such bed."),
        (
            "/compressed",
            "can't fetch http://SITE/compressed: the server sends it compressed (gzip) although it was asked not to",
        ),
    ] {
        assert_eq!(web.excuse(path).await, told);
    }
    assert_eq!(web.excuse("ftp://localhost/").await, "can't fetch ftp URLs, only https and http");
}

#[tokio::test]
async fn what_is_not_granted_is_refused_and_the_log_has_the_line_that_allows_it() {
    let web = Setting::new(SOME, "").await;
    let told = web.excuse("/admin/keys").await;
    assert_eq!(
        told,
        "can't fetch http://SITE/admin/keys: the operator of this gateway does not allow this address"
    );
    let denial = web.denied("GET http://SITE/admin/keys").await;
    assert_eq!(denial["reason"], "the grant is for the path /");
    let line = format!("[servers.fetch.grants] http = [\"GET {}\"]", web.url("/admin/keys"));
    assert_eq!(denial["hint"], line);
    let told = web.excuse("/secret-redirect").await;
    assert_eq!(
        told,
        "can't follow the redirect to http://SITE/admin/keys: the operator of this gateway does not allow this address"
    );
    let told = web.excuse("/metadata-redirect").await;
    assert_eq!(
        told,
        "can't follow the redirect to http://169.254.169.254/latest/meta-data/: the operator of this gateway does not allow this address"
    );
    let denial = web.denied("GET http://169.254.169.254/latest/meta-data/").await;
    assert_eq!(denial["reason"], "no grant is for the host 169.254.169.254");
    assert!(web.web.hits().iter().all(|hit| !hit.contains("admin")), "{:?}", web.web.hits());
}

#[tokio::test]
async fn the_line_that_the_log_offers_is_the_line_that_helps() {
    let mut web = Setting::new("", "").await;
    let mut grants = String::new();
    // First the request is not granted, then the address that the name stands for.
    for told in [
        "can't fetch http://SITE/: the operator of this gateway does not allow this address",
        "can't fetch http://SITE/: the address leads into a network that the operator does not allow",
    ] {
        assert_eq!(web.excuse("/").await, told);
        let denial = web.denied("GET http://SITE/").await;
        let hint = denial["hint"].as_str().unwrap();
        grants = hint.strip_prefix("[servers.fetch.grants] ").unwrap().to_owned();
        web.gateway = configured(&web.site, &web.web, &grants, "").await;
        web.client = web.gateway.client();
    }
    let expected = format!("http = [\"GET http://localhost:{}/ @127.0.0.1\"]", web.web.port());
    assert_eq!(grants, expected);
    assert_eq!(web.page(json!({ "url": web.url("/") })).await["title"], "Greenhouse");
}
