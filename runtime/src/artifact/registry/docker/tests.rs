//! Credentials are found where docker and podman put them, and never end up in a message.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

async fn found(json: &str, registry: &str, repository: &str) -> Result<Option<Credentials>, ArtifactError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    std::fs::write(&path, json).unwrap();
    Config::new(Some(path)).credentials(registry, repository).await
}

fn password(user: &str, password: &str) -> Option<Credentials> {
    Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() })
}

#[tokio::test]
async fn entries_are_found_in_all_their_spellings() {
    // "u:p:q"
    let auth = r#"{"auth":"dTpwOnE="}"#;
    for key in
        ["ghcr.io", "ghcr.io/", "https://ghcr.io", "https://ghcr.io/v1/", "ghcr.io/acme", "ghcr.io/acme/x"]
    {
        let json = format!(r#"{{"auths":{{"{key}":{auth}}}}}"#);
        assert_eq!(found(&json, "ghcr.io", "acme/x").await.unwrap(), password("u", "p:q"), "{key}");
    }
    for key in ["ghcr.i", "ghcr.io:5000", "ghcr.io/acm", "evil.ghcr.io", "ghcr.io.evil"] {
        let json = format!(r#"{{"auths":{{"{key}":{auth}}}}}"#);
        assert_eq!(found(&json, "ghcr.io", "acme/x").await.unwrap(), None, "{key}");
    }
    let hub = format!(r#"{{"auths":{{"https://index.docker.io/v1/":{auth}}}}}"#);
    assert_eq!(found(&hub, "docker.io", "a/b").await.unwrap(), password("u", "p:q"));
}

#[tokio::test]
async fn the_most_specific_entry_wins_and_plain_fields_count() {
    let json = r#"{"auths":{"r.io":{"username":"a","password":"b"},"r.io/x":{"username":"c","password":"d"},"e.io":{}}}"#;
    assert_eq!(found(json, "r.io", "x/y").await.unwrap(), password("c", "d"));
    assert_eq!(found(json, "r.io", "z").await.unwrap(), password("a", "b"));
    assert_eq!(found(json, "e.io", "z").await.unwrap(), None);
    let identity = r#"{"auths":{"r.io":{"auth":"dTo=","identitytoken":"t"}}}"#;
    assert_eq!(found(identity, "r.io", "x").await.unwrap(), Some(Credentials::Identity("t".to_owned())));
}

#[tokio::test]
async fn a_config_that_cannot_be_read_is_named_without_its_secrets() {
    let error = async |json: &str| {
        let text = found(json, "r.io", "x").await.unwrap_err().to_string();
        assert!(text.starts_with("docker config /"), "{text}");
        text.split_once("config.json: ").unwrap().1.to_owned()
    };
    assert_eq!(error("{\"auths\": s3cret").await, "not readable at line 1 column 11");
    assert_eq!(error(r#"{"auths":{"r.io":"s3cret"}}"#).await, "not readable at line 1 column 25");
    assert_eq!(error(r#"{"auths":{"r.io":{"auth":"%"}}}"#).await, "auths of r.io: `auth` is not base64");
    assert_eq!(
        error(r#"{"auths":{"r.io":{"auth":"dQ=="}}}"#).await,
        "auths of r.io: `auth` has no `:` in it"
    );
    let missing = Config::new(Some("/nonexistent/config.json".into()));
    assert_eq!(
        missing.credentials("r.io", "x").await.unwrap_err().to_string(),
        "docker config /nonexistent/config.json: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn helpers_are_named_carefully_and_asked_first() {
    for name in ["../evil", "a b", "", "$(x)"] {
        let json = format!(r#"{{"credsStore":"{name}"}}"#);
        let text = found(&json, "r.io", "x").await.unwrap_err().to_string();
        assert!(text.ends_with("its name is not letters, digits, `-`, `_` and `.`"), "{text}");
    }
    let json = r#"{"credHelpers":{"r.io":"toolgate-test-missing"},"auths":{"r.io":{"auth":"dTpw"}}}"#;
    assert_eq!(
        found(json, "r.io", "x").await.unwrap_err().to_string(),
        "credential helper docker-credential-toolgate-test-missing: No such file or directory (os error 2)"
    );
    assert_eq!(found(json, "s.io", "x").await.unwrap(), None);
}

#[cfg(unix)]
async fn asked(script: &str) -> Result<Option<Credentials>, ArtifactError> {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("helper");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    ask_program("test", path.to_str().unwrap(), "r.io").await
}

#[tokio::test]
async fn a_helper_answers_gets_stuck_or_fails() {
    let answer =
        r#"read server; echo "{\"ServerURL\":\"$server\",\"Username\":\"u\",\"Secret\":\"$server\"}""#;
    assert_eq!(asked(answer).await.unwrap(), password("u", "r.io"));
    let identity = r#"echo '{"Username":"<token>","Secret":"s"}'"#;
    assert_eq!(asked(identity).await.unwrap(), Some(Credentials::Identity("s".to_owned())));
    let none = "echo 'credentials not found in native keychain'; exit 1";
    assert_eq!(asked(none).await.unwrap(), None);
    let error = async |script: &str| asked(script).await.unwrap_err().to_string();
    let prefix = "credential helper docker-credential-test: ";
    assert_eq!(error("echo no dbus; exit 1").await, format!("{prefix}it failed: no dbus"));
    let not_json = format!("{prefix}its answer is not the JSON of the protocol");
    assert_eq!(error("echo s3cret").await, not_json);
    assert_eq!(error("yes").await, format!("{prefix}it failed: y"));
}
