//! HTML to markdown, or to plain text, in one pass over the tokens.
//!
//! No tree is built and nothing recurses, so a page can neither exhaust the stack by nesting nor
//! the memory by its shape; time and space are linear in what is read. The price: markup that is
//! nested wrongly is repaired only roughly. Parsing itself follows the HTML standard (html5gum).

mod table;
mod writer;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use crate::url::Url;
use table::Table;
use writer::{Gap, Writer};

/// Bytes of content at most. A page can make it larger than itself: each link becomes absolute.
const MAX_CONTENT: usize = 4 * 1024 * 1024;

/// Elements remembered as open. Deeper ones keep their text and lose their markup.
const MAX_OPEN: usize = 256;

/// Elements whose content is not for readers.
const SKIPPED: &[&str] = &[
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "select", "nav",
    "dialog",
];

/// Elements that start and end a paragraph of their own.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "footer",
    "aside",
    "figure",
    "figcaption",
    "address",
    "form",
    "fieldset",
    "details",
    "summary",
    "dl",
    "dt",
    "dd",
    "body",
    "caption",
];

/// What the content is turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With links, emphasis, headings.
    Markdown,
    /// The text in its blocks.
    Text,
}

/// A converted page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The text of the title element.
    pub title: Option<String>,
    /// The content.
    pub content: String,
    /// Whether it reached [`MAX_CONTENT`].
    pub truncated: bool,
}

/// Converts a page; links are made absolute by its address.
pub fn convert(html: &str, base: &Url, style: Style) -> Document {
    let mut converter = Converter::new(base, style);
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut truncated = false;
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => converter.start(&tag),
            Token::EndTag(tag) => converter.end(&text(&tag.name)),
            Token::String(value) => converter.text(&String::from_utf8_lossy(&value)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
        if converter.document.len() > MAX_CONTENT {
            truncated = true;
            break;
        }
    }
    converter.finish(truncated)
}

/// An element that is open, and what its end does.
struct Open {
    name: String,
    end: End,
}

enum End {
    Nothing,
    /// Ends a block.
    Gap(Gap),
    /// Closes emphasis or a link with this text.
    Mark(writer::Mark, String),
    /// Takes off indentation, then ends a block.
    Indent(Gap),
    /// Ends a list: the counter of the one around it counts again.
    List(Option<u32>, Gap),
    /// Puts collected code out.
    Code,
    Pre,
    Cell,
}

struct Converter<'a> {
    base: &'a Url,
    style: Style,
    document: Writer,
    /// The table being read, unless it only serves layout.
    table: Option<Table>,
    open: Vec<Open>,
    /// The element that is skipped, and how often it is nested in itself.
    skipped: Option<(String, usize)>,
    title: Option<String>,
    in_title: bool,
    /// The number of the next item, in an ordered list.
    counter: Option<u32>,
    lists: usize,
}

impl<'a> Converter<'a> {
    fn new(base: &'a Url, style: Style) -> Self {
        Self {
            base,
            style,
            document: Writer::default(),
            table: None,
            open: Vec::new(),
            skipped: None,
            title: None,
            in_title: false,
            counter: None,
            lists: 0,
        }
    }

    /// Where text goes now: the cell of a table, or the document.
    fn out(&mut self) -> &mut Writer {
        match &mut self.table {
            Some(Table { cell: Some(cell), .. }) => cell,
            _ => &mut self.document,
        }
    }

    fn marks(&self) -> bool {
        self.style == Style::Markdown
    }

    fn text(&mut self, text: &str) {
        if self.skipped.is_some() {
        } else if self.in_title {
            self.title.get_or_insert_default().push_str(text);
        } else {
            self.out().text(text);
        }
    }

    fn start(&mut self, tag: &StartTag<()>) {
        let name = text(&tag.name);
        if let Some((skipped, depth)) = &mut self.skipped {
            *depth += usize::from(*skipped == name);
        } else if (SKIPPED.contains(&name.as_str()) || is_hidden(tag)) && !is_void(&name) {
            self.skipped = Some((name, 1));
        } else {
            self.element(name, tag);
        }
    }

    fn element(&mut self, name: String, tag: &StartTag<()>) {
        match name.as_str() {
            "title" => self.in_title = self.title.is_none(),
            "br" => self.out().gap(Gap::Line),
            "hr" => self.rule(),
            "img" => self.image(tag),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(name),
            "a" => self.link(name, tag),
            "b" | "strong" => self.emphasis(name, "**"),
            "i" | "em" => self.emphasis(name, "*"),
            "del" | "s" => self.emphasis(name, "~~"),
            "code" | "kbd" | "samp" => self.code(name),
            "pre" => self.preformatted(name),
            "blockquote" => self.indent(name, Gap::Paragraph, "> "),
            "ul" | "ol" | "menu" => self.list(name, tag),
            "li" => self.item(name),
            "table" => self.table_start(name),
            "tr" => self.row(),
            "td" | "th" => self.cell(name),
            _ if BLOCKS.contains(&name.as_str()) => {
                self.out().gap(Gap::Paragraph);
                self.push(name, End::Gap(Gap::Paragraph));
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name {
                *depth -= 1;
                if *depth == 0 {
                    self.skipped = None;
                }
            }
            return;
        }
        match name {
            "title" => self.in_title = false,
            "table" => self.table_end(),
            "tr" => self.close_cell(),
            _ => {
                // An end inside of a cell does not reach what was opened around the table.
                let floor = self.open.iter().rposition(|open| matches!(open.end, End::Cell)).unwrap_or(0);
                if let Some(at) =
                    self.open.iter().rposition(|open| open.name == name).filter(|at| *at >= floor)
                {
                    self.close_to(at);
                }
            }
        }
    }

    /// Closes the open elements from the innermost to the one at `at`.
    fn close_to(&mut self, at: usize) {
        while self.open.len() > at
            && let Some(open) = self.open.pop()
        {
            self.close(open.end);
        }
    }

    fn close(&mut self, end: End) {
        match end {
            End::Nothing => {}
            End::Gap(gap) => self.out().gap(gap),
            End::Mark(mark, text) => self.out().close_mark(mark, &text),
            End::Indent(gap) => {
                self.out().dedent();
                self.out().gap(gap);
            }
            End::List(counter, gap) => {
                self.counter = counter;
                self.lists = self.lists.saturating_sub(1);
                self.out().gap(gap);
            }
            End::Code => {
                let marks = self.marks();
                self.out().end_code(marks);
            }
            End::Pre => {
                let marks = self.marks();
                self.out().end_preformatted(marks);
            }
            End::Cell => {
                if let Some(table) = &mut self.table {
                    table.end_cell();
                }
            }
        }
    }

    fn push(&mut self, name: String, end: End) {
        if self.open.len() < MAX_OPEN {
            self.open.push(Open { name, end });
        } else {
            self.close(end);
        }
    }

    fn rule(&mut self) {
        self.out().gap(Gap::Paragraph);
        if self.marks() {
            self.out().raw("---");
        }
        self.out().gap(Gap::Paragraph);
    }

    fn image(&mut self, tag: &StartTag<()>) {
        let alt = attribute(tag, "alt").unwrap_or_default();
        let alt = alt.split_whitespace().collect::<Vec<_>>().join(" ");
        if alt.is_empty() {
            return;
        }
        let target = attribute(tag, "src").and_then(|source| self.base.join(&source));
        match target.filter(|_| self.marks()) {
            Some(target) => self.out().raw(&format!("![{alt}]({target})")),
            None => self.out().text(&alt),
        }
    }

    fn heading(&mut self, name: String) {
        self.out().gap(Gap::Paragraph);
        if self.marks() {
            let level = name[1..].parse().unwrap_or(1);
            self.out().marker(&format!("{} ", "#".repeat(level)));
        }
        self.push(name, End::Gap(Gap::Paragraph));
    }

    fn link(&mut self, name: String, tag: &StartTag<()>) {
        let href = attribute(tag, "href").filter(|href| !href.starts_with('#'));
        let target = href.and_then(|href| self.base.join(&href)).filter(|_| self.marks());
        let Some(target) = target else {
            return self.push(name, End::Nothing);
        };
        // Links do not nest; one that was never closed ends where the next begins.
        if let Some(at) = self.open.iter().rposition(|open| open.name == "a") {
            self.close_to(at);
        }
        let mark = self.out().open_mark("[");
        self.push(name, End::Mark(mark, format!("]({target})")));
    }

    fn emphasis(&mut self, name: String, mark: &str) {
        if self.marks()
            && !self.open.iter().any(|open| matches!(&open.end, End::Mark(_, text) if text == mark))
        {
            let opened = self.out().open_mark(mark);
            self.push(name, End::Mark(opened, mark.to_owned()));
        } else {
            self.push(name, End::Nothing);
        }
    }

    fn code(&mut self, name: String) {
        let end = if self.out().begin_code() { End::Code } else { End::Nothing };
        self.push(name, end);
    }

    fn preformatted(&mut self, name: String) {
        self.out().gap(Gap::Paragraph);
        let end = if self.out().begin_code() { End::Pre } else { End::Nothing };
        self.push(name, end);
    }

    fn indent(&mut self, name: String, gap: Gap, prefix: &str) {
        self.out().gap(gap);
        let prefix = if self.marks() { prefix } else { "  " };
        self.out().indent(prefix);
        self.push(name, End::Indent(gap));
    }

    fn list(&mut self, name: String, tag: &StartTag<()>) {
        let gap = if self.lists == 0 { Gap::Paragraph } else { Gap::Line };
        self.out().gap(gap);
        let first = attribute(tag, "start").and_then(|start| start.parse().ok()).unwrap_or(1);
        let counter = (name == "ol").then_some(first);
        let around = std::mem::replace(&mut self.counter, counter);
        self.lists += 1;
        self.push(name, End::List(around, gap));
    }

    fn item(&mut self, name: String) {
        // An item without an end tag ends where the next begins, but not the one around its list.
        let within = |open: &Open| matches!(open.end, End::List(..) | End::Cell);
        let floor = self.open.iter().rposition(within).map_or(0, |at| at + 1);
        if let Some(at) = self.open[floor..].iter().position(|open| open.name == "li") {
            self.close_to(floor + at);
        }
        self.out().gap(Gap::Line);
        let marker = match &mut self.counter {
            Some(counter) => {
                *counter = counter.saturating_add(1);
                format!("{}. ", counter.saturating_sub(1))
            }
            None => "- ".to_owned(),
        };
        self.out().bullet(&marker);
        self.push(name, End::Indent(Gap::Line));
    }

    /// A table inside of a cell: then the outer one only serves layout, and its cells are blocks.
    fn table_start(&mut self, name: String) {
        if let Some(outer) = self.table.take() {
            outer.spill(&mut self.document);
            // What was open belongs to a cell that is no more.
            self.open.clear();
            self.lists = 0;
        }
        self.out().gap(Gap::Paragraph);
        self.push(name, End::Nothing);
        self.table = Some(Table::default());
    }

    fn table_end(&mut self) {
        self.close_cell();
        if let Some(table) = self.table.take() {
            table.write(&mut self.document, self.style);
        }
        if let Some(at) = self.open.iter().rposition(|open| open.name == "table") {
            self.close_to(at);
        }
        self.out().gap(Gap::Paragraph);
    }

    fn row(&mut self) {
        self.close_cell();
        match &mut self.table {
            Some(table) => table.begin_row(),
            None => self.out().gap(Gap::Line),
        }
    }

    fn cell(&mut self, name: String) {
        self.close_cell();
        match &mut self.table {
            Some(table) if self.open.len() < MAX_OPEN => {
                table.begin_cell();
                self.push(name, End::Cell);
            }
            _ => self.out().gap(Gap::Line),
        }
    }

    fn close_cell(&mut self) {
        if let Some(at) = self.open.iter().rposition(|open| matches!(open.end, End::Cell)) {
            self.close_to(at);
        }
    }

    fn finish(mut self, mut truncated: bool) -> Document {
        self.close_to(0);
        if let Some(table) = self.table.take() {
            table.write(&mut self.document, self.style);
        }
        let mut content = self.document.finish();
        if content.len() > MAX_CONTENT {
            content.truncate(content.floor_char_boundary(MAX_CONTENT));
            truncated = true;
        }
        let title = self.title.map(|title| title.split_whitespace().collect::<Vec<_>>().join(" "));
        Document { title: title.filter(|title| !title.is_empty()), content, truncated }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| text(value))
}

/// Content that a browser would not show or read out.
fn is_hidden(tag: &StartTag<()>) -> bool {
    attribute(tag, "hidden").is_some() || attribute(tag, "aria-hidden").is_some_and(|value| value == "true")
}

/// Elements without an end tag: skipping one would skip the rest of the page.
fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
    )
}

#[cfg(test)]
mod tests;
