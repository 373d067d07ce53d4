//! Grants that are wider than they may need to be.

use std::path::Path;

use toolgate_runtime::policy::{EngineView, FilesGrant, Grants, HttpGrant, Mode, SecretUse, TcpGrant};

use super::{Finding, Severity};

/// Folders whose content is the host itself, or everybody's: to read one of them is to know it, to write
/// there is to own it.
const OF_THE_HOST: [&str; 12] =
    ["/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sys", "/usr", "/var/run"];
/// Folders that hold the former.
const ABOVE: [&str; 2] = ["/", "/var"];
/// Words in the name of a variable that holds what nobody else is to know.
const TELLING: [&str; 7] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE_KEY"];

/// Of a server that may run as a container, or is a component and nothing else.
pub(super) fn audit(grants: &Grants, may_be_container: bool, found: &mut Vec<Finding>) {
    grants.http().iter().for_each(|grant| http(grant, found));
    grants.tcp().iter().for_each(|grant| tcp(grant, found));
    for grant in grants.files() {
        files(grant, found);
        if may_be_container && grant.mode() == Mode::ReadWrite {
            let what = format!(
                "a container may fill the disk of `{}`: `max` binds components",
                grant.host().display()
            );
            found.push(Finding::new(
                Severity::Medium,
                what,
                "mode = \"ro\", or a folder on a disk of its own",
            ));
        }
    }
    if grants.engine().contains(&EngineView::Logs) {
        let what = "callers read what every container of the engine prints, secrets among it";
        found.push(Finding::new(Severity::Medium, what, "docker = [\"containers\", \"images\", \"stats\"]"));
    }
    found.extend(grants.env().keys().filter_map(|name| env(name)));
    for grant in grants.secrets() {
        if let SecretUse::Env(name) = grant.usage() {
            let what = format!("the tool holds the secret `{name}`, and can send it wherever it may send");
            let change =
                "header = \"authorization\", to = \"https://HOST\" in place of `env`, if it is for requests";
            found.push(Finding::new(Severity::Medium, what, change));
        }
    }
}

fn http(grant: &HttpGrant, found: &mut Vec<Finding>) {
    if grant.has_any_method() {
        let what = format!("`{grant}` allows every method, those that change and delete too");
        found.push(Finding::new(Severity::Low, what, "http = [\"GET …\"], with the methods that it needs"));
    }
    if grant.has_many_hosts() {
        let what = format!("`{grant}` reaches every name below, also one that is made tomorrow");
        found.push(Finding::new(
            Severity::Medium,
            what,
            "http = [\"… https://HOST/…\"], with the hosts that it needs",
        ));
    }
    if !grant.is_encrypted() {
        let what = format!("`{grant}` is not encrypted: who is on the way reads and changes it");
        found.push(Finding::new(Severity::Medium, what, "http = [\"… https://…\"]"));
    }
    if grant.networks().has_ranges() {
        found.push(range(&grant.to_string()));
    }
}

fn tcp(grant: &TcpGrant, found: &mut Vec<Finding>) {
    if grant.networks().has_ranges() {
        found.push(range(&grant.to_string()));
    }
}

fn range(grant: &str) -> Finding {
    let what =
        format!("`{grant}` reaches each private address of a range to which its name may be made to lead");
    Finding::new(Severity::Medium, what, "name the address itself: @10.1.2.3")
}

fn files(grant: &FilesGrant, found: &mut Vec<Finding>) {
    let host = grant.host();
    let shown = host.display();
    let is_of_host = ABOVE.iter().any(|path| host == Path::new(path))
        || OF_THE_HOST.iter().any(|path| host.starts_with(path) && !is_home(host, path));
    if is_of_host {
        let what = format!("`{shown}` is the host's own, its keys and sockets among it");
        found.push(Finding::new(Severity::High, what, "host = \"./data\", a folder with nothing else in it"));
    }
}

/// A folder within somebody's home is theirs to give; the home itself has their keys.
fn is_home(host: &Path, base: &str) -> bool {
    base == "/home" && host.components().count() > 3
}

fn env(name: &str) -> Option<Finding> {
    let upper = name.to_ascii_uppercase();
    let is_telling = TELLING.iter().any(|word| upper.contains(word));
    is_telling.then(|| {
        let what = format!("`{name}` stands in `env`, where neither the log nor this config hides it");
        let change = format!(
            "secrets = [{{ from = \"env:{name}\", header = …, to = … }}], or `env = \"{name}\"` there"
        );
        Finding::new(Severity::High, what, change)
    })
}
