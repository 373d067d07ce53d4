//! What the benchmarks share: prepared guests, servers in processes of their own, the load
//! generator, and the table.
//!
//! Measured is what users meet: the same `prepare`, pipeline and transport that `toolgate serve`
//! uses, with default limits and metering. Nothing here is tuned for the benchmark.

pub mod connection;
pub mod fixture;
pub mod live;
pub mod load;
pub mod proc;
pub mod process;
pub mod request;
pub mod table;
pub mod target;
