//! Attempts to carry something from one call to the next.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::{Cell, RefCell};

use crate::{Component, Seen, exported::memory::Guest};

const MEBIBYTE: usize = 1 << 20;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Guest for Component {
    fn count() -> Result<u32, String> {
        CALLS.set(CALLS.get() + 1);
        Ok(CALLS.get())
    }

    fn swap(text: String) -> Seen {
        Ok(TEXT.replace(text))
    }

    fn dirty_bytes(mebibytes: u32) -> Result<u64, String> {
        let layout =
            Layout::from_size_align(mebibytes as usize * MEBIBYTE, 16).map_err(|error| error.to_string())?;
        if layout.size() == 0 {
            return Ok(0);
        }
        // SAFETY: the layout is not of size zero, checked above.
        let block = unsafe { alloc(layout) };
        if block.is_null() {
            return Err(format!("refused {mebibytes} MiB"));
        }
        let mut dirty = 0;
        for offset in 0..layout.size() {
            // SAFETY: within the block just allocated. It is uninitialized to Rust, but a volatile
            // read of wasm memory has a value, which is what this looks for.
            let byte = unsafe { block.add(offset).read_volatile() };
            dirty += u64::from(byte != 0);
        }
        // Left dirty on purpose, for whoever gets this memory next.
        for offset in 0..layout.size() {
            // SAFETY: as above.
            unsafe { block.add(offset).write_volatile(0xa5) };
        }
        // SAFETY: allocated above with the same layout.
        unsafe { dealloc(block, layout) };
        Ok(dirty)
    }
}
