//! Grants as an operator writes them, against requests as a hostile guest makes them.
//!
//! Input: the grant on the first line, `METHOD URL` on the second, `HOST:PORT` on the third.

use std::collections::BTreeMap;
use std::net::IpAddr;

use toolgate_runtime::events::Denial;
use toolgate_runtime::policy::{FilesGrant, Grants, HttpGrant, Target, TcpGrant, address};

/// Judges one request by one grant. What is denied names a grant that would allow it, and a grant
/// means the same after it was written out and read again.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(4, '\n');
    let [grant, request, name, path] = std::array::from_fn(|_| lines.next().unwrap_or_default());
    let http = HttpGrant::parse(grant).ok();
    let tcp = TcpGrant::parse(grant).ok();
    // Relative host paths and the like are refused; whatever the answer, it must be one.
    drop(FilesGrant::parse("/srv", path, "ro"));
    let (method, url) = request.split_once(' ').unwrap_or(("GET", request));
    if let Ok(target) = Target::parse(method, url) {
        judge(http.as_ref(), &target);
    }
    if let Some(grant) = &http {
        assert_eq!(
            HttpGrant::parse(&grant.to_string()).as_ref(),
            Ok(grant),
            "{grant} reads back differently"
        );
    }
    if let Some(grant) = &tcp {
        assert_eq!(TcpGrant::parse(&grant.to_string()).as_ref(), Ok(grant), "{grant} reads back differently");
    }
    names(tcp, name);
}

fn judge(grant: Option<&HttpGrant>, target: &Target) {
    let grants = grants(grant.cloned().into_iter().collect(), Vec::new());
    match grants.allow_http(target) {
        Ok(found) => assert!(found.matches(target), "{found} does not match {target}"),
        Err(denial) => check_advice(&denial, target),
    }
    if let Some(grant) = grant {
        assert_eq!(grant.matches(target), grants.allow_http(target).is_ok());
    }
}

/// The line that a denial offers must be one that the config takes and that allows the request.
fn check_advice(denial: &Denial, target: &Target) {
    let Some(line) = &denial.allow else { return };
    let quoted = line.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
    let Some((offer, _)) = quoted else { panic!("{line} grants nothing") };
    match HttpGrant::parse(offer) {
        Ok(grant) => assert!(grant.matches(target), "{line} does not allow {target}"),
        Err(error) => panic!("{line} is no grant: {error}"),
    }
}

fn names(grant: Option<TcpGrant>, name: &str) {
    let grants = grants(Vec::new(), grant.into_iter().collect());
    drop(grants.allow_name(name));
    if let Ok(address) = name.parse() {
        drop(grants.allow_address(address, None));
    }
    if let Ok(ip) = name.parse::<IpAddr>() {
        assert!(!(address::is_public(ip) && address::is_metadata(ip)), "{ip} is both public and metadata");
    }
}

fn grants(http: Vec<HttpGrant>, tcp: Vec<TcpGrant>) -> Grants {
    match Grants::new(http, tcp, Vec::new(), BTreeMap::new()) {
        Ok(grants) => grants,
        Err(error) => panic!("two valid grants are refused together: {error}"),
    }
}
