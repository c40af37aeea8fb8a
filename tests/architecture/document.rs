//! Keeps the table of modules in `docs/architecture.md` in step with `ROOMS`.
//!
//! `make generate` writes it (it sets `QUAYSIDE_GENERATE`); without that the test compares.

use std::fs;
use std::path::Path;

use super::ROOMS;

#[test]
fn the_table_of_modules_is_in_step_with_the_arrows() {
    let mut table = "| folder or file of `src` | what it holds | may use |\n| --- | --- | --- |\n".to_owned();
    for room in &ROOMS {
        let others: Vec<_> = room.may_use.split_whitespace().map(|other| format!("`{other}`")).collect();
        table += &format!("| `{}` | {} | {} |\n", room.name, room.holds, others.join(", "));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let document = fs::read_to_string(&file).unwrap();
    let (before, rest) = document.split_once("<!-- begin generated modules -->\n").expect("the begin marker");
    let (found, after) = rest.split_once("<!-- end generated modules -->\n").expect("the end marker");
    if std::env::var_os("QUAYSIDE_GENERATE").is_some() {
        let text = format!("{before}<!-- begin generated modules -->\n{table}<!-- end generated modules -->\n{after}");
        fs::write(file, text).unwrap();
        return;
    }
    assert!(
        found == table,
        "docs/architecture.md is out of step with ROOMS: run `make generate` and commit the result"
    );
}
