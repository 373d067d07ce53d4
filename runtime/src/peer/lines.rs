//! Bytes to lines, as they come. A line has a limit, so that nobody fills memory by never ending one.

use bytes::{Bytes, BytesMut};

/// Collects bytes and hands out whole lines.
#[derive(Debug)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// Bytes of the buffer that hold no end of a line.
    searched: usize,
    limit: usize,
}

/// A line is longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Lines {
    /// Lines of up to `limit` bytes.
    pub(super) fn up_to(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, limit }
    }

    /// Takes what has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line, without its end.
    ///
    /// # Errors
    /// If it is too long, whole or not; nothing sensible can follow.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        let found = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n');
        let Some(found) = found else {
            self.searched = self.buffer.len();
            return if self.searched > self.limit { Err(TooLong) } else { Ok(None) };
        };
        let end = self.searched + found;
        self.searched = 0;
        if end > self.limit {
            return Err(TooLong);
        }
        let mut line = self.buffer.split_to(end + 1).freeze();
        line.truncate(end);
        if line.last() == Some(&b'\r') {
            line.truncate(end - 1);
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, TooLong};

    fn all(lines: &mut Lines) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| lines.next().ok().flatten().map(|line| line.to_vec())).collect()
    }

    #[test]
    fn lines_are_whole_however_their_bytes_come() {
        let text = b"one\n\ntwo\r\nthree";
        for step in 1..=text.len() {
            let mut lines = Lines::up_to(5);
            let mut found = Vec::new();
            for bytes in text.chunks(step) {
                lines.push(bytes);
                found.extend(all(&mut lines));
            }
            assert_eq!(found, [b"one".to_vec(), b"".to_vec(), b"two".to_vec()], "{step}");
        }
    }

    #[test]
    fn a_line_without_end_is_told_before_it_fills_memory() {
        let mut lines = Lines::up_to(4);
        lines.push(b"1234");
        assert_eq!(lines.next(), Ok(None));
        lines.push(b"5");
        assert_eq!(lines.next(), Err(TooLong));
        let mut lines = Lines::up_to(4);
        lines.push(b"12345\n");
        assert_eq!(lines.next(), Err(TooLong));
    }
}
