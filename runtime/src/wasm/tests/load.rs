//! Bytes that are no component, or none that can be served, and what is said of them.

use super::*;
use crate::wasm::inspect;

const EMPTY: &str = "(component)";

async fn refusal(artifact: &Artifact) -> String {
    refusal_by(&engine(), artifact).await
}

async fn refusal_by(engine: &Engine, artifact: &Artifact) -> String {
    let options = PrepareOptions::default();
    let prepared = Component::prepare(engine, artifact, Policy::default(), options).await;
    prepared.err().unwrap().to_string()
}

#[tokio::test]
async fn a_core_module_is_told_how_to_become_a_component() {
    let module = artifact(wat::parse_str("(module)").unwrap());
    assert_eq!(
        refusal(&module).await,
        "the artifact is a core WebAssembly module, not a component; build it for \
         wasm32-wasip2, or wrap it by `wasm-tools component new`"
    );
}

#[tokio::test]
async fn what_is_not_wasm_is_shown_by_its_first_bytes() {
    assert_eq!(
        refusal(&artifact("<!DOCTYPE html>")).await,
        "the artifact is not WebAssembly: it starts with `<!DOCTYP`, not with `\\0asm`"
    );
    assert_eq!(
        refusal(&artifact("")).await,
        "the artifact is not WebAssembly: it starts with ``, not with `\\0asm`"
    );
}

#[tokio::test]
async fn a_truncated_component_is_not_valid() {
    let whole = wat(limits::GREEDY).bytes;
    let error = refusal(&artifact(whole.slice(..whole.len() - 7))).await;
    assert!(error.starts_with("the component is not valid: "), "{error}");
    assert!(error.contains("unexpected end"), "{error}");
}

#[tokio::test]
async fn no_cut_and_no_flipped_bit_panics() {
    let engine = engine();
    let whole = wat(limits::GREEDY).bytes;
    for at in (0..whole.len()).step_by(17) {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 0x15;
        for bytes in [whole.slice(..at), flipped.into()] {
            let options = PrepareOptions::default();
            let artifact = artifact(bytes);
            let prepared = Component::prepare(&engine, &artifact, Policy::default(), options).await;
            if let Err(error) = prepared {
                let error = error.to_string();
                assert!(!error.contains("crashed"), "at {at}: {error}");
                assert!(!error.contains('\n'), "at {at}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn an_oversized_component_is_not_read() {
    let engine = Engine::new(EngineOptions { max_component: 8, ..EngineOptions::default() });
    assert_eq!(
        refusal_by(&engine.unwrap(), &artifact("123456789")).await,
        "the component has 9 bytes, more than the limit of 8"
    );
}

#[tokio::test]
async fn imports_that_nothing_provides_are_all_named() {
    let text = r#"(component
        (import "acme:db/pool@1.0.0" (instance (export "get" (func))))
        (import "wasi:cli/environment@0.3.0" (instance (export "get" (func))))
        (import "log" (func)))"#;
    let plug = "compose the component with one that exports it, for instance by `wac plug`";
    let rebuild = "rebuild the component for WASI 0.2, for instance for wasm32-wasip2";
    assert_eq!(
        refusal(&wat(text)).await,
        format!(
            "the component imports what is not provided: `acme:db/pool@1.0.0` ({plug}), \
             `wasi:cli/environment@0.3.0` ({rebuild}), `log` ({plug})"
        )
    );
}

#[tokio::test]
async fn an_import_in_another_form_is_refused() {
    let text = r#"(component
        (import "wasi:random/random@0.2.0" (instance (export "get-dice" (func (result u8))))))"#;
    let error = refusal(&wat(text)).await;
    let start = "the component imports an interface in another form than WASI 0.2 has it: ";
    assert!(error.starts_with(start), "{error}");
    assert!(error.contains("get-dice"), "{error}");
}

#[tokio::test]
async fn proposals_that_wasi_0_2_does_not_need_are_off() {
    let wrap = |module: &str| wat(&format!("(component (core module {module}))"));
    for module in [
        "(memory 1 1 shared)",
        "(memory i64 1)",
        "(type (struct))",
        "(tag)",
        "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
    ] {
        let error = refusal(&wrap(module)).await;
        assert!(error.starts_with("the component is not valid: "), "{module}: {error}");
    }
}

#[tokio::test]
async fn a_missing_host_directory_is_told_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let host = dir.path().join("no");
    let grant = FilesGrant::parse(host.to_str().unwrap(), "/data", "rw").unwrap();
    let error = prepare(EMPTY, grants(vec![grant], &[])).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "the grant `files = [{{ host = \"{}\", guest = \"/data\", mode = \"rw\" }}]` can't \
             be used: No such file or directory (os error 2); create the directory or correct \
             `host`",
            host.display()
        )
    );
}

#[tokio::test]
async fn compiling_is_given_up_after_its_time() {
    let engine = Engine::new(EngineOptions { compile_timeout: Duration::ZERO, ..EngineOptions::default() });
    let error = refusal_by(&engine.unwrap(), &wat(limits::GREEDY)).await;
    assert_eq!(error, "the component did not compile within 0 s");
}

#[tokio::test]
async fn an_inspection_says_what_a_component_would_need() {
    let text = r#"(component
        (import "wasi:filesystem/preopens@0.2.3" (instance))
        (import "wasi:sockets/tcp@0.2.0" (instance))
        (import "wasi:http/outgoing-handler@0.2.0" (instance))
        (import "wasi:config/store@0.2.0-rc.1" (instance))
        (import "acme:db/pool" (instance (export "open" (func))))
        (import "acme:db/types-alone" (instance)))"#;
    let artifact = wat(text);
    let found = inspect(&engine(), &artifact).await.unwrap();
    assert_eq!(found.digest, artifact.digest);
    assert_eq!(found.size, artifact.bytes.len() as u64);
    assert_eq!(found.grants, ["env", "files", "http", "tcp"]);
    assert_eq!(found.imports.len(), 6);
    assert!(found.unprovided[0].starts_with("`acme:db/pool`"));
    assert_eq!(found.unprovided.len(), 1);
}

#[tokio::test]
async fn a_component_that_reads_variables_is_said_to_want_env() {
    let text = r#"(component (import "wasi:cli/environment@0.2.3" (instance)))"#;
    assert_eq!(inspect(&engine(), &wat(text)).await.unwrap().grants, ["env"]);
}
