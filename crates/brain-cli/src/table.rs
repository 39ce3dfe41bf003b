//! Aligned columns.

use std::io::{self, Write};

/// Rows under headings. Columns are as wide as their widest cell; the last one is never padded.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Column {
    heading: &'static str,
    is_number: bool,
}

impl Table {
    /// An empty table without columns.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a column of text.
    pub(crate) fn text(mut self, heading: &'static str) -> Self {
        self.columns.push(Column { heading, is_number: false });
        self
    }

    /// Adds a column of numbers, which stand at the right.
    pub(crate) fn number(mut self, heading: &'static str) -> Self {
        self.columns.push(Column { heading, is_number: true });
        self
    }

    /// Adds a row; a cell too many is left out.
    pub(crate) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).take(self.columns.len()).collect());
    }

    /// Writes headings and rows; nothing where there is no row.
    pub(crate) fn write(&self, writer: &mut impl Write, colour: bool) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let widths: Vec<usize> = self.columns.iter().enumerate().map(|(at, column)| self.width(at, column)).collect();
        let headings: Vec<&str> = self.columns.iter().map(|column| column.heading).collect();
        let (dim, plain) = if colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        writeln!(writer, "{dim}{}{plain}", self.aligned(&headings, &widths))?;
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            writeln!(writer, "{}", self.aligned(&cells, &widths))?;
        }
        Ok(())
    }

    fn width(&self, at: usize, column: &Column) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([column.heading.chars().count()]).max().unwrap_or_default()
    }

    fn aligned(&self, cells: &[&str], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, column), width) in cells.iter().zip(&self.columns).zip(widths) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            if column.is_number {
                line.push_str(&padding);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&padding);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(table: &Table) -> String {
        let mut text = Vec::new();
        table.write(&mut text, false).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new().number("rank").text("label").text("file");
        table.row(["1", "dog", "a.jpg"]);
        table.row(["10", "vögel", "b.jpg"]);
        assert_eq!(written(&table), "rank  label  file\n   1  dog    a.jpg\n  10  vögel  b.jpg\n");
    }

    #[test]
    fn a_table_without_rows_is_silent() {
        assert_eq!(written(&Table::new().text("name")), "");
    }
}
