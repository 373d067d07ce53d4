//! Tables: cells are collected row by row, then written as a whole.

use super::Style;
use super::writer::{Gap, Writer};

#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// The cell being read.
    pub(super) cell: Option<Writer>,
}

impl Table {
    pub(super) fn begin_row(&mut self) {
        if self.rows.last().is_none_or(|row| !row.is_empty()) {
            self.rows.push(Vec::new());
        }
    }

    pub(super) fn begin_cell(&mut self) {
        if self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        self.cell = Some(Writer::default());
    }

    pub(super) fn end_cell(&mut self) {
        if let (Some(cell), Some(row)) = (self.cell.take(), self.rows.last_mut()) {
            row.push(cell.finish());
        }
    }

    /// Writes the table. One with a single column is a list of blocks: that is how pages are laid
    /// out, not how data is.
    pub(super) fn write(mut self, out: &mut Writer, style: Style) {
        self.end_cell();
        self.rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        if columns < 2 {
            return self.spill(out);
        }
        for (index, row) in self.rows.iter().enumerate() {
            out.gap(if index == 0 { Gap::Paragraph } else { Gap::Line });
            match style {
                Style::Text => out.raw(&row.iter().map(|cell| one_line(cell)).collect::<Vec<_>>().join("\t")),
                Style::Markdown => out.raw(&line(row)),
            }
            if index == 0 && style == Style::Markdown {
                out.gap(Gap::Line);
                // Markdown wants the heading to be as wide as the widest row; a row a page made very
                // wide must not cost its width again in each other row, so only this line is.
                out.raw(&format!("|{}", " --- |".repeat(columns)));
            }
        }
        out.gap(Gap::Paragraph);
    }

    /// Writes the cells as blocks, one after the other.
    pub(super) fn spill(mut self, out: &mut Writer) {
        self.end_cell();
        for cell in self.rows.iter().flatten().filter(|cell| !cell.is_empty()) {
            for (index, line) in cell.lines().enumerate() {
                out.gap(if index == 0 { Gap::Paragraph } else { Gap::Line });
                out.raw(line);
            }
        }
        out.gap(Gap::Paragraph);
    }
}

fn line(row: &[String]) -> String {
    let cells: Vec<String> = row.iter().map(|cell| one_line(cell).replace('|', "\\|")).collect();
    format!("| {} |", cells.join(" | "))
}

fn one_line(cell: &str) -> String {
    cell.split_whitespace().collect::<Vec<_>>().join(" ")
}
