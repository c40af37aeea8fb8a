//! Nothing that can be written hangs, exhausts the memory or overflows the stack.

use super::super::{Budget, CompileBudget, Env, ErrorClass, JsonError, Program, Template, Value, parse_json};
use super::{run, run_error};

fn compile_class(source: &str) -> Option<ErrorClass> {
    Program::compile(source, &mut CompileBudget::default()).err().map(|error| error.class())
}

#[test]
fn nesting_in_the_source_is_limited() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{a:", "1", "}"),
        ("!", "true", ""),
        ("-", "1", ""),
        ("string(", "1", ")"),
        ("map([1],", "1", ")"),
        ("map([1],{", "1", "})"),
        ("a.b(", "1", ")"),
        ("a[", "1", "]"),
        ("1**", "1", ""),
        ("true?1:", "1", ""),
        ("if true {1} else ", "{1}", ""),
        ("let a = ", "1", ";1"),
    ] {
        let nested = |count: usize| format!("{}{middle}{}", open.repeat(count), close.repeat(count));
        assert_eq!(compile_class(&nested(5_000)), Some(ErrorClass::Limit), "{open}");
        assert_eq!(compile_class(&nested(100_000)), Some(ErrorClass::Limit), "{open}");
        assert_eq!(compile_class(&open.repeat(5_000)), Some(ErrorClass::Limit), "{open}");
        let shallow = Program::compile(&nested(100), &mut CompileBudget::default());
        assert!(shallow.is_ok() || open.starts_with("let"), "{open}: {:?}", shallow.err());
    }
}

#[test]
fn long_chains_are_not_nested() {
    let sum = vec!["1"; 4_999].join("+");
    assert_eq!(run(&sum).unwrap().go_type(), "int");
    let sum = vec!["params.x ?? 1"; 1_600].join(") + (");
    assert_eq!(run(&format!("({sum})")).unwrap().as_str(), None);
    let piped = format!("1{}", " | string()".repeat(5_000));
    assert_eq!(run(&piped).unwrap().as_str(), Some("1"));
    let lists = format!("[1]{}", " | map([#])".repeat(2_000));
    assert!(run(&lists).is_ok());
    let members = format!("params{}", "?.a".repeat(3_000));
    assert!(matches!(run(&members), Ok(Value::Nil)));
    let comparisons = vec!["1"; 2_000].join("<=");
    assert_eq!(run(&comparisons).unwrap().as_bool(), Some(true));
    let sequence = "1;".repeat(9_000);
    assert!(run(&sequence).is_ok());
    let array = format!("sum([{}])", vec!["params.x ?? 1"; 1_500].join(","));
    assert!(run(&array).is_ok());
    assert_eq!(compile_class(&vec!["1"; 100_000].join("+")), Some(ErrorClass::Limit));
    assert_eq!(compile_class(&vec!["1"; 10_000].join("+")), Some(ErrorClass::Limit));
    assert_eq!(compile_class(&format!("1{}", "|f()".repeat(15_000))), Some(ErrorClass::Limit));
}

#[test]
fn patterns_are_limited() {
    let pattern = |index: usize| format!("'a' matches '(\\\\pL{{9}}){{9}}{index}'");
    let source = (0..1_800).map(pattern).collect::<Vec<_>>().join(" or ");
    assert_eq!(compile_class(&source), Some(ErrorClass::Limit));
    let source = (0..500).map(|index| format!("params.a matches '^a{index}'")).collect::<Vec<_>>().join(" or ");
    assert_eq!(compile_class(&source), None);
}

#[test]
fn the_patterns_of_a_configuration_take_no_more_than_they_may_together() {
    let mut budget = CompileBudget::default();
    let source = |index: usize| format!("params.a matches '\\\\pL{{48}}N{index}'");
    let outcomes: Vec<_> = (0..1_200).map(|index| Program::compile(&source(index), &mut budget)).collect();
    let kept = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!((1..100).contains(&kept), "{kept}");
    let mut refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(refused.all(|error| error.class() == ErrorClass::Limit));
    assert_eq!(budget.patterns.left(), 0);
}

#[test]
fn patterns_that_are_computed_are_paid_for_by_their_size() {
    let spent = |source: &str| {
        let program = Program::compile(source, &mut CompileBudget::default()).unwrap();
        let (before, mut budget) = (Budget::default(), Budget::default());
        let outcome = program.run(&super::env(), &mut budget).map_err(|error| error.class());
        (outcome.err(), before.steps - budget.steps, before.bytes - budget.bytes)
    };
    let (error, steps, bytes) = spent("'a' matches '(\\\\pL{9})' + string(1)");
    assert_eq!(error, None);
    assert!(steps > 10_000 && bytes > 10_000, "{steps} {bytes}");
    // One that proves too large costs as much as the largest that is not.
    let (error, steps, _) = spent("'a' matches '(\\\\pL{999})' + string(1)");
    assert_eq!(error, Some(ErrorClass::Limit));
    assert!(steps > 256 * 1024, "{steps}");
    let (error, steps, bytes) = spent("map(1..99999, 'a' matches '(\\\\pL{9})' + string(#))");
    assert_eq!(error, Some(ErrorClass::Limit));
    assert!(steps <= Budget::default().steps && bytes <= Budget::default().bytes);
}

#[test]
fn code_that_doubles_is_limited() {
    let doubled = format!("{}a{}", "(".repeat(60), " ?: b)".repeat(60));
    assert_eq!(compile_class(&doubled), Some(ErrorClass::Limit));
}

#[test]
fn evaluations_are_limited() {
    // Less than usual, as the test is not about how long it takes to get there.
    let limits = Budget { steps: 2_000_000, ..Budget::default() };
    let deep = "let x = reduce(1..100000, [#acc], 1);";
    for source in [
        "map(1..1000000000, #)",
        "len(1..1000000)",
        "map(1..999, map(1..999, map(1..999, #)))",
        "count(1..99999, count(1..99999, # > 5) > 99990)",
        "reduce(1..60, #acc + #acc, 'abcd')",
        "reduce(1..60, concat(#acc, #acc), [1])",
        "reduce(1..100000, #acc + 'abcdefgh', 'abcdefgh')",
        "len(toJSON(reduce(1..60, [#acc, #acc], 1)))",
        "reduce(1..60, [#acc, #acc], 1) == reduce(1..60, [#acc, #acc], 1)",
        "flatten(reduce(1..60, [#acc, #acc], 1))",
        "max(reduce(1..60, [#acc, #acc], 1))",
        "string(reduce(1..60, ({a: #acc, b: #acc}), 1))",
        "repeat('a', 1000001)",
        "repeat('abc', 999999)",
        "replace(repeat('a', 999999), '', repeat('b', 9999))",
        "map(1..100000, replace(repeat('a', 9), 'a', repeat('b', 99)))",
        "map(1..99999, split(repeat('a,', 4999), ','))",
        "uniq(1..500000)",
        "map(1..99999, toBase64(repeat('a', 9999)))",
        "map(1..9999, repeat('a', 99) matches repeat('(a*)', 99) + string(#))",
        "map(1..9999, repeat('ab', 99) matches '(a|b){500}(a|b){500}x{2}')",
        "map(1..99999, date('2026-05-04').Format(repeat('2006', 99)))",
        "map(1..999, lastIndexOf(repeat(fromBase64('/w=='), 9999), repeat(fromBase64('/w=='), 999) + 'x'))",
        "map(1..99999, trim(repeat('a', 999), repeat('b', 999)))",
    ] {
        let program = Program::compile(source, &mut CompileBudget::default()).unwrap();
        let class = program.run(&super::env(), &mut { limits }).map_err(|error| error.class());
        assert!(matches!(class, Err(ErrorClass::Limit)), "{source}: {class:?}");
    }
    for rest in ["toJSON(x)", "string(x)", "x == [x]", "flatten(x)", "max(x)", "mean(x)", "median(x)"] {
        assert_eq!(run_error(&format!("{deep} {rest}")).class(), ErrorClass::Limit, "{rest}");
    }
    // Building and dropping what nests deeply is harmless.
    assert!(run(&format!("{deep} len(x)")).is_ok());
    assert!(run("len(reduce(1..100000, ({a: #acc}), {}))").is_ok());
    assert!(run("len(groupBy(1..100000, #))").is_ok());
}

#[test]
fn a_body_of_small_values_takes_little_room() {
    assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
    assert!(size_of::<super::super::value::Key>() <= 24, "{}", size_of::<super::super::value::Key>());
    let of_values = |count: usize| format!("[{}]", vec!["{\"\":0}"; count].join(","));
    assert!(parse_json(of_values(100_000).as_bytes()).is_ok());
    assert_eq!(parse_json(of_values(125_000).as_bytes()).unwrap_err(), JsonError::TooLarge);
    assert_eq!(parse_json("[".repeat(300_000).as_bytes()).unwrap_err(), JsonError::Syntax);
}

#[test]
fn long_texts_are_paid_for_wherever_they_are_read() {
    // Each looks harmless, and reads a megabyte a hundred thousand times.
    let body = format!("{{\"k\":\"{}\",\"{}\":1}}", " ".repeat(1_000_000), "9".repeat(1_000_000));
    let env = Env::builder(jiff::Timestamp::UNIX_EPOCH).body(parse_json(body.as_bytes()).unwrap()).build();
    for work in [
        "request.body[n]",
        "get(request.body, n)",
        "n in request.body",
        "{'a': 1}[n]",
        "trim(s)",
        "trim('a', n)",
        "len(s)",
        "float(n)",
        "int(n) ?? 1",
        "duration(n)",
        "date(n)",
        "date('a', n)",
        "hasPrefix(n, n)",
        "hasSuffix(n, n)",
        "indexOf(s, 'x')",
        "s contains 'x'",
        "n == n + ''",
        "n < n",
        "split(s, 'x')",
        "timezone(n)",
        "n matches 'x'",
        "'x' matches n",
        "normalizeGit(n)",
        "fromJSON(n)",
        "fromBase64(n)",
        "lower(s)",
        "sort([n, n, n])",
        "uniq([n, n])",
        "fromPairs([[n, 1]])",
        "{(n): 1} == {(n): 1}",
        "request.header(n)",
        "request.params(n)",
        "toJSON(s)",
        "string([s])",
        "request.body == fromJSON(toJSON(request.body))",
    ] {
        let source = format!(
            "let s = request.body.k; let n = keys(request.body)[0]; sum(map(1..100000, let x = {work}; 1)) > 0"
        );
        let program = Program::compile(&source, &mut CompileBudget::default()).unwrap();
        let mut budget = Budget::default();
        let outcome = program.run(&env, &mut budget);
        let class = outcome.as_ref().map_err(|error| error.class());
        // Whatever cannot be read as what it should be ends the evaluation at once.
        let is_bounded = matches!(class, Err(ErrorClass::Limit | ErrorClass::Value | ErrorClass::Type));
        assert!(is_bounded, "{work}: {class:?}");
    }
}

#[test]
fn limits_can_be_lowered() {
    let program = Program::compile("sum(map(1..1000, # * 2.5))", &mut CompileBudget::default()).unwrap();
    let env = super::env();
    let few_steps = Budget { steps: 1_000, ..Budget::default() };
    assert_eq!(program.run(&env, &mut { few_steps }).unwrap_err().class(), ErrorClass::Limit);
    let program = Program::compile("len(map(1..1000, # * 2.5))", &mut CompileBudget::default()).unwrap();
    let little_memory = Budget { bytes: 1_000, ..Budget::default() };
    assert_eq!(program.run(&env, &mut { little_memory }).unwrap_err().class(), ErrorClass::Limit);
    assert!(program.run(&env, &mut Budget::default()).is_ok());
}

#[test]
fn bodies_may_nest_as_deeply_as_go_allows() {
    let nested = |count: usize| format!("{}{}", "[".repeat(count), "]".repeat(count));
    assert!(parse_json(nested(10_001).as_bytes()).is_err());
    assert!(parse_json(nested(1_000_000).as_bytes()).is_err());
    assert!(parse_json("[{\"a\":".repeat(1_000_000).as_bytes()).is_err());
    let body = parse_json(nested(10_000).as_bytes()).unwrap();
    let env = Env::builder(jiff::Timestamp::UNIX_EPOCH).body(body).build();
    let evaluate = |source: &str| {
        Program::compile(source, &mut CompileBudget::default()).unwrap().run(&env, &mut Budget::default())
    };
    assert_eq!(evaluate("len(request.body)").unwrap().go_type(), "int");
    assert_eq!(evaluate("toJSON(request.body)").unwrap_err().class(), ErrorClass::Limit);
    assert_eq!(evaluate("flatten(request.body)").unwrap_err().class(), ErrorClass::Limit);
}

#[test]
fn templates_are_limited() {
    assert!(Template::parse(&"${{ 1 }}".repeat(100_000), &mut CompileBudget::default()).is_err());
    let env = super::env();
    let long = Template::parse(&"${{ repeat('a', 999998) }}".repeat(200), &mut CompileBudget::default()).unwrap();
    assert_eq!(long.render(&env, &mut Budget::default()).unwrap_err().class(), ErrorClass::Limit);
    let deep = Template::parse("${{ reduce(1..100000, [#acc], 1) }}", &mut CompileBudget::default()).unwrap();
    assert_eq!(deep.render(&env, &mut Budget::default()).unwrap_err().class(), ErrorClass::Limit);
    let yaml = Template::parse("${{ asYAML(reduce(1..60, [#acc, #acc], 1)) }}", &mut CompileBudget::default()).unwrap();
    assert_eq!(yaml.render(&env, &mut Budget::default()).unwrap_err().class(), ErrorClass::Limit);
}

#[test]
fn arbitrary_sources_never_panic() {
    // A small generator of its own keeps the test independent of a seed from outside.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % end as u64) as usize
    };
    const PIECES: [&str; 64] = [
        "1",
        "2.5",
        "'a'",
        "\"b\\n\"",
        "`c`",
        "b'd'",
        "nil",
        "true",
        "request",
        "request.body",
        ".a",
        "?.b",
        "[0]",
        "[1:]",
        "[:-1]",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ";",
        ":",
        "?",
        "?:",
        "??",
        "|",
        "..",
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "==",
        "!=",
        "<",
        ">=",
        "in",
        "not",
        "and",
        "or",
        "matches",
        "contains",
        "#",
        "#index",
        "#acc",
        "map(",
        "filter(",
        "reduce(",
        "sortBy(",
        "len(",
        "string(",
        "date(",
        "split(",
        "let a =",
        "if",
        "else",
        "$env",
        "é",
        "\\",
        "::",
        "0x1F",
    ];
    let limits = Budget { steps: 20_000, ..Budget::default() };
    let env = super::env();
    for _ in 0..20_000 {
        let source: Vec<&str> = (0..1 + next(12)).map(|_| PIECES[next(PIECES.len())]).collect();
        let source = source.join(if next(2) == 0 { " " } else { "" });
        if let Ok(program) = Program::compile(&source, &mut CompileBudget::default()) {
            drop(program.run(&env, &mut { limits }));
        }
    }
}
