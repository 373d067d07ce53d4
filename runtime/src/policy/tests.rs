//! The promises of the policy as a whole: what is refused at load, what is allowed at call, and
//! that nothing is ever allowed that a second parser reads as another destination.
#![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn grants(http: &[&str], tcp: &[&str]) -> Grants {
    let http = http.iter().map(|g| HttpGrant::parse(g).unwrap()).collect();
    let tcp = tcp.iter().map(|g| TcpGrant::parse(g).unwrap()).collect();
    Grants::new(http, tcp, Vec::new(), BTreeMap::new()).unwrap()
}

fn allowed(grant: &str, method: &str, url: &str) -> bool {
    Target::parse(method, url).is_ok_and(|t| grants(&[grant], &[]).allow_http(&t).is_ok())
}

#[test]
fn method_scheme_host_port_and_path_must_all_match() {
    let grant = "GET,HEAD https://api.example.com/v1/*";
    for url in [
        "https://api.example.com/v1/x",
        "https://api.example.com/v1/x?q=../..&u=http://[::1]/",
        "https://api.example.com:443/v1/",
        "HTTPS://API.Example.COM/v1/x",
    ] {
        assert!(allowed(grant, "GET", url), "{url}");
    }
    for (method, url) in [
        ("POST", "https://api.example.com/v1/x"),
        ("get", "https://api.example.com/v1/x"),
        ("GET", "http://api.example.com/v1/x"),
        ("GET", "http://api.example.com:443/v1/x"),
        ("GET", "https://api.example.com:80/v1/x"),
        ("GET", "https://api.example.com:8443/v1/x"),
        ("GET", "https://api.example.com/v2/x"),
        ("GET", "https://api.example.com/v1"),
        ("GET", "https://api.example.com"),
        ("GET", "https://api.example.com./v1/x"),
        ("GET", "https://xapi.example.com/v1/x"),
        ("GET", "https://api.example.com.evil.org/v1/x"),
        ("GET", "https://evil.org/https://api.example.com/v1/x"),
    ] {
        assert!(!allowed(grant, method, url), "{method} {url}");
    }
    assert!(allowed("* http://h.example/*", "PATCH", "http://h.example:80"));
    assert!(!allowed("* http://h.example/*", "CONNECT", "http://h.example/"));
    assert!(!allowed("* http://h.example/*", "TRACE", "http://h.example/"));
}

#[test]
fn a_url_that_can_be_read_two_ways_is_refused() {
    let anything = "* https://api.example.com/*";
    for url in [
        "https://api.example.com/a/../b",
        "https://api.example.com/a/%2e%2e/b",
        "https://api.example.com/%252e%252e/b",
        "https://api.example.com/a%2fb",
        "https://api.example.com/a%5Cb",
        "https://api.example.com\\@evil.org/",
        "https://api.example.com/\\evil.org",
        "https://evil.org\\@api.example.com/",
        "https://user@api.example.com/",
        "https://user:pw@api.example.com/",
        "https://api.example.com@evil.org/",
        "https://evil.org#@api.example.com/",
        "https://evil.org?@api.example.com/",
        "https://api.example.com:/",
        "https://api.example.com:0443/",
        "https://api.example.com:+443/",
        "https://api.example.com:99999/",
        "https:/api.example.com/",
        "https:///api.example.com/",
        "//api.example.com/",
        "https://api.example.com//evil.org/",
        "https://api.example.com/a\nb",
        "https://api.example.com/a\tb",
        "https://api.example.com/?q=\r\nHost: evil.org",
        "https://api.example.com/#frag",
        "https://api%2eexample.com/",
        "https://api。example.com/",
        "https://ａpi.example.com/",
        " https://api.example.com/",
        "https://api.example.com /",
        "",
    ] {
        assert!(!allowed(anything, "GET", url), "{url:?}");
    }
}

#[test]
fn an_address_has_one_spelling() {
    let grant = "GET http://127.0.0.1:8080/*";
    assert!(allowed(grant, "GET", "http://127.0.0.1:8080/x"));
    for host in
        ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.", "[::ffff:7f00:1]", "localhost"]
    {
        assert!(!allowed(grant, "GET", &format!("http://{host}:8080/x")), "{host}");
    }
    assert!(allowed("GET http://[::1]/*", "GET", "http://[0:0:0:0:0:0:0:1]/x"));
}

#[test]
fn a_literal_and_a_suffix_name_private_addresses() {
    let permit = |grant: &str, ip: &str| {
        HttpGrant::parse(grant).unwrap().networks().permit(ip.parse::<IpAddr>().unwrap())
    };
    assert!(permit("GET http://127.0.0.1/*", "127.0.0.1"));
    assert!(!permit("GET http://127.0.0.1/*", "127.0.0.2"));
    assert!(permit("GET https://a.example/* @10.0.0.0/8", "10.9.9.9"));
    assert!(!permit("GET https://a.example/*", "10.9.9.9"));
    assert!(permit("GET https://*.a.example/* @fd00::1", "fd00::1"));
}

#[test]
fn a_grant_that_makes_no_sense_says_what_to_write() {
    for (grant, cause, hint) in [
        ("https://a.example/*", "the method is missing", "\"GET https://a.example/*\""),
        ("GET a.example/*", "the scheme is missing", "https://a.example/*"),
        ("GET ftp://a.example/*", "neither http nor https", "https://api.example.com"),
        ("GET https://a.example", "the path is missing", "https://a.example/*"),
        ("GET https://a.example:0/*", "the port is not", "https://api"),
        ("GET https://a.example:65536/*", "the port is not", "https://api"),
        ("GET https://a.*.example/*", "first labels", "*.example.com"),
        ("GET https://*/*", "first labels", "*.example.com"),
        ("GET https://a.example/v*/x", "inside the segment `v*`", "/v1/*"),
        ("GET https://a.example/v1?x=1", "no query", "every query is allowed"),
        ("GET https://a.example/../x", "`..` segment", "/v1/*"),
        ("GET https://bob:pw@a.example/", "user name", "https://api"),
        ("GET https://bücher.example/", "not ASCII", "host name"),
        ("GET https://0.0.0.0/", "not the address of one machine", "10.1.2.3"),
        ("GET https://a.example/* @0.0.0.0/0", "not a prefix", "10.0.0.0/8"),
        ("GET https://a.example/* @10.1.2.3/8", "inside a network", "10.0.0.0/8"),
        ("get https://a.example/*", "`get` is not a method", "upper case: GET"),
        ("GET, POST https://a.example/*", "not an HTTP token", "GET,POST"),
        ("CONNECT https://a.example/*", "never allowed", "GET,POST"),
        ("", "not a method and a URL", "https://api"),
    ] {
        let error = HttpGrant::parse(grant).unwrap_err();
        assert!(error.cause.contains(cause), "{grant}: {error}");
        assert!(error.hint.contains(hint), "{grant}: {}", error.hint);
        assert!(!error.to_string().contains("pw@"), "{error}");
    }
    for (grant, cause) in [
        ("db.internal", "the port is missing"),
        ("db.internal:0", "the port is not"),
        ("db.internal:5432/x", "no path"),
        ("tcp://db.internal:5432", "no scheme"),
        ("*.internal:5432", "no wildcard"),
        ("db.internal:*", "no wildcard"),
        ("::1:5432", "the host holds ':'"),
        ("", "host is empty"),
    ] {
        let error = TcpGrant::parse(grant).unwrap_err();
        assert!(error.cause.contains(cause), "{grant}: {error}");
    }
}

#[test]
fn grants_read_back_as_they_are_shown() {
    for text in [
        "GET https://api.example.com/v1/*",
        "GET,POST http://*.example.com:8080/a/*/b @10.0.0.0/8,fd00::/8",
        "* https://a.example/",
        "GET http://127.0.0.1:8080/*",
        "GET http://[::1]/ @::1",
    ] {
        let grant = HttpGrant::parse(text).unwrap();
        assert_eq!(grant.to_string(), text);
    }
    assert_eq!(
        TcpGrant::parse("DB.internal:5432 @10.1.2.3").unwrap().to_string(),
        "db.internal:5432 @10.1.2.3"
    );
}

#[test]
fn a_denial_names_the_line_that_allows_it_and_no_secret() {
    let none = Grants::default();
    let denied =
        |grants: &Grants, url: &str| grants.allow_http(&Target::parse("GET", url).unwrap()).unwrap_err();
    let denial = denied(&none, "https://api.example.com:443/v1/x?token=hunter2");
    assert_eq!(denial.attempt, "GET https://api.example.com/v1/x");
    assert_eq!(denial.reason, "no http grant");
    assert_eq!(denial.allow.as_deref(), Some("http = [\"GET https://api.example.com/v1/x\"]"));

    let near = grants(&["GET https://b.example/*", "POST https://a.example/x"], &[]);
    assert_eq!(denied(&near, "https://a.example/x").reason, "the grant is for the method POST");
    assert_eq!(
        denied(&near, "https://a.example/*").allow.as_deref(),
        Some("http = [\"GET https://a.example/%2A\"]")
    );
    assert_eq!(denied(&near, "http://0.0.0.0/").allow, None);
    assert_eq!(denied(&near, &format!("https://a.example/{}", "x".repeat(4000))).allow, None);

    let refused = Target::parse("GET", "https://bob:hunter2@a.example/x?t=hunter2").unwrap_err();
    assert_eq!((refused.attempt.as_str(), refused.allow), ("GET https://a.example/x", None));

    let target = Target::parse("GET", "https://a.example/x").unwrap();
    let private = http::denied_address(&target, "10.1.2.3".parse().unwrap());
    assert_eq!(private.allow.as_deref(), Some("http = [\"GET https://a.example/x @10.1.2.3\"]"));
}

#[test]
fn tcp_names_and_addresses_are_judged_with_their_port() {
    let grants = grants(&[], &["db.internal:5432", "db.internal:5433", "10.1.2.3:6379"]);
    assert_eq!(grants.allow_name("DB.internal").unwrap().len(), 2);
    assert_eq!(grants.allow_name("10.1.2.3").unwrap().len(), 1);
    for name in ["internal", "db.internal.", "x.db.internal", "", "10.1.2.4", "::1", "db.internal\0"] {
        assert!(grants.allow_name(name).is_err(), "{name:?}");
    }
    assert!(grants.allow_address("10.1.2.3:6379".parse().unwrap(), None).is_ok());
    let denial = grants.allow_address("10.1.2.3:22".parse().unwrap(), None).unwrap_err();
    assert_eq!(denial.allow.as_deref(), Some("tcp = [\"10.1.2.3:22\"]"));
    let db = Host::parse("db.internal").unwrap();
    let denial = grants.allow_address("9.9.9.9:22".parse().unwrap(), Some(&db)).unwrap_err();
    assert_eq!(denial.allow.as_deref(), Some("tcp = [\"db.internal:22\"]"));
}

#[test]
fn grants_are_bounded_in_number() {
    let many = vec![HttpGrant::parse("GET https://a.example/").unwrap(); MAX_GRANTS + 1];
    assert!(Grants::new(many, Vec::new(), Vec::new(), BTreeMap::new()).is_err());
}

/// Text that is close to a URL, so that the interesting branches are reached.
fn urlish() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "https://",
        "http://",
        "HTTP://",
        "api.example.com",
        "API.EXAMPLE.COM",
        "evil.org",
        "@",
        ":",
        ":443",
        ":80",
        ":8443",
        "/",
        "//",
        "\\",
        "?",
        "#",
        "%",
        "%2e",
        "%2f",
        "%25",
        "%5c",
        "%41",
        "%00",
        ".",
        "..",
        "/../",
        "/./",
        "v1",
        "v1/",
        "*",
        ";",
        "a",
        "é",
        "\t",
        "\n",
        " ",
        "[::1]",
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "xn--",
        "_",
        "-",
        "&",
        "=",
        "\u{0}",
        "。",
    ]);
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// A second reading of what was allowed, by the `url` crate alone.
fn assert_second_reading(url: &str, host_is: impl Fn(&str) -> bool, port: u16) -> Result<(), TestCaseError> {
    let read = url::Url::parse(url).unwrap();
    prop_assert_eq!(read.scheme(), "https");
    prop_assert!(host_is(read.host_str().unwrap_or_default()), "{}", url);
    prop_assert_eq!(read.port_or_known_default(), Some(port));
    prop_assert!(read.username().is_empty() && read.password().is_none());
    prop_assert!(read.path().starts_with("/v1/"), "{}", url);
    let decoded = percent_encoding::percent_decode_str(read.path()).collect::<Vec<u8>>();
    prop_assert!(!decoded.contains(&b'\\') && !decoded.iter().any(u8::is_ascii_control));
    let dots = |s: &[u8]| matches!(s, b"." | b"..");
    prop_assert!(!decoded.split(|b| *b == b'/').any(dots), "{}", url);
    Ok(())
}

proptest! {
    #[test]
    fn what_is_allowed_goes_where_the_grant_says(url in urlish()) {
        let exact = grants(&["* https://api.example.com/v1/*"], &[]);
        let below = grants(&["* https://*.example.com:8443/v1/*"], &[]);
        if let Ok(target) = Target::parse("GET", &url) {
            if exact.allow_http(&target).is_ok() {
                assert_second_reading(&url, |h| h == "api.example.com", 443)?;
            }
            if below.allow_http(&target).is_ok() {
                assert_second_reading(&url, |h| h.ends_with(".example.com"), 8443)?;
            }
        }
    }

    #[test]
    fn near_misses_are_allowed_only_by_what_they_are(
        front in "[a-zA-Z0-9.:@/%\\\\-]{0,6}", tail in "[a-zA-Z0-9.:@/%?#\\\\-]{0,12}",
    ) {
        let url = format!("https://{front}api.example.com{tail}/v1/x");
        let exact = grants(&["* https://api.example.com/v1/*"], &[]);
        if Target::parse("GET", &url).is_ok_and(|t| exact.allow_http(&t).is_ok()) {
            assert_second_reading(&url, |h| h == "api.example.com", 443)?;
        }
    }

    #[test]
    fn a_target_reads_back_as_itself(url in urlish()) {
        if let Ok(target) = Target::parse("GET", &url) {
            let shown = target.to_string();
            let again = Target::parse("GET", shown.trim_start_matches("GET ")).unwrap();
            prop_assert_eq!(target, again);
        }
    }

    #[test]
    fn the_offered_line_allows_what_was_denied(url in urlish()) {
        if let Ok(target) = Target::parse("GET", &url) {
            let denial = Grants::default().allow_http(&target).unwrap_err();
            if let Some(line) = denial.allow {
                let grant = line.trim_start_matches("http = [\"").trim_end_matches("\"]");
                prop_assert!(HttpGrant::parse(grant).unwrap().matches(&target), "{}", line);
            }
        }
    }

    #[test]
    fn no_text_breaks_the_parsers(text in "\\PC{0,60}", method in "\\PC{0,8}") {
        let _ = HttpGrant::parse(&text).map(|g| HttpGrant::parse(&g.to_string()).unwrap());
        let _ = TcpGrant::parse(&text).map(|g| TcpGrant::parse(&g.to_string()).unwrap());
        let _ = FilesGrant::parse(&text, &text, "ro");
        let _ = Target::parse(&method, &text);
        let _ = Grants::default().allow_name(&text);
    }

    #[test]
    fn a_mapped_address_is_judged_as_the_one_inside(bits in any::<u32>()) {
        let v4 = std::net::Ipv4Addr::from(bits);
        let mapped = IpAddr::V6(v4.to_ipv6_mapped());
        prop_assert_eq!(address::is_public(mapped), address::is_public(v4.into()));
        if v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_multicast() {
            prop_assert!(!address::is_public(v4.into()));
        }
    }
}
