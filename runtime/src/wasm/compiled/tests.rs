#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::wasm::code;
use crate::wasm::engine::EngineOptions;

const TEXT: &str = r#"(component
    (core module $m (func (export "f") (result i32) (i32.const 7)))
    (core instance $i (instantiate $m))
    (func (export "f") (result u32) (canon lift (core func $i "f"))))"#;

struct World {
    state: tempfile::TempDir,
    engine: Engine,
    digest: Digest,
    code: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let wasm = wat::parse_str(TEXT).unwrap();
        let engine = Engine::new(EngineOptions::default()).unwrap();
        Self {
            state: tempfile::tempdir().unwrap(),
            code: engine.on_demand().precompile_component(&wasm).unwrap(),
            digest: Digest::of(&wasm),
            engine,
        }
    }

    fn cache(&self) -> CompiledCache {
        let cache = CompiledCache::open(self.state.path());
        assert_eq!(cache.note(), None);
        cache
    }

    /// A cache that holds the component.
    fn filled(&self) -> CompiledCache {
        let cache = self.cache();
        assert_eq!(self.store(&cache), None);
        cache
    }

    fn store(&self, cache: &CompiledCache) -> Option<String> {
        self.store_as(cache, &self.digest)
    }

    fn store_as(&self, cache: &CompiledCache, digest: &Digest) -> Option<String> {
        let mut code = code::unnamed().unwrap();
        code.write_all(&self.code).unwrap();
        cache.store(&self.engine, digest, &mut code).1
    }

    /// Whether the code is there and can be run.
    fn load(&self, cache: &CompiledCache) -> (bool, Option<String>) {
        let (found, note) = cache.load(&self.engine, &self.digest);
        let runs = found.is_some_and(|code| code.load(self.engine.on_demand()).is_ok());
        (runs, note)
    }

    fn dir(&self) -> PathBuf {
        self.state.path().join("compiled")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The one file of compiled code.
    fn file(&self) -> PathBuf {
        let code: Vec<_> = self.names().into_iter().filter(|n| n != "key").collect();
        assert_eq!(code.len(), 1, "{code:?}");
        self.dir().join(&code[0])
    }
}

#[test]
fn what_was_kept_is_found_also_by_the_next_process() {
    let world = World::new();
    let cache = world.cache();
    assert_eq!(world.load(&cache), (false, None));
    assert_eq!(world.store(&cache), None);
    assert_eq!(world.load(&cache), (true, None));
    assert_eq!(world.load(&world.cache()), (true, None));
    assert!(world.names().iter().all(|n| !n.starts_with(TEMPORARY)));
}

#[test]
fn every_changed_byte_and_every_cut_is_noticed() {
    let world = World::new();
    let cache = world.filled();
    let path = world.file();
    let whole = fs::read(&path).unwrap();
    // Some of the code, and all of the seal.
    let sealed = whole.len() - 120;
    for at in (0..sealed).step_by(997).chain(sealed..whole.len()) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        for bytes in [&changed[..], &whole[..at]] {
            fs::write(&path, bytes).unwrap();
            let (found, note) = world.load(&cache);
            assert!(!found, "byte {at}");
            assert!(note.unwrap().contains("was compiled again: "), "byte {at}");
        }
    }
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert!(!world.load(&cache).0);
    assert_eq!(world.store(&cache), None);
    assert_eq!(world.load(&cache), (true, None));
}

#[test]
fn code_made_under_another_key_is_not_loaded() {
    let (world, other) = (World::new(), World::new());
    world.filled();
    other.filled();
    fs::copy(other.file(), world.file()).unwrap();
    let (found, note) = world.load(&world.cache());
    assert!(!found);
    let why = "it was changed, or made under another key";
    assert!(note.unwrap().ends_with(why));
}

#[test]
fn code_of_one_component_is_not_loaded_as_another() {
    let world = World::new();
    let cache = world.filled();
    let engine = &world.engine;
    let other = Digest::of(b"other");
    let swapped = cache.path(&Identity::new(engine, &other));
    fs::copy(world.file(), swapped).unwrap();
    let (found, note) = cache.load(engine, &other);
    assert!(found.is_none());
    let why = "it is of another format, component or engine";
    assert!(note.unwrap().ends_with(why));
}

#[test]
fn another_engine_has_another_identity() {
    let world = World::new();
    let mut identity = Identity::new(&world.engine, &world.digest);
    let name = identity.name();
    identity.engine[0] ^= 1;
    assert_ne!(identity.name(), name);
    let mut config = wasmtime::Config::new();
    config.consume_fuel(false);
    let other = wasmtime::Engine::new(&config).unwrap();
    let other = crate::wasm::engine::compatibility(&other);
    assert_ne!(other, *world.engine.compatibility());
}

#[test]
fn what_a_power_loss_left_behind_is_removed_when_it_is_old() {
    let world = World::new();
    world.filled();
    let (old, new) = (world.dir().join(".tmp-old"), world.dir().join(".tmp-new"));
    fs::write(&old, "half").unwrap();
    fs::write(&new, "half").unwrap();
    let past = SystemTime::now() - 2 * STALE;
    File::open(&old).unwrap().set_modified(past).unwrap();
    let cache = world.cache();
    assert!(!old.exists() && new.exists());
    assert_eq!(world.load(&cache), (true, None));
}

#[test]
fn a_key_that_others_could_read_is_not_used() {
    let world = World::new();
    world.filled();
    let key = world.dir().join("key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let cache = CompiledCache::open(world.state.path());
    let note = cache.note().unwrap();
    assert!(note.contains("could be read by other users"), "{note}");
    assert_eq!(world.load(&cache), (false, None));
    assert_eq!(world.store(&cache), None);
}

#[test]
fn a_key_of_the_wrong_length_or_behind_a_link_is_not_used() {
    let world = World::new();
    world.filled();
    let key = world.dir().join("key");
    fs::write(&key, b"short").unwrap();
    let cache = CompiledCache::open(world.state.path());
    assert!(cache.note().unwrap().contains("does not have 32 bytes"));
    fs::rename(&key, world.dir().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", &key).unwrap();
    let cache = CompiledCache::open(world.state.path());
    assert!(cache.note().unwrap().contains("can't be opened"));
}

#[test]
fn a_directory_that_others_can_write_is_not_used() {
    let world = World::new();
    world.filled();
    fs::set_permissions(world.dir(), fs::Permissions::from_mode(0o777)).unwrap();
    let cache = CompiledCache::open(world.state.path());
    assert!(cache.note().unwrap().contains("other users can write to it"));
}

#[test]
fn without_a_usable_directory_everything_works_with_a_note() {
    let world = World::new();
    fs::write(world.dir(), "a file in the way").unwrap();
    let cache = CompiledCache::open(world.state.path());
    let note = cache.note().unwrap();
    assert!(note.starts_with("compiled code is not kept in `"), "{note}");
    assert_eq!(world.load(&cache), (false, None));
    assert_eq!(world.store(&cache), None);
}

#[test]
fn code_that_can_not_be_written_is_not_kept_and_that_is_told() {
    let world = World::new();
    let cache = world.filled();
    let path = world.file();
    fs::remove_file(&path).unwrap();
    // Rename can't replace a directory: stands for any fault of the disk, also as root.
    fs::create_dir(&path).unwrap();
    let note = world.store(&cache).unwrap();
    assert!(note.starts_with("compiled code was not kept in `"), "{note}");
    assert!(world.names().iter().all(|n| !n.starts_with(TEMPORARY)));
}

#[test]
fn the_least_recently_used_go_first() {
    let world = World::new();
    let cache = CompiledCache::with_limits(world.state.path(), 2, u64::MAX);
    let digests = [b"a", b"b", b"c"].map(|bytes| Digest::of(bytes));
    let age = |digest: &Digest, seconds| {
        let path = cache.path(&Identity::new(&world.engine, digest));
        let at = SystemTime::now() - Duration::from_secs(seconds);
        File::open(path).unwrap().set_modified(at).unwrap();
    };
    let keep = |digest: &Digest| world.store_as(&cache, digest);
    assert_eq!(keep(&digests[0]), None);
    assert_eq!(keep(&digests[1]), None);
    age(&digests[0], 200);
    age(&digests[1], 100);
    // Using it makes it the younger one.
    assert!(cache.load(&world.engine, &digests[0]).0.is_some());
    assert_eq!(keep(&digests[2]), None);
    let found = digests.map(|digest| cache.load(&world.engine, &digest).0.is_some());
    assert_eq!(found, [true, false, true]);
}

#[test]
fn the_size_of_all_files_is_bounded() {
    let world = World::new();
    let cache = CompiledCache::with_limits(world.state.path(), 9, 1);
    assert_eq!(world.store(&cache), None);
    assert_eq!(world.load(&cache), (false, None));
}

#[test]
fn many_may_open_store_and_load_at_a_time() {
    let world = World::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let cache = world.cache();
                    assert_eq!(world.store(&cache), None);
                    assert_eq!(world.load(&cache), (true, None));
                }
            });
        }
    });
    assert_eq!(world.names().len(), 2);
}
