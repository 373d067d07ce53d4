//! Where calls run, and that none is lost.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::timed::processor_time;
use super::{Begin, Lane, Pace, SHORT, Scheduler, Work};

fn here() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// Whether it is a thread for long calls, of either priority: a busy machine may leave the idle ones nothing.
fn is_for_long(thread: &str) -> bool {
    ["guest-0", "guest-low-0"].contains(&thread)
}

fn spin(time: Duration) {
    let since = processor_time();
    while processor_time() - since < time {
        std::hint::spin_loop();
    }
}

/// Computes for so many slices and tells on which threads.
async fn slices(count: usize) -> Vec<String> {
    let mut on = Vec::new();
    for _ in 0..count {
        spin(SHORT * 2);
        on.push(here());
        tokio::task::yield_now().await;
    }
    on
}

fn run<T: Send + 'static>(lane: &Lane, work: impl Future<Output = T> + Send + 'static) -> Work<T> {
    let (lane, work, pace) = (lane.clone(), Box::pin(work), Arc::new(Pace::default()));
    Box::pin(async move { lane.run(Begin::Here, &pace, work).await.unwrap() })
}

#[tokio::test]
async fn a_short_call_stays_on_the_thread_that_asks_also_when_it_waits() {
    let scheduler = Scheduler::start(1).unwrap();
    let waits = async {
        sleep(Duration::from_millis(5)).await;
        here()
    };
    assert_eq!(run(&scheduler.lane(), waits).await, here());
}

#[tokio::test]
async fn a_long_call_moves_and_after_two_the_next_of_that_tool_begins_there() {
    let scheduler = Scheduler::start(1).unwrap();
    let (lane, pace) = (scheduler.lane(), Arc::new(Pace::default()));
    for _ in 0..2 {
        let on = lane.run(Begin::Here, &pace, Box::pin(slices(3))).await.unwrap();
        assert_eq!((on.len(), &on[0]), (3, &here()));
        assert!(on[1..].iter().all(|thread| is_for_long(thread)), "{on:?}");
    }
    let on = lane.run(Begin::Here, &pace, Box::pin(async { here() })).await.unwrap();
    assert!(is_for_long(&on), "{on}");
}

/// A machine that lends its processor elsewhere counts that as time of the thread: so one of a few rounds
/// has to be free of it.
#[tokio::test]
async fn a_call_that_lost_its_processor_is_not_taken_for_a_long_one() {
    let scheduler = Scheduler::start(1).unwrap();
    let lane = scheduler.lane();
    for _ in 0..10 {
        let (pace, mut moved) = (Arc::new(Pace::default()), false);
        for _ in 0..40 {
            let waits = async {
                thread::sleep(SHORT * 2);
                here()
            };
            moved |= lane.run(Begin::Here, &pace, Box::pin(waits)).await.unwrap() != here();
        }
        if !moved {
            return;
        }
    }
    panic!("some of 40 calls that only slept were taken for long ones, in each of ten rounds");
}

#[tokio::test]
async fn what_is_known_to_be_long_begins_there() {
    let scheduler = Scheduler::start(1).unwrap();
    let pace = Arc::new(Pace::default());
    let on = scheduler.lane().run(Begin::There, &pace, Box::pin(async { here() })).await.unwrap();
    assert!(is_for_long(&on), "{on}");
}

#[tokio::test]
async fn a_long_call_may_still_sleep_and_use_what_the_runtime_offers() {
    let scheduler = Scheduler::start(1).unwrap();
    let work = async {
        slices(2).await;
        sleep(Duration::from_millis(5)).await;
        let elsewhere = tokio::spawn(async { 7 }).await.unwrap();
        (here(), elsewhere)
    };
    let (on, result) = run(&scheduler.lane(), work).await;
    assert!(is_for_long(&on) && result == 7, "{on}");
}

#[tokio::test]
async fn a_server_with_many_calls_does_not_starve_one_with_few() {
    let scheduler = Scheduler::start(1).unwrap();
    let crowd = scheduler.lane();
    let ended = Arc::new(AtomicUsize::new(0));
    let others: Vec<_> = (0..30)
        .map(|_| {
            let (work, ended) = (run(&crowd, slices(40)), Arc::clone(&ended));
            tokio::spawn(async move {
                work.await;
                ended.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    run(&scheduler.lane(), slices(10)).await;
    // It had ten turns and so had they: not one of them needs so few.
    assert_eq!(ended.load(Ordering::SeqCst), 0);
    for other in others {
        other.await.unwrap();
    }
}

/// Tells when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

async fn is_set(flag: &AtomicBool) {
    while !flag.load(Ordering::SeqCst) {
        sleep(Duration::from_millis(1)).await;
    }
}

fn endless(scheduler: &Scheduler) -> (Work<()>, Arc<AtomicBool>) {
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = Dropped(Arc::clone(&dropped));
    let work = run(&scheduler.lane(), async move {
        let _guard = guard;
        loop {
            slices(1).await;
        }
    });
    (work, dropped)
}

#[tokio::test]
async fn a_long_call_that_nobody_waits_for_any_more_ends() {
    let scheduler = Scheduler::start(1).unwrap();
    let (work, dropped) = endless(&scheduler);
    assert!(timeout(Duration::from_millis(20), work).await.is_err());
    timeout(Duration::from_secs(10), is_set(&dropped)).await.unwrap();
}

#[tokio::test]
async fn calls_end_with_their_scheduler() {
    let scheduler = Scheduler::start(2).unwrap();
    let (work, dropped) = endless(&scheduler);
    let waiting = tokio::spawn(work);
    sleep(Duration::from_millis(20)).await;
    scheduler.stop(Duration::from_secs(10));
    assert!(dropped.load(Ordering::SeqCst), "its threads have ended");
    assert!(waiting.await.is_err(), "it has no result");
    let (lane, pace) = (scheduler.lane(), Arc::new(Pace::default()));
    let late = lane.run(Begin::There, &pace, Box::pin(async {})).await;
    assert_eq!(late.unwrap_err().to_string(), "the gateway is stopping");
}

#[tokio::test]
async fn a_panic_is_that_of_whoever_waits_and_the_thread_goes_on() {
    let scheduler = Scheduler::start(1).unwrap();
    let work = run(&scheduler.lane(), async {
        slices(2).await;
        panic!("on purpose");
    });
    let panicked: Result<(), _> = tokio::spawn(work).await;
    assert!(panicked.unwrap_err().is_panic());
    assert_eq!(run(&scheduler.lane(), slices(2)).await.len(), 2);
}

#[cfg(target_os = "linux")]
mod linux {
    //! What the system is told of priorities, and what comes of it.

    use super::*;

    /// The class and nice value of the calling thread (proc_pid_stat(5), fields 41 and 19).
    fn standing() -> (u32, i32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        (fields[41 - 3].parse().unwrap(), fields[19 - 3].parse().unwrap())
    }

    /// Threads that want all processors, until dropped.
    struct Crowd(Arc<AtomicBool>);

    impl Crowd {
        fn gather() -> Self {
            let over = Arc::new(AtomicBool::new(false));
            for _ in 0..2 * thread::available_parallelism().unwrap().get() {
                let over = Arc::clone(&over);
                thread::spawn(move || while !over.load(Ordering::Relaxed) {});
            }
            Self(over)
        }
    }

    impl Drop for Crowd {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Runs slices until one is on such a thread.
    async fn until_on(lane: &Lane, name: &str) -> (u32, i32) {
        let name = name.to_owned();
        let work = async move {
            while slices(1).await[0] != name {}
            standing()
        };
        timeout(Duration::from_secs(60), run(lane, work)).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn long_calls_take_what_is_left_over_and_a_small_share_where_nothing_is() {
        let scheduler = Scheduler::start(1).unwrap();
        let lane = scheduler.lane();
        assert_eq!(until_on(&lane, "guest-0").await.0, libc::SCHED_IDLE.cast_unsigned());
        let crowd = Crowd::gather();
        let (class, nice) = until_on(&lane, "guest-low-0").await;
        assert_eq!((class, nice), (libc::SCHED_OTHER.cast_unsigned(), standing().1 + 10));
        drop(crowd);
        until_on(&lane, "guest-0").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn one_server_that_waits_for_starved_threads_goes_on_with_others() {
        let scheduler = Scheduler::start(2).unwrap();
        let crowd = Crowd::gather();
        let lane = scheduler.lane();
        let calls: Vec<_> = (0..8).map(|_| tokio::spawn(run(&lane, slices(20)))).collect();
        for call in calls {
            timeout(Duration::from_secs(60), call).await.unwrap().unwrap();
        }
        drop(crowd);
    }
}
