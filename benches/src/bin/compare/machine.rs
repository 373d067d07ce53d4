//! What the machine itself does to whoever is measured on it, without any server.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use benches::table::{Quantity, Row};

use crate::RUNS;

/// How long a line of memory is sent to and fro.
const EXCHANGE: Duration = Duration::from_millis(100);

/// Exchanges between two looks at the clock.
const ROUND: u64 = 1000;

/// How long a loop looks at the clock.
const WATCH: Duration = Duration::from_secs(2);

/// All rows of this part.
pub(crate) fn rows() -> Vec<Row> {
    let pauses = (0..RUNS).map(|_| Quantity::Time(longest_pause())).collect();
    vec![Row::runs("longest pause in 2 s of a loop that only looks at the clock", pauses)]
}

/// The time that a line of memory takes from one thread to another: half of a way there and back. Where there
/// are two cores, it tells whether they share a cache.
pub(crate) fn line_of_memory() -> Quantity {
    let (line, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (mut exchanges, since) = (0, Instant::now());
    std::thread::scope(|scope| {
        // Odd numbers go there, even ones come back.
        scope.spawn(|| {
            let mut expected = 1;
            while !over.load(Ordering::Relaxed) {
                if line.load(Ordering::Acquire) == expected {
                    line.store(expected + 1, Ordering::Release);
                    expected += 2;
                }
            }
        });
        while since.elapsed() < EXCHANGE {
            for _ in 0..ROUND {
                line.store(2 * exchanges + 1, Ordering::Release);
                exchanges += 1;
                while line.load(Ordering::Acquire) != 2 * exchanges {}
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    Quantity::Time(since.elapsed().div_f64(2.0 * exchanges as f64))
}

fn longest_pause() -> Duration {
    let since = Instant::now();
    let (mut last, mut longest) = (since, Duration::ZERO);
    while last.duration_since(since) < WATCH {
        let now = Instant::now();
        longest = longest.max(now.duration_since(last));
        last = now;
    }
    longest
}
