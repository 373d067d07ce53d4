//! Bytes to events, as they come: the stream in which servers answer over HTTP (WHATWG HTML, section 9.2.6,
//! "Interpreting an event stream").
//!
//! Pure. An event has a limit, so that nobody fills memory by never ending one. What the stream ends in the middle of
//! is no event.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

/// What may begin a stream, and is no part of it.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The name of an event that says none.
const MESSAGE: &[u8] = b"message";

/// Bytes of a name that are kept, and of an id; a longer id is none. Against a stream that has memory filled besides
/// its data.
const MAX_WORD: usize = 1024;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name, the beginning of a long one.
    pub name: Bytes,
    /// What it says: lines, joined.
    pub data: Bytes,
}

impl Event {
    /// Whether it is one that says no name, as those that carry messages of MCP are.
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.name == MESSAGE
    }
}

/// An event is longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event has more than {limit} bytes")]
pub struct TooLong {
    /// Bytes that it may have.
    pub limit: usize,
}

/// Collects bytes and hands out whole events.
#[derive(Debug)]
pub struct Events {
    limit: usize,
    buffer: BytesMut,
    /// Bytes of the buffer that hold no end of a line.
    searched: usize,
    /// Whether the stream may begin with a mark.
    at_start: bool,
    /// The line before ended in a carriage return, of which a line feed is a part.
    after_return: bool,
    name: Bytes,
    data: Data,
    last_id: Bytes,
    retry: Option<Duration>,
}

/// The lines of an event. Most have one, which is not copied.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(line) => line.len(),
            Self::Many(lines) => lines.len(),
        }
    }

    fn with(self, line: Bytes) -> Self {
        let mut lines = match self {
            Self::None => return Self::One(line),
            Self::One(first) => BytesMut::from(&*first),
            Self::Many(lines) => lines,
        };
        lines.extend_from_slice(b"\n");
        lines.extend_from_slice(&line);
        Self::Many(lines)
    }

    fn whole(self) -> Option<Bytes> {
        match self {
            Self::None => None,
            Self::One(line) => Some(line),
            Self::Many(lines) => Some(lines.freeze()),
        }
    }
}

impl Events {
    /// Events of up to `limit` bytes: those of their data, and of the line that is not yet whole.
    #[must_use]
    pub fn up_to(limit: usize) -> Self {
        Self {
            limit,
            buffer: BytesMut::new(),
            searched: 0,
            at_start: true,
            after_return: false,
            name: Bytes::new(),
            data: Data::None,
            last_id: Bytes::new(),
            retry: None,
        }
    }

    /// For the stream that goes on where this one broke: what came of an event that was not whole is forgotten.
    #[must_use]
    pub fn resumed(self) -> Self {
        Self { last_id: self.last_id, retry: self.retry, ..Self::up_to(self.limit) }
    }

    /// Takes what has come. What is held are these bytes and up to `limit` others, so [`event`](Self::event) is to be
    /// asked until it has none before more is pushed.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole event.
    ///
    /// # Errors
    /// If it is too long, whole or not; nothing sensible can follow.
    pub fn event(&mut self) -> Result<Option<Event>, TooLong> {
        while let Some(line) = self.line()? {
            if !line.is_empty() {
                self.take(&line);
                continue;
            }
            let name = std::mem::take(&mut self.name);
            if let Some(data) = std::mem::take(&mut self.data).whole() {
                let name = if name.is_empty() { Bytes::from_static(MESSAGE) } else { name };
                return Ok(Some(Event { name, data }));
            }
        }
        Ok(None)
    }

    /// The id that an event said last, by which a stream can be resumed; empty where none did.
    #[must_use]
    pub fn last_id(&self) -> &[u8] {
        &self.last_id
    }

    /// How long to wait before a stream that broke is asked for again, where it says so.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Result<Option<Bytes>, TooLong> {
        self.skip();
        let rest = self.buffer.get(self.searched..).unwrap_or_default();
        let room = self.limit.saturating_sub(self.data.len());
        let Some(found) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.buffer.len();
            return if self.searched > room { Err(self.too_long()) } else { Ok(None) };
        };
        let end = self.searched + found;
        self.searched = 0;
        if end > room {
            return Err(self.too_long());
        }
        let mut line = self.buffer.split_to(end + 1).freeze();
        self.after_return = line.last() == Some(&b'\r');
        line.truncate(end);
        Ok(Some(line))
    }

    /// Leaves out what stands before a line and is no part of it.
    fn skip(&mut self) {
        if self.at_start && !self.buffer.is_empty() {
            let could_be_mark = MARK.starts_with(&self.buffer[..self.buffer.len().min(MARK.len())]);
            match self.buffer.len() < MARK.len() {
                true if could_be_mark => return,
                false if could_be_mark => self.buffer.advance(MARK.len()),
                _ => {}
            }
            self.at_start = false;
        }
        if self.after_return && !self.buffer.is_empty() {
            self.after_return = false;
            if self.buffer[0] == b'\n' {
                self.buffer.advance(1);
                self.searched = 0;
            }
        }
    }

    fn take(&mut self, line: &Bytes) {
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = match colon {
            // A comment.
            Some(0) => return,
            None => (&line[..], Bytes::new()),
            Some(colon) => {
                let space = usize::from(line.get(colon + 1) == Some(&b' '));
                (&line[..colon], line.slice(colon + 1 + space..))
            }
        };
        match name {
            b"data" => self.data = std::mem::take(&mut self.data).with(value),
            // Copies, as a slice would keep what it was read with.
            b"event" => self.name = Bytes::copy_from_slice(&value[..value.len().min(MAX_WORD)]),
            b"id" if !value.contains(&0) && value.len() <= MAX_WORD => {
                self.last_id = Bytes::copy_from_slice(&value)
            }
            b"retry" => self.retry = milliseconds(&value).or(self.retry),
            _ => {}
        }
    }

    fn too_long(&self) -> TooLong {
        TooLong { limit: self.limit }
    }
}

fn milliseconds(value: &[u8]) -> Option<Duration> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(value).ok().filter(|_| is_number)?;
    value.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests;
