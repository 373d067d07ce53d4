//! The templates of `deploy/` and the config that comes with them fit each other: what must be shorter is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use toolgate::config::Config;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(deploy(name)).unwrap()
}

/// The seconds that a template gives to what comes after `name`.
fn seconds(template: &str, name: &str) -> Duration {
    let (_, rest) = template.split_once(name).unwrap_or_else(|| panic!("there is no {name}"));
    let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    Duration::from_secs(digits.parse().unwrap())
}

fn config() -> Config {
    let env = |name: &str| (name == "SESSION_KEY").then(|| "0123456789abcdef".to_owned());
    let with_state = |name: &str| if name == "HOME" { Some("/".to_owned()) } else { env(name) };
    Config::load(&deploy("fargate/toolgate.toml"), &with_state).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_config_lets_in_nobody_without_a_key() {
    let config = config();
    assert!(!config.is_open_by_mistake() && !config.gateway.allow_anonymous && !config.keys.is_empty());
    assert_eq!(config.gateway.listen.to_string(), "0.0.0.0:8080");
}

#[test]
fn the_load_balancer_closes_idle_connections_before_the_gateway_does() {
    let balancer = seconds(&read("fargate/template.yaml"), "idle_timeout.timeout_seconds");
    assert!(balancer < config().gateway.http.idle_timeout, "{balancer:?}");
}

#[test]
fn a_task_has_the_time_to_finish_its_calls() {
    let (template, http) = (read("fargate/template.yaml"), config().gateway.http);
    let noticed = seconds(&template, "HealthCheckIntervalSeconds").as_secs()
        * seconds(&template, "UnhealthyThresholdCount").as_secs();
    assert!(
        Duration::from_secs(noticed) <= http.drain_delay,
        "{noticed} s until it is known not to be ready"
    );
    let ends = http.drain_delay + http.drain;
    assert!(seconds(&template, "deregistration_delay.timeout_seconds") >= ends);
    assert!(seconds(&template, "StopTimeout") > ends && seconds(&template, "StopTimeout").as_secs() <= 120);
    let host = read("ec2-docker/template.yaml");
    assert!(seconds(&host, "--stop-timeout") > ends);
}

#[test]
fn each_way_gives_what_the_config_asks_of_its_environment() {
    let config = read("fargate/toolgate.toml");
    let names = config.split("${").skip(1).map(|rest| rest.split_once('}').unwrap().0);
    for name in names {
        assert!(read("fargate/template.yaml").contains(&format!("Name: {name},")), "{name}");
        assert!(read("ec2-docker/template.yaml").contains(&format!("{name}=")), "{name}");
    }
}

#[test]
fn containers_on_the_host_do_not_get_its_credentials() {
    let host = read("ec2-docker/template.yaml");
    assert!(host.contains("HttpTokens: required, HttpPutResponseHopLimit: 1"));
}

#[test]
fn the_task_and_the_container_start_with_as_little() {
    let (task, host) = (read("fargate/template.yaml"), read("ec2-docker/template.yaml"));
    for needed in ["ReadonlyRootFilesystem: true", "Drop: [ALL]", "User: \"65532:65532\""] {
        assert!(task.contains(needed), "{needed}");
    }
    for needed in ["--read-only", "--cap-drop ALL", "--security-opt no-new-privileges"] {
        assert!(host.contains(needed), "{needed}");
    }
    assert!(read("Dockerfile").contains("USER 65532:65532"));
}
