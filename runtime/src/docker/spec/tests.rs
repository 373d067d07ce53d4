#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeMap;

use super::{USER, Wanted, WayOut, container};
use crate::docker::Owner;
use crate::policy::{Grants, HttpGrant, Policy};

fn wanted() -> Wanted {
    Wanted {
        image: "mcp/time".to_owned(),
        volumes: vec!["/var/lib/data".to_owned()],
        command: Vec::new(),
        user: USER.to_owned(),
        cpus: 1.5,
        memory: 100 << 20,
        runtime: None,
    }
}

fn owner() -> Owner {
    Owner { gateway: "g".to_owned(), process: "p".to_owned(), server: "time".to_owned() }
}

#[test]
fn a_container_starts_with_nothing() {
    let body = container(&wanted(), &Policy::default(), &owner(), &[], None);
    let host = body.host_config.unwrap();
    assert_eq!(body.user.unwrap(), "65534:65534");
    assert_eq!((body.env.unwrap(), body.network_disabled), (Vec::<String>::new(), Some(true)));
    assert_eq!((host.readonly_rootfs, host.privileged, host.init), (Some(true), Some(false), Some(true)));
    assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
    assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"]);
    assert_eq!((host.network_mode.as_deref(), host.ipc_mode.as_deref()), (Some("none"), Some("none")));
    assert_eq!((host.cap_add, host.binds, host.devices), (None, None, None));
    assert!(host.mounts.unwrap().is_empty());
    let mut rooms: Vec<String> = host.tmpfs.unwrap().into_keys().collect();
    rooms.sort();
    assert_eq!(rooms, ["/tmp", "/var/lib/data"]);
}

#[test]
fn limits_are_those_of_the_config_and_there_is_no_swap() {
    let host = container(&wanted(), &Policy::default(), &owner(), &[], None).host_config.unwrap();
    assert_eq!((host.memory, host.memory_swap), (Some(100 << 20), Some(100 << 20)));
    assert_eq!((host.nano_cpus, host.pids_limit), (Some(1_500_000_000), Some(256)));
}

#[test]
fn whose_it_is_stands_on_it() {
    let labels = container(&wanted(), &Policy::default(), &owner(), &[], None).labels.unwrap();
    assert_eq!(labels["dev.toolgate.gateway"], "g");
    assert_eq!(labels["dev.toolgate.server"], "time");
}

#[test]
fn a_way_out_is_the_gateways_network_and_nothing_of_the_hosts() {
    let out = WayOut {
        network: "toolgate-1-0-time".to_owned(),
        hosts: vec!["db.internal:172.18.0.1".to_owned()],
        proxy: "http://toolgate:word@172.18.0.1:40000".to_owned(),
        trust: Some("toolgate-1-1-time".to_owned()),
    };
    let env = BTreeMap::from([("HTTP_PROXY".to_owned(), "mine".to_owned())]);
    let grants = Grants::new(Vec::new(), Vec::new(), Vec::new(), env).unwrap();
    let policy = Policy { grants, ..Policy::default() };
    let body = container(&wanted(), &policy, &owner(), &[], Some(&out));
    assert_eq!(body.network_disabled, Some(false));
    let variables = body.env.unwrap();
    assert!(variables.contains(&format!("https_proxy={}", out.proxy)), "{variables:?}");
    let mine: Vec<_> = variables.iter().filter(|variable| variable.starts_with("HTTP_PROXY=")).collect();
    assert_eq!(mine, ["HTTP_PROXY=mine"], "what the operator sets stays");
    let host = body.host_config.unwrap();
    assert_eq!(host.network_mode.as_deref(), Some("toolgate-1-0-time"));
    assert_eq!(host.extra_hosts.unwrap(), ["db.internal:172.18.0.1"]);
    assert_eq!(host.dns.unwrap(), ["127.0.0.1"], "no names of others");
    let trust = host.mounts.unwrap().remove(0);
    assert_eq!((trust.source.as_deref(), trust.read_only), (Some("toolgate-1-1-time"), Some(true)));
    let file = format!("SSL_CERT_FILE={}/authorities.pem", trust.target.unwrap());
    assert!(variables.contains(&file), "{variables:?}");
    assert_eq!((host.port_bindings, host.publish_all_ports), (None, None));
}

#[test]
fn the_container_itself_needs_no_proxy_unless_a_grant_means_the_machine() {
    let out = WayOut { network: String::new(), hosts: Vec::new(), proxy: String::new(), trust: None };
    let told = |http: &[&str]| {
        let http = http.iter().map(|text| HttpGrant::parse(text).unwrap()).collect();
        let grants = Grants::new(http, Vec::new(), Vec::new(), BTreeMap::new()).unwrap();
        let policy = Policy { grants, ..Policy::default() };
        let variables = container(&wanted(), &policy, &owner(), &[], Some(&out)).env.unwrap();
        variables.into_iter().find(|variable| variable.starts_with("NO_PROXY=")).unwrap()
    };
    assert_eq!(told(&["* https://api.example.com/*"]), "NO_PROXY=localhost,127.0.0.1,::1");
    assert_eq!(told(&["GET http://127.0.0.1:8000/*", "GET http://[::1]:8000/*"]), "NO_PROXY=localhost");
}
