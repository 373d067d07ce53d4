//! Secrets: values that are used on behalf of a guest, or handed to it, and never shown.
//!
//! A [`Secret`] has no text form that a log line, an error or a serializer could take by accident,
//! and is wiped from memory when its last owner lets go. A [`SecretSource`] says where one comes
//! from; a file is read again at each use, so that a rotated secret is in force at once. A [`Mask`]
//! hides secrets in bytes that come back from elsewhere, a `Shield` in what is told of a call. Nothing here knows whom a secret is for.

mod mask;
mod shield;
mod source;
mod value;

pub use self::mask::Mask;
pub(crate) use self::shield::Shield;
pub use self::source::SecretSource;
pub use self::value::{MAX_SECRET, MIN_HEADER_SECRET, Secret, SecretError};
