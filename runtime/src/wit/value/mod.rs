//! JSON to component values and back, exactly as the published schemas say.

mod parse;
mod render;

pub use parse::{ArgumentError, parse_arguments};
pub use render::{RenderError, Rendered, render};
