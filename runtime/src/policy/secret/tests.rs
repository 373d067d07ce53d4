//! Where a secret may go, and how the config may say it.
#![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]

use std::collections::BTreeMap;

use super::*;
use crate::policy::HttpGrant;

fn source(value: &str) -> SecretSource {
    SecretSource::Env { name: "API_TOKEN".to_owned(), value: Secret::from(value.to_owned()) }
}

fn header(name: &str, to: &str) -> SecretUse {
    SecretUse::Header(SecretHeader {
        name: SecretHeader::parse_name(name).unwrap(),
        template: Template::parse("Bearer {}").unwrap(),
        to: Origin::parse(to).unwrap(),
    })
}

fn grant(name: &str, to: &str) -> SecretGrant {
    SecretGrant::new(source("hunter2-hunter2"), header(name, to)).unwrap()
}

fn grants(http: &[&str], env: &[&str]) -> Grants {
    let http = http.iter().map(|grant| HttpGrant::parse(grant).unwrap()).collect();
    let env: BTreeMap<_, _> = env.iter().map(|name| ((*name).to_owned(), String::new())).collect();
    Grants::new(http, Vec::new(), Vec::new(), env).unwrap()
}

#[test]
fn a_secret_goes_to_its_scheme_host_and_port_and_nowhere_else() {
    let origin = Origin::parse("https://API.example.com").unwrap();
    let goes = |url: &str| Target::parse("GET", url).is_ok_and(|target| origin.matches(&target));
    for url in ["https://api.example.com/", "https://api.example.com:443/v1?x=1", "HTTPS://API.EXAMPLE.COM/x"]
    {
        assert!(goes(url), "{url}");
    }
    for url in [
        "http://api.example.com/",
        "http://api.example.com:443/",
        "https://api.example.com:8443/",
        "https://api.example.com./",
        "https://api.example.com.evil.org/",
        "https://x.api.example.com/",
        "https://example.com/",
        "https://api.example.com@evil.org/",
        "https://evil.org/https://api.example.com/",
        "https://evil.org?https://api.example.com/",
    ] {
        assert!(!goes(url), "{url}");
    }
}

#[test]
fn an_origin_that_is_none_says_what_to_write() {
    for (text, cause, hint) in [
        ("api.example.com", "the scheme is missing", "https://api.example.com"),
        ("ftp://api.example.com", "neither http nor https", "https://"),
        ("https://api.example.com/v1", "whole host", "https://"),
        ("https://api.example.com/", "whole host", "https://"),
        ("https://api.example.com?x", "whole host", "https://"),
        ("https://*.example.com", "no wildcard", "once for each host"),
        ("https://user:pw@api.example.com", "user name", "https://"),
        ("https://api.example.com:0", "the port", "https://"),
        ("https://api.example.com.", "ends with a dot", "https://"),
        ("http://api.example.com", "plain text", "write https://api.example.com"),
        ("http://localhost:8080", "plain text", "loopback addresses"),
        ("http://10.0.0.1", "plain text", "loopback addresses"),
        ("https://", "the host is empty", "https://"),
    ] {
        let error = Origin::parse(text).unwrap_err();
        assert!(error.cause.contains(cause), "{text}: {error}");
        assert!(error.hint.contains(hint), "{text}: {}", error.hint);
        assert!(!error.to_string().contains("pw@"), "{error}");
    }
    for text in
        ["http://127.0.0.1:8080", "http://[::1]:8080", "https://10.0.0.1", "https://api.example.com:8443"]
    {
        assert_eq!(Origin::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn a_header_that_frames_the_message_holds_no_secret() {
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "connection",
        "TE",
        "upgrade",
        "proxy-authorization",
        "trailer",
        "range",
        "accept-encoding",
        "expect",
        "x-http-method-override",
        "",
        "a b",
        "a:b",
        "a\r\nb",
        "ä",
    ] {
        assert!(SecretHeader::parse_name(name).is_err(), "{name:?}");
    }
    assert_eq!(SecretHeader::parse_name("X-Api-Key").unwrap(), "x-api-key");
}

#[test]
fn a_template_has_one_place_for_the_secret() {
    for text in
        ["", "hunter2-hunter2", "{} {}", "Bearer {}\r\nx: y", "Bearer {}\0", "Bärer {}", &"x".repeat(2000)]
    {
        let error = Template::parse(text).unwrap_err();
        assert!(text.is_empty() || !format!("{error:?}").contains(text), "{error}");
    }
    let bound = |template: &str| {
        let to = Origin::parse("https://a.example").unwrap();
        let template = Template::parse(template).unwrap();
        let header = SecretHeader { name: SecretHeader::parse_name("x").unwrap(), template, to };
        header.bind(Secret::from("hunter2-hunter2".to_owned())).unwrap()
    };
    assert_eq!(bound("{}").value(), "hunter2-hunter2");
    assert_eq!(bound("token={}; v=1").value(), "token=hunter2-hunter2; v=1");
    assert_eq!(format!("{:?}", bound("Bearer {}").value()), "Sensitive");
}

#[test]
fn a_value_that_can_not_be_used_is_refused_and_not_shown() {
    for value in ["", "hunter2", "hunter2\nhunter2", "hünter2-hunter2"] {
        let error =
            SecretGrant::new(source(value), header("authorization", "https://a.example")).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("nter2"), "{error}");
        assert!(error.to_string().contains("env:API_TOKEN"), "{error}");
    }
    assert!(SecretGrant::new(source("pw"), SecretUse::Env("PGPASSWORD".to_owned())).is_ok());
    assert!(SecretGrant::new(source("p\0w"), SecretUse::Env("PGPASSWORD".to_owned())).is_err());
}

#[test]
fn a_secret_needs_a_grant_that_reaches_its_origin() {
    let mut reached = grants(&["GET https://*.example.com/v1/*"], &[]);
    reached.add_secret(grant("authorization", "https://api.example.com")).unwrap();
    for http in [
        &["GET https://other.example/*"][..],
        &["GET http://api.example.com/*"],
        &["GET https://api.example.com:8443/*"],
        &[],
    ] {
        let error =
            grants(http, &[]).add_secret(grant("authorization", "https://api.example.com")).unwrap_err();
        assert_eq!(error.cause, "no http grant reaches https://api.example.com");
        assert_eq!(error.hint, "add http = [\"GET https://api.example.com/*\"]");
    }
}

#[test]
fn two_secrets_never_meet_in_one_place() {
    let mut all = grants(&["GET https://a.example/*", "GET https://b.example/*"], &["TAKEN"]);
    all.add_secret(grant("x-api-key", "https://a.example")).unwrap();
    all.add_secret(grant("x-api-key", "https://b.example")).unwrap();
    all.add_secret(grant("x-other", "https://a.example")).unwrap();
    for again in [grant("X-Api-Key", "https://a.example:443"), grant("x_api_key", "https://a.example")] {
        assert!(all.add_secret(again).unwrap_err().cause.contains("already"));
    }
    let variable = |name: &str| SecretGrant::new(source("pw"), SecretUse::Env(name.to_owned())).unwrap();
    all.add_secret(variable("PGPASSWORD")).unwrap();
    for name in ["PGPASSWORD", "TAKEN", "A=B", ""] {
        assert!(all.add_secret(variable(name)).is_err(), "{name}");
    }
    let target = Target::parse("GET", "https://a.example/x").unwrap();
    let names: Vec<_> = all.headers_for(&target).map(|(_, header)| header.name.as_str()).collect();
    assert_eq!(names, ["x-api-key", "x-other"]);
    let names: Vec<_> = all.secret_variables().map(|(_, name)| name).collect();
    assert_eq!(names, ["PGPASSWORD"]);
}

#[test]
fn secrets_are_bounded_in_number() {
    let mut all = grants(&["GET https://a.example/*"], &[]);
    let add = |all: &mut Grants, i| all.add_secret(grant(&format!("x-{i}"), "https://a.example"));
    for i in 0..MAX_SECRETS {
        add(&mut all, i).unwrap();
    }
    assert!(add(&mut all, 999).is_err());
}

#[test]
fn a_grant_is_shown_without_its_secret() {
    let shown = grant("Authorization", "https://api.example.com:443");
    assert_eq!(shown.to_string(), "authorization for https://api.example.com from env:API_TOKEN");
    let file = SecretSource::file("/run/secrets/pg".into());
    let variable = SecretGrant::new(file, SecretUse::Env("PGPASSWORD".to_owned())).unwrap();
    assert_eq!(variable.to_string(), "PGPASSWORD in the environment from file:/run/secrets/pg");
    assert!(!format!("{shown:?}").contains("hunter2"));
}
