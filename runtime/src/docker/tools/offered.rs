//! The tools of the built-in server: what each is called, takes, and needs to be granted.

use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::docker::error::StartError;
use crate::offers::NoSuchTool;
use crate::policy::EngineView;
use crate::sandbox::{Description, Naming, Tool};

/// Entries of a list, and lines of a log, unless more are asked for.
pub(super) const FEW: u32 = 100;

/// At most.
pub(super) const MANY: u32 = 1000;

/// One tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    ListContainers,
    InspectContainer,
    ListImages,
    InspectImage,
    ContainerLogs,
    ContainerStats,
}

impl Look {
    pub(super) const ALL: [Self; 6] = [
        Self::ListContainers,
        Self::InspectContainer,
        Self::ListImages,
        Self::InspectImage,
        Self::ContainerLogs,
        Self::ContainerStats,
    ];

    /// What it needs to be granted.
    pub(super) fn view(self) -> EngineView {
        match self {
            Self::ListContainers | Self::InspectContainer => EngineView::Containers,
            Self::ListImages | Self::InspectImage => EngineView::Images,
            Self::ContainerLogs => EngineView::Logs,
            Self::ContainerStats => EngineView::Stats,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::ListContainers => "list_containers",
            Self::InspectContainer => "inspect_container",
            Self::ListImages => "list_images",
            Self::InspectImage => "inspect_image",
            Self::ContainerLogs => "container_logs",
            Self::ContainerStats => "container_stats",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::ListContainers => {
                "The containers of the Docker engine: id, names, image, state, ports, age"
            }
            Self::InspectContainer => {
                "How a container was made and how it is: state, limits, mounts, networks. Of its environment, names"
            }
            Self::ListImages => "The images of the Docker engine: id, tags, digests, size, age",
            Self::InspectImage => {
                "How an image was made: layers, command, user, labels. Of its environment, names"
            }
            Self::ContainerLogs => "What a container printed last, line by line",
            Self::ContainerStats => "What a container uses now: processors, memory, network, disk, processes",
        }
    }

    fn input(self) -> serde_json::Value {
        let container = json!({ "type": "string", "description": "Its name or id" });
        let limit = |of: &str| {
            let about = format!("{of} at most, {FEW} where it is not said");
            json!({ "type": "integer", "minimum": 1, "maximum": MANY, "description": about })
        };
        let (properties, required) = match self {
            Self::ListContainers => (
                json!({
                    "all": { "type": "boolean", "description": "Also those that do not run" },
                    "limit": limit("Containers"),
                }),
                json!([]),
            ),
            Self::ListImages => (json!({ "limit": limit("Images") }), json!([])),
            Self::InspectImage => (
                json!({ "image": { "type": "string", "description": "Its reference or id" } }),
                json!(["image"]),
            ),
            Self::ContainerLogs => (
                json!({
                    "container": container,
                    "tail": limit("Lines, from the end,"),
                    "sinceSeconds": { "type": "integer", "minimum": 1, "description": "Only what is no older" },
                    "timestamps": { "type": "boolean", "description": "With the time of each line" },
                }),
                json!(["container"]),
            ),
            Self::InspectContainer | Self::ContainerStats => {
                (json!({ "container": container }), json!(["container"]))
            }
        };
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if required != json!([]) {
            schema["required"] = required;
        }
        schema
    }

    fn tool(self, naming: &Naming) -> Tool {
        let name = self.name();
        Tool {
            name: naming.rename.get(name).cloned().unwrap_or_else(|| name.to_owned()),
            function: name.to_owned(),
            description: Some(self.about().to_owned()),
            input_schema: raw(&self.input()),
            output_schema: Some(raw(&json!({ "type": "object" }))),
            published: None,
        }
    }
}

fn raw(value: &serde_json::Value) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The tools that are offered, in one order.
pub(super) fn describe(looks: Vec<Look>, naming: &Naming) -> Result<(Vec<Look>, Description), StartError> {
    let none = |function: &&String| !looks.iter().any(|look| look.name() == function.as_str());
    if let Some(function) = naming.rename.keys().find(none) {
        return Err(NoSuchTool { function: function.clone() }.into());
    }
    let all: Vec<(Look, Tool)> = looks.iter().map(|look| (*look, look.tool(naming))).collect();
    let skipped = naming.absent(all.iter().map(|(_, tool)| tool.name.as_str()));
    let (looks, tools) = all.into_iter().filter(|(_, tool)| naming.offers(&tool.name)).unzip();
    Ok((looks, Description { tools, skipped, ..Description::default() }))
}
