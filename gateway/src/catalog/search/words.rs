//! Text to words that can be compared: of names and sentences, in any case, of English without its plurals.

/// Words that say nothing of a tool.
const EMPTY: [&str; 24] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "for", "from", "i", "in", "is", "it", "its",
    "of", "on", "or", "that", "the", "this", "to", "with",
];

/// The words of a text, in its order.
pub(super) fn of(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).flat_map(humps);
    let words = parts.map(|part| singular(part.to_lowercase()));
    words.filter(|word| !word.is_empty() && !EMPTY.contains(&word.as_str()))
}

/// The parts of a name in camel case: `getHTTPPage` is `get`, `HTTP` and `Page`.
fn humps(text: &str) -> Vec<&str> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut parts = Vec::new();
    let mut begin = 0;
    for (index, &(at, c)) in chars.iter().enumerate().skip(1) {
        let before = chars[index - 1].1;
        let is_before_small = chars.get(index + 1).is_some_and(|(_, next)| next.is_lowercase());
        if c.is_uppercase() && (!before.is_uppercase() || is_before_small) {
            parts.push(&text[begin..at]);
            begin = at;
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// Without the `s` of a plural or of the third person (Harman, "How effective is suffixing?", 1991).
fn singular(mut word: String) -> String {
    let ends = |ends: &[&str]| ends.iter().any(|end| word.ends_with(end));
    if word.len() <= 3 || !word.is_ascii() {
        return word;
    }
    if ends(&["ies"]) && !ends(&["eies", "aies"]) {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if (ends(&["es"]) && !ends(&["aes", "ees", "oes"])) || (ends(&["s"]) && !ends(&["es", "us", "ss"]))
    {
        word.truncate(word.len() - 1);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sentences_are_made_of_words() {
        for (text, expected) in [
            ("getHTTPPage2", "get http page2"),
            ("list_issues, or list-Issue", "list issue list issue"),
            ("Creates a repository; of repositories", "create repository repository"),
            ("the bus's status as JSON", "bus s statu json"),
            ("Straße ÉTÉ 検索", "straße été 検索"),
            ("", ""),
            ("_ -- .", ""),
        ] {
            assert_eq!(
                of(text).collect::<Vec<_>>().join(" "),
                expected.replace("statu ", "status "),
                "{text}"
            );
        }
    }
}
