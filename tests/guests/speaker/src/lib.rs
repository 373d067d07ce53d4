//! A component of `toolgate:tool` that breaks what its world asks of it: in its list, as the variable `LIST` says,
//! and in its answers, as the name of the tool says.

wit_bindgen::generate!({
    path: "../../../tools-wasm/wit",
    inline: "
        package toolgate:speaker;
        world speaker {
            import toolgate:tool/client@1.0.0;
            export toolgate:tool/tools@1.0.0;
            export other: func();
        }
    ",
    world: "toolgate:speaker/speaker",
    generate_all,
});

use exports::toolgate::tool::tools::{self, Answer, Failure, Request};
use toolgate::tool::client;
use toolgate::tool::types::Questions;

const TOOLS: [&str; 13] = [
    "no-json",
    "no-object",
    "huge",
    "state-too-large",
    "asks-for-what-is-not-there",
    "asks-too-much",
    "forges",
    "refuses",
    "floods",
    "keeps",
    "spins",
    "traps",
    "odd",
];

struct Component;

export!(Component);

fn failure(message: String) -> Failure {
    Failure { code: -32000, message, data: Some("{\"why\" : 1.50}".to_owned()) }
}

fn asks(requests: &str, state: Option<Vec<u8>>) -> Result<Answer, Failure> {
    Ok(Answer::InputRequired(Questions { requests: requests.to_owned(), state }))
}

static mut CALLS: u32 = 0;

impl tools::Guest for Component {
    fn list() -> Result<String, Failure> {
        let tool = |name: &&str| {
            format!("{{\"name\":\"{name}\",\"inputSchema\":{{\"type\":\"object\"}},\"x\":1.50}}")
        };
        let tools = TOOLS.iter().map(tool).collect::<Vec<_>>().join(",");
        match std::env::var("LIST").as_deref() {
            Ok("no-json") => Ok("[{".to_owned()),
            Ok("no-array") => Ok("{}".to_owned()),
            Ok("no-name") => Ok("[{\"inputSchema\":{}}]".to_owned()),
            Ok("many") => Ok(format!("[{}]", vec!["{\"name\":\"a\"}"; 10_001].join(","))),
            Ok("huge") => Ok("[".repeat(20_000_000)),
            Ok("refuses") => Err(failure("\u{1b}[2Jnot today".to_owned())),
            Ok("traps") => unreachable!(),
            Ok("spins") => spin(),
            _ => Ok(format!("[{tools}]")),
        }
    }

    fn call(name: String, request: Request) -> Result<Answer, Failure> {
        match name.as_str() {
            "no-json" => Ok(Answer::Complete("{\"content\":[".to_owned())),
            "no-object" => Ok(Answer::Complete("[true]".to_owned())),
            "huge" => Ok(Answer::Complete(format!("{{\"x\":\"{}\"}}", "x".repeat(5_000_000)))),
            "state-too-large" => asks("{\"a\":{\"method\":\"roots/list\"}}", Some(vec![0; 65_537])),
            "asks-for-what-is-not-there" => asks("{\"a\":{\"method\":\"tools/call\"}}", None),
            "asks-too-much" => {
                let one = |number: u32| format!("\"{number}\":{{\"method\":\"roots/list\"}}");
                asks(&format!("{{{}}}", (0..17).map(one).collect::<Vec<_>>().join(",")), None)
            }
            "forges" => Ok(Answer::Complete(
                "{\"content\":[],\"_meta\":{\"toolgate/usage\":{\"fuel\":0},\"toolgate/error\":\"none\"}}"
                    .to_owned(),
            )),
            "refuses" => Err(failure("x".repeat(100_000))),
            "floods" => {
                for _ in 0..10_000 {
                    client::log(client::Level::Emergency, Some("forged\"}\n"), &"x".repeat(1000));
                    client::progress(f64::NAN, Some(f64::INFINITY), Some("\u{1b}[2J"));
                }
                Ok(Answer::Complete("{\"content\":[]}".to_owned()))
            }
            // What is kept here is gone in the next call.
            "keeps" => {
                // SAFETY: a component has one thread.
                let calls = unsafe {
                    CALLS += 1;
                    CALLS
                };
                Ok(Answer::Complete(format!("{{\"content\":[{{\"type\":\"text\",\"text\":\"{calls}\"}}]}}")))
            }
            "spins" => spin(),
            "traps" => unreachable!(),
            // What no gateway has a reason to touch.
            _ => Ok(Answer::Complete(format!(
                "{{ \"content\":[ {{\"type\":\"new\",\"x\":1.50}} ] , \"y\\u0041\" :18446744073709551616,\"given\":{}}}",
                request.arguments
            ))),
        }
    }
}

impl Guest for Component {
    fn other() {}
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}
