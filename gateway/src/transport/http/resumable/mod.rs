//! Streams of events that outlast their connections, in revisions with sessions (streamable HTTP, "Resumability and
//! Redelivery").
//!
//! A call whose answer is a stream runs in a task of its own, `running`, and writes its events to a `log`. A
//! connection is a `reading` of that log. One that breaks leaves stream and call behind; its client comes back with
//! the `id` of the last event that it has, and reads on. Who does not come back in time gives up its call. The
//! `store` knows all streams, in a `table` that bounds what is kept for those who are away.
//!
//! Of the stream that belongs to a session and to no call nothing is kept but who reads it, in `listeners`.

mod id;
mod kept;
mod listeners;
mod log;
mod reading;
mod running;
mod store;
mod table;

pub(super) use id::EventId;
pub(super) use kept::Owner;
pub(super) use listeners::{Listener, Listeners};
pub(super) use reading::Reading;
pub(super) use running::Running;
pub(super) use store::Store;
