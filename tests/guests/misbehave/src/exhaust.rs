//! Attacks on fuel, deadline, memory, stack and handles.

use std::fs::File;
use std::hint::black_box;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use wasip2::clocks::monotonic_clock;
use wasip2::io::poll;
use wasip2::random::random;

use crate::{Component, Seen, exported::exhaust::Guest};

const KIBIBYTE: usize = 1 << 10;
const MEBIBYTE: usize = 1 << 20;

/// In nanoseconds; longer than any call.
const HOUR: u64 = 3_600_000_000_000;

impl Guest for Component {
    fn spin() -> Seen {
        let mut turn = 0u64;
        loop {
            turn = black_box(turn.wrapping_add(1));
        }
    }

    fn spin_in_host_calls() -> Seen {
        loop {
            black_box(monotonic_clock::now());
        }
    }

    fn burn(turns: u64) -> Seen {
        let mut done = 0u64;
        while done < turns {
            done = black_box(done + 1);
        }
        Ok(format!("{done} turns"))
    }

    fn sleep_for(milliseconds: u64) -> Seen {
        std::thread::sleep(Duration::from_millis(milliseconds));
        Ok(format!("slept {milliseconds} ms"))
    }

    fn poll_many(count: u32, milliseconds: u64) -> Seen {
        let timers: Vec<_> = (0..u64::from(count))
            .map(|n| monotonic_clock::subscribe_duration((milliseconds + n) * 1_000_000))
            .collect();
        let ready = poll::poll(&timers.iter().collect::<Vec<_>>());
        Ok(format!("{} of {count} ready", ready.len()))
    }

    fn allocate(mebibytes: u32) -> Seen {
        let blocks = take(mebibytes, MEBIBYTE);
        if blocks.len() == mebibytes as usize {
            Ok(format!("took {mebibytes} MiB"))
        } else {
            Err(format!("refused after {} MiB", blocks.len()))
        }
    }

    fn allocate_all() -> Seen {
        let taken = take(u32::MAX, MEBIBYTE).len();
        Err(format!("refused after {taken} MiB"))
    }

    fn allocate_or_die() -> Seen {
        let mut blocks = Vec::new();
        loop {
            blocks.push(black_box(vec![1u8; MEBIBYTE]));
        }
    }

    fn hold_all(depth: u32, milliseconds: u64) -> Seen {
        Ok(format!("held {} MiB", hold_below(depth, milliseconds)))
    }

    fn grow(pages: u32) -> Seen {
        match core::arch::wasm32::memory_grow(0, pages as usize) {
            usize::MAX => Err(format!("refused to grow by {pages} pages")),
            before => Ok(format!("grew by {pages} pages from {before}")),
        }
    }

    fn overflow_stack() -> Seen {
        Ok(format!("returned from a depth of {}", descend(0)))
    }

    fn hoard_pollables(count: u32) -> Seen {
        let held: Vec<_> = (0..count).map(|_| monotonic_clock::subscribe_duration(u64::MAX / 2)).collect();
        Ok(format!("holds {} pollables", held.len()))
    }

    fn leave_timers(count: u32) -> Seen {
        let mut timers: Vec<_> = (0..count).map(|_| monotonic_clock::subscribe_duration(HOUR)).collect();
        timers.push(monotonic_clock::subscribe_duration(1_000_000));
        let ready = poll::poll(&timers.iter().collect::<Vec<_>>());
        // None is ever dropped.
        std::mem::forget(timers);
        Ok(format!("left {count} timers, as {} ended", ready.len()))
    }

    fn hoard_files(path: String, count: u32) -> Seen {
        hoard("files", count, || File::open(&path))
    }

    fn hoard_sockets(count: u32) -> Seen {
        hoard("sockets", count, || UdpSocket::bind("127.0.0.1:0"))
    }

    fn hoard_connections(address: String, count: u32) -> Seen {
        hoard("connections", count, || TcpStream::connect(&address))
    }

    fn hold_files(path: String, count: u32, milliseconds: u64) -> Seen {
        Ok(hold("files", count, milliseconds, || File::open(&path)))
    }

    fn hold_connections(address: String, count: u32, milliseconds: u64) -> Seen {
        Ok(hold("connections", count, milliseconds, || TcpStream::connect(&address)))
    }

    fn hoard_names(folder: String, count: u32) -> Seen {
        for made in 0..count {
            File::create(format!("{folder}/{made}"))
                .map_err(|error| format!("refused after {made}: {error}"))?;
        }
        Ok(format!("made {count} names"))
    }

    fn spawn_thread() -> Seen {
        let thread = std::thread::Builder::new().spawn(|| ());
        thread.map(|_| "started a thread".to_owned()).map_err(|error| error.to_string())
    }

    fn random_bytes(count: u64) -> Seen {
        Ok(format!("{} random bytes", random::get_random_bytes(count).len()))
    }
}

/// Blocks of a size, all touched, until there are enough or no more.
fn take(count: u32, size: usize) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    for _ in 0..count {
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(size).is_err() || blocks.try_reserve(1).is_err() {
            break;
        }
        block.resize(size, 1);
        blocks.push(black_box(block));
    }
    blocks
}

fn hoard<T>(what: &str, count: u32, mut open: impl FnMut() -> std::io::Result<T>) -> Seen {
    let mut held = Vec::new();
    for _ in 0..count {
        match open() {
            Ok(handle) => held.push(handle),
            Err(error) => return Err(format!("refused after {} {what}: {error}", held.len())),
        }
    }
    Ok(format!("holds {} {what}", held.len()))
}

fn hold<T>(
    what: &str,
    count: u32,
    milliseconds: u64,
    mut open: impl FnMut() -> std::io::Result<T>,
) -> String {
    let held: Vec<_> = (0..count).map_while(|_| open().ok()).collect();
    std::thread::sleep(Duration::from_millis(milliseconds));
    format!("held {} {what}", held.len())
}

#[allow(unconditional_recursion, reason = "that is the attack")]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    black_box(descend(frame[7] + 1)) + 1
}

/// Takes few bytes of the linear memory, where Rust has a stack of its own, for many of the native one.
#[inline(never)]
fn hold_below(depth: u32, milliseconds: u64) -> usize {
    if depth == 0 {
        let blocks = take(u32::MAX, MEBIBYTE);
        // What is left of the limit is less than a mebibyte; these fill it.
        let _rest = take(u32::MAX, KIBIBYTE);
        std::thread::sleep(Duration::from_millis(milliseconds));
        return blocks.len();
    }
    let below: fn(u32, u64) -> usize = black_box(hold_below);
    black_box(below(depth - 1, milliseconds))
}
