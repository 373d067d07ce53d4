//! Which tools are for calls that go on while nobody waits, as they say themselves or their override does: by
//! `execution.taskSupport`, `optional` or `required`, in what is published of them.

use serde::Deserialize;
use serde_json::value::RawValue;
use toolgate_runtime::sandbox::Tool;

/// What a tool says of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSupport {
    /// A call can't be anything else.
    pub is_required: bool,
    /// It asks its client first, while that waits, and goes on as a task with the answers:
    /// `"toolgate/task": "answered"` in its metadata.
    pub asks_first: bool,
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    execution: Execution<'a>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Meta<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Execution<'a> {
    #[serde(borrow)]
    task_support: &'a RawValue,
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "toolgate/task")]
    task: Option<&'a RawValue>,
}

impl TaskSupport {
    /// That of a tool; `None` where its calls are no tasks.
    pub(super) fn of(tool: &Tool) -> Option<Self> {
        let published = tool.published.as_ref()?.json.get();
        // Most say nothing of it, and need not be read for that.
        if !published.contains("taskSupport") {
            return None;
        }
        let Read { execution, meta } = serde_json::from_str(published).ok()?;
        let is_required = match execution.task_support.get() {
            r#""required""# => true,
            r#""optional""# => false,
            _ => return None,
        };
        Some(Self { is_required, asks_first: meta.task.is_some_and(|task| task.get() == r#""answered""#) })
    }
}
