//! What the tests of this module share: the smallest wasm of each kind.

use bytes::Bytes;

/// An empty core module.
pub(super) const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// The smallest component that differs by `name`: it exports an empty instance so called.
pub(super) fn component(name: &str) -> Bytes {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    // Instance section: one instance made of no exports.
    bytes.extend([5, 3, 1, 1, 0]);
    // Export section: instance 0 under `name`, without a type ascription.
    let mut export = vec![1, 0, u8::try_from(name.len()).unwrap_or(0)];
    export.extend(name.as_bytes());
    export.extend([5, 0, 0]);
    bytes.push(11);
    bytes.push(u8::try_from(export.len()).unwrap_or(0));
    bytes.extend(export);
    bytes.into()
}
