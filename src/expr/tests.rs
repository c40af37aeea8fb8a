mod hostile;
mod language;
mod vectors;

use super::{Budget, CompileBudget, Env, Program, RunError, Template, Value};

fn env() -> Env {
    let body: serde_json::Value = serde_json::from_str(
        r#"{"a":{"b":"c","n":1,"arr":[1,"x"]},"ref":"refs/heads/main","list":["x","y"],"num":"42","nul":null,
            "repository":{"url":"https://github.com/Foo/Bar.git"},"commits":[{"added":["a/b"]}]}"#,
    )
    .unwrap();
    Env::builder("2026-11-22T10:00:00Z".parse().unwrap())
        .body(&body)
        .header("X-Event-Type", "push")
        .header("X-Multi", "a")
        .header("x-multi", "b")
        .header("Host", "hooks.example.com")
        .query("p=1&p=2&q=a%20b+c&bad=%zz&x;y=1")
        .param("foo", "bar")
        .build()
}

fn run(source: &str) -> Result<Value, String> {
    let program = Program::compile(source, &mut CompileBudget::default()).map_err(|error| error.to_string())?;
    program.run(&env(), &mut Budget::default()).map_err(|error| error.to_string())
}

fn run_error(source: &str) -> RunError {
    Program::compile(source, &mut CompileBudget::default()).unwrap().run(&env(), &mut Budget::default()).unwrap_err()
}

fn render(template: &str) -> Result<String, String> {
    let template = Template::parse(template, &mut CompileBudget::default()).map_err(|error| error.to_string())?;
    template.render_text(&env(), &mut Budget::default()).map_err(|error| error.to_string())
}
