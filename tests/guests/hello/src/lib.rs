//! A component as small as a useful Rust component gets (formatting, allocation, the standard
//! library's start-up): what the benchmarks call, so that they measure the sandbox and not the tool.

wit_bindgen::generate!({ world: "hello" });

struct Component;

export!(Component);

impl Guest for Component {
    fn greet(name: String) -> String {
        format!("Hello, {name}! Your name has {} letters.", name.chars().count())
    }
}
