//! Hides secrets in a stream of bytes: each occurrence becomes as many asterisks.
//!
//! For what a server sends back after it was sent a secret. The reader of the stream may be a
//! hostile guest that chooses parts of it, so neither *when* bytes come out nor how long the search
//! takes may tell how much of a secret a text has in common with it: as many bytes are held back
//! whatever they are, and the search is a rolling hash, whose work is the same for every byte. The
//! bytes themselves are compared only where the hash is that of the whole secret.

use bytes::Bytes;

use super::Secret;

/// Hides some secrets in one stream.
pub struct Mask {
    patterns: Vec<Pattern>,
    /// Bytes that came and were not given out.
    held: Vec<u8>,
    /// The same bytes with what was found hidden.
    shown: Vec<u8>,
    /// Bytes to hold back: one less than the longest secret, which could still be completed.
    keep: usize,
}

/// One secret, and the hash of the last bytes of the stream: one fewer than the secret has.
struct Pattern {
    secret: Secret,
    hash: u64,
    /// [`BASE`] to the power of the secret's length less one: the weight of the oldest byte.
    weight: u64,
    rolling: u64,
    filled: usize,
}

/// Base of the polynomial hash modulo 2^64; odd, so that no byte is ever shifted out.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// What secrets are replaced by.
const ASTERISK: u8 = b'*';

impl Mask {
    /// A mask for these secrets; `None` where there is nothing to hide. Empty ones are left out.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Option<Self> {
        let secrets = secrets.into_iter().filter(|secret| !secret.expose().is_empty());
        let patterns: Vec<Pattern> = secrets.map(Pattern::new).collect();
        let longest = patterns.iter().map(Pattern::len).max()?;
        Some(Self { patterns, held: Vec::new(), shown: Vec::new(), keep: longest - 1 })
    }

    /// Takes the next bytes of the stream, and gives those that no secret can reach into any more.
    pub fn feed(&mut self, bytes: &[u8]) -> Bytes {
        let from = self.held.len();
        self.held.extend_from_slice(bytes);
        self.shown.extend_from_slice(bytes);
        for pattern in &mut self.patterns {
            pattern.scan(&self.held, from, &mut self.shown);
        }
        let ready = self.held.len().saturating_sub(self.keep);
        let out = Bytes::copy_from_slice(&self.shown[..ready]);
        self.held.drain(..ready);
        self.shown.drain(..ready);
        out
    }

    /// The end of the stream: gives what was held back, and is ready for another.
    pub fn finish(&mut self) -> Bytes {
        for pattern in &mut self.patterns {
            (pattern.rolling, pattern.filled) = (0, 0);
        }
        self.held.clear();
        Bytes::from(std::mem::take(&mut self.shown))
    }

    /// Bytes that are held back.
    pub fn held(&self) -> u64 {
        self.held.len() as u64
    }

    /// Hides the secrets in a text that is there as a whole.
    pub fn whole(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut masked = self.feed(bytes).to_vec();
        masked.extend_from_slice(&self.finish());
        masked
    }
}

impl Pattern {
    fn new(secret: Secret) -> Self {
        let bytes = secret.expose().as_bytes();
        let hash = bytes.iter().fold(0, |hash, byte| roll(hash, *byte));
        let weight = (1..bytes.len()).fold(1u64, |weight, _| weight.wrapping_mul(BASE));
        Self { hash, weight, secret, rolling: 0, filled: 0 }
    }

    fn len(&self) -> usize {
        self.secret.expose().len()
    }

    /// Looks at the bytes from `from` on, and hides what it finds.
    fn scan(&mut self, held: &[u8], from: usize, shown: &mut [u8]) {
        let length = self.len();
        for (at, byte) in held.iter().enumerate().skip(from) {
            self.rolling = roll(self.rolling, *byte);
            self.filled += 1;
            if self.filled < length {
                continue;
            }
            let start = at + 1 - length;
            if self.rolling == self.hash && &held[start..=at] == self.secret.expose().as_bytes() {
                shown[start..=at].fill(ASTERISK);
            }
            self.rolling = self.rolling.wrapping_sub(term(held[start]).wrapping_mul(self.weight));
            self.filled -= 1;
        }
    }
}

fn roll(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(term(byte))
}

/// Not zero for any byte, so that leading NULs count.
fn term(byte: u8) -> u64 {
    u64::from(byte) + 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a mask for a secret exists")]
    use proptest::prelude::*;

    use super::*;

    fn mask(secrets: &[&str]) -> Mask {
        Mask::new(secrets.iter().map(|text| Secret::from((*text).to_owned()))).unwrap()
    }

    fn through(secrets: &[&str], pieces: &[&[u8]]) -> String {
        let mut mask = mask(secrets);
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&mask.feed(piece));
        }
        out.extend_from_slice(&mask.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_is_cut() {
        let text = b"authorization: Bearer hunter2-hunter2!";
        for cut in 0..=text.len() {
            let (front, back) = text.split_at(cut);
            assert_eq!(
                through(&["hunter2-hunter2"], &[front, back]),
                "authorization: Bearer ***************!"
            );
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(through(&["hunter2-hunter2"], &single), "authorization: Bearer ***************!");
    }

    #[test]
    fn occurrences_that_overlap_are_hidden_all() {
        assert_eq!(through(&["abab"], &[b"xababab", b"aby"]), "x********y");
        assert_eq!(through(&["abcd", "cdef"], &[b"abcdef"]), "******");
        assert_eq!(through(&["a"], &[b"banana"]), "b*n*n*");
    }

    #[test]
    fn what_is_held_back_does_not_depend_on_what_it_is() {
        for text in ["hunter2-hunter", "xxxxxxxxxxxxxx", "hunter2-xxxxxx", "xxxxxxxxhunter"] {
            let mut mask = mask(&["hunter2-hunter2"]);
            let out = mask.feed(format!("{text}{text}").as_bytes());
            assert_eq!(out.len(), 14, "{text}");
            assert_eq!(mask.held(), 14, "{text}");
        }
    }

    #[test]
    fn a_mask_begins_anew_after_the_end() {
        let mut mask = mask(&["secret-one"]);
        assert_eq!(mask.whole(b"secret-"), b"secret-");
        assert_eq!(mask.whole(b"one secret-one"), b"one **********");
        assert!(Mask::new([]).is_none() && Mask::new([Secret::from(String::new())]).is_none());
    }

    /// The same by brute force.
    fn expected(secrets: &[String], text: &[u8]) -> Vec<u8> {
        let mut out = text.to_vec();
        for secret in secrets.iter().map(String::as_bytes) {
            for at in 0..text.len() {
                if text[at..].starts_with(secret) {
                    out[at..at + secret.len()].fill(b'*');
                }
            }
        }
        out
    }

    proptest! {
        #[test]
        fn any_stream_comes_out_as_if_searched_whole(
            secrets in prop::collection::vec("[ab]{1,6}", 1..3),
            pieces in prop::collection::vec(prop::collection::vec(b'a'..=b'c', 0..9), 0..9),
        ) {
            let mut mask = Mask::new(secrets.iter().cloned().map(Secret::from)).unwrap();
            let mut out = Vec::new();
            for piece in &pieces {
                out.extend_from_slice(&mask.feed(piece));
            }
            out.extend_from_slice(&mask.finish());
            prop_assert_eq!(out, expected(&secrets, &pieces.concat()));
        }
    }
}
