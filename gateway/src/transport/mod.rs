//! Bytes in, bytes out: Streamable HTTP and stdio. Each caps what it reads, and neither knows
//! what a tool is.

pub mod http;
pub mod stdio;
