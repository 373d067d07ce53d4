//! The clock and the files as an operator grants them and a client calls them.

use e2e::client::Client;
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

async fn serving(site: &Site, tool: &str, grants: &str) -> (Gateway, Client) {
    site.configure(&format!(
        "[servers.{tool}]\ncomponent = \"file:{}\"\n[servers.{tool}.grants]\n{grants}\n",
        guests::tool(tool).display()
    ));
    let gateway = Gateway::start(site).await;
    let client = gateway.client_of(tool);
    (gateway, client)
}

async fn answer(client: &Client, tool: &str, arguments: Value) -> Value {
    let result = client.call(tool, arguments.clone()).await;
    assert_eq!(result["isError"], false, "{tool} {arguments}: {result}");
    result["structuredContent"].clone()
}

/// What a tool says that it can't do: its own words, not the gateway's.
async fn excuse(client: &Client, tool: &str, arguments: Value) -> String {
    let result = client.call(tool, arguments.clone()).await;
    assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
    assert!(result["_meta"]["toolgate/error"].is_null(), "{result}");
    assert!(result["structuredContent"].is_null(), "{result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_clock_needs_no_grant_and_tells_the_time_of_any_zone() {
    let site = Site::new("");
    let (_gateway, client) = serving(&site, "clock", "").await;
    let before = unix_now();
    let now = answer(&client, "now", json!({ "zone": "asia/tokyo" })).await;
    let told = now["unix"].as_i64().unwrap();
    assert!((before..=unix_now()).contains(&told), "{before} {now}");
    assert_eq!((&now["zone"], &now["offset"]), (&json!("Asia/Tokyo"), &json!("+09:00")), "{now}");
    assert_eq!(now["daylight-saving"], false, "{now}");
    assert!(now["time"].as_str().unwrap().ends_with("+09:00[Asia/Tokyo]"), "{now}");
    assert_eq!(answer(&client, "now", json!({})).await["zone"], "UTC");
}

#[tokio::test]
async fn the_clock_converts_across_changes_to_and_from_daylight_saving() {
    let site = Site::new("");
    let (_gateway, client) = serving(&site, "clock", "").await;
    for (time, from, to, expected, daylight) in [
        // Skipped in Berlin: read as the later time.
        (
            "2026-03-29T02:30",
            "Europe/Berlin",
            "Europe/Berlin",
            "2026-03-29T03:30:00+02:00[Europe/Berlin]",
            true,
        ),
        ("2026-03-29T02:30", "Europe/Berlin", "UTC", "2026-03-29T01:30:00+00:00[UTC]", false),
        // Twice in Berlin: the first.
        ("2026-10-25T02:30", "Europe/Berlin", "UTC", "2026-10-25T00:30:00+00:00[UTC]", false),
        ("2026-10-25T02:30+01:00", "UTC", "Europe/Berlin", "2026-10-25T02:30:00+01:00[Europe/Berlin]", false),
        // The two continents change on different days.
        (
            "2026-10-28T09:00",
            "America/New_York",
            "Europe/Paris",
            "2026-10-28T14:00:00+01:00[Europe/Paris]",
            false,
        ),
        (
            "2026-11-04T09:00",
            "America/New_York",
            "Europe/Paris",
            "2026-11-04T15:00:00+01:00[Europe/Paris]",
            false,
        ),
        // Half an hour of daylight saving, and a zone that is a quarter of an hour off.
        (
            "2026-01-15T12:00Z",
            "UTC",
            "Australia/Lord_Howe",
            "2026-01-15T23:00:00+11:00[Australia/Lord_Howe]",
            true,
        ),
        ("2026-07-15T12:00Z", "UTC", "Asia/Kathmandu", "2026-07-15T17:45:00+05:45[Asia/Kathmandu]", false),
    ] {
        let arguments = json!({ "time": time, "from-zone": from, "to-zone": to });
        let moment = answer(&client, "convert", arguments).await;
        assert_eq!((&moment["time"], &moment["daylight-saving"]), (&json!(expected), &json!(daylight)));
    }
    let zone = json!("Europe/Berlin");
    let day = json!({ "start": "2026-03-28T12:00", "end": "2026-03-29T12:00", "zone": zone });
    let short = answer(&client, "difference", day).await;
    assert_eq!((&short["seconds"], &short["duration"]), (&json!(82_800), &json!("P1D")), "23 hours: {short}");
}

#[tokio::test]
async fn the_clock_says_what_it_does_not_understand_so_that_a_model_can_mend_it() {
    let site = Site::new("");
    let (_gateway, client) = serving(&site, "clock", "").await;
    let told = excuse(&client, "now", json!({ "zone": "Berlin" })).await;
    assert_eq!(told, "unknown time zone `Berlin`: did you mean Europe/Berlin?");
    let told = excuse(&client, "convert", json!({ "time": "half past nine", "to-zone": "UTC" })).await;
    assert!(told.starts_with("can't read `half past nine` as a time ("), "{told}");
    assert!(told.contains("write it like 2026-11-21T15:04:05"), "{told}");
}

/// A folder to read, one to write, and what must not be reached beside them.
fn folders() -> Site {
    let site = Site::new("");
    site.write("secret.txt", "canary-5150");
    site.write("notes/plan.md", "Sow in March.\nTomatoes beside basil.\n");
    site.write("notes/old/basil.md", "Basil likes TOMATOES.\n");
    site.write("notes/photo.png", [0x89, b'P', b'N', b'G', 0xff]);
    site.write("work/draft.md", "one\n");
    for folder in ["notes", "work"] {
        std::os::unix::fs::symlink("../secret.txt", site.path(&format!("{folder}/up"))).unwrap();
        std::os::unix::fs::symlink(site.path("secret.txt"), site.path(&format!("{folder}/away"))).unwrap();
    }
    std::os::unix::fs::symlink("plan.md", site.path("notes/inside")).unwrap();
    site
}

const GRANTS: &str = "files = [
  { host = \"notes\", guest = \"/notes\", mode = \"ro\" },
  { host = \"work\", guest = \"/work\", mode = \"rw\" },
]";

#[tokio::test]
async fn files_lists_reads_and_searches_what_is_granted() {
    let site = folders();
    let (_gateway, client) = serving(&site, "files", GRANTS).await;
    let folders = answer(&client, "list", json!({})).await;
    let entries = folders["entries"].as_array().unwrap();
    let paths: Vec<_> = entries.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/notes", "/work"]);
    let notes = answer(&client, "list", json!({ "path": "/notes", "depth": 2 })).await;
    let entries = notes["entries"].as_array().unwrap();
    let seen: Vec<_> =
        entries.iter().map(|e| (e["path"].as_str().unwrap(), e["kind"].as_str().unwrap())).collect();
    let expected = [
        ("/notes/old", "folder"),
        ("/notes/old/basil.md", "file"),
        ("/notes/photo.png", "file"),
        ("/notes/plan.md", "file"),
        ("/notes/away", "link"),
        ("/notes/inside", "link"),
        ("/notes/up", "link"),
    ];
    assert_eq!(seen, expected);
    let plan = answer(&client, "read", json!({ "path": "/notes/plan.md", "offset": 14 })).await;
    assert_eq!(plan, json!({ "content": "Tomatoes beside basil.\n", "size": 37 }));
    let inside = answer(&client, "read", json!({ "path": "/notes/inside", "length": 4 })).await;
    assert_eq!(inside, json!({ "content": "Sow ", "next": 4, "size": 37 }), "a link that stays inside");
    let photo = answer(&client, "read", json!({ "path": "/notes/photo.png", "encoding": "base64" })).await;
    assert_eq!(photo["content"], "iVBOR/8=");
    let found = answer(&client, "search", json!({ "path": "/notes", "text": "tomatoes" })).await;
    let hits: Vec<_> =
        found["hits"].as_array().unwrap().iter().map(|hit| (&hit["path"], &hit["line"])).collect();
    let expected = [(&json!("/notes/old/basil.md"), &json!(1)), (&json!("/notes/plan.md"), &json!(2))];
    assert_eq!(hits, expected, "{found}");
    let named = answer(&client, "search", json!({ "path": "/notes", "name": "**/b*.md" })).await;
    assert_eq!(named, json!({ "hits": [{ "path": "/notes/old/basil.md" }], "truncated": false }));
}

#[tokio::test]
async fn files_writes_where_it_may_and_is_told_no_elsewhere() {
    let site = folders();
    let (gateway, client) = serving(&site, "files", GRANTS).await;
    let write = |path: &str, mode: &str| json!({ "path": path, "content": "two\n", "mode": mode });
    assert_eq!(answer(&client, "write", write("/work/draft.md", "append")).await, json!({ "result": 8 }));
    assert_eq!(std::fs::read(site.path("work/draft.md")).unwrap(), b"one\ntwo\n");
    let mut deep = write("/work/a/b/c.md", "create");
    deep["create-folders"] = json!(true);
    assert_eq!(answer(&client, "write", deep).await, json!({ "result": 4 }));
    assert_eq!(std::fs::read(site.path("work/a/b/c.md")).unwrap(), b"two\n");
    let told = excuse(&client, "write", write("/work/draft.md", "create")).await;
    assert_eq!(told, "can't write /work/draft.md: it exists already; use mode overwrite or append");

    for (path, mode) in
        [("/notes/plan.md", "overwrite"), ("/notes/plan.md", "append"), ("/notes/new.md", "create")]
    {
        let told = excuse(&client, "write", write(path, mode)).await;
        assert_eq!(told, format!("can't write {path}: the operator's grant does not allow it"));
    }
    assert_eq!(std::fs::metadata(site.path("notes/plan.md")).unwrap().len(), 37, "untouched");
    assert!(!site.path("notes/new.md").exists());
    let log = gateway.logged("write /notes/new.md").await;
    let line = log.lines().find(|line| line.contains("\"write /notes/new.md\"")).unwrap();
    assert!(line.contains("the grant is read-only"), "{line}");
    let hint = "[servers.files.grants] files = [{ host = \"…\", guest = \"/notes\", mode = \"rw\" }]";
    assert!(line.contains(&json!(hint).to_string()), "{line}");
}

#[tokio::test]
async fn files_reaches_nothing_beside_its_folders() {
    let site = folders();
    let (gateway, client) = serving(&site, "files", GRANTS).await;
    let attempts = [
        ("read", json!({})),
        ("write", json!({ "content": "x", "mode": "overwrite" })),
        ("list", json!({})),
        ("search", json!({ "text": "canary" })),
    ];
    let try_all = async |path: &str, told: &str| {
        for (tool, mut arguments) in attempts.clone() {
            arguments["path"] = json!(path);
            let excuse = excuse(&client, tool, arguments).await;
            let expected = told.replace("TRY", tool);
            assert_eq!(excuse, expected);
        }
    };
    for path in
        ["/notes/../secret.txt", "/work/../secret.txt", "/notes/up", "/work/up", "/notes/away", "/work/away"]
    {
        try_all(path, &format!("can't TRY {path}: the operator's grant does not allow it")).await;
    }
    for path in ["/etc/passwd", "secret.txt", "", "/", "/notesx"] {
        try_all(path, &format!("{path} is not in a granted folder; these are: /notes, /work")).await;
    }
    let found = answer(&client, "search", json!({ "path": "/notes", "text": "canary" })).await;
    assert_eq!(found["hits"], json!([]), "links are not followed by a search");
    assert_eq!(std::fs::read(site.path("secret.txt")).unwrap(), b"canary-5150");
    assert!(!gateway.log().contains("canary"));

    let log = gateway.logged("\"open /etc/passwd\"").await;
    let line = log.lines().find(|line| line.contains("\"open /etc/passwd\"")).unwrap();
    let hint = "[servers.files.grants] files = [{ host = \"…\", guest = \"/etc\", mode = \"ro\" }]";
    assert!(line.contains("no grant covers it") && line.contains(&json!(hint).to_string()), "{line}");
    let line = log.lines().find(|line| line.contains("\"open /notes/up\"")).unwrap();
    assert!(line.contains("the path leads out of the grant") && !line.contains("hint"), "{line}");
}

#[tokio::test]
async fn files_without_a_grant_says_so() {
    let site = folders();
    let (_gateway, client) = serving(&site, "files", "").await;
    assert_eq!(answer(&client, "list", json!({})).await, json!({ "entries": [], "truncated": false }));
    let told = excuse(&client, "read", json!({ "path": "/notes/plan.md" })).await;
    assert_eq!(told, "the operator granted no folder to this tool");
}

fn unix_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}
