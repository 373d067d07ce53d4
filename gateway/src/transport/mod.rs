//! Bytes in, bytes out: Streamable HTTP and stdio. Each caps what it reads and what it holds, and
//! neither knows what a tool is.

mod budget;
pub mod http;
pub mod stdio;
