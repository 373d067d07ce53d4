#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::task::{Held, Status, Task};
use super::{MAX_BYTES, MAX_OF_ONE, MAX_TASKS, Tasks, wire};
use crate::auth::{Principal, Servers};
use crate::error::Error;

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

fn told(task: &Task) -> Value {
    serde_json::from_slice(&wire::detailed(task)).unwrap()
}

fn task(ttl: Duration) -> Arc<Task> {
    let held = Held::take(&Arc::default(), 0, 0).unwrap();
    Arc::new(Task::new("ann", ttl, held).unwrap())
}

#[tokio::test]
async fn a_task_waits_for_all_answers_and_takes_them_one_by_one() {
    let task = task(Duration::from_secs(60));
    let asking = tokio::spawn({
        let task = Arc::clone(&task);
        let question = |name: &str| (name.to_owned(), raw(&json!({ "method": "roots/list" })));
        async move { task.ask(vec![question("a"), question("b")]).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(told(&task)["inputRequests"].as_object().unwrap().len(), 2);
    let answer = |name: &str, value: u64| HashMap::from([(name.to_owned(), raw(&json!(value)))]);
    task.answered(answer("nobody asked", 0));
    task.answered(answer("b", 2));
    task.answered(answer("b", 3));
    let half = told(&task);
    assert_eq!(
        (&half["status"], &half["inputRequests"]),
        (&json!("input_required"), &json!({ "a": { "method": "roots/list" } }))
    );
    task.answered(answer("a", 1));
    assert_eq!(asking.await.unwrap(), r#"{"b":2,"a":1}"#);
    assert_eq!(told(&task)["status"], "working");
}

#[tokio::test]
async fn what_is_over_stays_what_it_is() {
    let task = task(Duration::from_secs(60));
    let running = tokio::spawn(std::future::pending::<()>());
    task.runs_by(running.abort_handle());
    task.cancel();
    assert!(running.await.unwrap_err().is_cancelled());
    task.ends(Status::Completed(b"{}".as_slice().into()));
    task.answered(HashMap::new());
    task.cancel();
    let told = told(&task);
    assert_eq!((&told["status"], told.get("result")), (&json!("cancelled"), None));
}

#[test]
fn a_task_is_kept_as_long_as_it_says_and_no_longer() {
    assert!(!task(Duration::from_secs(60)).is_expired());
    let short = task(Duration::ZERO);
    std::thread::sleep(Duration::from_millis(5));
    assert!(short.is_expired());
}

#[test]
fn there_are_so_many_of_one_caller_and_of_all() {
    let tasks = Tasks::default();
    let caller = |number: usize| Principal::owner(&format!("caller-{number}"), Servers::All);
    let full = |added: Result<_, Error>| matches!(added, Err(Error::TasksFull(_)));
    let first = tasks.add(&caller(0), 0).unwrap();
    (1..MAX_OF_ONE).for_each(|_| drop(tasks.add(&caller(0), 0).unwrap()));
    assert!(full(tasks.add(&caller(0), 0)));
    (MAX_OF_ONE..MAX_TASKS).for_each(|number| drop(tasks.add(&caller(number), 0).unwrap()));
    assert!(full(tasks.add(&caller(MAX_TASKS), 0)));
    assert!(tasks.get(&caller(0), first.id()).is_ok());
    assert!(matches!(tasks.get(&caller(1), first.id()), Err(Error::InvalidParams(_))), "it is of another");
    assert!(matches!(tasks.get(&caller(0), "x"), Err(Error::InvalidParams(_))));
}

#[test]
fn what_results_may_take_is_set_aside_before_and_given_back() {
    let tasks = Tasks::default();
    let ann = Principal::owner("ann", Servers::All);
    let large = tasks.add(&ann, MAX_BYTES - 10).unwrap();
    assert!(matches!(tasks.add(&ann, 11), Err(Error::TasksFull(_))));
    large.ends(Status::Completed(b"{}".as_slice().into()));
    assert_eq!(tasks.bytes.load(Ordering::Relaxed), 2);
    tasks.add(&ann, 11).unwrap().cancel();
    assert_eq!(tasks.bytes.load(Ordering::Relaxed), 2);
    let all = Arc::new(AtomicU64::new(7));
    drop(Held::take(&all, 3, 10).unwrap());
    assert!(Held::take(&all, 4, 10).is_none());
    assert_eq!(all.load(Ordering::Relaxed), 7);
}
