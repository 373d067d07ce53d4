//! File name patterns: `*`, `?` and `**`.
//!
//! Matching takes time proportional to pattern times name, never exponential: the table of which
//! prefixes match is kept instead of trying again. Patterns come from a model.

/// The longest pattern; longer ones are refused.
pub const MAX_PATTERN: usize = 256;

/// A pattern for names or, with a `/`, for paths below the folder searched.
#[derive(Debug)]
pub struct Pattern {
    tokens: Vec<Token>,
    whole_path: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`: one character, not a slash.
    One,
    /// `*`: any characters, no slash.
    Many,
    /// `**`: any characters.
    Deep,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If it is empty or too long.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > MAX_PATTERN {
            return Err(format!(
                "the name pattern has {} bytes; it must have 1 to {MAX_PATTERN}",
                text.len()
            ));
        }
        let whole_path = text.contains('/');
        // `**/` also matches nothing, so that `**/a` finds `a` on the first level.
        let text = text.trim_start_matches('/').replace("**/", "\u{0}");
        let mut tokens = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(next) = rest.next() {
            tokens.push(match next {
                '\u{0}' => Token::Deep,
                '*' if rest.next_if_eq(&'*').is_some() => Token::Deep,
                '*' => Token::Many,
                '?' => Token::One,
                other => Token::Char(other),
            });
        }
        Ok(Self { tokens, whole_path })
    }

    /// Whether a file matches, by its path below the folder searched.
    pub fn matches(&self, path: &str) -> bool {
        let name = if self.whole_path { path } else { path.rsplit('/').next().unwrap_or(path) };
        // matched[i]: the first i tokens match what was read so far.
        let mut matched = vec![false; self.tokens.len() + 1];
        matched[0] = true;
        self.skip_empty(&mut matched);
        for next in name.chars() {
            let mut after = vec![false; matched.len()];
            for (at, token) in self.tokens.iter().enumerate() {
                match token {
                    Token::Char(wanted) => after[at + 1] |= matched[at] && *wanted == next,
                    Token::One => after[at + 1] |= matched[at] && next != '/',
                    Token::Many => after[at + 1] |= matched[at + 1] && next != '/',
                    Token::Deep => after[at + 1] |= matched[at + 1],
                }
            }
            self.skip_empty(&mut after);
            matched = after;
        }
        matched[self.tokens.len()]
    }

    /// Stars match nothing as well.
    fn skip_empty(&self, matched: &mut [bool]) {
        for (at, token) in self.tokens.iter().enumerate() {
            matched[at + 1] |= matched[at] && matches!(token, Token::Many | Token::Deep);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(path)
    }

    #[test]
    fn names_match_in_any_folder() {
        assert!(matches("*.md", "docs/deep/read.md"));
        assert!(matches("read.??", "read.md"));
        assert!(matches("*", "x"));
        assert!(!matches("*.md", "docs/read.md.txt"));
        assert!(!matches("?", "ab"));
    }

    #[test]
    fn patterns_with_a_slash_match_the_path() {
        assert!(matches("src/*.rs", "src/lib.rs"));
        assert!(!matches("src/*.rs", "src/a/lib.rs"));
        assert!(matches("src/**/*.rs", "src/a/b/lib.rs"));
        assert!(matches("src/**/*.rs", "src/lib.rs"));
        assert!(matches("**/lib.rs", "lib.rs"));
        assert!(matches("/src/**", "src/a/b"));
    }

    #[test]
    fn a_pattern_made_to_backtrack_ends_at_once() {
        let pattern = "*a".repeat(MAX_PATTERN / 2);
        assert!(!matches(&pattern, &"a".repeat(120)));
        assert!(matches(&pattern, &"a".repeat(500)));
    }

    #[test]
    fn empty_and_endless_patterns_are_refused() {
        assert!(Pattern::parse("").is_err());
        assert!(Pattern::parse(&"x".repeat(MAX_PATTERN + 1)).is_err());
    }
}
