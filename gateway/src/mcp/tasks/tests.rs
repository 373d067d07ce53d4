#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::task::{Input, MAX_ANSWERS, Reserved, Status, Task};
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
    let reserved = Reserved::take(&Arc::default(), 10, 10).unwrap();
    Arc::new(Task::new(&Principal::owner("ann", Servers::All), ttl, reserved).unwrap())
}

#[tokio::test]
async fn a_task_waits_for_all_answers_and_takes_them_one_by_one() {
    let task = task(Duration::from_secs(60));
    let asking = tokio::spawn({
        let task = Arc::clone(&task);
        let question = |name: &str| Input {
            shown: format!("1-{name}"),
            name: name.to_owned(),
            request: raw(&json!({ "method": "roots/list" })),
        };
        async move { task.ask(vec![question("a"), question("b")]).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(told(&task)["inputRequests"].as_object().unwrap().len(), 2);
    let long = HashMap::from([("1-a".to_owned(), raw(&json!("x".repeat(MAX_ANSWERS))))]);
    assert!(matches!(task.answered(long), Err(Error::InvalidParams(_))));
    let answer = |name: &str, value: u64| HashMap::from([(name.to_owned(), raw(&json!(value)))]);
    task.answered(answer("nobody asked", 0)).unwrap();
    task.answered(answer("1-b", 2)).unwrap();
    task.answered(answer("1-b", 3)).unwrap();
    let half = told(&task);
    assert_eq!(
        (&half["status"], &half["inputRequests"]),
        (&json!("input_required"), &json!({ "1-a": { "method": "roots/list" } }))
    );
    task.answered(answer("1-a", 1)).unwrap();
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
    task.ends(Status::Completed(b"{}".as_slice().into()), || panic!("there is room"));
    task.answered(HashMap::new()).unwrap();
    task.cancel();
    let told = told(&task);
    assert_eq!((&told["status"], told.get("result")), (&json!("cancelled"), None));
}

#[test]
fn a_task_is_kept_as_long_as_it_says_once_it_is_over() {
    let short = task(Duration::ZERO);
    std::thread::sleep(Duration::from_millis(5));
    assert!(!short.is_expired(), "it runs");
    short.ends(Status::Completed(b"{}".as_slice().into()), || panic!("there is room"));
    std::thread::sleep(Duration::from_millis(5));
    assert!(short.is_expired());
    let long = task(Duration::from_secs(60));
    long.cancel();
    assert!(!long.is_expired());
}

#[test]
fn what_there_is_no_room_for_is_told() {
    let task = task(Duration::from_secs(60));
    let failed = || Status::Failed(b"{}".as_slice().into());
    task.ends(Status::Completed([b'1'; 11].as_slice().into()), failed);
    assert_eq!(told(&task)["status"], "failed");
}

#[test]
fn expired_ones_make_room_for_others() {
    let tasks = Tasks::default();
    let ann = Principal::owner("ann", Servers::All);
    let reserved = Reserved::take(&tasks.bytes, MAX_BYTES, MAX_BYTES).unwrap();
    let old = Arc::new(Task::new(&ann, Duration::ZERO, reserved).unwrap());
    tasks.all().insert(old.id().to_owned(), Arc::clone(&old));
    assert!(matches!(tasks.add(&ann, 1), Err(Error::TasksFull(_))));
    old.ends(Status::Completed(vec![b'1'; 1 << 20].into()), || panic!("there is room"));
    std::thread::sleep(Duration::from_millis(5));
    drop(old);
    assert!(tasks.add(&ann, MAX_BYTES).is_ok());
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
    let narrow = Principal::owner("caller-0", Servers::only(["hello"]));
    assert!(
        matches!(tasks.get(&narrow, first.id()), Err(Error::InvalidParams(_))),
        "it is of a key with other rights"
    );
}

#[test]
fn what_results_may_take_is_set_aside_before_and_given_back() {
    let tasks = Tasks::default();
    let ann = Principal::owner("ann", Servers::All);
    let rest = Reserved::take(&tasks.bytes, MAX_BYTES / 4 * 3, MAX_BYTES).unwrap();
    let large = tasks.add(&ann, MAX_BYTES).unwrap();
    assert!(
        matches!(tasks.add(&ann, 1), Err(Error::TasksFull(_))),
        "one takes a fourth at most, and no more is there"
    );
    drop(rest);
    large.ends(Status::Completed(b"{}".as_slice().into()), || panic!("there is room"));
    assert_eq!(tasks.bytes.load(Ordering::Relaxed), 2);
    tasks.add(&ann, 11).unwrap().cancel();
    assert_eq!(tasks.bytes.load(Ordering::Relaxed), 2);
    let all = Arc::new(AtomicU64::new(7));
    drop(Reserved::take(&all, 3, 10).unwrap());
    assert!(Reserved::take(&all, 4, 10).is_none());
    assert_eq!(all.load(Ordering::Relaxed), 7);
}
