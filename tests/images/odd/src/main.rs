//! An MCP server over stdio that does what a server must not, on request.
//!
//! What it does from its start on is its first argument, see `begin`; what it does in a call is the
//! tool, see `tools`. Where a tool is called as one of the guest `misbehave`, it does the same.

mod asks;
mod attempts;
mod begin;
mod tools;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match begin::ending(&arguments) {
        Some(code) => code,
        None => wire::serve(&begin::manners(&arguments)),
    }
}
