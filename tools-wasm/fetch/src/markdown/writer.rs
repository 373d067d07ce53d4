//! Where converted text is put together: white space, indentation and marks.
//!
//! White space is never written when it is met but kept as a [`Gap`] until text follows, so blocks
//! that are empty or nested leave no trace, and marks stand tight around their text.

/// Columns of indentation at most. Deeper nesting goes on at that depth, since otherwise each line
/// of a page could be made longer than the page.
const MAX_INDENT: usize = 32;

/// The space before the next text. Larger ones win.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// None.
    #[default]
    None,
    /// Between words.
    Space,
    /// A new line.
    Line,
    /// An empty line.
    Paragraph,
}

/// A mark that was opened; `None` inside of code, where there are none.
pub(super) type Mark = Option<usize>;

#[derive(Debug, Default)]
pub(super) struct Writer {
    out: String,
    gap: Gap,
    /// Written at the start of each line; the levels, to take them off again.
    prefix: String,
    levels: Vec<usize>,
    /// A bullet or heading mark, written with the first text that follows.
    marker: String,
    /// How much of the prefix the bullets in `marker` take the place of.
    bullets: usize,
    /// Marks that were opened, written after the gap with the first text inside of them.
    marks: Vec<(usize, String)>,
    /// How many marks were opened so far.
    opened: usize,
    /// Inside of a link there are no blocks.
    links: usize,
    /// Code being collected verbatim.
    code: Option<String>,
}

impl Writer {
    pub(super) fn len(&self) -> usize {
        self.out.len() + self.code.as_ref().map_or(0, String::len)
    }

    pub(super) fn gap(&mut self, gap: Gap) {
        match &mut self.code {
            Some(code) if gap >= Gap::Line && !code.is_empty() && !code.ends_with('\n') => code.push('\n'),
            Some(_) => {}
            // The first block of an item stands beside its bullet.
            None if !self.marker.is_empty() => {}
            None if self.links > 0 => self.gap = self.gap.max(gap.min(Gap::Space)),
            None => self.gap = self.gap.max(gap),
        }
    }

    /// Text, in which white space means the same as one space.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(code) = &mut self.code {
            code.push_str(text);
            return;
        }
        // HTML's white space only: a no-break space is a character.
        for (index, word) in text.split([' ', '\t', '\n', '\r', '\u{c}']).enumerate() {
            if index > 0 {
                self.gap(Gap::Space);
            }
            if !word.is_empty() {
                self.raw(word);
            }
        }
    }

    /// Text that is written as it is, after the gap.
    pub(super) fn raw(&mut self, text: &str) {
        if let Some(code) = &mut self.code {
            code.push_str(text);
            return;
        }
        self.flush();
        self.out.push_str(text);
    }

    /// A heading's mark, before the next text.
    pub(super) fn marker(&mut self, marker: &str) {
        // What a page nests without text between the marks, it does not get more of.
        if self.marker.len() < MAX_INDENT {
            self.marker.push_str(marker);
        }
    }

    /// A bullet before the next text, and indentation by its width.
    pub(super) fn bullet(&mut self, bullet: &str) {
        let before = self.prefix.len();
        self.marker(bullet);
        self.indent(&" ".repeat(bullet.len()));
        self.bullets += self.prefix.len() - before;
    }

    pub(super) fn indent(&mut self, prefix: &str) {
        self.levels.push(self.prefix.len());
        if self.prefix.len() + prefix.len() <= MAX_INDENT {
            self.prefix.push_str(prefix);
        }
    }

    pub(super) fn dedent(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.prefix.truncate(level);
            self.marker.clear();
            self.bullets = 0;
        }
    }

    pub(super) fn open_mark(&mut self, mark: &str) -> Mark {
        if self.code.is_some() {
            return None;
        }
        self.links += usize::from(mark == "[");
        self.opened += 1;
        self.marks.push((self.opened, mark.to_owned()));
        Some(self.opened)
    }

    /// Closes a mark; one with nothing inside was never written.
    pub(super) fn close_mark(&mut self, mark: Mark, text: &str) {
        let Some(mark) = mark else { return };
        if text.starts_with(']') {
            self.links = self.links.saturating_sub(1);
        }
        match self.marks.iter().position(|(pending, _)| *pending == mark) {
            Some(at) => drop(self.marks.remove(at)),
            None => self.out.push_str(text),
        }
    }

    /// Starts to collect code; `false` if it is being collected already.
    pub(super) fn begin_code(&mut self) -> bool {
        let begins = self.code.is_none();
        self.code.get_or_insert_default();
        begins
    }

    pub(super) fn end_code(&mut self, marks: bool) {
        let code = self.code.take().unwrap_or_default();
        let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
        if code.is_empty() {
            return;
        }
        if !marks {
            return self.raw(&code);
        }
        let fence = "`".repeat(longest_run(&code) + 1);
        let space = if code.starts_with('`') || code.ends_with('`') { " " } else { "" };
        self.raw(&format!("{fence}{space}{code}{space}{fence}"));
    }

    pub(super) fn end_preformatted(&mut self, marks: bool) {
        let code = self.code.take().unwrap_or_default();
        let code = code.trim_end().trim_start_matches(['\n', '\r']);
        if code.is_empty() {
            return;
        }
        let fence = "`".repeat(longest_run(code).max(2) + 1);
        if marks {
            self.raw(&fence);
            self.gap = Gap::Line;
        }
        for line in code.lines() {
            self.raw(line);
            self.gap = Gap::None;
            self.new_line();
        }
        if marks {
            self.raw(&fence);
        }
        self.gap(Gap::Paragraph);
    }

    pub(super) fn finish(mut self) -> String {
        if self.code.is_some() {
            self.end_code(false);
        }
        self.out.truncate(self.out.trim_end().len());
        self.out
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.out.push_str(&self.prefix);
    }

    /// Writes the gap, the indentation, the marker and the marks that are due before text.
    fn flush(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        if self.out.is_empty() {
            self.start_line();
        } else if gap == Gap::Space {
            self.out.push(' ');
        } else if gap >= Gap::Line {
            self.out.truncate(self.out.trim_end_matches(' ').len());
            if gap == Gap::Paragraph {
                self.out.push('\n');
                self.out.push_str(self.prefix.trim_end());
            }
            self.out.push('\n');
            self.start_line();
        }
        for (_, mark) in self.marks.drain(..) {
            self.out.push_str(&mark);
        }
    }

    /// Writes the prefix, whose end gives way to bullets.
    fn start_line(&mut self) {
        let kept = self.prefix.len().saturating_sub(std::mem::take(&mut self.bullets));
        self.out.push_str(&self.prefix[..kept]);
        self.out.push_str(&std::mem::take(&mut self.marker));
    }
}

/// The longest run of backticks.
fn longest_run(code: &str) -> usize {
    code.split(|other| other != '`').map(str::len).max().unwrap_or(0)
}
