//! The greeting of tests/guests/hello as a program, for an image that `docker run` starts. Built by
//! `cargo xtask bench` with rustc alone, since no other crate may cost anything.

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    println!("Hello, {name}! Your name has {} letters.", name.chars().count());
}
