//! Servers that are container images, run by whatever speaks the Docker Engine API.
//!
//! `server` the sandbox
//! `pool` its containers · `trouble` when one may be started again · `instance` one that answers
//! `blueprint` what they have in common · `spec` policy to container, pure, and `facts` in words · `owner` labels · `reap` what is left
//! `outlet` their only way out, on a `network` that has none · `leftover` what was made for them
//! `libpod` what podman alone understands
//! `container` one that runs · `output` what it prints · `image` found or pulled · `engine` the connection ·
//! `tools` the built-in server that looks at one · `address` where one answers · `error` what goes wrong

mod address;
mod blueprint;
mod container;
mod engine;
mod error;
mod facts;
mod image;
mod instance;
mod leftover;
mod libpod;
mod network;
mod outlet;
mod output;
mod owner;
mod pool;
mod reap;
mod server;
mod spec;
mod tools;
mod trouble;

pub use address::{Address, AddressError};
pub use engine::{About, DockerEngine};
pub use error::{DockerError, StartError};
pub use facts::Fact;
pub use image::{Image, Pulled};
pub use owner::Owner;
pub use pool::Lifetime;
pub use reap::{Identity, clear, reap};
pub use server::{DockerOptions, DockerServer, Surroundings};
pub use spec::{USER, Wanted};
pub use tools::EngineTools;
