//! Operators between operands, and `? :`.

use super::super::ast::{BinaryOp, Node, NodeId, UnaryOp};
use super::super::lexer::Kind;
use super::{CompileError, Parser};

#[derive(Clone, Copy)]
enum Infix {
    Pipe,
    Operator(BinaryOp),
}

/// An operator between two operands and its precedence.
fn infix(text: &str) -> Option<(Infix, u16)> {
    let (op, precedence) = match text {
        "|" => return Some((Infix::Pipe, 0)),
        "or" | "||" => (BinaryOp::Or, 10),
        "and" | "&&" => (BinaryOp::And, 15),
        "==" => (BinaryOp::Equal, 20),
        "!=" => (BinaryOp::NotEqual, 20),
        "<" => (BinaryOp::Less, 20),
        ">" => (BinaryOp::More, 20),
        ">=" => (BinaryOp::MoreOrEqual, 20),
        "<=" => (BinaryOp::LessOrEqual, 20),
        "in" => (BinaryOp::In, 20),
        "matches" => (BinaryOp::Matches, 20),
        "contains" => (BinaryOp::Contains, 20),
        "startsWith" => (BinaryOp::StartsWith, 20),
        "endsWith" => (BinaryOp::EndsWith, 20),
        ".." => (BinaryOp::Range, 25),
        "+" => (BinaryOp::Add, 30),
        "-" => (BinaryOp::Subtract, 30),
        "*" => (BinaryOp::Multiply, 60),
        "/" => (BinaryOp::Divide, 60),
        "%" => (BinaryOp::Modulo, 60),
        "**" | "^" => (BinaryOp::Power, 100),
        "??" => (BinaryOp::Coalesce, 500),
        _ => return None,
    };
    Some((Infix::Operator(op), precedence))
}

fn can_follow_not(text: &str) -> bool {
    matches!(text, "in" | "matches" | "contains" | "startsWith" | "endsWith")
}

/// An operator that follows an operand.
#[derive(Clone, Copy)]
struct Following {
    infix: Infix,
    binding: u16,
    is_negated: bool,
    is_coalesce: bool,
    at: usize,
}

impl Parser<'_> {
    pub(super) fn operators(&mut self, precedence: u16) -> Option<NodeId> {
        let mut left = self.primary()?;
        let mut is_after_coalesce = false;
        while let Some(following) = self.following(precedence) {
            left = match following.infix {
                Infix::Pipe => self.pipe(left)?,
                Infix::Operator(_) if is_after_coalesce && !following.is_coalesce => {
                    return self.fail(CompileError::syntax("?? cannot be mixed with other operators", following.at));
                }
                Infix::Operator(op) if op.is_comparison() => self.comparison(left, op, following)?,
                Infix::Operator(op) => {
                    let is_right_associative = op == BinaryOp::Power;
                    let right = self.expression(following.binding + u16::from(!is_right_associative))?;
                    self.binary(left, op, right, following)?
                }
            };
            is_after_coalesce = following.is_coalesce;
        }
        if self.error.is_some() {
            return None;
        }
        if precedence == 0 && self.is_operator("?") { self.conditional(left) } else { Some(left) }
    }

    /// The operator that comes next, if it binds tightly enough, in which case it is passed.
    fn following(&mut self, precedence: u16) -> Option<Following> {
        let current = self.current();
        if current.kind != Kind::Operator {
            return None;
        }
        let is_negated = current.text == "not";
        // The text alone decides what follows `not`, so even a string will do.
        let token = if is_negated { &self.tokens[self.at + 1] } else { current };
        if is_negated && !can_follow_not(&token.text) {
            return self.unexpected();
        }
        let (infix, binding) = infix(&token.text).filter(|(_, binding)| *binding >= precedence)?;
        let following = Following { infix, binding, is_negated, is_coalesce: token.text == "??", at: token.at };
        self.at += 1 + usize::from(is_negated);
        Some(following)
    }

    fn binary(&mut self, left: NodeId, op: BinaryOp, right: NodeId, operator: Following) -> Option<NodeId> {
        let node = self.add(Node::Binary { op, left, right }, operator.at)?;
        if operator.is_negated { self.add(Node::Unary { op: UnaryOp::Not, node }, operator.at) } else { Some(node) }
    }

    fn pipe(&mut self, left: NodeId) -> Option<NodeId> {
        let name = self.expect_identifier()?;
        self.call(name, vec![left])
    }

    /// `a < b < c` means `a < b && b < c`.
    fn comparison(&mut self, mut left: NodeId, mut op: BinaryOp, first: Following) -> Option<NodeId> {
        let mut all = None;
        loop {
            let right = self.expression(first.binding + 1)?;
            let one = self.binary(left, op, right, first)?;
            let so_far = match all {
                None => one,
                Some(before) => self.binary(before, BinaryOp::And, one, first)?,
            };
            all = Some(so_far);
            left = right;
            match infix(&self.current().text) {
                Some((Infix::Operator(next), _)) if self.current().kind == Kind::Operator && next.is_comparison() => {
                    op = next;
                    self.advance()?;
                }
                _ => return Some(so_far),
            }
        }
    }

    fn conditional(&mut self, mut node: NodeId) -> Option<NodeId> {
        while self.is_operator("?") {
            self.advance()?;
            let condition = node;
            let then = if self.is_operator(":") { condition } else { self.expression(0)? };
            self.expect(Kind::Operator, ":")?;
            let otherwise = self.expression(0)?;
            let at = self.current().at;
            node = self.add(Node::Conditional { condition, then, otherwise }, at)?;
        }
        Some(node)
    }
}
