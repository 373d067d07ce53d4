//! Grants as an operator writes them, against requests as a hostile guest makes them.
//!
//! Input: the grant on the first line, `METHOD URL` on the second, `HOST` or `IP:PORT` on the third,
//! the path of a `files` grant in the guest from the fourth on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use toolgate_runtime::events::Denial;
use toolgate_runtime::policy::{FilesGrant, Grants, HttpGrant, Target, TcpGrant, address};

use crate::Reached;

/// Judges one request by one grant. What is denied names a grant that would allow it, and a grant
/// means the same after it was written out and read again.
pub fn policy(data: &[u8]) -> Reached {
    let Ok(text) = std::str::from_utf8(data) else { return Reached::new() };
    let mut lines = text.splitn(4, '\n');
    let [grant, request, name, path] = std::array::from_fn(|_| lines.next().unwrap_or_default());
    let mut reached = Reached::new();
    let http = HttpGrant::parse(grant).ok().inspect(|_| reached.push("http grant"));
    let tcp = TcpGrant::parse(grant).ok().inspect(|_| reached.push("tcp grant"));
    // Relative paths and the like are refused; whatever the answer, it must be one.
    reached.extend(FilesGrant::parse("/srv", path, "ro").ok().map(|_| "files grant"));
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
    let (method, url) = request.split_once(' ').unwrap_or(("GET", request));
    if let Ok(target) = Target::parse(method, url) {
        reached.push(judge(http.as_ref(), &target));
    }
    names(tcp, name, &mut reached);
    reached
}

fn judge(grant: Option<&HttpGrant>, target: &Target) -> &'static str {
    let grants = grants(grant.cloned().into_iter().collect(), Vec::new());
    if let Some(grant) = grant {
        assert_eq!(grant.matches(target), grants.allow_http(target).is_ok());
    }
    match grants.allow_http(target) {
        Ok(found) => {
            assert!(found.matches(target), "{found} does not match {target}");
            "request allowed"
        }
        Err(denial) => check_advice(&denial, target),
    }
}

/// The line that a denial offers must be one that the config takes and that allows the request.
fn check_advice(denial: &Denial, target: &Target) -> &'static str {
    let Some(line) = &denial.allow else { return "request denied" };
    let quoted = line.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
    let Some((offer, _)) = quoted else { panic!("{line} grants nothing") };
    match HttpGrant::parse(offer) {
        Ok(grant) => assert!(grant.matches(target), "{line} does not allow {target}"),
        Err(error) => panic!("{line} is no grant: {error}"),
    }
    "request denied with advice"
}

fn names(grant: Option<TcpGrant>, name: &str, reached: &mut Reached) {
    let grants = grants(Vec::new(), grant.into_iter().collect());
    reached.push(if grants.allow_name(name).is_ok() { "name allowed" } else { "name denied" });
    if let Ok(address) = name.parse() {
        let allowed = grants.allow_address(address, None).is_ok();
        reached.push(if allowed { "address allowed" } else { "address denied" });
    }
    if let Ok(ip) = name.parse::<IpAddr>() {
        let (public, own) = (address::is_public(ip), address::is_own(ip));
        assert!(!(public && own), "{ip} is both public and the machine's own");
        reached.extend(public.then_some("public"));
        reached.extend(own.then_some("own"));
    }
}

fn grants(http: Vec<HttpGrant>, tcp: Vec<TcpGrant>) -> Grants {
    match Grants::new(http, tcp, Vec::new(), BTreeMap::new()) {
        Ok(grants) => grants,
        Err(error) => panic!("two valid grants are refused together: {error}"),
    }
}
