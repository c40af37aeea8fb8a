//! Expressions and templates of the generic receiver: compiled and run within their budgets.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use quayside::expr::{Budget, CompileBudget, Env, Program, Template, parse_json};
use quayside_fuzz::within_budget;

fuzz_target!(|text: &str| {
    let (source, body) = text.split_once('\n').unwrap_or((text, r#"{"a":[1,"b",{"c":null}]}"#));
    let Ok(body) = parse_json(body.as_bytes()) else { return };
    let env = Env::builder(Timestamp::UNIX_EPOCH).body(body).build();
    within_budget(text.len(), || {
        if let Ok(program) = Program::compile(source, &mut CompileBudget::default()) {
            program.run(&env, &mut Budget::default()).ok();
        }
    });
    within_budget(text.len(), || {
        if let Ok(template) = Template::parse(source, &mut CompileBudget::default()) {
            template.render(&env, &mut Budget::default()).ok();
        }
    });
});
