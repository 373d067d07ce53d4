//! What the benchmarks share: prepared guests, a gateway in this process or in its own, a client
//! of one keep-alive connection, and the table.
//!
//! Measured is what users meet: the same `prepare`, pipeline and transport that `toolgate serve`
//! uses, with default limits and metering. Nothing here is tuned for the benchmark.

pub mod client;
pub mod fixture;
pub mod process;
pub mod table;
