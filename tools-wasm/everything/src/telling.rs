//! Tools that tell how far they are, and what they do.

use std::thread::sleep;
use std::time::Duration;

use toolgate_tool::{Answer, Call, Failure, Level, Server, Tool, json};

use crate::Nothing;

/// Long enough for a client to see that what is told comes one after the other.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn tools(server: Server) -> Server {
    server
        .tool(Tool::new("test_tool_with_logging", "Logs what it does."), logging)
        .tool(Tool::new("test_logging_tool", "Logs what it does."), logging)
        .tool(Tool::new("test_tool_with_progress", "Tells how far it is."), |_: Nothing, call: &Call| {
            for progress in [0.0, 50.0] {
                call.progress(progress, Some(100.0), None);
                sleep(PAUSE);
            }
            call.progress(100.0, Some(100.0), Some("done"));
            Ok("Told how far it was.".into())
        })
}

fn logging(_: Nothing, call: &Call) -> Result<Answer, Failure> {
    call.log(Level::Info, &json!("Tool execution started"));
    sleep(PAUSE);
    call.log(Level::Info, &json!("Tool processing data"));
    sleep(PAUSE);
    call.log(Level::Info, &json!("Tool execution completed"));
    Ok("Logged what it did.".into())
}
