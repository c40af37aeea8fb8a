use super::error::MAX_PATTERN_LEN;
use super::*;
use crate::domain::work::{Exhausted, Work};

fn compile(pattern: &str) -> Result<Program, RegexError> {
    super::compile(pattern, usize::MAX)
}

#[track_caller]
fn check(pattern: &str, matching: &[&str], others: &[&str]) {
    let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for text in matching {
        assert!(regex.is_match(text, &mut Work::default()).unwrap(), "{pattern} must match {text:?}");
    }
    for text in others {
        assert!(!regex.is_match(text, &mut Work::default()).unwrap(), "{pattern} must not match {text:?}");
    }
}

#[test]
fn classes_are_ascii_inside_and_outside_of_brackets() {
    check(r"^\d$", &["1"], &["\u{661}", "a"]);
    check(r"^[\d]$", &["1"], &["\u{661}"]);
    check(r"^\w$", &["a", "_"], &["é"]);
    check(r"^[\w-]$", &["a", "-"], &["é"]);
    check(r"^\s$", &[" ", "\t"], &["\u{a0}", "\u{b}"]);
    check(r"^\W$", &["é", "-"], &["a"]);
    check(r"^[\D\d]$", &["1", "é"], &[]);
    check(r"\bain\b", &["éain"], &["main"]);
    check(r"a\Bé", &[], &["aé"]);
    check(r"\B", &["ab", "é"], &["aéa", "a"]);
}

#[test]
fn posix_and_unicode_classes_have_gos_names() {
    check(r"^[[:word:]]$", &["a", "_"], &["é"]);
    check(r"^[[:^alpha:]]$", &["1", "é"], &["a"]);
    check(r"^[[:punct:]]$", &["~", "[", "_"], &["a", " "]);
    check(r"^\pN$", &["1", "½"], &["a"]);
    check(r"^\p{^Greek}$", &["a"], &["α"]);
    check(r"^\p{uppercase letter}$", &["É"], &["é"]);
    check(r"^[^\p{Any}]", &[], &["a", ""]);
    check(r"^\p{Cs}", &[], &["a", ""]);
    for unknown in [r"\p{Alphabetic}", r"\p{Grek}", r"\p{Old_Italic}", r"\p{}", r"[[:foo:]]", r"\pé"] {
        assert_eq!(compile(unknown).unwrap_err(), RegexError::InvalidClass, "{unknown}");
    }
}

#[test]
fn quoting_and_numeric_escapes_are_understood() {
    check(r"^\Q1.2+\E$", &["1.2+"], &["1x2+"]);
    check(r"^\Qab\E*$", &["abbb", "a"], &["abab"]);
    check(r"^\Qa.b", &["a.b"], &["axb"]);
    check(r"^\141\0$", &["a\0"], &[]);
    check(r"^\x41\x{1F600}$", &["A\u{1F600}"], &[]);
    check(r"^[\x{D700}-\x{DFFF}]$", &["\u{D700}"], &["\u{E000}"]);
    check(r"\x{D800}", &[], &["", "\u{FFFD}"]);
    check(r"^\-\_\<$", &["-_<"], &[]);
}

#[test]
fn what_is_special_only_to_rust_is_a_literal() {
    check(r"^[a-z&&[aeiou]]$", &["a]", "b]", "&]", "[]"], &["a", "b"]);
    check(r"^[+--b]$", &["+", ",", "-", "b"], &["a", "."]);
    check(r"^[~~]$", &["~"], &["a"]);
    check(r"^a{,2}$", &["a{,2}"], &["aa"]);
    check(r"^a{02}$", &["a{02}"], &["aa"]);
    check(r"^{$", &["{"], &[]);
    check(r"^ a#b$", &[" a#b"], &[]);
}

#[test]
fn flags_apply_as_in_go() {
    check(r"(?i)^k(?-i)x$", &["Kx", "\u{212A}x"], &["KX"]);
    check(r"^(?i:a)b$", &["Ab"], &["AB"]);
    check(r"^a(?i)*$", &["aaa", ""], &["A"]);
    check(r"^(a(?i)b|c)d$", &["aBd", "Cd"], &["ABd", "cD"]);
    check(r"(?m)^b$", &["a\nb\nc"], &["ab"]);
    check(r"(?s)^.$", &["\n"], &[]);
    check(r"^.$", &["\r"], &["\n"]);
    check(r"(?i)^\W$", &["-"], &["\u{17F}", "k"]);
    check(r"(?)a(?U)b+?", &["ab"], &[]);
}

#[test]
fn what_go_refuses_is_refused() {
    use RegexError as E;
    for (pattern, error) in [
        ("(", E::MissingParen),
        ("a)", E::UnexpectedParen),
        ("[a", E::MissingBracket),
        ("[]", E::MissingBracket),
        ("[z-a]", E::InvalidClass),
        (r"\C", E::InvalidEscape),
        (r"\1", E::InvalidEscape),
        (r"\u0041", E::InvalidEscape),
        (r"\Z", E::InvalidEscape),
        (r"\é", E::InvalidEscape),
        (r"[\b]", E::InvalidEscape),
        (r"\x{110000}", E::InvalidEscape),
        (r"a\", E::TrailingBackslash),
        ("(?x)a", E::InvalidGroup),
        ("(?R)", E::InvalidGroup),
        ("(?=a)", E::InvalidGroup),
        ("(?<=a)", E::InvalidName),
        ("(?i-)", E::InvalidGroup),
        ("(?P<a-b>c)", E::InvalidName),
        ("a**", E::NestedRepetition),
        ("a{2}{3}", E::NestedRepetition),
        ("a*?+", E::NestedRepetition),
        ("*", E::MissingArgument),
        ("a|*", E::MissingArgument),
        ("(?:+)", E::MissingArgument),
        ("{2}", E::MissingArgument),
        ("a{1001}", E::InvalidRepeat),
        ("a{3,2}", E::InvalidRepeat),
        ("a{99999999999}", E::InvalidRepeat),
        ("(?:a{100}){11}", E::InvalidRepeat),
    ] {
        assert_eq!(compile(pattern).map(|_| ()), Err(error), "{pattern}");
    }
}

#[test]
fn names_may_be_anything_go_lets_them_be() {
    check(r"^(?P<1a>x)(?<1a>y)$", &["xy"], &["x"]);
}

#[test]
fn repetitions_multiply_up_to_a_thousand() {
    check("^(?:a{100}){10}$", &["a".repeat(1000).as_str()], &["a"]);
    check("^(?:a{1000}){0}$", &[""], &["a"]);
    assert!(compile("(?:(?:a{1000}){0}){1000}").is_ok());
}

#[test]
fn nesting_is_limited_and_does_not_exhaust_the_stack() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(compile(&nested(999)).is_ok());
    assert_eq!(compile(&nested(1000)).unwrap_err(), RegexError::TooDeep);
    let repeated = |depth: usize| format!("{}a{}", "(?:b|".repeat(depth), ")*c".repeat(depth));
    assert!(compile(&repeated(60)).is_ok());
    for depth in [90, 300, 2000] {
        assert_eq!(compile(&repeated(depth)).unwrap_err(), RegexError::TooDeep, "{depth}");
    }
}

#[test]
fn hostile_patterns_are_refused_by_size() {
    assert_eq!(compile(r"\pL{1000}").unwrap_err(), RegexError::TooLarge);
    assert_eq!(compile(&"a".repeat(MAX_PATTERN_LEN + 1)).unwrap_err(), RegexError::TooLong);
    assert_eq!(compile(&r"\pL".repeat(257)).unwrap_err(), RegexError::TooLarge);
    assert!(compile(".{1000}").is_ok());
    assert!(compile(r"[\w.-]{1,1000}").is_ok());
}

#[test]
fn a_search_takes_no_more_steps_than_are_left() {
    let hostile = compile("([ab][ab]?){450}[c-z]0").unwrap();
    let steps = |text: &str| {
        let mut work = Work::default();
        (hostile.is_match(text, &mut work), Work::default().left() - work.left())
    };
    let (found, short) = steps(&"ab".repeat(64));
    assert_eq!(found, Ok(false));
    assert!(short < 1_000_000, "{short}");
    assert_eq!(steps(&"ab".repeat(1_000_000)), (Err(Exhausted), Work::default().left()));
    // Ordinary ones take a few steps for each byte.
    let ordinary = compile(r"^v\d+\.\d+\.\d+(-rc\.\d+)?$").unwrap();
    let mut work = Work::default();
    assert_eq!(ordinary.is_match("v1.24.3-rc.1", &mut work), Ok(true));
    let steps = Work::default().left() - work.left();
    assert!(steps < 100, "{steps}");
}

#[test]
fn the_size_of_a_program_is_bounded_before_it_is_built() {
    let size = |pattern: &str| compile(pattern).map(|program| program.size()).unwrap();
    assert!(size(r"^v\d+\.\d+\.\d+$") < 4 * 1024, "{}", size(r"^v\d+\.\d+\.\d+$"));
    assert!(size(r"\pL{48}N") > 100 * 1024);
    assert_eq!(super::compile(r"\pL{48}N", 64 * 1024).map(|_| ()), Err(RegexError::TooLarge));
    assert_eq!(super::compile(&r"(?i:\pL)?".repeat(40), 64 * 1024).map(|_| ()), Err(RegexError::TooLarge));
    // In any case, each character of a class is looked up, though the class may become few states.
    assert!(compile(r"(?i)[\x{80}-\x{10FFFF}]").is_ok());
    assert_eq!(compile(&r"(?i)[\x{80}-\x{10FFFF}]".repeat(400)).map(|_| ()), Err(RegexError::TooLarge));
}
