//! Keeps the tables of `docs/configuration.md`, `docs/registration.md` and of the chart's README in step with the flags
//! and with the chart's values.
//!
//! `make generate` writes them (it sets `QUAYSIDE_GENERATE`); without that the tests compare.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Arg, CommandFactory};
use serde_json::Value;

use super::Cli;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap()
}

/// One line of a Markdown table.
fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

fn flags() -> String {
    let cli = Cli::command();
    let run = cli.find_subcommand("run").unwrap();
    let mut table = row(&["flag", "environment", "default", "meaning"]) + &row(&["---", "---", "---", "---"]);
    for flag in run.get_arguments().filter(|flag| flag.get_long().is_some_and(|name| name != "help")) {
        table += &row(&cells(flag).each_ref().map(String::as_str));
    }
    table
}

/// Name, environment, default and meaning.
fn cells(flag: &Arg) -> [String; 4] {
    let name = match flag.get_long() {
        Some(name) => format!("`--{name}`"),
        None => code(&format!("{}…", flag.get_value_names().unwrap()[0])),
    };
    let environment = flag.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default();
    let default = match flag.get_default_values() {
        [] if flag.is_required_set() => "required".to_owned(),
        [] => String::new(),
        [value, ..] => code(&value.to_string_lossy()),
    };
    let help = flag.get_long_help().or_else(|| flag.get_help()).unwrap().to_string();
    [name, environment, default, help.split_whitespace().collect::<Vec<_>>().join(" ")]
}

/// The flags of all subcommands of `quayside quay`, each with the ones that have it.
fn quay_flags() -> String {
    let cli = Cli::command();
    let quay = cli.find_subcommand("quay").unwrap();
    let mut rows: Vec<(Vec<&str>, [String; 4])> = Vec::new();
    for command in quay.get_subcommands() {
        for flag in command.get_arguments().filter(|flag| flag.get_long() != Some("help")) {
            let found = cells(flag);
            match rows.iter_mut().find(|(_, known)| *known == found) {
                Some((commands, _)) => commands.push(command.get_name()),
                None => rows.push((vec![command.get_name()], found)),
            }
        }
    }
    let mut table =
        row(&["flag", "of", "environment", "default", "meaning"]) + &row(&["---", "---", "---", "---", "---"]);
    for (commands, [name, environment, default, help]) in &rows {
        let of = if commands.len() == quay.get_subcommands().count() { "all".to_owned() } else { commands.join(", ") };
        table += &row(&[name, &of, environment, default, help]);
    }
    table
}

fn values() -> String {
    let schema: Value = serde_json::from_str(&read("charts/quayside/values.schema.json")).unwrap();
    let values: Value = serde_saphyr::from_str(&read("charts/quayside/values.yaml")).unwrap();
    let mut table = row(&["value", "default", "meaning"]) + &row(&["---", "---", "---"]);
    add_values(&mut table, "", &schema, &values);
    table
}

/// Objects with members of their own are taken apart; what Kubernetes defines is one row.
fn add_values(table: &mut String, prefix: &str, schema: &Value, values: &Value) {
    for (name, property) in schema["properties"].as_object().unwrap() {
        let path = format!("{prefix}{name}");
        let description = property["description"].as_str().unwrap_or_default();
        assert!(!description.is_empty(), "{path} has no description in the schema");
        if property["properties"].is_object() {
            add_values(table, &format!("{path}."), property, &values[name]);
        } else {
            let default = values.get(name).map(Value::to_string).unwrap_or_default();
            write!(table, "{}", row(&[&code(&path), &code(&default), description])).unwrap();
        }
    }
}

#[track_caller]
fn in_step(path: &str, name: &str, table: &str) {
    let document = read(path);
    let (begin, end) = (format!("<!-- begin generated {name} -->\n"), format!("<!-- end generated {name} -->"));
    let (before, rest) = document.split_once(&begin).expect("the begin marker");
    let (found, after) = rest.split_once(&end).expect("the end marker");
    if std::env::var_os("QUAYSIDE_GENERATE").is_some() {
        std::fs::write(file(path), format!("{before}{begin}{table}{end}{after}")).unwrap();
        return;
    }
    assert!(found == table, "{path} is out of step with the {name}: run `make generate` and commit the result");
}

/// One test, because two parts are written into one file.
#[test]
fn the_configuration_reference_is_in_step_with_flags_and_values() {
    in_step("docs/configuration.md", "flags", &flags());
    in_step("docs/configuration.md", "values", &values());
    in_step("docs/registration.md", "quay flags", &quay_flags());
    in_step("charts/quayside/README.md", "values", &values());
}
