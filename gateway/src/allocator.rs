//! What the system's allocator does with memory that was freed.
//!
//! A call can need a hundred megabytes for a moment: a large result, as values and as JSON. glibc
//! raises its threshold with the first such block that is freed, and from then on keeps them in
//! heaps of which each thread has its own; so a few calls would leave the gateway several hundred
//! megabytes larger for good.

/// Bytes from which a block is mapped by itself, and given back to the system when it is freed.
#[cfg(target_env = "gnu")]
const MAPPED: i32 = 1024 * 1024;

/// Fixes the threshold. Other allocators than glibc's are left as they are.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only sets a number, and this process has no other thread yet.
    let _set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED) };
}
