//! What Kargo's documentation and its tests promise, and the quirks that are kept on purpose.

use jiff::Timestamp;

use super::super::{Budget, CompileBudget, Env, ErrorClass, Program, Template, Value, parse_json};
use super::{env, render, run, run_error};

fn holds(source: &str) {
    assert!(matches!(run(source), Ok(Value::Bool(true))), "{source}: {:?}", run(source));
}

fn yields(source: &str, json: &str) {
    assert_eq!(
        run(&format!("toJSON({source}) | split(\"\\n\") | map(trim(#)) | join()")).unwrap().as_str(),
        Some(json),
        "{source}"
    );
}

#[test]
fn requests_are_visible() {
    for source in [
        "request.header('x-event-type') == 'push'",
        "request.header('Nope') == ''",
        "request.header('Host') == ''",
        "len(request.headers('X-Multi')) == 2",
        "'b' in request.headers('X-Multi')",
        "request.headers('Nope') == nil",
        "len(request.headers('Nope')) == 0",
        "request.params('p') == '1'",
        "request.params('q') == 'a b c'",
        "request.params('bad') == '' and request.params('x') == ''",
        "params.foo == 'bar'",
        "params.nope == nil",
        "request.body['a']['b'] == 'c'",
        "request.body.zz == nil",
        "request.body.zz?.y == nil",
        "request.body.a.n == 1 and request.body.a.n == 1.0",
        "request.body.ref startsWith 'refs/heads/'",
        "request.body.ref matches '^refs/(heads|tags)/'",
        "any(request.body.commits, any(#.added, # startsWith 'a/'))",
        "undefined == nil",
        "$env.request != nil",
        "let x = 1; x == 1",
        "fromJSON('{\"a\":1}').a == 1",
        "split(request.body.ref, '/')[2] == 'main'",
        "trimPrefix(request.body.ref, 'refs/heads/') == 'main'",
        "normalizeGit(request.body.repository.url) == 'https://github.com/foo/bar'",
        "normalizeGit(request.body.zz) == ''",
        "now() == date('2026-11-22T10:00:00Z')",
    ] {
        holds(source);
    }
    let empty = Env::builder(Timestamp::UNIX_EPOCH).build();
    let evaluate = |source: &str| {
        Program::compile(source, &mut CompileBudget::default()).unwrap().run(&empty, &mut Budget::default())
    };
    assert_eq!(evaluate("request.body == nil and request.body?.x == nil").unwrap().as_bool(), Some(true));
    assert_eq!(evaluate("request.body.x").unwrap_err().class(), ErrorClass::NilMember);
    let other = env().with_params([("foo", "other")]);
    let program =
        Program::compile("params.foo + request.header('x-event-type')", &mut CompileBudget::default()).unwrap();
    assert_eq!(program.run(&other, &mut Budget::default()).unwrap().as_str(), Some("otherpush"));
}

#[test]
fn errors_have_classes() {
    for (source, class) in [
        ("request.body.zz.y == nil", ErrorClass::NilMember),
        ("foo()", ErrorClass::NilCall),
        ("quote('a') == 'a'", ErrorClass::NilCall),
        ("request.body.list[5] == 'x'", ErrorClass::Index),
        ("request.body.list contains 'x'", ErrorClass::Type),
        ("request.header() == ''", ErrorClass::Type),
        ("request.header(1) == ''", ErrorClass::Type),
        ("date('soon')", ErrorClass::Value),
        ("request.body.ref matches ('(' + request.body.num)", ErrorClass::Value),
        ("1..1000000", ErrorClass::Limit),
    ] {
        assert_eq!(run_error(source).class(), class, "{source}");
    }
    for (source, class) in [
        ("{x!kj\"}", ErrorClass::Syntax),
        ("invalid expression", ErrorClass::Syntax),
        ("true and", ErrorClass::Syntax),
        ("", ErrorClass::Syntax),
        ("1 + 'a'", ErrorClass::Type),
        ("false && ('a' + 1)", ErrorClass::Type),
        ("1 % 0", ErrorClass::Value),
        ("(nil).a", ErrorClass::NilMember),
        ("'a' matches '('", ErrorClass::Value),
    ] {
        let error = Program::compile(source, &mut CompileBudget::default()).unwrap_err();
        assert_eq!(error.class(), class, "{source}");
        assert!(error.position().is_some(), "{source}");
    }
}

#[test]
fn precedence_is_that_of_expr_lang() {
    for (source, json) in [
        ("not true == false", "true"),
        ("-2 ** 2", "-4"),
        ("2 ** 3 ** 2", "512"),
        ("1 + 2 * 3 % 2", "1"),
        ("1..3 == [1, 2, 3]", "true"),
        ("1 < 2 < 3", "true"),
        ("3 > 2 > 2", "false"),
        ("nil ?? 1 == 1", ""),
        ("true ? 1 : false ? 2 : 3", "1"),
        ("nil ?: 1", ""),
        ("if false { 1 } else if true { 2 } else { 3 }", "2"),
        ("1; 2; 3", "3"),
        ("[1, 2, 3] | filter(# > 1) | map(# * 2)", "[4,6]"),
    ] {
        if json.is_empty() {
            assert!(run(source).is_err(), "{source}");
        } else {
            yields(&format!("({source})"), json);
        }
    }
}

/// Each of these is what expr-lang v1.17.8 really answers.
#[test]
fn quirks_are_kept() {
    for (source, json) in [
        // The loop leaves booleans behind, and the list picks one up.
        ("[1, findLast([1, 2], # == 1)]", "[true,1]"),
        ("[5, request.body.zz?.foo(1)]", "[1,null]"),
        // Folded away without a look at the type.
        ("request.body.a.n && true", "1"),
        // Looks for the element instead of filtering.
        ("filter([1, 2, 'x'], # == 1)[0]", "1"),
        ("len(filter(request.body.list, # > 'x'))", "1"),
        // Sums of literal lists are additions.
        ("sum(['a', request.body.num])", "\"a42\""),
        // The first of equal keys wins.
        ("{a: 1, a: 2}", "{\"a\": 1}"),
        // A list that is nil is not a nil that an expression can distinguish from one.
        ("concat([]) == nil", "true"),
        ("nil in ['']", "true"),
        // A string may follow `not`.
        ("1 not 'in' [2]", "true"),
        ("[1.0] == [1]", "true"),
        ("{a: 1} == {a: 1.0}", "false"),
        ("9223372036854775807 + 1", "-9223372036854775808"),
        ("string(1e6)", "\"1e+06\""),
        ("request.body.ref[0]", "114"),
        ("len('é')", "1"),
        ("split('a', ',', 0)", "null"),
        ("duration('1h') * 1.5", "5400000000000"),
    ] {
        yields(source, json);
    }
    assert!(run("max(1, 2.5) == 1").is_err());
}

#[test]
fn templates_guess_the_type_of_their_result() {
    for (template, text) in [
        ("static", "static"),
        ("42", "42"),
        ("{{ x }}", "{{ x }}"),
        ("${{ quote(42) }}", "42"),
        ("${{ quote('42') }}", "42"),
        ("x-${{ request.body.num }}", "x-42"),
        ("${{ '0x10' }}", "0x10"),
        ("${{ '1.2.3' }}", "1.2.3"),
        ("${{ '' }}", ""),
        ("${{ request.body.a.b }}-${{ params.foo }}", "c-bar"),
        ("${% 'x}}' %}", "x}}"),
        ("a ${{ 1 }} b", "a 1 b"),
        ("pre ${{}} post ${{ 1 }}", "pre  post ${{ 1 }}"),
        ("${{ quote('a\"b') }}", "a\\\"b"),
        ("${{ asYAML({a: [1, 'x: y']}) }}", "a:\n    - 1\n    - 'x: y'\n"),
    ] {
        assert_eq!(render(template).as_deref(), Ok(text), "{template}");
    }
    for template in [
        "${{ 42 }}",
        "${{ '42' }}",
        "${{ request.body.num }}",
        "${{ 'f' }}",
        "${{ 'inf' }}",
        "${{ '1_000' }}",
        "${{ request.body.zz }}",
        "${{ [1] }}",
        "${{ unclosed",
        "${{ }}",
        "${{ request.body.zz.y }}",
    ] {
        assert!(render(template).is_err(), "{template}");
    }
    assert_eq!(
        Template::parse("${{ 1 + }}", &mut CompileBudget::default()).unwrap().first_error().unwrap().class(),
        ErrorClass::Syntax
    );
    assert_eq!(
        Template::parse("${{ 1", &mut CompileBudget::default()).unwrap().first_error().unwrap().class(),
        ErrorClass::Syntax
    );
    assert!(Template::parse("${{ 1 }}", &mut CompileBudget::default()).unwrap().first_error().is_none());
}

#[test]
fn bodies_are_read_as_go_reads_them() {
    let number = |json: &[u8]| match parse_json(json) {
        Ok(Value::Float(number)) => Some(number),
        _ => None,
    };
    assert_eq!(number(b" 1 "), Some(1.0));
    assert_eq!(number(b"9007199254740993"), Some(9_007_199_254_740_992.0));
    for bad in
        ["", "01", "1.", ".5", "+1", "1e", "1e999", "nul", "[1,]", "{\"a\"}", "\"\u{1}\"", "\"\\x\"", "1 2", "[", "NaN"]
    {
        assert!(parse_json(bad.as_bytes()).is_err(), "{bad}");
    }
    for (json, text) in [
        (&b"\"a\\u00e9\\ud83d\\ude00\""[..], "a\u{e9}\u{1F600}"),
        (b"\"\\ud800x\"", "\u{FFFD}x"),
        (b"\"\xff\"", "\u{FFFD}"),
        (b"\"\\/\\b\"", "/\u{8}"),
    ] {
        assert_eq!(parse_json(json).unwrap().as_str(), Some(text));
    }
    let Ok(Value::Map(map)) = parse_json(br#"{"a":1,"A":2,"a":3}"#) else { panic!("an object") };
    assert!(matches!(map.get("a"), Some(Value::Float(3.0))) && map.len() == 2);
}

#[test]
fn times_are_those_of_go() {
    for (source, text) in [
        ("date('2026-05-04T07:15:31.5+02:00').String()", "2026-05-04 07:15:31.5 +0200 +0200"),
        ("date('2024-02-29').AddDate(1, 0, 0).Format('Mon Jan _2 2006')", "Sat Mar  1 2025"),
        ("date('2026-03-29 02:30', '2006-01-02 15:04', 'Europe/Berlin').Format('15:04 MST')", "03:30 CEST"),
        ("string(date('2026-05-04') - date('2026-05-03T12:00:00Z'))", "12h0m0s"),
        ("string(duration('1h1m1.001s'))", "1h1m1.001s"),
        ("string(duration('-1us'))", "-1µs"),
        ("date('2026-05-04').Weekday().String()", "Monday"),
        ("string(date('04 May 26 07:15 PST').Unix())", "1777878900"),
    ] {
        assert_eq!(run(source).unwrap().as_str(), Some(text), "{source}");
    }
    assert!(run("date('2026-02-30')").is_err());
    assert!(run("timezone('europe/berlin')").is_err());
}
