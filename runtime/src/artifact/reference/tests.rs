//! What is a reference, what is not, and what the mistaken are told.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn message(text: &str) -> String {
    text.parse::<Reference>().unwrap_err().to_string()
}

fn oci(text: &str) -> OciReference {
    match text.parse() {
        Ok(Reference::Oci(oci)) => oci,
        other => panic!("{text}: {other:?}"),
    }
}

fn layout(text: &str) -> LayoutReference {
    match text.parse() {
        Ok(Reference::Layout(layout)) => layout,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_registry_reference_has_host_repository_tag_and_digest() {
    let full = oci(&format!("oci://localhost:5000/acme/web_tools/fetch:1.2@{DIGEST}"));
    assert_eq!(full.registry(), "localhost:5000");
    assert_eq!(full.repository(), "acme/web_tools/fetch");
    assert_eq!(full.tag(), Some("1.2"));
    assert_eq!(full.digest().unwrap().to_string(), DIGEST);
    let bare = oci("oci://ghcr.io/fetch");
    assert_eq!((bare.tag(), bare.digest()), (None, None));
    assert_eq!(oci("oci://[::1]:5000/a").registry(), "[::1]:5000");
}

#[test]
fn a_layout_directory_may_contain_colons_and_at_signs() {
    let tagged = layout("oci-layout:/srv/a:b@c/tools:1.0");
    assert_eq!(tagged.directory(), Path::new("/srv/a:b@c/tools"));
    assert_eq!(tagged.tag(), Some("1.0"));
    let bare = layout("oci-layout:./x:y/z");
    assert_eq!((bare.directory(), bare.tag()), (Path::new("./x:y/z"), None));
    let pinned = layout(&format!("oci-layout:tools@{DIGEST}"));
    assert_eq!(pinned.digest().unwrap().to_string(), DIGEST);
}

#[test]
fn relative_paths_are_taken_from_the_configs_directory() {
    let from =
        |text: &str| text.parse::<Reference>().unwrap().relative_to(Path::new("/etc/toolgate")).to_string();
    assert_eq!(from("file:a.wasm"), "file:/etc/toolgate/a.wasm");
    assert_eq!(from("oci-layout:tools:1"), "oci-layout:/etc/toolgate/tools:1");
    assert_eq!(from("file:/a.wasm"), "file:/a.wasm");
    assert_eq!(from("oci://ghcr.io/a"), "oci://ghcr.io/a");
}

#[test]
fn a_missing_or_foreign_scheme_gets_the_right_one_as_hint() {
    let cause = "it starts with neither `oci://`, `oci-layout:` nor `file:`";
    for (text, hint) in [
        ("ghcr.io/acme/fetch:1.2", " (write `oci://ghcr.io/acme/fetch:1.2`)"),
        ("docker://ghcr.io/acme/fetch", " (write `oci://ghcr.io/acme/fetch`)"),
        ("https://ghcr.io/acme/fetch", " (write `oci://ghcr.io/acme/fetch`)"),
        ("oci:tools:1", " (write `oci-layout:tools:1`)"),
        ("./fetch.wasm", " (write `file:./fetch.wasm`)"),
        ("fetch.wasm", " (write `file:fetch.wasm`)"),
        ("fetch", ""),
    ] {
        assert_eq!(message(text), format!("`{text}` is not a reference: {cause}{hint}"));
    }
    assert_eq!(message(""), "`` is not a reference: it is empty");
}

#[test]
fn an_upper_case_repository_gets_the_lower_case_one_as_hint() {
    assert_eq!(
        message("oci://ghcr.io/Acme/Fetch:V1"),
        "`oci://ghcr.io/Acme/Fetch:V1` is not a reference: the repository `Acme/Fetch` is not in lower case (write `oci://ghcr.io/acme/fetch:V1`)"
    );
}

#[test]
fn each_malformed_part_is_named() {
    for (text, cause) in [
        ("oci://ghcr.io", "the repository is missing (write `oci://HOST/REPOSITORY:TAG`)"),
        ("oci://ghcr.io/", "the repository is missing (write `oci://HOST/REPOSITORY:TAG`)"),
        ("oci://GHCR.io/a", "the host `GHCR.io` is not in lower case"),
        ("oci:///a", "`` is not a host name or address"),
        ("oci://user:pw@ghcr.io/a", "`pw@ghcr.io` is not a port, 1 to 65535"),
        ("oci://ghcr.io:0/a", "`0` is not a port, 1 to 65535"),
        ("oci://ghcr.io:99999/a", "`99999` is not a port, 1 to 65535"),
        ("oci://[::1/a", "`[::1` is not a registry host"),
        ("oci://a..b/c", "`a..b` is not a host name or address"),
        ("oci://ghcr.io/a//b", "the repository has an empty part (`//` or a slash at its end)"),
        (
            "oci://ghcr.io/../b",
            "`..` in the repository is not lower-case letters and digits, separated by `.`, `_`, `__` or dashes",
        ),
        ("oci://ghcr.io/a:", "the tag after `:` is missing"),
        (
            "oci://ghcr.io/a:-x",
            "the tag `-x` is not letters, digits, `_`, `.` and `-`, starting with a letter, digit or `_`",
        ),
        ("oci://ghcr.io/a@sha256:12", "`@sha256:12`: a sha256 digest has 64 hex digits, this one has 2"),
        (
            "oci://ghcr.io/a@sha512:12",
            "`@sha512:12`: digest algorithm `sha512` is not supported, only sha256 is",
        ),
        ("oci-layout::1", "the directory is missing (write `oci-layout:DIR:TAG`)"),
        ("file:", "the path is missing (write `file:PATH`)"),
    ] {
        assert_eq!(message(text), format!("`{text}` is not a reference: {cause}"));
    }
}

#[test]
fn lengths_are_bounded_and_messages_stay_short() {
    let long = format!("oci://ghcr.io/{}", "a".repeat(MAX_REFERENCE));
    let text = message(&long);
    assert!(
        text.ends_with(
            "… is not a reference: it is longer than 4096 bytes".replacen("… ", "…` ", 1).as_str()
        ),
        "{text}"
    );
    assert!(text.len() < 400);
    assert!(message(&format!("oci://ghcr.io/{}", "a".repeat(256))).contains("longer than 255"));
    assert!(message(&format!("oci://ghcr.io/a:{}", "t".repeat(129))).contains("longer than 128"));
    assert_eq!(message("file:a\nb"), "`file:a\u{fffd}b` is not a reference: it contains a control character");
}

fn version() -> impl Strategy<Value = String> {
    let tag = proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}");
    (tag, proptest::option::of(any::<[u8; 4]>())).prop_map(|(tag, content)| {
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = content.map(|c| format!("@{}", Digest::of(&c))).unwrap_or_default();
        format!("{tag}{digest}")
    })
}

proptest! {
    #[test]
    fn registry_references_print_as_they_are_read(
        host in "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\\.[a-z0-9]{1,5}){0,2}(:[1-9][0-9]{0,3})?",
        repository in "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,5}){0,3}",
        version in version(),
    ) {
        let text = format!("oci://{host}/{repository}{version}");
        prop_assert_eq!(text.parse::<Reference>().map(|r| r.to_string()), Ok(text));
    }

    #[test]
    fn layout_and_file_references_print_as_they_are_read(
        path in "/?[A-Za-z0-9 .:@é-]{0,6}(/[A-Za-z0-9 .@-]{0,6}){0,2}/[a-z]{1,5}",
        version in version(),
    ) {
        let text = format!("oci-layout:{path}{version}");
        let parsed: Reference = text.parse().unwrap();
        prop_assert_eq!(parsed.to_string(), text);
        let text = format!("file:{path}");
        prop_assert_eq!(text.parse::<Reference>().map(|r| r.to_string()), Ok(text));
    }

    #[test]
    fn parsing_never_panics(text in "(oci://|oci-layout:|file:|oci:)?\\PC{0,60}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
        }
    }
}

#[test]
fn an_images_name_is_read_as_docker_reads_it() {
    for (image, registry, repository) in [
        ("time", "docker.io", "library/time"),
        ("mcp/time:1.2", "docker.io", "mcp/time"),
        ("docker.io/mcp/time@sha256:00", "docker.io", "mcp/time"),
        ("ghcr.io/acme/tools/time:1@sha256:00", "ghcr.io", "acme/tools/time"),
        ("localhost/time", "localhost", "time"),
        ("127.0.0.1:5000/time:1", "127.0.0.1:5000", "time"),
    ] {
        assert_eq!(of_image(image), (registry.to_owned(), repository.to_owned()), "{image}");
    }
}
