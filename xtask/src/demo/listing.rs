//! The calls as a person reads them: arguments, result, and what the call used.

use std::fmt::Write;

use serde_json::Value;

use super::calls::Answer;

/// Characters of arguments or of a result that are shown.
const WIDTH: usize = 100;

/// One block per call, then the figures as a table.
pub(super) fn listing(answers: &[Answer<'_>]) -> String {
    let mut text = String::new();
    for answer in answers {
        let mark = if answer.fault().is_none() { "ok" } else { "WRONG" };
        let arguments = cut(&answer.call.arguments.to_string());
        let result = cut(&shown(&answer.result));
        // Writing to a String can't fail.
        let _ =
            writeln!(text, "{}  {mark}\n  arguments  {arguments}\n  result     {result}\n", answer.call.tool);
    }
    text + &table(answers)
}

fn table(answers: &[Answer<'_>]) -> String {
    let width = answers.iter().map(|answer| answer.call.tool.len()).max().unwrap_or(0);
    let mut text = format!(
        "{:width$}  {:>10}  {:>10}  {:>12}  {:>11}\n",
        "tool", "round trip", "in sandbox", "fuel", "peak memory"
    );
    for answer in answers {
        let usage = &answer.result["_meta"]["toolgate/usage"];
        let _ = writeln!(
            text,
            "{:width$}  {:>10}  {:>10}  {:>12}  {:>11}",
            answer.call.tool,
            milliseconds(answer.round_trip.as_secs_f64() * 1e3),
            usage["wallMicros"].as_f64().map_or_else(unknown, |micros| milliseconds(micros / 1e3)),
            usage["fuel"].as_u64().map_or_else(unknown, grouped),
            usage["memoryPeak"]
                .as_u64()
                .map_or_else(unknown, |bytes| format!("{} KiB", grouped(bytes.div_ceil(1024)))),
        );
    }
    text
}

/// The structured content, or the text where there is none.
fn shown(result: &Value) -> String {
    match result.get("structuredContent") {
        Some(structured) => structured.to_string(),
        None => result["content"].to_string(),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

fn milliseconds(value: f64) -> String {
    format!("{value:.2} ms")
}

fn unknown() -> String {
    "-".to_owned()
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, cut, grouped};

    #[test]
    fn large_numbers_are_grouped_by_thousands() {
        let numbers = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_long_result_is_cut_between_characters() {
        let cut = cut(&"ü".repeat(WIDTH + 1));
        assert_eq!(cut.chars().count(), WIDTH);
    }
}
