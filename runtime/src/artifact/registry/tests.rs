//! Each way in which a registry can fail, injected, and what the operator is told about it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};

use super::fake::{End, Fake, Hit, REPOSITORY, Reply, reply, start};
use super::*;
use crate::artifact::{Artifact, Artifacts, ArtifactsOptions, Reference, Timeouts};

fn options(fake: &Fake) -> ArtifactsOptions {
    ArtifactsOptions {
        plain_http: vec![fake.host.clone()],
        max_bytes: 1 << 20,
        timeouts: Timeouts {
            connect: Duration::from_millis(500),
            idle: Duration::from_millis(300),
            total: Duration::from_secs(5),
        },
        ..ArtifactsOptions::default()
    }
}

fn at(fake: &Fake, version: &str) -> Reference {
    format!("oci://{}/{REPOSITORY}{version}", fake.host).parse().unwrap()
}

async fn fetch_with(
    fake: &Fake,
    options: ArtifactsOptions,
    version: &str,
) -> Result<Artifact, ArtifactError> {
    Artifacts::open(options).unwrap().fetch(&at(fake, version)).await
}

async fn fetch(fake: &Fake, version: &str) -> Result<Artifact, ArtifactError> {
    fetch_with(fake, options(fake), version).await
}

/// The message for a registry with this fault, with its address as HOST.
async fn error(fault: impl Fn(&Hit) -> Option<Reply> + Send + Sync + 'static) -> String {
    let fake = start(fault).await;
    let error = fetch(&fake, ":1").await.unwrap_err();
    error.to_string().replace(&fake.host, "HOST")
}

fn always(reply: Reply) -> impl Fn(&Hit) -> Option<Reply> {
    move |_| Some(reply.clone())
}

/// A fault in the answers for the manifest.
fn manifest(reply: Reply) -> impl Fn(&Hit) -> Option<Reply> {
    move |hit| hit.path.contains("/manifests/").then(|| reply.clone())
}

/// A fault in the answers for the layer.
fn layer(reply: Reply) -> impl Fn(&Hit) -> Option<Reply> {
    move |hit| hit.path.contains("/blobs/").then(|| reply.clone())
}

#[tokio::test]
async fn a_component_comes_by_tag_and_by_digest() {
    let fake = start(|_| None).await;
    let by_tag = fetch(&fake, ":1").await.unwrap();
    assert_eq!(by_tag.bytes, fake.packed.layer.bytes);
    assert_eq!(by_tag.digest, fake.packed.layer.digest);
    assert_eq!(by_tag.manifest_digest, Some(fake.packed.manifest.digest));
    assert_eq!(by_tag.notes, Vec::<String>::new());
    let pinned = format!(":other@{}", fake.packed.manifest.digest);
    assert_eq!(fetch(&fake, &pinned).await.unwrap().bytes, by_tag.bytes);
}

#[tokio::test]
async fn a_registry_that_is_down_is_unreachable() {
    let fake = start(|_| None).await;
    let mut options = options(&fake);
    options.plain_http = vec!["127.0.0.1:1".to_owned()];
    let artifacts = Artifacts::open(options).unwrap();
    let down = artifacts.fetch(&"oci://127.0.0.1:1/a:1".parse().unwrap()).await.unwrap_err();
    assert_eq!(down.to_string(), "registry 127.0.0.1:1 is unreachable: Connection refused (os error 111)");
    let unknown = artifacts.fetch(&"oci://registry.invalid/a:1".parse().unwrap()).await.unwrap_err();
    let text = unknown.to_string();
    assert!(text.starts_with("registry registry.invalid is unreachable: failed to lookup"), "{text}");
    let metadata = artifacts.fetch(&"oci://169.254.169.254/a:1".parse().unwrap()).await.unwrap_err();
    assert_eq!(
        metadata.to_string(),
        "registry 169.254.169.254 is unreachable: 169.254.169.254 is a link-local address, where no registry is"
    );
}

#[tokio::test]
async fn a_slow_registry_is_given_up() {
    assert_eq!(
        error(manifest(reply(200, "").end(End::Hang))).await,
        "registry HOST took longer than 0.3 s to send data"
    );
    let fake = start(|hit| hit.path.contains("/blobs/").then(|| reply(500, ""))).await;
    let mut options = options(&fake);
    options.timeouts.total = Duration::from_millis(100);
    let slow = fetch_with(&fake, options, ":1").await.unwrap_err().to_string();
    assert_eq!(slow.replace(&fake.host, "HOST"), "registry HOST took longer than 0.1 s in all");
}

#[tokio::test]
async fn each_status_has_its_own_words() {
    for (status, message) in [
        (401, "registry HOST wants a sign-in for acme/tool (401): no docker config is set"),
        (403, "registry HOST forbids pulling from acme/tool (403)"),
        (404, "tag 1 does not exist in HOST/acme/tool"),
        (429, "registry HOST limits our requests (429)"),
        (500, "registry HOST is failing: it answered 500 to 3 requests for tag 1"),
        (418, "registry HOST answered 418 for tag 1"),
    ] {
        assert_eq!(error(always(reply(status, "<html>"))).await, message);
    }
    assert_eq!(
        error(layer(reply(404, ""))).await.split_once(" does").unwrap().1,
        " not exist in HOST/acme/tool"
    );
    let patient = reply(429, "").header("retry-after", "3600");
    assert_eq!(
        error(always(patient)).await,
        "registry HOST limits our requests (429) and asks to wait 3600 s"
    );
}

#[tokio::test]
async fn a_sign_in_that_is_missing_names_the_config() {
    let fake = start(always(reply(401, ""))).await;
    let hint = fetch(&fake, ":1").await.unwrap_err().hint().unwrap();
    assert!(hint.contains("docker login") && hint.contains("docker-config = "), "{hint}");
}

#[tokio::test]
async fn a_passing_fault_is_retried_and_a_lasting_one_is_not_retried_for_ever() {
    for fault in [reply(503, ""), reply(429, "").header("retry-after", "0"), reply(200, "x").end(End::Break)]
    {
        let fake = start(move |hit| (hit.before < 2).then(|| fault.clone())).await;
        assert!(fetch(&fake, ":1").await.is_ok());
    }
    let fake = start(always(reply(500, ""))).await;
    fetch(&fake, ":1").await.unwrap_err();
    assert_eq!(fake.hits().len(), 3);
    let fake = start(always(reply(404, ""))).await;
    fetch(&fake, ":1").await.unwrap_err();
    assert_eq!(fake.hits().len(), 1);
}

#[tokio::test]
async fn garbage_instead_of_a_manifest_is_named() {
    let prefix = "the manifest of oci://HOST/acme/tool:1 is not readable: ";
    assert_eq!(
        error(manifest(reply(200, "<html>sign in</html>"))).await,
        format!("{prefix}expected value at line 1 column 1")
    );
    assert_eq!(
        error(manifest(reply(200, r#"{"name":"x"}"#))).await,
        format!("{prefix}missing field `schemaVersion` at line 1 column 12")
    );
}

#[tokio::test]
async fn a_changed_manifest_or_layer_is_refused() {
    let evil = Digest::of(b"evil");
    let fake = start(manifest(reply(200, "evil"))).await;
    let digest = fake.packed.manifest.digest;
    assert_eq!(
        fetch(&fake, &format!("@{digest}")).await.unwrap_err().to_string(),
        format!("manifest {digest} is not what it should be: expected {digest}, got {evil}")
    );
    let length = pack_length();
    let zeros = vec![0; length];
    let actual = Digest::of(&zeros);
    let fake = start(layer(reply(200, zeros))).await;
    let digest = fake.packed.layer.digest;
    assert_eq!(
        fetch(&fake, ":1").await.unwrap_err().to_string(),
        format!("layer {digest} is not what it should be: expected {digest}, got {actual}")
    );
}

fn pack_length() -> usize {
    crate::artifact::test_support::component("fake").len()
}

#[tokio::test]
async fn a_layer_of_another_length_than_announced_is_refused() {
    let length = pack_length();
    let of = |text: String| text.split_once(" of HOST/acme/tool ").unwrap().1.to_owned();
    assert_eq!(
        of(error(layer(reply(200, "short"))).await),
        format!("is 5 bytes instead of the {length} that were announced")
    );
    assert_eq!(
        of(error(layer(reply(200, vec![0; 1000]))).await),
        format!("is longer than the {length} bytes that were announced")
    );
    assert_eq!(
        of(error(layer(reply(200, "half").end(End::Break))).await),
        "is truncated: the connection ended after 4 bytes"
    );
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let length = pack_length();
    let endless = reply(200, "").end(End::Endless);
    let text = error(layer(endless.clone())).await;
    assert!(text.ends_with(&format!("is longer than the {length} bytes that were announced")), "{text}");
    assert_eq!(
        error(manifest(endless)).await,
        "tag 1 of HOST/acme/tool is larger than the limit of 4194304 bytes"
    );
}

#[tokio::test]
async fn a_component_beyond_the_limit_is_not_even_asked_for() {
    let fake = start(|_| None).await;
    let mut options = options(&fake);
    options.max_bytes = 10;
    let error = fetch_with(&fake, options, ":1").await.unwrap_err();
    let length = pack_length();
    assert_eq!(
        error.to_string().replace(&fake.host, "HOST"),
        format!(
            "the layer of oci://HOST/acme/tool:1, with {length} bytes, is larger than the limit of 10 bytes"
        )
    );
    assert!(error.hint().unwrap().contains("max-size"));
    assert!(fake.hits().iter().all(|hit| !hit.contains("/blobs/")));
}

#[tokio::test]
async fn a_core_module_is_refused_by_its_first_bytes() {
    let module = crate::artifact::test_support::CORE_MODULE;
    let json = format!(
        r#"{{"schemaVersion":2,"layers":[{{"mediaType":"application/wasm","digest":"{}","size":8}}]}}"#,
        Digest::of(module)
    );
    let text = error(move |hit| {
        Some(if hit.path.contains("/manifests/") { reply(200, json.clone()) } else { reply(200, module) })
    })
    .await;
    assert_eq!(text, "oci://HOST/acme/tool:1 is a core wasm module, not a component");
}

#[tokio::test]
async fn plain_http_is_only_for_hosts_that_the_config_names() {
    let fake = start(|_| None).await;
    let mut unnamed = options(&fake);
    unnamed.plain_http.clear();
    let refused = fetch_with(&fake, unnamed, ":1").await.unwrap_err();
    let text = refused.to_string().replace(&fake.host, "HOST");
    assert_eq!(text, "HOST speaks plain http, which is not allowed for it");
    assert_eq!(refused.hint().unwrap().replace(&fake.host, "HOST"), r#"[registries] plain-http = ["HOST"]"#);
    assert_eq!(fake.hits().len(), 0);
    let mut wrong = options(&fake);
    wrong.plain_http = vec!["http://localhost".to_owned()];
    assert_eq!(
        Artifacts::open(wrong).unwrap_err().to_string(),
        "`http://localhost` in plain-http is not a host or host:port"
    );
}

#[tokio::test]
async fn redirects_are_followed_within_bounds() {
    let fake = start(|hit| {
        let moved = hit.path.contains("/blobs/").then(|| hit.path.replace("/v2/", "/moved/"))?;
        Some(reply(307, "").header("location", moved))
    })
    .await;
    // The moved path is answered by the fake with JSON, which is not the layer.
    let text = fetch(&fake, ":1").await.unwrap_err().to_string();
    assert!(text.contains("leads on and on, more than 5 times"), "{text}");
    for (location, message) in [
        ("http://example.com/x", "example.com speaks plain http, which is not allowed for it"),
        ("file:///etc/passwd", "the redirect of HOST is not readable: its scheme is file"),
        (
            "http://169.254.169.254/latest",
            "registry HOST is unreachable: 169.254.169.254 is a link-local address, where no registry is",
        ),
        (
            "https://[::ffff:169.254.169.254]/",
            "registry HOST is unreachable: ::ffff:169.254.169.254 is a link-local address, where no registry is",
        ),
    ] {
        assert_eq!(error(always(reply(302, "").header("location", location))).await, message);
    }
    let text = error(always(reply(302, ""))).await;
    assert_eq!(text, "the redirect of HOST is not readable: it says not whereto");
}

#[tokio::test]
async fn a_redirect_to_another_host_does_not_take_the_password_along() {
    let storage = start(|hit| {
        assert_eq!(hit.authorization, None);
        None
    })
    .await;
    let target = storage.host.clone();
    let fake = start(move |hit| match hit.authorization.as_deref() {
        None => Some(reply(401, "").header("www-authenticate", "Basic realm=x")),
        Some(_) if hit.path.contains("/blobs/") => {
            Some(reply(307, "").header("location", format!("http://{target}{}", hit.path)))
        }
        Some(_) => None,
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&fake);
    options.plain_http.push(storage.host.clone());
    options.docker_config = Some(docker_config(dir.path(), &fake.host));
    let fetched = fetch_with(&fake, options, ":1").await.unwrap();
    assert_eq!(fetched.bytes, fake.packed.layer.bytes);
    assert_eq!(storage.hits().len(), 1);
}

/// A docker config with `user:secret` for `host`.
fn docker_config(dir: &std::path::Path, host: &str) -> std::path::PathBuf {
    let path = dir.join("config.json");
    std::fs::write(&path, format!(r#"{{"auths":{{"{host}":{{"auth":"dXNlcjpzZWNyZXQ="}}}}}}"#)).unwrap();
    path
}

const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";

fn wants_basic(hit: &Hit) -> Option<Reply> {
    let challenge = reply(401, "").header("www-authenticate", r#"Basic realm="r""#);
    (hit.authorization.as_deref() != Some(BASIC)).then_some(challenge)
}

#[tokio::test]
async fn basic_credentials_come_from_the_docker_config() {
    let fake = start(wants_basic).await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&fake);
    options.docker_config = Some(docker_config(dir.path(), &fake.host));
    assert!(fetch_with(&fake, options.clone(), ":1").await.is_ok());
    docker_config(dir.path(), "elsewhere");
    let text = fetch_with(&fake, options.clone(), ":1").await.unwrap_err().to_string();
    assert!(text.ends_with("(401): the docker config has no credentials for it"), "{text}");
    let refusing = start(always(reply(401, "").header("www-authenticate", "Basic"))).await;
    docker_config(dir.path(), &refusing.host);
    options.plain_http = vec![refusing.host.clone()];
    let text = fetch_with(&refusing, options, ":1").await.unwrap_err().to_string();
    assert!(text.ends_with("(401): it refused the credentials in the docker config"), "{text}");
}

/// A registry with a token endpoint of its own, which wants `login`.
fn wants_token(login: Option<&'static str>) -> impl Fn(&Hit) -> Option<Reply> {
    move |hit| {
        if hit.path.starts_with("/token") {
            let right = hit.authorization.as_deref() == login
                && hit.path.contains("scope=repository%3Aacme%2Ftool%3Apull")
                && hit.path.contains("service=s");
            return Some(if right { reply(200, r#"{"token":"t0k"}"#) } else { reply(401, "") });
        }
        let realm = format!(r#"Bearer realm="http://{}/token",service="s""#, hit.host);
        (hit.authorization.as_deref() != Some("Bearer t0k"))
            .then(|| reply(401, "").header("www-authenticate", realm))
    }
}

#[tokio::test]
async fn tokens_are_fetched_once_and_with_the_credentials() {
    let fake = start(wants_token(None)).await;
    assert!(fetch(&fake, ":1").await.is_ok());
    let tokens = fake.hits().iter().filter(|hit| hit.contains("/token")).count();
    assert_eq!(tokens, 1);
    let fake = start(wants_token(Some(BASIC))).await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&fake);
    options.docker_config = Some(docker_config(dir.path(), &fake.host));
    assert!(fetch_with(&fake, options, ":1").await.is_ok());
    let text = fetch(&fake, ":1").await.unwrap_err().to_string();
    assert!(text.ends_with("(401): no docker config is set"), "{text}");
}

#[tokio::test]
async fn an_identity_token_is_exchanged() {
    let fake = start(|hit| {
        if hit.path.starts_with("/token") {
            let form = String::from_utf8_lossy(&hit.body).into_owned();
            let right = hit.method == "POST"
                && form.contains("grant_type=refresh_token")
                && form.contains("refresh_token=id3");
            return Some(if right { reply(200, r#"{"access_token":"t0k"}"#) } else { reply(401, "") });
        }
        wants_token(None)(hit)
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    let config = format!(r#"{{"auths":{{"{}":{{"identitytoken":"id3"}}}}}}"#, fake.host);
    std::fs::write(&path, config).unwrap();
    let mut options = options(&fake);
    options.docker_config = Some(path);
    assert!(fetch_with(&fake, options, ":1").await.is_ok());
}

#[tokio::test]
async fn a_bad_token_endpoint_is_named() {
    let realm = |realm: &str| reply(401, "").header("www-authenticate", format!(r#"Bearer realm="{realm}""#));
    assert_eq!(
        error(always(realm("http://169.254.169.254/token"))).await,
        "registry HOST is unreachable: 169.254.169.254 is a link-local address, where no registry is"
    );
    assert_eq!(
        error(always(realm("http://auth.example.com/"))).await,
        "auth.example.com speaks plain http, which is not allowed for it"
    );
    assert_eq!(
        error(always(realm("::"))).await,
        "the token endpoint of HOST is not readable: relative URL without a base"
    );
    let with = |answer: Reply| {
        move |hit: &Hit| {
            let challenge = format!(r#"Bearer realm="http://{}/token""#, hit.host);
            let challenge = reply(401, "").header("www-authenticate", challenge);
            Some(if hit.path.starts_with("/token") { answer.clone() } else { challenge })
        }
    };
    let prefix = "the token from http://HOST/token is ";
    assert_eq!(error(with(reply(200, "{}"))).await, format!("{prefix}not readable: it holds no token"));
    assert_eq!(
        error(with(reply(200, "").end(End::Endless))).await,
        format!("{prefix}larger than the limit of 131072 bytes")
    );
    assert_eq!(
        error(with(reply(200, "{\"token\":\"a\\nb\"}"))).await,
        "the token of the registry is not readable: it does not fit into a header"
    );
}

#[tokio::test]
async fn what_is_stored_is_not_fetched_again() {
    let fake = start(|_| None).await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&fake);
    options.state_dir = Some(dir.path().join("state"));
    let first = fetch_with(&fake, options.clone(), ":1").await.unwrap();
    fetch_with(&fake, options.clone(), ":1").await.unwrap();
    let hits = fake.hits();
    assert_eq!(hits.iter().filter(|hit| hit.contains("/blobs/")).count(), 1);
    assert_eq!(hits.iter().filter(|hit| hit.contains("/manifests/1")).count(), 2, "a tag is asked");
    let pinned = format!("@{}", first.manifest_digest.unwrap());
    fetch_with(&fake, options, &pinned).await.unwrap();
    assert_eq!(fake.hits(), hits, "a digest needs no network");
}

#[tokio::test]
async fn what_is_no_manifest_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path_of = |hit: &Hit| hit.path.contains("/manifests/").then(|| reply(200, hit.before.to_string()));
    let fake = start(path_of).await;
    for _ in 0..3 {
        let options = ArtifactsOptions { state_dir: Some(dir.path().to_owned()), ..options(&fake) };
        let error = fetch_with(&fake, options, ":1").await.unwrap_err();
        assert!(matches!(error, ArtifactError::Garbage { .. }), "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "junk was kept");
}

#[tokio::test]
async fn a_corrupt_stored_blob_is_fetched_again() {
    let fake = start(|_| None).await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&fake);
    options.state_dir = Some(dir.path().to_owned());
    let first = fetch_with(&fake, options.clone(), ":1").await.unwrap();
    let blob = dir.path().join("blobs/sha256").join(first.digest.hex());
    std::fs::write(&blob, "evil").unwrap();
    let again = fetch_with(&fake, options, ":1").await.unwrap();
    assert_eq!(again.bytes, first.bytes);
    assert_eq!(again.notes, [format!("the stored {} was corrupt; removed it", first.digest)]);
    assert_eq!(std::fs::read(&blob).unwrap(), first.bytes);
}

#[tokio::test]
async fn an_unusable_state_directory_costs_only_a_note() {
    let fake = start(|_| None).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut options = options(&fake);
    options.state_dir = Some(file);
    let fetched = fetch_with(&fake, options, ":1").await.unwrap();
    assert_eq!(fetched.bytes, fake.packed.layer.bytes);
    assert_eq!(fetched.notes.len(), 3);
    assert!(fetched.notes[0].contains("is not kept in the state directory"), "{:?}", fetched.notes);
}

#[tokio::test]
async fn while_the_registry_is_away_a_tag_means_what_it_last_meant() {
    let up = std::sync::Arc::new(AtomicUsize::new(200));
    let status = up.clone();
    let fake = start(move |_| match status.load(Ordering::SeqCst) {
        200 => None,
        status => Some(reply(u16::try_from(status).unwrap(), "")),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&fake);
    options.state_dir = Some(dir.path().to_owned());
    let first = fetch_with(&fake, options.clone(), ":1").await.unwrap();
    up.store(503, Ordering::SeqCst);
    let stale = fetch_with(&fake, options.clone(), ":1").await.unwrap();
    assert_eq!(stale.bytes, first.bytes);
    let digest = first.manifest_digest.unwrap();
    assert_eq!(
        stale.notes[0].replace(&fake.host, "HOST"),
        format!(
            "registry HOST is failing: it answered 503 to 3 requests for tag 1; serving {digest}, which oci://HOST/acme/tool:1 meant when last asked"
        )
    );
    // An answer is an answer: a tag that was deleted is gone.
    up.store(404, Ordering::SeqCst);
    assert!(fetch_with(&fake, options, ":1").await.is_err());
}

#[tokio::test]
async fn a_tag_that_moved_to_what_is_not_there_still_means_what_it_meant_while_the_registry_is_away() {
    let phase = std::sync::Arc::new(AtomicUsize::new(0));
    let now = phase.clone();
    let other = format::pack(crate::artifact::test_support::component("other"), "other");
    let moved = other.unwrap().manifest.bytes;
    let fake = start(move |hit| match now.load(Ordering::SeqCst) {
        0 => None,
        1 => hit.path.contains("/manifests/").then(|| reply(200, moved.clone())),
        _ => Some(reply(503, "")),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&fake);
    options.state_dir = Some(dir.path().to_owned());
    let good = fetch_with(&fake, options.clone(), ":1").await.unwrap();
    phase.store(1, Ordering::SeqCst);
    let missing = fetch_with(&fake, options.clone(), ":1").await.unwrap_err();
    assert!(missing.to_string().contains("does not exist"), "{missing}");
    phase.store(2, Ordering::SeqCst);
    assert_eq!(fetch_with(&fake, options, ":1").await.unwrap().bytes, good.bytes);
}

#[tokio::test]
async fn a_push_sends_blobs_then_the_manifest() {
    let fake = start(wants_basic).await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&fake);
    options.docker_config = Some(docker_config(dir.path(), &fake.host));
    let artifacts = Artifacts::open(options).unwrap();
    let wasm = fake.packed.layer.bytes.clone();
    let pushed = artifacts.push(wasm.clone(), &at(&fake, ":new")).await.unwrap();
    assert_eq!(pushed.manifest_digest, fake.packed.manifest.digest);
    assert_eq!((pushed.digest, pushed.size), (fake.packed.layer.digest, wasm.len() as u64));
    let puts: Vec<_> = fake.hits().into_iter().filter(|hit| hit.starts_with("PUT")).collect();
    assert_eq!(puts.len(), 3, "{puts:?}");
    assert_eq!(puts[2], "PUT /v2/acme/tool/manifests/new");
}

#[tokio::test]
async fn a_push_that_is_refused_says_why() {
    for (status, message) in [
        (401, "registry HOST wants a sign-in for acme/tool (401): no docker config is set"),
        (403, "registry HOST forbids pushing to acme/tool (403)"),
        (413, "registry HOST answered 413 for blob DIGEST: too large, friend"),
        (500, "registry HOST is failing: it answered 500 to 1 requests for blob DIGEST"),
    ] {
        let fake =
            start(move |hit| (hit.method == "POST").then(|| reply(status, "too large,\nfriend"))).await;
        let artifacts = Artifacts::open(options(&fake)).unwrap();
        let wasm = fake.packed.layer.bytes.clone();
        let error = artifacts.push(wasm, &at(&fake, ":1")).await.unwrap_err().to_string();
        let digest = fake.packed.layer.digest.to_string();
        assert_eq!(error.replace(&fake.host, "HOST").replace(&digest, "DIGEST"), message);
    }
    let fake = start(|hit| (hit.method == "POST").then(|| reply(202, "").header("location", "::"))).await;
    let artifacts = Artifacts::open(options(&fake)).unwrap();
    let error = artifacts.push(fake.packed.layer.bytes.clone(), &at(&fake, ":1")).await.unwrap_err();
    assert!(error.to_string().contains("is not readable"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_upload_is_not_taken_for_silence() {
    let fake = start(|hit| {
        if hit.method == "PUT" {
            std::thread::sleep(Duration::from_millis(400));
        }
        None
    })
    .await;
    let artifacts = Artifacts::open(options(&fake)).unwrap();
    let pushed = artifacts.push(fake.packed.layer.bytes.clone(), &at(&fake, ":1")).await;
    assert_eq!(pushed.unwrap().manifest_digest, fake.packed.manifest.digest);
}
