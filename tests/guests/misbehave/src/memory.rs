//! Attempts to carry something from one call to the next.

use std::cell::{Cell, RefCell};

use crate::{Component, Seen, exported::memory::Guest};

const MEBIBYTE: usize = 1 << 20;

/// Of WebAssembly.
const PAGE: usize = 64 * 1024;

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
        let pages = mebibytes as usize * MEBIBYTE / PAGE;
        // Past the allocator, which would leave its own notes in the block.
        let before = core::arch::wasm32::memory_grow(0, pages);
        if before == usize::MAX {
            return Err(format!("refused {mebibytes} MiB"));
        }
        let mut dirty = 0;
        for address in before * PAGE..(before + pages) * PAGE {
            let byte = address as *mut u8;
            // SAFETY: within the pages just added, which nothing else uses: the allocator only takes
            // pages that it grew itself.
            unsafe {
                dirty += u64::from(byte.read_volatile() != 0);
                // Left dirty on purpose, for whoever gets this memory next.
                byte.write_volatile(0xa5);
            }
        }
        Ok(dirty)
    }
}
