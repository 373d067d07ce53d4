//! A server of a catalog, from its entry to an answer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use e2e::engine::ODD;
use e2e::gateway::{Gateway, command};
use e2e::site::Site;
use serde_json::json;

use super::support::{READY, went_well};

#[tokio::test]
async fn a_server_of_a_catalog_runs_as_it_was_imported() {
    let site = Site::new("");
    let folder = site.path("data");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    site.write("data/note", "of the host");
    let catalog = format!(
        "registry:\n  odd:\n    image: {ODD}\n    disableNetwork: true\n    longLived: true\n    \
         env: [{{ name: MODE, value: '{{{{odd.mode}}}}' }}, {{ name: PRICE, value: '${{FIVE}}' }}]\n    \
         secrets: [{{ name: odd.token, env: TOKEN }}]\n    \
         volumes: ['{{{{odd.paths|volume|into}}}}']\n"
    );
    let catalog = site.write("catalog.yaml", catalog);
    let values = format!("odd: {{ mode: quiet, paths: ['{}'] }}", folder.display());
    let values = site.write("values.yaml", values);
    let mut import = command(&site);
    import.args(["import", "docker-catalog"]).arg(catalog).arg("--values").arg(values);
    let imported = import.output().unwrap();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let section = String::from_utf8(imported.stdout).unwrap();
    // The choice of tools, as an artifact would make it.
    site.configure(
        &section.replace("[servers.odd]\n", "[servers.odd]\ntools = [\"environment\", \"read\"]\n"),
    );

    let mut served = command(&site);
    served.env("TOKEN", "a-secret-of-the-catalog");
    let gateway = Gateway::launch(&site, served).await;
    gateway.logged_within(Duration::from_secs(30), READY).await;
    let client = gateway.client_of("odd");
    let tools: Vec<_> = client.list().await.iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(tools, ["environment", "read"]);
    let told = client.call("environment", json!({})).await;
    for line in ["MODE=quiet", "PRICE=${FIVE}", "TOKEN=a-secret-of-the-catalog"] {
        assert!(went_well(&told).lines().any(|told| told == line), "{line}: {told}");
    }
    let read = client.call("read", json!({ "path": folder.join("note") })).await;
    assert_eq!(went_well(&read), "of the host");
}
