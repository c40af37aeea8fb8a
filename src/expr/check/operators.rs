//! What operators accept and yield.

use super::super::ast::{BinaryOp, NodeId, UnaryOp};
use super::super::text::pattern;
use super::super::types::{Shape, Type};
use super::checker::Checker;
use super::nature::Nature;
use crate::expr::CompileError;

/// Distinguishes what Go's reflection calls kinds.
#[derive(PartialEq, Eq)]
pub(super) enum Kind {
    Shape(Shape),
    Int,
    Int64,
    Uint8,
}

pub(super) fn kind(nature: &Nature) -> Kind {
    match nature.ty {
        Some(Type::Int | Type::Month | Type::Weekday) => Kind::Int,
        Some(Type::Int64 | Type::Duration) => Kind::Int64,
        Some(Type::Uint8) => Kind::Uint8,
        _ => Kind::Shape(nature.shape()),
    }
}

/// One of two values.
pub(super) fn either(first: Nature, second: Nature) -> Nature {
    match (first.is_nil, second.is_nil) {
        (true, true) => Nature::nil(),
        (true, false) => second,
        (false, true) => first,
        (false, false) if !first.is_assignable_to(&second) => Nature::unknown(),
        _ if first.is_list() && second.is_list() => {
            let (one, other) = (first.elem(), second.elem());
            let is_same = one.is_assignable_to(&other) && other.is_assignable_to(&one);
            if is_same { first } else { Type::Anys.into() }
        }
        _ => first,
    }
}

fn promoted(left: &Nature, right: &Nature) -> Nature {
    if left.is(Type::Float) || right.is(Type::Float) { Type::Float.into() } else { Type::Int.into() }
}

impl Checker<'_> {
    pub(super) fn unary(&self, id: NodeId, op: UnaryOp, nature: Nature) -> Result<Nature, CompileError> {
        match op {
            UnaryOp::Not if nature.is_bool() || nature.is_unknown() => Ok(Type::Bool.into()),
            UnaryOp::Minus | UnaryOp::Plus if nature.is_number() => Ok(nature),
            UnaryOp::Minus | UnaryOp::Plus if nature.is_unknown() => Ok(Nature::unknown()),
            _ => self.error(id, "mismatched type of an operand"),
        }
    }

    pub(super) fn binary(&self, id: NodeId, op: BinaryOp, left: Nature, right: Nature) -> Result<Nature, CompileError> {
        let answer = match op {
            BinaryOp::Equal | BinaryOp::NotEqual => left.is_comparable_to(&right).then(|| Type::Bool.into()),
            BinaryOp::Or | BinaryOp::And => {
                let is_ok = left.is_bool() && right.is_bool() || left.may_fit(&right, Nature::is_bool);
                is_ok.then(|| Type::Bool.into())
            }
            BinaryOp::Less | BinaryOp::More | BinaryOp::LessOrEqual | BinaryOp::MoreOrEqual => {
                let both = |test: fn(&Nature) -> bool| test(&left) && test(&right);
                let is_ok = both(Nature::is_number)
                    || both(Nature::is_text)
                    || both(|nature| nature.is(Type::Time))
                    || both(|nature| nature.is(Type::Duration))
                    || left.may_fit(&right, is_ordered);
                is_ok.then(|| Type::Bool.into())
            }
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply => arithmetic(op, &left, &right),
            BinaryOp::Divide | BinaryOp::Power => {
                let is_ok = left.is_number() && right.is_number() || left.may_fit(&right, Nature::is_number);
                is_ok.then(|| Type::Float.into())
            }
            BinaryOp::Modulo => {
                let is_ok = left.is_integer() && right.is_integer() || left.may_fit(&right, Nature::is_integer);
                is_ok.then(|| Type::Int.into())
            }
            BinaryOp::Range => {
                let is_ok = left.is_integer() && right.is_integer() || left.may_fit(&right, Nature::is_integer);
                is_ok.then(|| Nature::list_of(Type::Int.into()))
            }
            BinaryOp::In => is_in_allowed(&left, &right).then(|| Type::Bool.into()),
            BinaryOp::Matches => {
                let is_text = left.is_text() || left.is(Type::Bytes);
                let is_ok = is_text && right.is_text() || left.may_fit(&right, Nature::is_text);
                is_ok.then(|| Type::Bool.into())
            }
            BinaryOp::Contains | BinaryOp::StartsWith | BinaryOp::EndsWith => {
                let is_ok = left.is_text() && right.is_text() || left.may_fit(&right, Nature::is_text);
                is_ok.then(|| Type::Bool.into())
            }
            BinaryOp::Coalesce => Some(match (left.is_nil, right.is_nil) {
                (true, true) => Nature::nil(),
                (true, false) => right,
                (false, true) => left,
                (false, false) if right.is_assignable_to(&left) => left,
                (false, false) => Nature::unknown(),
            }),
        };
        answer.map_or_else(|| self.error(id, "mismatched types of operands"), Ok)
    }

    /// A pattern that is written out has to be one.
    pub(super) fn check_pattern(&mut self, id: NodeId) -> Result<(), CompileError> {
        let Some(source) = self.tree.text(id).and_then(|text| text.as_str()) else { return Ok(()) };
        pattern::compile(source, self.tree.position(id), self.budget).map(|_| ())
    }
}

fn is_ordered(nature: &Nature) -> bool {
    nature.is_number() || nature.is_text() || is_temporal(nature)
}

fn is_temporal(nature: &Nature) -> bool {
    matches!(nature.ty, Some(Type::Time | Type::Duration))
}

fn arithmetic(op: BinaryOp, left: &Nature, right: &Nature) -> Option<Nature> {
    use Type::{Duration, Text, Time};
    if left.is_number() && right.is_number() {
        return Some(promoted(left, right));
    }
    let ty = match (op, left.ty, right.ty) {
        (BinaryOp::Add, Some(Text), Some(Text)) => Some(Text),
        (BinaryOp::Add, Some(Time), Some(Duration)) | (BinaryOp::Add, Some(Duration), Some(Time)) => Some(Time),
        (BinaryOp::Subtract, Some(Time), Some(Duration)) => Some(Time),
        (BinaryOp::Subtract, Some(Time), Some(Time)) => Some(Duration),
        (_, Some(Duration), Some(Duration)) => Some(Duration),
        (BinaryOp::Multiply, Some(Duration), _) if right.is_number() => Some(Duration),
        (BinaryOp::Multiply, _, Some(Duration)) if left.is_number() => Some(Duration),
        _ => None,
    };
    if let Some(ty) = ty {
        return Some(ty.into());
    }
    let fits = |nature: &Nature| {
        nature.is_number()
            || nature.is(Duration)
            || op != BinaryOp::Multiply && nature.is(Time)
            || op == BinaryOp::Add && nature.is_text()
    };
    left.may_fit(right, fits).then(Nature::unknown)
}

fn is_in_allowed(left: &Nature, right: &Nature) -> bool {
    let is_unknown = left.is_unknown();
    match right.shape() {
        Shape::Struct if left.is_text() || is_unknown => true,
        Shape::Map => is_unknown || left.is_assignable_to(&right.ty.map_or(Type::Any, Type::key).into()),
        Shape::Slice => left.is_comparable_to(&right.elem()),
        Shape::Text => is_unknown,
        _ => right.is_unknown(),
    }
}
