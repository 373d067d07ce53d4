//! Cold starts: what criterion measured inside of a process, and starts of `toolgate serve` itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use benches::fixture::{Guest, HELLO, HELLO_JS, HELLO_PY, WORDS};
use benches::process::{Policy, Server};
use benches::table::{Quantity, Reach, Row};
use tempfile::TempDir;

/// Starts of the whole process. More than runs of anything else: one takes milliseconds.
const STARTS: usize = 15;

/// All rows of this part; `home` is where criterion left its estimates.
pub(crate) async fn rows(home: PathBuf) -> Vec<Row> {
    let mut rows = criterion(&home);
    for guest in [HELLO, HELLO_JS, HELLO_PY] {
        rows.push(match guest.missing() {
            Some(why) => Row::missing(first_answer(&guest), why),
            None => Row::runs(first_answer(&guest), starts(&guest).await).reach(goal(&guest)),
        });
    }
    rows
}

fn first_answer(guest: &Guest) -> String {
    format!("serve: start to first answer, warm cache, {}", guest.name)
}

fn goal(guest: &Guest) -> Reach {
    let millis = if guest.name == HELLO.name { 50 } else { 100 };
    Reach::Below(Quantity::Time(Duration::from_millis(millis)))
}

async fn starts(guest: &Guest) -> Vec<Quantity> {
    let site = TempDir::new().expect("a folder");
    // Compiles, and fills the cache.
    Server::toolgate(site.path(), &[*guest], Policy::default(), None).await;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let server = Server::toolgate(site.path(), &[*guest], Policy::default(), None).await;
        starts.push(Quantity::Time(server.first_answer));
    }
    starts
}

fn criterion(home: &Path) -> Vec<Row> {
    let below = |time| Reach::Below(Quantity::Time(time));
    let row = |what: &str, guest: &Guest, id: &str| match guest.missing() {
        Some(why) => Row::missing(format!("{what}, {}", guest.name), why),
        None => {
            let what = format!("{what}, {} {}", guest.name, guest.size());
            Row::criterion(what, home, &format!("{}/{id}", guest.name))
        }
    };
    let mut rows = Vec::new();
    for guest in [HELLO, WORDS] {
        rows.push(row("compile from wasm", &guest, "compile"));
        rows.push(row("load from the compiled cache", &guest, "load").reach(below(Duration::from_millis(1))));
    }
    for guest in [HELLO_JS, HELLO_PY] {
        rows.push(
            row("load from the compiled cache", &guest, "load").reach(below(Duration::from_millis(100))),
        );
    }
    for guest in [HELLO, HELLO_JS, HELLO_PY] {
        rows.push(row("call of a live instance, bare wasmtime", &guest, "live"));
        rows.push(row("fresh instance and call, criterion", &guest, "call"));
    }
    rows.push(row("call through the pipeline in process", &HELLO, "pipeline"));
    rows.push(row("call over HTTP, server in this process", &HELLO, "http"));
    rows
}
