//! Amazon's side is played: the agent of a task and the API, with what they answer and what goes wrong.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use super::*;
use crate::artifact::ArtifactsOptions;
use crate::artifact::registry::Registries;
use crate::artifact::registry::fake::{Fake, Hit, Reply, reply, start};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
const KEYS: &str = r#"{"AccessKeyId": "ASIAROLE", "SecretAccessKey": "secret-of-the-role", "Token": "token-of-the-role", "Expiration": "2030-01-01T00:00:00Z"}"#;
/// `AWS:twelve-hours`.
const PASSWORD: &str = r#"{"authorizationData": [{"authorizationToken": "QVdTOnR3ZWx2ZS1ob3Vycw==", "expiresAt": 1.7e9, "proxyEndpoint": "https://x"}]}"#;

fn environment(pairs: &[(&str, &str)]) -> Aws {
    let pairs: Vec<(String, String)> =
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Aws::from_environment(&move |name| pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()))
}

/// The environment of a task whose agent and API are this server.
fn task(fake: &Fake) -> Aws {
    environment(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("http://{}/role", fake.host)),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "shown-to-the-agent"),
        ("AWS_ENDPOINT_URL_ECR", &format!("http://{}/", fake.host)),
    ])
}

async fn credentials(fake: &Fake, aws: Aws, registry: &str) -> Result<Option<Credentials>, ArtifactError> {
    let plain_http = vec![fake.host.clone()];
    let registries = Registries::new(&ArtifactsOptions { aws, plain_http, ..ArtifactsOptions::default() });
    registries.unwrap().credentials(registry, "acme/tool").await
}

fn amazon(hit: &Hit) -> Option<Reply> {
    Some(if hit.path == "/role" { reply(200, KEYS) } else { reply(200, PASSWORD) })
}

#[tokio::test]
async fn the_role_of_the_task_gets_a_password_anew_for_each_sign_in() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let fake = start(move |hit| {
        let authorization = hit.authorization.clone().unwrap_or_default();
        hears.lock().unwrap().push((authorization, String::from_utf8_lossy(&hit.body).into_owned()));
        amazon(hit)
    })
    .await;
    for _ in 0..2 {
        let found = credentials(&fake, task(&fake), REGISTRY).await.unwrap();
        let (user, password) = ("AWS".to_owned(), "twelve-hours".to_owned());
        assert!(found == Some(Credentials::Password { user, password }));
    }
    assert_eq!(fake.hits(), ["GET /role", "POST /", "GET /role", "POST /"]);
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0].0, "shown-to-the-agent");
    let (signature, body) = &heard[1];
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=ASIAROLE/"), "{signature}");
    assert!(signature.contains("/eu-central-1/ecr/aws4_request, "), "{signature}");
    let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, ";
    assert!(signature.contains(names), "{signature}");
    assert_eq!(body, "{}");
}

#[tokio::test]
async fn a_registry_that_only_looks_like_amazons_gets_nothing() {
    let fake = start(amazon).await;
    let others = [
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.example",
        "123456789012.dkr.ecr.eu-central-1.evil.example",
        "123456789012.dkr.ecr.evil.example/.amazonaws.com",
        "12345678901.dkr.ecr.eu-central-1.amazonaws.com",
        "123456789012.dkr.ecr..amazonaws.com",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com:5000",
        "x.123456789012.dkr.ecr.eu-central-1.amazonaws.com",
        "amazonaws.com",
    ];
    for other in others {
        assert!(credentials(&fake, task(&fake), other).await.unwrap().is_none(), "{other}");
    }
    assert!(fake.hits().is_empty());
}

#[test]
fn each_kind_of_region_has_its_endpoint() {
    for (registry, endpoint) in [
        (REGISTRY, "https://api.ecr.eu-central-1.amazonaws.com/"),
        (
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "https://ecr-fips.us-gov-west-1.amazonaws.com/",
        ),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "https://api.ecr.cn-north-1.amazonaws.com.cn/"),
    ] {
        assert_eq!(Place::of(registry).unwrap().endpoint().unwrap().as_str(), endpoint);
    }
}

#[tokio::test]
async fn what_goes_wrong_is_said_and_holds_no_key() {
    let denied = r#"{"__type": "com.amazon#AccessDeniedException", "message": "not authorized to perform: ecr:GetAuthorizationToken"}"#;
    let cases: [(Reply, Reply, &str); 5] = [
        (
            reply(403, ""),
            reply(200, PASSWORD),
            "127.0.0.1, which has the keys of the role, answers with status 403",
        ),
        (
            reply(200, "[\"secret-of-the-role\"]"),
            reply(200, PASSWORD),
            "127.0.0.1, which has the keys of the role, answers without keys",
        ),
        (
            reply(200, KEYS),
            reply(400, denied),
            "127.0.0.1 refused it (400): AccessDeniedException: not authorized to perform: ecr:GetAuthorizationToken",
        ),
        (reply(200, KEYS), reply(200, "{}"), "127.0.0.1 answered without a password"),
        (reply(200, KEYS), reply(500, "<html>"), "127.0.0.1 refused it (500): in words that are not AWS's"),
    ];
    for (agent, api, expected) in cases {
        let fake =
            start(move |hit| Some(if hit.path == "/role" { agent.clone() } else { api.clone() })).await;
        let error = credentials(&fake, task(&fake), REGISTRY).await.unwrap_err();
        assert_eq!(error.to_string(), format!("no password for {REGISTRY} from the task's role: {expected}"));
        let hint = error.hint().is_some_and(|hint| hint.contains("ecr:GetAuthorizationToken"));
        assert_eq!(hint, expected.contains("refused it"));
    }
}

#[tokio::test]
async fn an_environment_that_makes_no_sense_fails_who_uses_ecr_alone() {
    let fake = start(amazon).await;
    let cases = [
        (&[("AWS_ACCESS_KEY_ID", "AKIA")][..], "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"),
        (
            &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/role")],
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is `http://example.com/role`: without TLS only loopback and the agents of EC2, ECS and EKS may be asked",
        ),
        (
            &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.example/role")],
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is `@evil.example/role`, which does not begin with a slash",
        ),
    ];
    for (pairs, expected) in cases {
        let error = credentials(&fake, environment(pairs), REGISTRY).await.unwrap_err().to_string();
        assert_eq!(error, format!("no password for {REGISTRY} from the task's role: {expected}"));
        assert!(credentials(&fake, environment(pairs), "ghcr.io").await.unwrap().is_none());
    }
    assert!(credentials(&fake, environment(&[]), REGISTRY).await.unwrap().is_none());
    assert!(fake.hits().is_empty());
}

#[tokio::test]
async fn the_token_for_the_agent_is_read_from_its_file_each_time() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let fake = start(move |hit| {
        hears.lock().unwrap().extend((hit.path == "/role").then(|| hit.authorization.clone()).flatten());
        amazon(hit)
    })
    .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let aws = environment(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("http://{}/role", fake.host)),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file.path().display().to_string()),
        ("AWS_ENDPOINT_URL_ECR", &format!("http://{}/", fake.host)),
    ]);
    for token in ["one", "two"] {
        std::fs::write(file.path(), format!("{token}\n")).unwrap();
        assert!(credentials(&fake, aws.clone(), REGISTRY).await.unwrap().is_some());
    }
    assert_eq!(*heard.lock().unwrap(), ["one", "two"]);
    let large = usize::try_from(role::MAX_TOKEN).unwrap() + 1;
    std::fs::write(file.path(), "x".repeat(large)).unwrap();
    let error = credentials(&fake, aws, REGISTRY).await.unwrap_err().to_string();
    assert!(error.ends_with("more than 16384 bytes"), "{error}");
}

#[test]
fn nothing_of_the_keys_is_printed() {
    let aws = environment(&[("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "the-secret-key")]);
    assert!(!format!("{aws:?}").contains("the-secret-key"));
}

/// A host of EC2: without a token it answers nothing.
fn host(hit: &Hit) -> Option<Reply> {
    let asks_with_token = hit.header("x-aws-ec2-metadata-token") == Some("token-of-the-host");
    Some(match hit.path.as_str() {
        "/" => reply(200, PASSWORD),
        "/latest/api/token" if hit.method == "PUT" => {
            assert_eq!(hit.header("x-aws-ec2-metadata-token-ttl-seconds"), Some("60"));
            reply(200, "token-of-the-host")
        }
        _ if !asks_with_token => reply(401, ""),
        "/latest/meta-data/iam/security-credentials/" => reply(200, "toolgate-host\nanother"),
        "/latest/meta-data/iam/security-credentials/toolgate-host" => reply(200, KEYS),
        _ => reply(404, ""),
    })
}

fn on_a_host(fake: &Fake, more: &[(&str, &str)]) -> Aws {
    let (metadata, api) = (format!("http://{}", fake.host), format!("http://{}/", fake.host));
    let own = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.as_str()), ("AWS_ENDPOINT_URL_ECR", &api)];
    environment(&[&own, more].concat())
}

#[tokio::test]
async fn the_role_of_a_host_is_asked_for_by_a_token() {
    let fake = start(host).await;
    let found = credentials(&fake, on_a_host(&fake, &[]), REGISTRY).await.unwrap();
    assert!(matches!(found, Some(Credentials::Password { user, .. }) if user == "AWS"));
    let expected = [
        "PUT /latest/api/token",
        "GET /latest/meta-data/iam/security-credentials/",
        "GET /latest/meta-data/iam/security-credentials/toolgate-host",
        "POST /",
    ];
    assert_eq!(fake.hits(), expected);
}

#[tokio::test]
async fn a_host_that_is_not_to_be_asked_is_not_and_one_of_odd_words_is_told() {
    let fake = start(host).await;
    let off = on_a_host(&fake, &[("AWS_EC2_METADATA_DISABLED", "true")]);
    assert!(credentials(&fake, off, REGISTRY).await.unwrap().is_none());
    assert_eq!(fake.hits(), Vec::<String>::new());
    for roles in ["", "../../../api/token", "a/b", "<html>"] {
        let fake = start(move |hit| match hit.path.as_str() {
            "/latest/meta-data/iam/security-credentials/" => Some(reply(200, roles)),
            _ => host(hit),
        });
        let fake = fake.await;
        let error = credentials(&fake, on_a_host(&fake, &[]), REGISTRY).await.unwrap_err().to_string();
        assert!(error.ends_with("127.0.0.1, which has the keys of the role, names no role"), "{error}");
    }
}
