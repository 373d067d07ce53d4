//! Every WIT type, as parameter and as result: a value that the gateway turns from JSON into WIT
//! and back must survive this component unchanged. What each function does is in
//! `wit/torture.wit`; nearly all return what they were given.

use std::cell::Cell;

wit_bindgen::generate!({ world: "torture" });

use exports::toolgate::torture::{compounds, handles, lists, results, scalars, signatures};
use toolgate::torture::shapes::{Level, Path, Point};

struct Component;

export!(Component);

/// Functions that return their argument.
macro_rules! echo {
    ($interface:path { $($name:ident: $type:ty),* $(,)? } $($rest:item)*) => {
        impl $interface for Component {
            $(fn $name(value: $type) -> $type { value })*
            $($rest)*
        }
    };
}

echo!(scalars::Guest {
    echo_bool: bool,
    echo_u8: u8,
    echo_u16: u16,
    echo_u32: u32,
    echo_u64: u64,
    echo_s8: i8,
    echo_s16: i16,
    echo_s32: i32,
    echo_s64: i64,
    echo_f32: f32,
    echo_f64: f64,
    echo_char: char,
    echo_string: String,
});

type Nine = (u8, u8, u8, u8, u8, u8, u8, u8, u8);

echo!(lists::Guest {
    echo_bytes: Vec<u8>,
    echo_bools: Vec<bool>,
    echo_integers: Vec<i64>,
    echo_floats: Vec<f64>,
    echo_chars: Vec<char>,
    echo_strings: Vec<String>,
    echo_byte_strings: Vec<Vec<u8>>,
    echo_matrix: Vec<Vec<u64>>,
    echo_options: Vec<Option<u8>>,
    echo_path: Path,
    echo_single: (String,),
    echo_triple: (u64, String, bool),
    echo_pairs: Vec<(String, Vec<u8>)>,
    echo_nine: Nine,
});

echo!(compounds::Guest {
    echo_point: Point,
    echo_person: compounds::Person,
    echo_preferences: compounds::Preferences,
    echo_option: Option<String>,
    echo_option_option: Option<Option<String>>,
    echo_option_option_option: Option<Option<Option<u8>>>,
    echo_option_list: Option<Vec<Option<u8>>>,
    echo_level: Level,
    echo_single_case: compounds::Single,
    echo_one: compounds::One,
    echo_eight: compounds::Eight,
    echo_nine_flags: compounds::Nine,
    echo_many: compounds::Many,
    echo_permissions: compounds::Permissions,
    echo_bare: compounds::Bare,
    echo_shape: compounds::Shape,
    echo_shapes: Vec<compounds::Shape>,
});

echo!(results::Guest {
    echo_results: Vec<Result<u8, String>>,
    echo_empty_results: Vec<Result<(), ()>>,
    echo_error_only: Vec<Result<(), String>>,
    echo_ok_only: Vec<Result<u64, ()>>,
    echo_result: Result<u8, String>,
    echo_result_empty: Result<(), ()>,
    echo_result_error_only: Result<(), String>,
    echo_result_ok_only: Result<u64, ()>,
    echo_result_result: Result<Result<u8, String>, String>,
}
    fn divide(dividend: i32, divisor: i32) -> Result<i32, String> {
        dividend.checked_div(divisor).ok_or_else(|| format!("can't divide {dividend} by {divisor}"))
    }

    fn fail(what: Option<String>) -> Result<String, results::Failure> {
        Err(what.map_or(results::Failure::Missing, results::Failure::Denied))
    }

    fn find(wanted: String) -> Result<Option<String>, String> {
        match wanted.as_str() {
            "" => Err("nothing is wanted".to_owned()),
            "nothing" => Ok(None),
            _ => Ok(Some(wanted)),
        }
    }
);

type Deep = Option<Vec<(String, Option<Result<Vec<Option<(u64, Vec<u8>)>>, Option<String>>>)>>;
type DeepList = Vec<Vec<Vec<Vec<Vec<Vec<Vec<Vec<u8>>>>>>>>;

echo!(signatures::Guest {
    echo_deep: Deep,
    echo_deep_list: DeepList,
}
    fn nothing() {}

    fn consume(_value: String) {}

    fn produce() -> String {
        "made of nothing".to_owned()
    }

    #[allow(clippy::too_many_arguments, clippy::many_single_char_names, reason = "many is the point")]
    fn many_parameters(
        a: u8, b: u16, c: u32, d: u64, e: i8, f: i16, g: i32, h: i64, i: f32, j: f64,
        k: bool, l: char, m: String, n: Vec<u8>, o: Option<u8>, p: (u8, u8),
        q: Point, r: Level, s: Result<u8, String>, t: Vec<String>,
    ) -> String {
        format!(
            "{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} {k} {l} {m} {n:?} {o:?} {p:?} {},{} {r:?} {s:?} {t:?}",
            q.x, q.y
        )
    }

    fn summarize(value: u64) -> signatures::Summary {
        signatures::Summary {
            text: value.to_string(),
            count: 1,
            largest: u64::MAX,
            smallest: i64::MIN,
            ratio: 0.5,
            flag: true,
            level: Level::High,
            at: Point { x: -1, y: 1 },
            bytes: value.to_be_bytes().to_vec(),
            note: None,
        }
    }

    fn all_optional(first: Option<String>, second: Option<u8>, third: Option<Option<bool>>) -> String {
        format!("{first:?} {second:?} {third:?}")
    }

    fn keywords(type_: String, func: u8, record: bool, self_: String) -> String {
        format!("{type_} {func} {record} {self_}")
    }
);

struct Counter(Cell<u32>);

impl handles::GuestCounter for Counter {
    fn new(start: u32) -> Self {
        Self(Cell::new(start))
    }

    fn increment(&self) -> u32 {
        self.0.set(self.0.get().wrapping_add(1));
        self.0.get()
    }

    fn parse(text: String) -> Result<handles::Counter, String> {
        let start = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
        Ok(handles::Counter::new(Self(Cell::new(start))))
    }
}

impl handles::Guest for Component {
    type Counter = Counter;

    fn open() -> handles::Counter {
        handles::Counter::new(Counter(Cell::new(0)))
    }

    fn peek(counter: handles::CounterBorrow<'_>) -> u32 {
        counter.get::<Counter>().0.get()
    }

    fn hidden(values: Vec<Option<handles::Counter>>) -> u32 {
        u32::try_from(values.iter().flatten().count()).unwrap_or(u32::MAX)
    }

    fn ordinary(value: u32) -> u32 {
        value
    }
}

impl Guest for Component {
    fn greet(name: String, times: Option<u8>) -> String {
        vec![format!("Hello, {name}!"); usize::from(times.unwrap_or(1))].join(" ")
    }

    fn undocumented() -> u8 {
        7
    }
}
