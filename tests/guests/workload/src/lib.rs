//! What benchmarks have a guest do. `words` is there for its size: with a map and sorting it
//! is what a small tool is.

wit_bindgen::generate!({ world: "workload" });

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

struct Component;

export!(Component);

/// Bytes of a step through memory.
const STRIDE: usize = 8;

impl Guest for Component {
    fn pause(milliseconds: u32) {
        std::thread::sleep(Duration::from_millis(milliseconds.into()));
    }

    fn recurse(n: u32) -> u64 {
        fibonacci(n)
    }

    fn sweep(kibibytes: u32, times: u32) -> u64 {
        let mut cells = vec![1_u64; kibibytes as usize * 1024 / STRIDE];
        for _ in 0..times {
            let mut before = 0;
            for cell in &mut cells {
                *cell = cell.wrapping_add(before);
                before = *cell;
            }
            black_box(&mut cells);
        }
        cells.last().copied().unwrap_or_default()
    }

    fn words(text: String) -> Vec<(String, u32)> {
        let mut counts = HashMap::new();
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
        let mut counts: Vec<(String, u32)> = counts.into_iter().collect();
        counts.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
        counts
    }
}

/// Not a loop, whatever the compiler knows of it.
#[inline(never)]
fn fibonacci(n: u32) -> u64 {
    if n < 2 { n.into() } else { black_box(fibonacci(n - 1)).wrapping_add(fibonacci(n - 2)) }
}
