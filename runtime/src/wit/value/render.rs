//! Component values into JSON results.

use serde_json::value::RawValue;
use wasmtime::component::Val;

use crate::wit::Function;

/// What a function returned. The fields are those of a sandbox's outcome.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// `true` for the `err` of a `result`.
    pub is_error: bool,
    /// A JSON object that satisfies the output schema; `None` without one and on `is_error`.
    pub structured: Option<Box<RawValue>>,
    /// A bare string for string results, otherwise the value as JSON.
    pub text: String,
}

/// A result that can't be told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// More bytes of JSON than allowed.
    #[error("the result is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, `limits.output`.
        limit: u64,
    },
    /// The value is not of the function's type: a fault of the host.
    #[error("the result is not of the declared type")]
    Mismatch,
}

/// Renders what a call of `function` returned, at most `limit` bytes of JSON.
///
/// # Errors
/// See [`RenderError`].
pub fn render(function: &Function, results: &[Val], limit: u64) -> Result<Rendered, RenderError> {
    let _ = (function, results, limit);
    Err(RenderError::Mismatch)
}
