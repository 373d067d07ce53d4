//! Finding tools by what they do: a ranked full-text index over all that is offered, kept with the catalog.
//!
//! There is one for all endpoints and callers. What is not to be seen is left out of what was found, so it decides nothing
//! but how rare a word is.

#[cfg(test)]
mod tests;
mod words;

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bm25::{Embedder, EmbedderBuilder, Scorer, TokenEmbedder, Tokenizer};
use serde_json::Value;
use toolgate_runtime::sandbox::Tool;

use super::Server;

/// Words of a tool that count. Against a search as dear as the longest schema.
const MAX_WORDS: usize = 256;

/// Different words of a query that count. Against a search as dear as the longest query.
const MAX_ASKED: usize = 16;

/// How often the words of a tool's name count: they say best what it does.
const NAME_WEIGHT: usize = 3;

/// Tools by the words that they are described in.
pub(super) struct Index {
    embedder: Embedder<Word, Words>,
    scorer: Scorer<usize, u64>,
    /// Server and tool, by their indices.
    tools: Vec<(usize, usize)>,
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("tools", &self.tools.len()).finish()
    }
}

/// How words are told apart.
#[derive(Debug)]
struct Word;

impl TokenEmbedder for Word {
    type EmbeddingSpace = u64;

    fn embed(word: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        word.hash(&mut hasher);
        hasher.finish()
    }
}

/// How text is cut into words.
#[derive(Debug)]
struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        words::of(text).take(MAX_WORDS).collect()
    }
}

impl Index {
    /// That of all tools of these servers.
    pub(super) fn build(servers: &[Arc<Server>]) -> Self {
        let all = servers.iter().enumerate().flat_map(|(server, of)| {
            of.tools().iter().enumerate().map(move |(tool, described)| ((server, tool), text(described)))
        });
        let (tools, texts): (Vec<_>, Vec<_>) = all.unzip();
        let corpus: Vec<&str> = texts.iter().map(String::as_str).collect();
        let embedder = EmbedderBuilder::with_tokenizer_and_fit_to_corpus(Words, &corpus).build();
        let mut scorer = Scorer::new();
        for (index, text) in corpus.into_iter().enumerate() {
            let mut embedding = embedder.embed(text);
            // It has a word as often as it stands there, each time with the same weight.
            let mut seen = HashSet::new();
            embedding.0.retain(|word| seen.insert(word.index));
            scorer.upsert(&index, embedding);
        }
        Self { embedder, scorer, tools }
    }

    /// Server and tool of all that fit, the best first; of those that fit as well as each other, in the order of the
    /// lists.
    pub(super) fn ranked(&self, query: &str) -> Vec<(usize, usize)> {
        let mut seen = HashSet::new();
        let asked: Vec<String> =
            words::of(query).filter(|word| seen.insert(word.clone())).take(MAX_ASKED).collect();
        let mut found = self.scorer.matches(&self.embedder.embed(&asked.join(" ")));
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        found.into_iter().filter_map(|found| self.tools.get(found.id).copied()).collect()
    }
}

/// What there is to be read of a tool: its name, what it does, and its parameters.
fn text(tool: &Tool) -> String {
    let mut text = format!("{} ", tool.name).repeat(NAME_WEIGHT);
    text += tool.description.as_deref().unwrap_or_default();
    let schema: Value = serde_json::from_str(tool.input_schema.get()).unwrap_or_default();
    for (name, parameter) in schema["properties"].as_object().into_iter().flatten() {
        text += &format!(" {name} {}", parameter["description"].as_str().unwrap_or_default());
    }
    text
}
