//! Expressions and templates of the generic receiver: compiled and run within small budgets.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use quayside::expr::{Budget, CompileBudget, Env, Program, Template, parse_json};

fuzz_target!(|text: &str| {
    let (source, body) = text.split_once('\n').unwrap_or((text, r#"{"a":[1,"b",{"c":null}]}"#));
    let Ok(body) = parse_json(body.as_bytes()) else { return };
    let env = Env::builder(Timestamp::UNIX_EPOCH).body(body).build();
    if let Ok(program) = Program::compile(source, &mut CompileBudget::default()) {
        drop(program.run(&env, &mut Budget::default()));
    }
    if let Ok(template) = Template::parse(source, &mut CompileBudget::default()) {
        drop(template.render(&env, &mut Budget::default()));
    }
});
