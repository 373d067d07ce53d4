//! Servers that are container images, on a real engine: that a caller can't tell them from components,
//! that nothing of them is left behind, and what comes of images and engines that misbehave.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asking;
mod boxed;
mod changes;
mod contract;
mod engines;
mod hardened;
mod images;
mod imported;
mod leftovers;
mod lifetimes;
mod misbehaving;
mod offered;
mod passed_on;
mod podman;
mod servers;
mod support;
mod told;
mod tools;
mod ways_out;
