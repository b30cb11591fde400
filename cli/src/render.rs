//! How results look: columns for people, JSON and YAML for programs.

use std::fmt::Write;

use anstyle::Style;
use clap::ValueEnum;
use serde::Serialize;

use crate::console::BOLD;
use crate::exit::Failure;

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// The same as YAML.
    Yaml,
}

/// A value as JSON or YAML; `None` for the form that is for people.
pub fn structured<T: Serialize>(format: Format, value: &T) -> Result<Option<String>, Failure> {
    let text = match format {
        Format::Table => return Ok(None),
        Format::Json => serde_json::to_string_pretty(value).map_err(|error| error.to_string()),
        Format::Yaml => serde_saphyr::to_string(value).map_err(|error| error.to_string()),
    };
    text.map(Some)
        .map_err(|error| Failure::file(format!("the result cannot be written: {error}")))
}

/// Text from outside made safe for a terminal: control characters become `·`.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { '·' } else { c })
        .collect()
}

/// One cell: text and how it is set.
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell with a style.
    pub fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Self {
            text: printable(text.as_ref()).replace('\n', " "),
            style,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

/// Rows under headings, aligned by the widest cell of each column.
pub struct Table {
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    /// A table with headings.
    pub fn new(headings: &[&str]) -> Self {
        Self {
            rows: vec![
                headings
                    .iter()
                    .map(|heading| Cell::styled(heading, BOLD))
                    .collect(),
            ],
            indent: 0,
        }
    }

    /// A table without headings, set in by some spaces.
    pub fn plain(indent: usize) -> Self {
        Self {
            rows: Vec::new(),
            indent,
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table's lines.
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(self.indent);
            for (column, cell) in row.iter().enumerate() {
                let Cell { text, style } = cell;
                let last = column + 1 == row.len();
                let gap = if last {
                    0
                } else {
                    widths[column] + 3 - text.chars().count()
                };
                let _ = write!(line, "{style}{text}{style:#}{:gap$}", "");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::plain(2);
        table.row(["a".into(), "bcd".into(), "e".into()]);
        table.row(["fgh".into(), "✔".into(), "".into()]);
        assert_eq!(table.render(), "  a     bcd   e\n  fgh   ✔\n");
    }

    #[test]
    fn what_comes_from_outside_cannot_steer_the_terminal() {
        let mut table = Table::plain(0);
        table.row(["\u{1b}[31mred\nline".into()]);
        assert_eq!(table.render(), "·[31mred line\n");
    }

    #[test]
    fn json_and_yaml_say_the_same() {
        let value = serde_json::json!({"a": ["b", 1]});
        assert_eq!(structured(Format::Table, &value).unwrap(), None);
        let json = structured(Format::Json, &value).unwrap().unwrap();
        let yaml = structured(Format::Yaml, &value).unwrap().unwrap();
        let back: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json).unwrap(),
            back
        );
    }
}
