//! Number literals.

use super::super::ast::Node;
use super::super::text::number::parse_float;

pub(super) fn literal(text: &str) -> Option<Node> {
    let lower = text.replace('_', "").to_ascii_lowercase();
    let radix = match lower.get(..2) {
        Some("0x") => Some(16),
        // A point or an exponent makes it a float before a prefix can make it anything else.
        _ if lower.contains(['.', 'e']) => None,
        Some("0b") => Some(2),
        Some("0o") => Some(8),
        _ => Some(10),
    };
    match radix {
        None => parse_float(lower.as_bytes()).map(Node::Float),
        Some(10) => lower.parse().ok().map(Node::Int),
        Some(radix) => lower.get(2..).and_then(|digits| i64::from_str_radix(digits, radix).ok()).map(Node::Int),
    }
}
