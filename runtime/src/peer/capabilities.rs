//! What a client can be asked for, as far as questions of servers depend on it (spec: `ClientCapabilities`).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

const ELICITATION_FORM: u8 = 1;
const ELICITATION_URL: u8 = 1 << 1;
const SAMPLING: u8 = 1 << 2;
const SAMPLING_TOOLS: u8 = 1 << 3;
const SAMPLING_CONTEXT: u8 = 1 << 4;
const ROOTS: u8 = 1 << 5;
const TASKS: u8 = 1 << 6;

/// A set of capabilities. The default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCapabilities(u8);

#[derive(Default, Deserialize)]
struct Declared {
    #[serde(default)]
    elicitation: Option<Elicitation>,
    #[serde(default)]
    sampling: Option<Sampling>,
    #[serde(default)]
    roots: Option<IgnoredAny>,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
struct Extensions {
    #[serde(default, rename = "io.modelcontextprotocol/tasks")]
    tasks: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Elicitation {
    #[serde(default)]
    form: Option<IgnoredAny>,
    #[serde(default)]
    url: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Sampling {
    #[serde(default)]
    tools: Option<IgnoredAny>,
    #[serde(default)]
    context: Option<IgnoredAny>,
}

impl ClientCapabilities {
    /// Those that a client declares, a JSON object. What is not as it should be is not there.
    #[must_use]
    pub fn of(declared: &RawValue) -> Self {
        let declared: Declared = serde_json::from_str(declared.get()).unwrap_or_default();
        let mut bits = 0;
        let mut add = |is_there: bool, bit: u8| bits |= if is_there { bit } else { 0 };
        if let Some(Elicitation { form, url }) = declared.elicitation {
            // Forms were all that there was, and are what is meant where nothing is said.
            add(form.is_some() || url.is_none(), ELICITATION_FORM);
            add(url.is_some(), ELICITATION_URL);
        }
        if let Some(Sampling { tools, context }) = declared.sampling {
            add(true, SAMPLING);
            add(tools.is_some(), SAMPLING_TOOLS);
            add(context.is_some(), SAMPLING_CONTEXT);
        }
        add(declared.roots.is_some(), ROOTS);
        add(declared.extensions.tasks.is_some(), TASKS);
        Self(bits)
    }

    /// To be told of a task in place of a result (extension `io.modelcontextprotocol/tasks`).
    #[must_use]
    pub fn tasks() -> Self {
        Self(TASKS)
    }

    /// What a question needs; `None` for one that no client can be asked.
    #[must_use]
    pub fn needed(method: &str, params: Option<&RawValue>) -> Option<Self> {
        #[derive(Default, Deserialize)]
        struct Wanted {
            #[serde(default)]
            mode: Option<String>,
            #[serde(default)]
            tools: Option<IgnoredAny>,
        }
        let Wanted { mode, tools } =
            params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
        Some(Self(match method {
            "elicitation/create" if mode.as_deref() == Some("url") => ELICITATION_URL,
            "elicitation/create" => ELICITATION_FORM,
            "sampling/createMessage" if tools.is_some() => SAMPLING | SAMPLING_TOOLS,
            "sampling/createMessage" => SAMPLING,
            "roots/list" => ROOTS,
            _ => return None,
        }))
    }

    /// These and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of these that are not among others.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of which a server may hear.
    #[must_use]
    pub fn for_servers(self) -> Self {
        self.without(Self::tasks())
    }

    /// As a byte, for [`from_bits`](Self::from_bits).
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Those of a byte.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// As a client would declare them: JSON text.
    #[must_use]
    pub fn json(self) -> String {
        let has = |bit: u8| self.0 & bit != 0;
        let object = |members: &[(&str, bool)]| {
            let there = members.iter().filter(|(_, is_there)| *is_there);
            let members: Vec<_> = there.map(|(name, _)| format!("\"{name}\":{{}}")).collect();
            format!("{{{}}}", members.join(","))
        };
        let mut members = Vec::new();
        if has(ELICITATION_FORM) || has(ELICITATION_URL) {
            let modes = [("form", has(ELICITATION_FORM)), ("url", has(ELICITATION_URL))];
            members.push(format!("\"elicitation\":{}", object(&modes)));
        }
        if has(SAMPLING) || has(SAMPLING_TOOLS) {
            let more = [("tools", has(SAMPLING_TOOLS)), ("context", has(SAMPLING_CONTEXT))];
            members.push(format!("\"sampling\":{}", object(&more)));
        }
        if has(ROOTS) {
            members.push("\"roots\":{}".to_owned());
        }
        if has(TASKS) {
            members.push(r#""extensions":{"io.modelcontextprotocol/tasks":{}}"#.to_owned());
        }
        format!("{{{}}}", members.join(","))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn of(json: &str) -> ClientCapabilities {
        ClientCapabilities::of(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn what_is_declared_is_known_and_nothing_else() {
        assert_eq!(of(r#"{"elicitation":{}}"#).json(), r#"{"elicitation":{"form":{}}}"#);
        assert_eq!(of(r#"{"elicitation":{"url":{}}}"#).json(), r#"{"elicitation":{"url":{}}}"#);
        let all = r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{},"context":{}},"roots":{}}"#;
        assert_eq!(of(all).json(), all);
        assert_eq!(ClientCapabilities::from_bits(of(all).bits()), of(all));
        for none in ["{}", "7", "null", r#"{"elicitation":null}"#, r#"{"x":{}}"#, r#"{"sampling":7}"#] {
            assert!(of(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_question_needs_what_it_asks() {
        let needed = |method: &str, params: &str| {
            let params = RawValue::from_string(params.to_owned()).unwrap();
            ClientCapabilities::needed(method, Some(&params)).map(ClientCapabilities::json)
        };
        assert_eq!(needed("elicitation/create", "{}").unwrap(), r#"{"elicitation":{"form":{}}}"#);
        assert_eq!(
            needed("elicitation/create", r#"{"mode":"url"}"#).unwrap(),
            r#"{"elicitation":{"url":{}}}"#
        );
        let tools = r#"{"tools":[]}"#;
        assert_eq!(needed("sampling/createMessage", tools).unwrap(), r#"{"sampling":{"tools":{}}}"#);
        assert_eq!(needed("roots/list", "7").unwrap(), r#"{"roots":{}}"#);
        assert_eq!(needed("ping", "{}"), None);
    }
}
