//! The cursor of a paginated list: opaque to clients, checked when it comes back.
//!
//! It names a list by a fingerprint of its content, so a cursor from before a reload is refused
//! instead of skipping tools, and every replica with the same config takes it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The layout's version; a cursor of another is refused.
const VERSION: u8 = 1;
const LENGTH: usize = 1 + 8 + 4;
/// Encoded length; longer input is not even decoded.
const ENCODED: usize = LENGTH.div_ceil(3) * 4;

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) fingerprint: [u8; 8],
    pub(super) page: u32,
}

impl Cursor {
    pub(super) fn encode(self) -> String {
        let mut bytes = [VERSION; LENGTH];
        bytes[1..9].copy_from_slice(&self.fingerprint);
        bytes[9..].copy_from_slice(&self.page.to_le_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(super) fn decode(text: &str) -> Option<Self> {
        if text.len() > ENCODED {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (fingerprint, page) = rest.split_at_checked(8)?;
        (*version == VERSION).then_some(())?;
        Some(Self {
            fingerprint: fingerprint.try_into().ok()?,
            page: u32::from_le_bytes(page.try_into().ok()?),
        })
    }
}
