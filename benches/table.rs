//! The tables that are printed.

use comfy_table::{CellAlignment, Table, presets};

/// Rows of text under headings; all columns but the first are numbers.
pub struct Rows {
    title: &'static str,
    table: Table,
}

impl Rows {
    pub fn new(title: &'static str, headings: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header(headings);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self { title, table }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.table.add_row(cells);
    }

    pub fn print(self) {
        println!("\n{}\n\n{}", self.title, self.table);
    }
}

/// A cost, and in brackets what part or multiple of another it is.
pub fn share(cost: f64, of: f64) -> String {
    format!("{} ({})", number(cost), number(cost / of))
}

/// Microseconds, or a ratio: three digits that count.
pub fn number(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ if value >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
