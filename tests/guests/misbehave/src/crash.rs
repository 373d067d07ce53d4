//! Ends other than a returned value.

use std::hint::black_box;

use crate::{Component, Seen, exported::crash::Guest};

impl Guest for Component {
    fn panic(message: String) -> Seen {
        panic!("{message}")
    }

    fn unreachable() -> Seen {
        core::arch::wasm32::unreachable()
    }

    #[allow(clippy::disallowed_methods, reason = "that is the attack")]
    fn exit(code: i32) -> Seen {
        std::process::exit(code)
    }

    fn out_of_bounds() -> Seen {
        let beyond = black_box(u32::MAX as usize & !7) as *const u64;
        // SAFETY: not safe, and that is the attack: the last bytes of the address space are never
        // part of a memory that is limited, so the engine must stop the read.
        let value = unsafe { beyond.read_volatile() };
        Ok(format!("read {value}"))
    }

    fn fail(message: String) -> Seen {
        Err(message)
    }
}
