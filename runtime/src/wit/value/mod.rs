//! JSON to component values and back, exactly as the published schemas say.

mod cases;
mod expect;
mod items;
mod number;
mod parse;
mod path;
mod render;
mod visit;

pub(super) use expect::absent_cost;
pub use parse::{ArgumentError, MAX_ARGUMENT_MEMORY, parse_arguments};
pub use render::{RenderError, Rendered, render};
