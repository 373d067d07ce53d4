//! Runs `cargo test` and counts what it reports.
//!
//! The exit code alone would let an empty or an ignored suite pass, so the lines are read: which
//! suite is running, and its result.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, pipe};
use std::process::{Command, Stdio};

use super::Counts;
use crate::process::{self, Failure, Result};

/// Runs it, showing its output, and counts. The unit tests of `required` crates must not be empty.
pub(super) fn run(command: &mut Command, required: &[&str]) -> Result<Counts> {
    let failed = |e| process::not_started(command, &e);
    // One pipe for both: cargo names the suite on stderr, the suite reports on stdout.
    let (reader, writer) = pipe().map_err(failed)?;
    let stderr = writer.try_clone().map_err(failed)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(stderr)
        .spawn()
        .map_err(|e| process::not_started(command, &e))?;
    // The command holds our copies of the writing end; the reader would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut report = Report::default();
    for line in BufReader::new(reader).lines().map_while(std::result::Result::ok) {
        eprintln!("{line}");
        report.read(&line);
    }
    let status = child.wait().map_err(|e| Failure::new(format!("`{}`: {e}", process::display(command))))?;
    let counts = report.finish(status.success(), required);
    Ok(counts)
}

/// What the lines said so far.
#[derive(Default)]
struct Report {
    counts: Counts,
    /// What cargo says runs now.
    suite: String,
    /// Test binaries with at least one test.
    tested: BTreeSet<String>,
    faults: Vec<String>,
}

impl Report {
    fn read(&mut self, line: &str) {
        let line = line.trim();
        if line.starts_with("Running ") || line.starts_with("Doc-tests ") {
            line.clone_into(&mut self.suite);
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.result(result);
        }
    }

    /// `ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    fn result(&mut self, result: &str) {
        let [passed, failed, ignored] = ["passed", "failed", "ignored"].map(|what| count(result, what));
        self.counts.add(Counts { passed, failed });
        if ignored > 0 {
            self.faults.push(format!("{ignored} ignored: {}", self.suite));
        }
        if passed + failed > 0 {
            self.tested.extend(binary_of(&self.suite));
        } else if self.suite.starts_with("Running tests/") && ignored == 0 {
            self.faults.push(format!("no tests: {}", self.suite));
        }
    }

    fn finish(mut self, success: bool, required: &[&str]) -> Counts {
        for name in required.iter().filter(|name| !self.tested.contains(**name)) {
            self.faults.push(format!("no tests ran in {name}"));
        }
        if !success && self.counts.failed == 0 && self.faults.is_empty() {
            self.faults.push("cargo test failed before a test did".to_owned());
        }
        for fault in &self.faults {
            eprintln!("error: {fault}");
            self.counts.add(Counts::FAILED);
        }
        self.counts
    }
}

fn count(result: &str, what: &str) -> u64 {
    let words: Vec<&str> = result.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|word| *word == what);
    at.and_then(|at| words.get(at.wrapping_sub(1))?.parse().ok()).unwrap_or(0)
}

/// `toolgate` of `Running unittests src/lib.rs (target/debug/deps/toolgate-0123abcd)`.
fn binary_of(suite: &str) -> Option<String> {
    let (_, path) = suite.strip_prefix("Running ")?.split_once('(')?;
    let file = path.trim_end_matches(')').rsplit('/').next()?;
    file.rsplit_once('-').map(|(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Counts, Report};

    const UNIT: &str = "     Running unittests src/lib.rs (target/debug/deps/toolgate_runtime-8a1)";
    const SUITE: &str = "     Running tests/serve.rs (target/debug/deps/serve-77f)";

    fn counts(success: bool, lines: &[&str], required: &[&str]) -> (u64, u64) {
        let mut report = Report::default();
        lines.iter().for_each(|line| report.read(line));
        let Counts { passed, failed } = report.finish(success, required);
        (passed, failed)
    }

    fn result(passed: u64, failed: u64, ignored: u64) -> String {
        format!(
            "test result: ok. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out; finished in 0.01s"
        )
    }

    #[test]
    fn results_of_all_suites_are_summed() {
        let lines =
            [UNIT, &result(12, 0, 0), SUITE, &result(3, 1, 0), "   Doc-tests toolgate", &result(0, 0, 0)];
        assert_eq!(counts(false, &lines, &["toolgate_runtime"]), (15, 1));
    }

    #[test]
    fn an_empty_suite_fails() {
        assert_eq!(counts(true, &[SUITE, &result(0, 0, 0)], &[]), (0, 1));
    }

    #[test]
    fn an_ignored_test_fails() {
        assert_eq!(counts(true, &[SUITE, &result(2, 0, 1)], &[]), (2, 1));
    }

    #[test]
    fn a_required_crate_without_unit_tests_fails() {
        let lines = [UNIT, &result(0, 0, 0)];
        assert_eq!(counts(true, &lines, &["toolgate_runtime"]), (0, 1));
        assert_eq!(counts(true, &[], &["toolgate"]), (0, 1));
    }

    #[test]
    fn a_required_suite_of_another_crate_is_found_by_its_binary() {
        assert_eq!(counts(true, &[SUITE, &result(3, 0, 0)], &["serve"]), (3, 0));
        assert_eq!(counts(true, &[UNIT, &result(3, 0, 0)], &["serve"]), (3, 1));
    }

    #[test]
    fn a_build_that_fails_before_any_test_fails() {
        assert_eq!(counts(false, &["error: could not compile"], &[]), (0, 1));
    }
}
