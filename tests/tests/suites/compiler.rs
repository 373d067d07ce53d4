//! The compiler, a process of its own, as it is seen from outside: what it starts with, its limits,
//! and that its end, however it comes, harms one server alone.
//!
//! A compiler is caught by its gateway's folder and held by SIGSTOP, so that no test depends on how
//! long a machine takes to compile.

mod others;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::gateway::{self, Gateway};
use e2e::guests;
use e2e::process;
use e2e::site::Site;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::json;

/// How long something may take that is a matter of milliseconds where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(30);

/// `compile-timeout` where nothing is to time out, and the processor time that follows from it, on
/// four threads.
const SECONDS: u64 = 300;
const PROCESSOR: u64 = 4 * SECONDS;

/// A gateway's folder with these servers, each with its bytes.
fn site(servers: &[(&str, &[u8])]) -> Site {
    let mut config = format!("[engine]\ncompile-timeout = \"{SECONDS}s\"\n");
    for (name, _) in servers {
        writeln!(config, "[servers.{name}]\ncomponent = \"file:{name}.wasm\"").unwrap();
    }
    let site = Site::new(&config);
    for (name, bytes) in servers {
        site.write(&format!("{name}.wasm"), bytes);
    }
    site
}

/// The same beside a server that is ready at once, as its code is kept from before.
fn site_with_good(servers: &[(&str, &[u8])]) -> Site {
    let good = fs::read(guests::guest("hello")).unwrap();
    let site = site(&[("good", good.as_slice())]);
    let called = gateway::run(&site, &["call", "good__greet", r#"{"name":"Ada"}"#]);
    assert!(called.status.success(), "{}", String::from_utf8_lossy(&called.stderr));
    let config = fs::read_to_string(site.config()).unwrap();
    let more = servers.iter().map(|(name, bytes)| {
        site.write(&format!("{name}.wasm"), bytes);
        format!("[servers.{name}]\ncomponent = \"file:{name}.wasm\"\n")
    });
    site.configure(&format!("{config}{}", more.collect::<String>()));
    site
}

async fn good_serves(gateway: &Gateway) {
    let answer = gateway.client_of("good").call("greet", json!({ "name": "Ada" })).await;
    assert_eq!(answer["isError"], false, "{answer}");
}

/// A component that one function makes slow to compile.
fn slow() -> Vec<u8> {
    long(1, 600_000)
}

/// A component of so many functions, each of so many steps; the first can be called.
fn long(functions: usize, steps: usize) -> Vec<u8> {
    let mut text = String::from("(component (core module $m (export \"f\" (func 0))\n");
    for _ in 0..functions {
        text.push_str("(func (param i32) (result i32) (local.get 0)\n");
        for n in 0..steps {
            writeln!(text, "(i32.const {n}) (i32.rotl) (local.get 0) (i32.xor)").unwrap();
        }
        text.push_str(")\n");
    }
    text.push_str(
        ") (core instance $i (instantiate $m)) \
         (func (export \"f\") (param \"n\" u32) (result u32) (canon lift (core func $i \"f\"))))",
    );
    wat::parse_str(text).unwrap()
}

/// A component of a few hundred bytes whose compiled code has 48 MiB for each of these: the initial
/// contents of a memory, which are two bytes far apart.
fn large(images: usize) -> Vec<u8> {
    let module = "(core module (memory 768) (data (i32.const 0) \"a\") (data (i32.const 50331647) \"b\"))";
    wat::parse_str(format!("(component {})", module.repeat(images))).unwrap()
}

/// A compiler that is held, or gone.
struct Compiler(Pid);

impl Compiler {
    /// The only one that this folder's gateway starts, once it has set its limits.
    async fn caught(site: &Site) -> Self {
        let [compiler] = Self::all_caught(site).await;
        compiler
    }

    /// The same for so many at a time.
    async fn all_caught<const COUNT: usize>(site: &Site) -> [Self; COUNT] {
        let at_work = || compilers_in(site.dir()).filter(|pid| confined(*pid)).collect::<Vec<_>>();
        let pids = until("a compiler", || <[u32; COUNT]>::try_from(at_work()).ok()).await;
        pids.map(|pid| {
            let compiler = Self(Pid::from_raw(pid.cast_signed()).unwrap());
            compiler.signal(Signal::STOP);
            compiler
        })
    }

    fn pid(&self) -> u32 {
        self.0.as_raw_nonzero().get().cast_unsigned()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }

    fn limit(&self, resource: Resource, soft: u64, hard: u64) {
        prlimit(Some(self.0), resource, Rlimit { current: Some(soft), maximum: Some(hard) }).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.0.to_string()).join(name)
    }

    /// What lies in a file of `/proc`, in which a zero byte ends each text.
    fn texts(&self, name: &str) -> Vec<String> {
        let bytes = fs::read(self.path(name)).unwrap();
        let texts = bytes.split(|byte| *byte == 0).filter(|text| !text.is_empty());
        texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    /// Soft and hard limit.
    fn limit_named(&self, name: &str) -> (String, String) {
        let limits = fs::read_to_string(self.path("limits")).unwrap();
        let line =
            limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{limits}"));
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    }
}

/// Waits for something that is there soon.
async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} is not there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the log has a text, and returns it. A compiler has a low priority, so even its end may take
/// a while on a machine that is busy with other tests.
async fn told(gateway: &Gateway, text: &str) -> String {
    gateway.logged_within(PATIENCE, text).await
}

fn compilers_in(folder: &Path) -> impl Iterator<Item = u32> {
    let compiles = |pid: &u32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline"));
        arguments.is_ok_and(|line| line.split(|byte| *byte == 0).nth(1) == Some(b"compile".as_slice()))
    };
    let lives_there = move |pid: &u32| {
        let parent = process::parent(*pid).map(|parent| fs::read_link(format!("/proc/{parent}/cwd")));
        parent.is_some_and(|cwd| cwd.is_ok_and(|cwd| cwd == folder))
    };
    process::all().filter(compiles).filter(lives_there)
}

/// Whether a compiler has set its limits, of which this is the last.
fn confined(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).is_ok_and(|score| score == "1000\n")
}

/// Once the gateway has no child any more, not even one that has ended and was not waited for.
async fn childless(gateway: &Gateway) {
    assert!(process::children(std::process::id()).contains(&gateway.pid()), "children are seen");
    until("the end of all compilers", || process::children(gateway.pid()).is_empty().then_some(())).await;
}

/// Descriptors of code that is on its way from a compiler, or came and was not kept.
fn code_in_memory(gateway: &Gateway) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap().map_while(Result::ok);
    let targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    targets.filter(|target| target.to_string_lossy().contains("toolgate-code")).count()
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(&entry.path()));
        } else {
            all.push(entry.path());
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn the_compiler_starts_with_nothing_of_the_gateway() {
    let site = site(&[("slow", &slow())]);
    let started = async {
        let gateway = Gateway::start_with(&site, &[("SECRET", "canary-51c1")]).await;
        let environment = fs::read(format!("/proc/{}/environ", gateway.pid())).unwrap();
        assert!(String::from_utf8_lossy(&environment).contains("canary-51c1"), "the gateway has it");
    };
    let looked_at = async {
        let compiler = Compiler::caught(&site).await;
        let mut environment = compiler.texts("environ");
        environment.sort();
        assert_eq!(environment, ["MALLOC_ARENA_MAX=2", "RAYON_NUM_THREADS=4"]);
        let seconds = PROCESSOR.to_string();
        assert_eq!(compiler.texts("cmdline")[1..], ["compile", "fuel", &seconds]);
        assert_eq!(fs::read_link(compiler.path("cwd")).unwrap(), Path::new("/"));
        // What this process was itself started with is handed down to everyone.
        let handed_down = |path: &PathBuf| {
            let own = fs::read_link(Path::new("/proc/self/fd").join(path.file_name().unwrap()));
            own.is_ok_and(|own| own == fs::read_link(path).unwrap())
        };
        let mut descriptors = files(&compiler.path("fd"));
        descriptors.retain(|path| !handed_down(path));
        let names: Vec<_> = descriptors.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, ["0", "1", "2"], "a descriptor of the gateway's");
        compiler.signal(Signal::KILL);
    };
    tokio::join!(started, looked_at);
}

#[tokio::test]
async fn the_compiler_has_its_limits_before_it_is_sent_anything() {
    let site = site(&[("slow", &slow())]);
    let looked_at = async {
        let compiler = Compiler::caught(&site).await;
        let limit = |name| compiler.limit_named(name);
        let both = |value: u64| (value.to_string(), value.to_string());
        assert_eq!(limit("Max address space"), both(4 << 30));
        assert_eq!(limit("Max file size"), both(512 << 20));
        assert_eq!(limit("Max core file size"), both(0));
        assert_eq!(limit("Max cpu time"), (PROCESSOR.to_string(), (PROCESSOR + 1).to_string()));
        assert_eq!(fs::read_to_string(compiler.path("oom_score_adj")).unwrap(), "1000\n");
        let own = process::nice(std::process::id()).unwrap();
        assert_eq!(process::nice(compiler.pid()), Some((own + 10).min(19)));
        compiler.signal(Signal::KILL);
    };
    tokio::join!(Gateway::start(&site), looked_at);
}

#[tokio::test]
async fn a_component_that_is_slow_to_compile_harms_nobody() {
    let site = site_with_good(&[("slow", &slow())]);
    let config = fs::read_to_string(site.config()).unwrap();
    site.configure(&config.replace(&format!("{SECONDS}s"), "1s"));
    // Held, it would never end by itself.
    let (gateway, _held) = tokio::join!(Gateway::start(&site), Compiler::caught(&site));
    told(&gateway, "unavailable: the component did not compile within 1 s\",\"server\":\"slow\"").await;
    good_serves(&gateway).await;
    childless(&gateway).await;
}

#[tokio::test]
async fn a_compiler_that_is_killed_or_crashes_harms_one_server_alone_and_leaves_nothing() {
    let slow = slow();
    let site = site_with_good(&[("one", &slow), ("two", &slow)]);
    let before = files(site.dir());
    let (gateway, [killed, crashed]) = tokio::join!(Gateway::start(&site), Compiler::all_caught(&site));
    good_serves(&gateway).await;
    killed.signal(Signal::KILL);
    // As an instruction does that is none. A SIGSEGV from outside is ignored once by Rust programs.
    crashed.signal(Signal::ILL);
    crashed.signal(Signal::CONT);
    let said = "unavailable: the compiler crashed on the component: signal: ";
    told(&gateway, &format!("{said}9 (SIGKILL); where memory runs out, the compiler is the first")).await;
    let log = told(&gateway, &format!("{said}4 (SIGILL)\"")).await;
    assert_eq!(log.matches("unavailable: ").count(), 2, "each is told once:\n{log}");
    good_serves(&gateway).await;
    childless(&gateway).await;
    assert_eq!(code_in_memory(&gateway), 0);
    let mut after = files(site.dir());
    after.retain(|path| *path != site.path("port"));
    assert_eq!(after, before, "a crash left a file");
}

#[tokio::test]
async fn a_compiler_that_takes_too_much_processor_time_is_told_as_such() {
    let site = site_with_good(&[("slow", &slow())]);
    let limited = async {
        let compiler = Compiler::caught(&site).await;
        // Sooner than its own would be reached.
        compiler.limit(Resource::Cpu, 1, 2);
        compiler.signal(Signal::CONT);
    };
    let (gateway, ()) = tokio::join!(Gateway::start(&site), limited);
    let said = "unavailable: the component takes more to compile than 1200 s of processor time";
    told(&gateway, said).await;
    good_serves(&gateway).await;
    childless(&gateway).await;
}

#[tokio::test]
async fn a_compiler_that_takes_too_much_memory_is_told_as_such() {
    // It takes two gigabytes: with less than its own limit it is told sooner.
    let site = site_with_good(&[("large", &large(40))]);
    let limited = async {
        let compiler = Compiler::caught(&site).await;
        compiler.limit(Resource::As, 512 << 20, 512 << 20);
        compiler.signal(Signal::CONT);
    };
    let (gateway, ()) = tokio::join!(Gateway::start(&site), limited);
    let said =
        "unavailable: the compiler crashed on the component: signal: 6 (SIGABRT): memory allocation of ";
    told(&gateway, said).await;
    good_serves(&gateway).await;
    childless(&gateway).await;
}

#[tokio::test]
async fn a_component_that_needs_more_memory_than_a_compiler_may_have_is_refused() {
    let available = process::available_memory();
    assert!(available > 5 << 30, "4 GiB are filled for some seconds, and {available} bytes are available");
    let site = site_with_good(&[("large", &large(110))]);
    let gateway = Gateway::start(&site).await;
    let said =
        "unavailable: the compiler crashed on the component: signal: 6 (SIGABRT): memory allocation of ";
    told(&gateway, said).await;
    good_serves(&gateway).await;
    childless(&gateway).await;
}

#[tokio::test]
async fn a_component_that_makes_more_code_than_is_loaded_is_refused() {
    let site = site_with_good(&[("large", &large(11))]);
    let gateway = Gateway::start(&site).await;
    told(&gateway, "unavailable: the component takes more to compile than 512 MiB of code").await;
    good_serves(&gateway).await;
    childless(&gateway).await;
    assert_eq!(code_in_memory(&gateway), 0);
}

#[tokio::test]
async fn what_a_publisher_makes_the_compiler_say_is_one_line_of_plain_text() {
    let hostile = r#"(component (import "a\1b[2J\0ab\c2\9b" (func)))"#;
    let site = site_with_good(&[("hostile", &wat::parse_str(hostile).unwrap())]);
    let checked = gateway::run(&site, &["check"]);
    let said = String::from_utf8(checked.stdout).unwrap();
    let told = said.lines().find(|line| line.contains("the component is not valid: "));
    assert!(told.is_some_and(|line| line.contains("a [2J b ")), "{said:?}");
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

#[tokio::test]
async fn a_compiler_ends_with_its_gateway_however_that_ends() {
    let site = site(&[("slow", &slow())]);
    let (gateway, compiler) = tokio::join!(Gateway::start(&site), Compiler::caught(&site));
    // By SIGKILL, so that the gateway itself can't see to it; held, the compiler would never end.
    drop(gateway);
    let path = compiler.path("cmdline");
    // That of a process which has ended, and was not waited for yet, is empty.
    let lives = || fs::read(&path).is_ok_and(|line| !line.is_empty());
    until("the end of the compiler", || (!lives()).then_some(())).await;
}
