//! The types of `toolgate:tool/types@1.0.0`.

use wasmtime::component::{ComponentType, Lift, Lower};

/// `request`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Request<'a> {
    pub(super) arguments: &'a str,
    pub(super) meta: &'a str,
    pub(super) capabilities: &'a str,
    pub(super) responses: Option<&'a str>,
    pub(super) state: Option<&'a [u8]>,
}

/// `questions`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Questions {
    pub(super) requests: String,
    pub(super) state: Option<Vec<u8>>,
}

/// `answer`.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Answer {
    #[component(name = "complete")]
    Complete(String),
    #[component(name = "input-required")]
    InputRequired(Questions),
}

/// `failure`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Failure {
    pub(super) code: i32,
    pub(super) message: String,
    pub(super) data: Option<String>,
}
