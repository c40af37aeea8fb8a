//! Tables for people: columns as wide as their widest cell.

use std::fmt::Write;

/// Rows below headings. Trailing blanks are left out.
pub(in crate::cli) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a text cannot fail.
            write!(line, "{:<width$}  ", printable(cell)).ok();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What a sender or tenant wrote must not move the cursor of the terminal that shows it.
pub(in crate::cli) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_do_nothing() {
        let rows = [vec!["a".to_owned(), "long cell".to_owned()], vec!["bc\u{1b}[2J".to_owned(), String::new()]];
        assert_eq!(table(&["ONE", "TWO"], &rows), "ONE     TWO\na       long cell\nbc\u{fffd}[2J\n");
    }
}
