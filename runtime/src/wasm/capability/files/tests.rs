#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use wasmtime::Store;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, HostDirectoryEntryStream, NewTimestamp, OpenFlags, PathFlags,
};

use super::listing::{ENTRY, MAX_LISTED};
use super::*;
use crate::events::{Observer, Stdio, Usage};
use crate::limits::Limits;
use crate::policy::{Grants, Policy};
use crate::wasm::capability::env::Env;
use crate::wasm::engine::{Engine, EngineOptions, Metering};
use crate::wasm::state;

type Fd = Resource<Descriptor>;

#[derive(Default)]
struct Heard(Mutex<Vec<Denial>>);

impl Observer for Heard {
    fn stdio(&self, _: Stdio, _: &[u8]) {}
    fn stdio_dropped(&self, _: u64) {}
    fn denied(&self, denial: &Denial) {
        self.0.lock().unwrap().push(denial.clone());
    }
    fn finished(&self, _: &Usage) {}
}

/// A host with `data/` granted as `/data`, and secrets beside it.
struct World {
    host: tempfile::TempDir,
    server: Server,
    store: Store<State>,
    heard: Arc<Heard>,
}

/// What calls share.
struct Server {
    engine: Engine,
    grants: state::Grants,
    policy: Arc<Policy>,
}

impl World {
    fn new(mode: &str) -> Self {
        Self::at("/data", mode)
    }

    fn at(guest: &str, mode: &str) -> Self {
        Self::with(guest, mode, |grant| grant)
    }

    fn with(guest: &str, mode: &str, change: impl FnOnce(FilesGrant) -> FilesGrant) -> Self {
        let host = tempfile::tempdir().unwrap();
        fs::create_dir_all(host.path().join("data/sub")).unwrap();
        fs::write(host.path().join("data/a.txt"), "inside").unwrap();
        fs::write(host.path().join("secret"), "outside").unwrap();
        let data = host.path().join("data");
        let grant = change(FilesGrant::parse(data.to_str().unwrap(), guest, mode).unwrap());
        let heard = Arc::new(Heard::default());
        let server = Server::of(grant);
        let store = server.call(heard.clone());
        Self { host, server, store, heard }
    }

    /// Ends the call and begins another.
    fn next_call(&mut self) {
        self.store = self.server.call(self.heard.clone());
    }

    fn view(&mut self) -> View<'_> {
        view(self.store.data_mut())
    }

    /// A handle to the preopened directory at `guest`.
    fn preopen(&mut self, guest: &str) -> Fd {
        let all = self.view().get_directories().unwrap();
        let found = all.into_iter().find(|(_, name)| name == guest);
        found.unwrap_or_else(|| panic!("no preopen {guest}")).0
    }

    async fn open(&mut self, dir: &Fd, path: &str, how: How) -> FsResult<Fd> {
        let dir = Resource::new_borrow(dir.rep());
        let (path_flags, open, flags) = how;
        let view = &mut self.view();
        view.open_at(dir, path_flags, path.to_owned(), open, flags).await
    }

    async fn read(&mut self, dir: &Fd, path: &str) -> FsResult<String> {
        let fd = self.open(dir, path, reading()).await?;
        let (bytes, _) = self.view().read(fd, 100, 0).await?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    fn data(&self, path: &str) -> PathBuf {
        self.host.path().join("data").join(path)
    }

    fn denials(&self) -> Vec<Denial> {
        std::mem::take(&mut self.heard.0.lock().unwrap())
    }

    /// Tries every way to change something, and returns what each said.
    async fn change_everything(&mut self) -> Vec<(&'static str, Result<(), ErrorCode>)> {
        let dir = self.preopen("/data");
        let file = self.open(&dir, "a.txt", reading()).await.unwrap();
        let d = || Fd::new_borrow(dir.rep());
        let f = || Fd::new_borrow(file.rep());
        let s = str::to_owned;
        let now = NewTimestamp::Now;
        let follow = PathFlags::SYMLINK_FOLLOW;
        let mut said = Vec::new();
        for (what, how) in ways_to_write() {
            let opened = self.open(&dir, "new.txt", how).await;
            said.push((what, code(opened.map(drop))));
        }
        let mut v = self.view();
        said.extend([
            ("write", code(v.write(f(), b"x".to_vec(), 0).await.map(drop))),
            ("stream", code(v.write_via_stream(f(), 0).map(drop))),
            ("append", code(v.append_via_stream(f()).map(drop))),
            ("resize", code(v.set_size(f(), 1).await)),
            ("times", code(v.set_times(f(), now, now).await)),
            ("mkdir", code(v.create_directory_at(d(), s("d")).await)),
            ("times at", code(v.set_times_at(d(), follow, s("a.txt"), now, now).await)),
            ("link", code(v.link_at(d(), PathFlags::empty(), s("a.txt"), d(), s("l")).await)),
            ("symlink", code(v.symlink_at(d(), s("a.txt"), s("s")).await)),
            ("rename", code(v.rename_at(d(), s("a.txt"), d(), s("b.txt")).await)),
            ("rmdir", code(v.remove_directory_at(d(), s("sub")).await)),
            ("unlink", code(v.unlink_file_at(d(), s("a.txt")).await)),
        ]);
        said
    }
}

impl Server {
    fn of(grant: FilesGrant) -> Self {
        let engine = Engine::new(EngineOptions::default()).unwrap();
        let grants = Grants::new(vec![], vec![], vec![grant], Default::default()).unwrap();
        let prepared = state::Grants {
            env: Env::default(),
            files: Files::prepare(grants.files(), engine.folders(), engine.descriptors()).unwrap(),
            egress: Arc::default(),
            descriptors: engine.descriptors(),
        };
        Self { engine, grants: prepared, policy: Arc::new(Policy { grants, limits: Limits::default() }) }
    }

    fn call(&self, heard: Arc<Heard>) -> Store<State> {
        let given = state::Given { observer: heard, secrets: Vec::new(), result: 0, notices: None };
        state::store(Metering::Fuel, self.engine.on_demand(), &self.grants, &self.policy, given).unwrap()
    }
}

type How = (PathFlags, OpenFlags, DescriptorFlags);

fn reading() -> How {
    (PathFlags::SYMLINK_FOLLOW, OpenFlags::empty(), DescriptorFlags::READ)
}

fn creating() -> How {
    (PathFlags::empty(), OpenFlags::CREATE, DescriptorFlags::WRITE)
}

fn writing() -> How {
    (PathFlags::empty(), OpenFlags::empty(), DescriptorFlags::WRITE)
}

fn ways_to_write() -> [(&'static str, How); 4] {
    let none = PathFlags::empty();
    [
        ("create", creating()),
        ("create to read", (none, OpenFlags::CREATE, DescriptorFlags::READ)),
        ("truncate", (none, OpenFlags::TRUNCATE, DescriptorFlags::READ)),
        ("open to write", writing()),
    ]
}

fn code<T>(result: FsResult<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| error.downcast().unwrap())
}

#[tokio::test]
async fn a_read_only_grant_lets_nothing_change() {
    let mut world = World::new("ro");
    for (what, said) in world.change_everything().await {
        assert_eq!(said, Err(ErrorCode::NotPermitted), "{what}");
    }
    let denials = world.denials();
    assert_eq!(denials.len(), 16);
    let line = "files = [{ host = \"…\", guest = \"/data\", mode = \"rw\" }]";
    for denial in &denials {
        assert_eq!(denial.allow.as_deref(), Some(line), "{denial:?}");
    }
    assert_eq!(denials[0].attempt, "write /data/new.txt");
    assert_eq!(denials[15].attempt, "remove /data/a.txt");
    assert_eq!(fs::read(world.data("a.txt")).unwrap(), b"inside");
    assert_eq!(fs::read_dir(world.data("")).unwrap().count(), 2);
}

#[tokio::test]
async fn a_read_write_grant_lets_everything_change() {
    let mut world = World::new("rw");
    let said = world.change_everything().await;
    // The handle was opened to read, and the file was renamed before it was to be removed.
    let not_by_this_handle = ["write", "resize"];
    for (what, said) in said {
        match what {
            "unlink" => assert_eq!(said, Err(ErrorCode::NoEntry)),
            what if not_by_this_handle.contains(&what) => assert!(said.is_err(), "{what}"),
            what => assert_eq!(said, Ok(()), "{what}"),
        }
    }
    assert_eq!(world.denials(), []);
    assert_eq!(fs::read(world.data("b.txt")).unwrap(), b"inside");
    assert_eq!(fs::read_link(world.data("s")).unwrap(), Path::new("a.txt"));
    assert!(world.data("d").is_dir() && world.data("new.txt").is_file());
    assert!(!world.data("sub").exists());
}

#[tokio::test]
async fn what_is_written_is_there() {
    let mut world = World::new("rw");
    let dir = world.preopen("/data");
    let how = creating();
    let fd = world.open(&dir, "sub/n.txt", how).await.unwrap();
    let written = world.view().write(fd, b"news".to_vec(), 0).await.unwrap();
    assert_eq!(written, 4);
    assert_eq!(fs::read(world.data("sub/n.txt")).unwrap(), b"news");
    assert_eq!(world.read(&dir, "sub/n.txt").await.unwrap(), "news");
}

/// Paths that lead out of the grant, with the links that some of them need.
fn leading_out(world: &World) -> Vec<String> {
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, world.data(name)).unwrap();
    };
    let secret = world.host.path().join("secret").to_str().unwrap().to_owned();
    link("../secret", "up");
    link("..", "parent");
    link("/", "root");
    link(&secret, "absolute");
    let paths = [
        "..",
        "../secret",
        "sub/../../secret",
        "/etc/passwd",
        &secret,
        "up",
        "absolute",
        "parent/secret",
        "root/etc/passwd",
        "./parent/data/a.txt",
    ];
    paths.map(str::to_owned).to_vec()
}

#[tokio::test]
async fn no_path_leaves_the_grant() {
    let mut world = World::new("rw");
    let paths = leading_out(&world);
    let dir = world.preopen("/data");
    assert_eq!(world.read(&dir, "a.txt").await.unwrap(), "inside");
    assert_eq!(world.read(&dir, "sub/../a.txt").await.unwrap(), "inside");
    for path in paths {
        let said = code(world.read(&dir, &path).await);
        assert!(said.is_err(), "{path}: {said:?}");
        let told = world.denials();
        assert_eq!(told.len(), 1, "{path}");
        assert_eq!(told[0].reason, "the path leads out of the grant");
    }
}

#[tokio::test]
async fn nothing_is_looked_at_moved_or_made_outside_and_each_attempt_is_told() {
    let mut world = World::new("rw");
    let paths = leading_out(&world);
    let dir = world.preopen("/data");
    for path in paths {
        let (d, s) = (|| Fd::new_borrow(dir.rep()), str::to_owned);
        let mut v = world.view();
        let follow = PathFlags::SYMLINK_FOLLOW;
        assert!(v.stat_at(d(), follow, path.clone()).await.is_err(), "{path}");
        let renamed = v.rename_at(d(), s("a.txt"), d(), format!("{path}/x"));
        assert!(renamed.await.is_err(), "{path}");
        let made = v.create_directory_at(d(), format!("{path}/x"));
        assert!(made.await.is_err(), "{path}");
        assert_eq!(world.denials().len(), 3, "{path}");
    }
    assert_eq!(fs::read(world.host.path().join("secret")).unwrap(), b"outside");
    assert!(world.data("a.txt").exists());
}

#[tokio::test]
async fn links_that_could_leave_are_not_made() {
    let mut world = World::new("rw");
    let dir = world.preopen("/data");
    for target in ["/etc/passwd", "../secret", "sub/../../secret", "a/..", "/"] {
        let d = Fd::new_borrow(dir.rep());
        let mut v = world.view();
        let made = v.symlink_at(d, target.to_owned(), "l".to_owned());
        assert_eq!(code(made.await), Err(ErrorCode::NotPermitted), "{target}");
        let denials = world.denials();
        assert_eq!((denials.len(), &denials[0].allow), (1, &None));
    }
    assert!(!world.data("l").exists());
}

#[tokio::test]
async fn pipes_and_sockets_are_refused_without_waiting() {
    let mut world = World::new("rw");
    let made = std::process::Command::new("mkfifo").arg(world.data("pipe")).status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(world.data("socket")).unwrap();
    std::os::unix::fs::symlink("pipe", world.data("link")).unwrap();
    let dir = world.preopen("/data");
    for path in ["pipe", "socket", "link"] {
        let opened = world.open(&dir, path, reading());
        let opened = tokio::time::timeout(Duration::from_secs(5), opened).await;
        let said = code(opened.unwrap()).err();
        assert_eq!(said, Some(ErrorCode::NotPermitted), "{path}");
        let denials = world.denials();
        let why = "it is neither a regular file nor a directory";
        assert_eq!((denials[0].reason.as_str(), &denials[0].allow), (why, &None));
        assert!(world.open(&dir, path, writing()).await.is_err());
    }
}

#[tokio::test]
async fn a_pipe_that_appears_after_the_look_does_not_block() {
    let world = World::new("ro");
    let made = std::process::Command::new("mkfifo").arg(world.data("pipe")).status();
    assert!(made.unwrap().success());
    // What is opened after the look: the flags must keep it from waiting for a writer.
    let dir = cap_std::fs::Dir::open_ambient_dir(world.data(""), ambient_authority()).unwrap();
    let request = open::Request::new(true, reading().1, reading().2).unwrap();
    let started = Instant::now();
    dir.open_with("pipe", &request.options()).unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn what_is_outside_all_grants_is_refused_with_the_line_to_add() {
    let mut world = World::new("ro");
    let root = world.preopen("/");
    let directory = (PathFlags::empty(), OpenFlags::DIRECTORY, DescriptorFlags::READ);
    for (path, how, attempt, guest, mode) in [
        ("etc/passwd", reading(), "open /etc/passwd", "/etc", "ro"),
        ("a/../etc//x/./y", reading(), "open /etc/x/y", "/etc/x", "ro"),
        ("etc", directory, "list /etc", "/etc", "ro"),
        ("tmp/out", creating(), "write /tmp/out", "/tmp", "rw"),
        ("top", reading(), "open /top", "/", "ro"),
        ("q\"\n/f", reading(), "open /q\"\u{fffd}/f", "/q\\\"\u{fffd}", "ro"),
    ] {
        let said = code(world.open(&root, path, how).await).err();
        assert_eq!(said, Some(ErrorCode::Access), "{path}");
        let line = format!("files = [{{ host = \"…\", guest = \"{guest}\", mode = \"{mode}\" }}]");
        let expected = Denial {
            capability: "files",
            attempt: attempt.to_owned(),
            reason: "no grant covers it".to_owned(),
            allow: Some(line),
        };
        assert_eq!(world.denials(), [expected]);
    }
    let listed = world.view().read_directory(root).await;
    assert_eq!(code(listed.map(drop)), Err(ErrorCode::Access));
}

#[tokio::test]
async fn the_root_outside_holds_nothing_even_without_our_checks() {
    let mut world = World::new("ro");
    let root = world.preopen("/");
    let mut inner = world.view().inner;
    let d = || Fd::new_borrow(root.rep());
    for path in ["etc", "..", "../..", "tmp", "/"] {
        let path = path.to_owned();
        let looked = HostDescriptor::stat_at(&mut inner, d(), PathFlags::empty(), path.clone());
        assert!(looked.await.is_err(), "{path}");
        let made = HostDescriptor::create_directory_at(&mut inner, d(), path.clone() + "x");
        assert!(made.await.is_err(), "{path}");
    }
}

#[tokio::test]
async fn a_granted_root_is_the_only_one() {
    let mut world = World::at("/", "ro");
    let names: Vec<_> = world.view().get_directories().unwrap();
    let names: Vec<_> = names.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["/"]);
    let root = world.preopen("/");
    assert_eq!(world.read(&root, "a.txt").await.unwrap(), "inside");
}

#[tokio::test]
async fn the_grant_decides_whatever_wasmtime_thinks_of_the_descriptor() {
    let mut world = World::new("ro");
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true);
    let file = options.open(world.data("a.txt")).unwrap();
    let wide = OpenMode::READ | OpenMode::WRITE;
    let file = wasmtime_wasi::filesystem::File::new(file, FsPerms::ReadWrite, wide, false);
    let view = world.view();
    let fd = view.inner.table.push(Descriptor::File(file)).unwrap();
    let again = || Fd::new_borrow(fd.rep());
    let unknown = world.view().write(again(), b"x".to_vec(), 0).await;
    assert_eq!(code(unknown), Err(ErrorCode::BadDescriptor));
    let path = "/data/a.txt".to_owned();
    let opened = Opened { grant: Some(0), path, tail: Tail::default(), descriptor: None };
    world.view().call.open.insert(fd.rep(), opened);
    let refused = world.view().write(again(), b"x".to_vec(), 0).await;
    assert_eq!(code(refused), Err(ErrorCode::NotPermitted));
    assert_eq!(fs::read(world.data("a.txt")).unwrap(), b"inside");
}

#[tokio::test]
async fn closed_descriptors_are_forgotten() {
    let mut world = World::new("ro");
    let dir = world.preopen("/data");
    let before = world.view().call.open.len();
    for _ in 0..1000 {
        let fd = world.open(&dir, "a.txt", reading()).await.unwrap();
        HostDescriptor::drop(&mut world.view(), fd).unwrap();
    }
    assert_eq!(world.view().call.open.len(), before);
}

#[tokio::test]
async fn listings_of_one_call_are_bounded_together() {
    const FILES: usize = 4000;
    let mut world = World::new("ro");
    let long = "n".repeat(250);
    for n in 0..FILES {
        fs::write(world.host.path().join(format!("data/sub/{n:05}{long}")), "").unwrap();
    }
    let dir = world.preopen("/data");
    let folder = (PathFlags::empty(), OpenFlags::DIRECTORY, DescriptorFlags::READ);
    let sub = world.open(&dir, "sub", folder).await.unwrap();
    let d = || Fd::new_borrow(sub.rep());
    let fit = MAX_LISTED / (FILES * (ENTRY + long.len() + 5));
    let mut open = Vec::new();
    for _ in 0..fit {
        open.push(world.view().read_directory(d()).await.unwrap());
    }
    let refused = world.view().read_directory(d()).await;
    assert_eq!(code(refused.map(drop)), Err(ErrorCode::InsufficientMemory));
    HostDirectoryEntryStream::drop(&mut world.view(), open.remove(0)).unwrap();
    assert!(world.view().read_directory(d()).await.is_ok(), "what a dropped listing took is given back");
}

#[tokio::test]
async fn calls_together_write_no_more_than_the_folder_may_hold() {
    let mut world = World::with("/data", "rw", |grant| grant.with_max(1 << 20).unwrap());
    let mut written = 0;
    for n in 0.. {
        world.next_call();
        let dir = world.preopen("/data");
        let opened = world.open(&dir, &format!("{n}"), creating()).await;
        let Ok(fd) = opened else { break };
        let done = world.view().write(fd, vec![1; 64 << 10], 0).await;
        match code(done) {
            Ok(bytes) => written += bytes,
            Err(error) => {
                assert_eq!(error, ErrorCode::InsufficientSpace);
                break;
            }
        }
    }
    assert!((512 << 10..=1 << 20).contains(&written), "{written}");
    let told = world.denials();
    assert_eq!(told.len(), 1);
    assert!(told[0].allow.as_ref().unwrap().contains("max = "), "{told:?}");
    fs::remove_file(world.data("0")).unwrap();
    fs::remove_file(world.data("1")).unwrap();
    world.next_call();
    let dir = world.preopen("/data");
    let fd = world.open(&dir, "again", creating()).await.unwrap();
    assert_eq!(world.view().write(fd, vec![1; 64 << 10], 0).await.unwrap(), 64 << 10);
}

#[tokio::test]
async fn one_byte_here_and_there_uses_a_call_up_as_it_uses_the_disk_up() {
    let mut world = World::new("rw");
    let dir = world.preopen("/data");
    let fd = world.open(&dir, "holes", creating()).await.unwrap();
    let disk = Limits::default().disk;
    let mut written = 0;
    while world.view().write(Fd::new_borrow(fd.rep()), vec![1], written << 20).await.is_ok() {
        written += 1;
    }
    assert!(written <= disk / quota::BLOCK, "{written}");
    assert_eq!(world.denials().len(), 1);
}

#[tokio::test]
async fn empty_files_fill_the_folder_too() {
    let mut world = World::with("/data", "rw", |grant| grant.with_max(20 * quota::BLOCK).unwrap());
    let dir = world.preopen("/data");
    let mut made = 0;
    while world.open(&dir, &format!("{made}"), creating()).await.is_ok() {
        made += 1;
    }
    // Two names were there.
    assert!((10..=18).contains(&made), "{made}");
}
