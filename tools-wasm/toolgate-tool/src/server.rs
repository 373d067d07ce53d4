//! What a server offers, and what it does when it is asked.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Failure};
use crate::call::Call;

/// A member of an entry, and what makes the schema in it.
type Published = (&'static str, fn() -> Schema);
type Handler = Box<dyn Fn(Value, &Call) -> Result<Answer, Failure>>;
type Completer = Box<dyn Fn(&str, &str, &str) -> Option<Vec<String>>>;

/// A server. It is made anew for every request, so that what it offers may depend on what is there at run time.
#[derive(Default)]
pub struct Server {
    pub(crate) tools: Vec<Offer>,
    pub(crate) prompts: Vec<Offer>,
    pub(crate) resources: Vec<Offer>,
    pub(crate) templates: Vec<Offer>,
    pub(crate) completer: Option<Completer>,
}

/// Something that is offered, and what is done when it is asked for.
pub(crate) struct Offer {
    pub(crate) key: String,
    listed: Listed,
    pub(crate) handler: Handler,
}

struct Listed {
    members: Map<String, Value>,
    /// Schemas take long to write, so they are where they are asked for.
    schemas: Vec<Published>,
}

impl Offer {
    /// The entry of a list.
    pub(crate) fn json(&self) -> Value {
        let mut object = self.listed.members.clone();
        for (member, schema) in &self.listed.schemas {
            if !object.contains_key(*member) {
                object.insert((*member).to_owned(), schema().to_value());
            }
        }
        Value::Object(object)
    }
}

/// In place where it stands, without references: not every client follows those.
fn schema<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>()
}

macro_rules! described {
    ($(#[$doc:meta])* $name:ident, $key:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            key: String,
            members: Map<String, Value>,
            schemas: Vec<Published>,
        }

        impl $name {
            fn described(key: &str, description: &str) -> Self {
                let mut members = Map::new();
                members.insert($key.to_owned(), key.into());
                members.insert("description".to_owned(), description.into());
                Self { key: key.to_owned(), members, schemas: Vec::new() }
            }

            /// The same with one more member of its list's entry: `title`, `annotations`, `icons`, `_meta`.
            #[must_use]
            pub fn with(mut self, member: &str, value: Value) -> Self {
                self.members.insert(member.to_owned(), value);
                self
            }

            fn offer(self, handler: Handler) -> Offer {
                let Self { key, members, schemas } = self;
                Offer { key, listed: Listed { members, schemas }, handler }
            }
        }
    };
}

described! {
    /// A tool.
    Tool, "name"
}

described! {
    /// A prompt.
    Prompt, "name"
}

described! {
    /// A resource without arguments.
    Resource, "uri"
}

described! {
    /// A template of resources, whose URI has `{name}` where any text without a slash may stand (RFC 6570, level 1).
    Template, "uriTemplate"
}

impl Tool {
    /// A tool of that name.
    pub fn new(name: &str, description: &str) -> Self {
        Self::described(name, description)
    }

    /// Publishes the schema of what [`Reply::structured`](crate::Reply::structured) gives.
    #[must_use]
    pub fn output<T: JsonSchema>(mut self) -> Self {
        self.schemas.push(("outputSchema", schema::<T>));
        self
    }
}

impl Prompt {
    /// A prompt of that name.
    pub fn new(name: &str, description: &str) -> Self {
        Self::described(name, description)
    }

    /// The same with one more argument.
    #[must_use]
    pub fn argument(mut self, name: &str, description: &str, is_required: bool) -> Self {
        let argument = json!({ "name": name, "description": description, "required": is_required });
        let arguments = self.members.entry("arguments").or_insert_with(|| json!([]));
        arguments.as_array_mut().into_iter().for_each(|arguments| arguments.push(argument.clone()));
        self
    }
}

impl Resource {
    /// A resource at that URI.
    pub fn new(uri: &str, name: &str, description: &str) -> Self {
        Self::described(uri, description).with("name", name.into())
    }
}

impl Template {
    /// A template.
    pub fn new(uri_template: &str, name: &str, description: &str) -> Self {
        Self::described(uri_template, description).with("name", name.into())
    }
}

impl Server {
    /// One that offers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a tool, whose arguments are checked, and published, as those of its function.
    #[must_use]
    pub fn tool<A, F>(mut self, tool: Tool, run: F) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        F: Fn(A, &Call) -> Result<Answer, Failure> + 'static,
    {
        let mut tool = tool;
        tool.schemas.push(("inputSchema", schema::<A>));
        let run = move |arguments, call: &Call| match serde_json::from_value(arguments) {
            Ok(arguments) => run(arguments, call),
            // A model reads this, and tries again.
            Err(error) => Ok(crate::Reply::error(format!("invalid arguments: {error}")).into()),
        };
        self.tools.push(tool.offer(Box::new(run)));
        self
    }

    /// Offers a prompt.
    #[must_use]
    pub fn prompt<A, F>(mut self, prompt: Prompt, write: F) -> Self
    where
        A: DeserializeOwned,
        F: Fn(A, &Call) -> Result<Answer, Failure> + 'static,
    {
        let write = move |arguments, call: &Call| {
            let arguments = serde_json::from_value(arguments)
                .map_err(|error| Failure::invalid(format!("invalid arguments: {error}")))?;
            write(arguments, call)
        };
        self.prompts.push(prompt.offer(Box::new(write)));
        self
    }

    /// Offers a resource.
    #[must_use]
    pub fn resource(
        mut self,
        resource: Resource,
        read: impl Fn(&Call) -> Result<Answer, Failure> + 'static,
    ) -> Self {
        self.resources.push(resource.offer(Box::new(move |_, call| read(call))));
        self
    }

    /// Offers resources of a template. What stands for its names is what `read` gets, an object of strings.
    #[must_use]
    pub fn template(
        mut self,
        template: Template,
        read: impl Fn(&str, &Map<String, Value>, &Call) -> Result<Answer, Failure> + 'static,
    ) -> Self {
        let read = move |arguments: Value, call: &Call| {
            let uri = arguments["uri"].as_str().unwrap_or_default();
            let none = Map::new();
            read(uri, arguments["names"].as_object().unwrap_or(&none), call)
        };
        self.templates.push(template.offer(Box::new(read)));
        self
    }

    /// Completes arguments: `complete` gets the prompt's name or the template, the argument's name, and what is
    /// there of it; `None` where it knows of none such.
    #[must_use]
    pub fn completions(
        mut self,
        complete: impl Fn(&str, &str, &str) -> Option<Vec<String>> + 'static,
    ) -> Self {
        self.completer = Some(Box::new(complete));
        self
    }
}

/// What stands for the names of a template in a URI; `None` where it is not one of it.
pub(crate) fn matched(template: &str, uri: &str) -> Option<Map<String, Value>> {
    let mut names = Map::new();
    let (mut template, mut uri) = (template, uri);
    while let Some((before, rest)) = template.split_once('{') {
        let (name, after) = rest.split_once('}')?;
        uri = uri.strip_prefix(before)?;
        let end = match after.chars().next() {
            None => uri.len(),
            Some(next) => uri.find(next)?,
        };
        let value = &uri[..end];
        if value.is_empty() || value.contains('/') {
            return None;
        }
        names.insert(name.to_owned(), value.into());
        (template, uri) = (after, &uri[end..]);
    }
    (template == uri).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_takes_what_stands_for_its_names() {
        let of = |template, uri| matched(template, uri).map(Value::Object);
        assert_eq!(of("test://{id}/data", "test://7/data"), Some(json!({ "id": "7" })));
        assert_eq!(of("a:{b}", "a:c"), Some(json!({ "b": "c" })));
        assert_eq!(of("a:b", "a:b"), Some(json!({})));
        for (template, uri) in [
            ("test://{id}/data", "test:///data"),
            ("test://{id}/data", "test://7/8/data"),
            ("test://{id}/data", "test://7/data/"),
            ("a:{b}", "a:"),
            ("a:b", "a:c"),
        ] {
            assert_eq!(of(template, uri), None, "{template} {uri}");
        }
    }

    #[test]
    fn an_entry_has_what_is_said_of_it_and_its_schemas() {
        #[derive(serde::Deserialize, JsonSchema)]
        #[allow(dead_code, reason = "its schema is all that is wanted")]
        struct Arguments {
            /// How many
            count: u32,
        }
        let tool = Tool::new("a", "Does it.").with("title", "A".into());
        let server = Server::new().tool(tool, |_: Arguments, _| Ok("".into()));
        let entry = server.tools[0].json();
        assert_eq!((&entry["name"], &entry["title"]), (&json!("a"), &json!("A")));
        assert_eq!(entry["inputSchema"]["properties"]["count"]["description"], "How many");
        let own = Tool::new("b", "").with("inputSchema", json!({ "type": "object" }));
        let server = Server::new().tool(own, |_: Value, _| Ok("".into()));
        assert_eq!(server.tools[0].json()["inputSchema"], json!({ "type": "object" }));
    }
}
