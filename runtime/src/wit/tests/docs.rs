//! Doc comments: from WIT into a component, out of it again, into schemas.

use super::discovery::{clock, tools};
use crate::wit::docs::{comment, inject_text};
use crate::wit::{Function, schema};

const WIT: &str = "
    package acme:clock@1.0.0;
    interface clock {
        /// A point in time.
        record instant {
            /// Since 1970.
            seconds: u64,
            zone: option<string>,
        }
        /// How finely.
        enum unit { 
            /// The base.
            second,
            day,
        }
        /// An IANA zone.
        type zone = string;
        /// Tells the time.
        ///
        /// Parameters:
        /// - `zone`: where, such as
        ///   `Europe/Berlin`
        list-instants: func(zone: zone, offset: zone, unit: option<unit>) -> list<instant>;
        /// The time.
        now: func(zone: option<string>) -> result<instant, string>;
    }
    world w {
        export clock;
        /// Says hello.
        /// @param name whom to greet
        export greet: func(name: string) -> string;
    }
    world other { export other: func(); }
";

fn function(bytes: &[u8], name: &str) -> Function {
    let found = tools(bytes, &[("acme:clock/more@1.0.0#now", "now-raw")]).unwrap();
    found.functions.into_iter().find(|f| &*f.name == name).unwrap()
}

#[test]
fn docs_become_descriptions_of_tools_parameters_and_types() {
    let bytes = inject_text(&clock(), WIT).unwrap();
    let list = function(&bytes, "list-instants");
    assert_eq!(list.docs.as_deref(), Some("Tells the time."));
    assert_eq!(list.params[0].docs.as_deref(), Some("where, such as `Europe/Berlin`"));
    assert_eq!(list.params[1].docs.as_deref(), Some("An IANA zone."));
    let input = schema::input(&list).get().to_owned();
    assert!(
        input.contains(r#""description":"How finely.\n- `second`: The base.","type":"string""#),
        "{input}"
    );
    let output = schema::output(&list).unwrap().get().to_owned();
    assert!(output.contains(r#""items":{"description":"A point in time.","type":"object""#), "{output}");
    assert!(output.contains(r#""seconds":{"description":"Since 1970.","type":"integer""#), "{output}");
    let greet = function(&bytes, "greet");
    assert_eq!(greet.docs.as_deref(), Some("Says hello."));
    assert_eq!(greet.params[0].docs.as_deref(), Some("whom to greet"));
}

#[test]
fn a_component_keeps_no_docs_by_itself() {
    assert_eq!(function(&clock(), "now").docs, None);
}

#[test]
fn adding_docs_again_changes_nothing_and_new_docs_replace_the_old() {
    let once = inject_text(&clock(), WIT).unwrap();
    assert_eq!(inject_text(&once, WIT).unwrap(), once);
    let changed = inject_text(&once, &WIT.replace("Says hello", "Greets")).unwrap();
    assert_eq!(function(&changed, "greet").docs.as_deref(), Some("Greets."));
    // Whoever decodes components, as registries' tools do, must still be able to.
    wit_parser::decoding::decode(&once).unwrap();
}

#[test]
fn docs_of_an_unrelated_wit_or_of_no_component_are_refused() {
    let message =
        inject_text(&clock(), "package x:y; world z { export f: func(); }").unwrap_err().to_string();
    assert!(message.contains("acme:clock/clock@1.0.0, acme:clock/more@1.0.0, greet"), "{message}");
    assert!(inject_text(b"\0asm\x01\0\0\0", WIT).is_err());
    let message = inject_text(&clock(), "package x:y; world {").unwrap_err().to_string();
    assert!(message.contains("world.wit:1"), "{message}");
}

#[test]
fn function_docs_of_a_package_docs_section_are_read() {
    let json = br#"{"worlds":{"w":{"docs":"x","func_exports":{"greet":{"docs":"Says hi."}}}},
        "interfaces":{"clock":{"funcs":{"now":"The time."}}}}"#;
    let mut section = b"\x0cpackage-docs\x01".to_vec();
    section.extend_from_slice(json);
    let mut bytes = clock();
    bytes.extend([0, (section.len() & 0x7f) as u8 | 0x80, (section.len() >> 7) as u8]);
    bytes.extend(section);
    assert_eq!(function(&bytes, "greet").docs.as_deref(), Some("Says hi."));
    assert_eq!(function(&bytes, "now").docs.as_deref(), Some("The time."));
}

#[test]
fn unreadable_docs_do_not_cost_the_tools() {
    for data in
        [&b"\x0dtoolgate-docs{\"version\":1,"[..], b"\x0dtoolgate-docs{\"version\":9}", b"\x0dtoolgate-docs"]
    {
        let mut bytes = clock();
        bytes.extend([0, data.len() as u8]);
        bytes.extend_from_slice(data);
        assert_eq!(function(&bytes, "greet").docs, None);
    }
}

#[test]
fn only_a_list_at_the_end_leaves_the_description() {
    let split = |docs: &str| comment::split(docs, ["a", "b"].into_iter());
    let ended = split("Does.\n\n# Arguments\n\n* `a` - first\n* `b`: second\n");
    assert_eq!(ended.description.as_deref(), Some("Does."));
    assert_eq!(ended.params["b"], "second");
    let within = split("Does:\n- `a`: first\n- `c`: no parameter\n\nMore.");
    assert_eq!(within.description.as_deref(), Some("Does:\n- `a`: first\n- `c`: no parameter\n\nMore."));
    assert_eq!(within.params["a"], "first");
    assert_eq!(within.params.len(), 1);
}

#[test]
fn docs_hide_nothing_from_people_and_do_not_fill_the_context() {
    let hidden = "Adds.\u{e0069}\u{e0067}\u{202e}\u{200b}\u{7}\u{1b}[2J";
    assert_eq!(comment::tidy(hidden).as_deref(), Some("Adds.[2J"));
    assert_eq!(comment::tidy(&"x".repeat(1_000_000)).unwrap().chars().count(), 4097);
    assert_eq!(comment::tidy(" \n "), None);
}
