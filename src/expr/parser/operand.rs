//! Operands: literals, names, pointers and everything that begins with an operator or a bracket.

use super::super::ast::{Node, NodeId, Pointer, UnaryOp};
use super::super::lexer::Kind;
use super::{CompileError, Parser, number};

const UNARY_NOT: u16 = 50;
const UNARY_SIGN: u16 = 90;

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Option<NodeId> {
        let node = match (self.current().kind, &*self.current().text) {
            (Kind::Operator, "not" | "!") => self.unary(UnaryOp::Not, UNARY_NOT)?,
            (Kind::Operator, "-") => self.unary(UnaryOp::Minus, UNARY_SIGN)?,
            (Kind::Operator, "+") => self.unary(UnaryOp::Plus, UNARY_SIGN)?,
            (Kind::Bracket, "(") => self.parenthesized()?,
            (Kind::Operator, "#" | ".") if self.predicates > 0 => self.pointer()?,
            // Where nothing can be overridden, this is a call like any other.
            (Kind::Operator, "::") => {
                self.advance()?;
                let name = self.expect_identifier()?;
                self.call(name, Vec::new())?
            }
            (Kind::Identifier, "true" | "false" | "nil") | (Kind::Number, _) => return self.bare_literal(),
            (Kind::Identifier, _) => self.name()?,
            (Kind::Text | Kind::Bytes, _) => self.literal()?,
            (Kind::Bracket, "[") => self.array()?,
            (Kind::Bracket, "{") => self.map()?,
            _ => return self.unexpected(),
        };
        self.postfix(node)
    }

    fn unary(&mut self, op: UnaryOp, precedence: u16) -> Option<NodeId> {
        let token = self.advance()?;
        let node = self.expression(precedence)?;
        let at = self.tokens[token].at;
        self.add(Node::Unary { op, node }, at)
    }

    fn parenthesized(&mut self) -> Option<NodeId> {
        self.advance()?;
        let node = self.sequence()?;
        self.expect(Kind::Bracket, ")")?;
        Some(node)
    }

    fn pointer(&mut self) -> Option<NodeId> {
        let at = self.current().at;
        let mut pointer = Pointer::Item;
        if self.is_operator("#") {
            self.advance()?;
            if self.current().kind == Kind::Identifier {
                let name = self.advance()?;
                pointer = match &*self.tokens[name].text {
                    "index" => Pointer::Index,
                    "acc" => Pointer::Acc,
                    _ => Pointer::Unknown,
                };
            }
        }
        self.add(Node::Pointer(pointer), at)
    }

    /// A literal that takes no postfix.
    fn bare_literal(&mut self) -> Option<NodeId> {
        let token = self.advance()?;
        let token = &self.tokens[token];
        let at = token.at;
        let node = match &*token.text {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            "nil" => Node::Nil,
            text => match number::literal(text) {
                Some(node) => node,
                None => return self.fail(CompileError::syntax("invalid number literal", at)),
            },
        };
        self.add(node, at)
    }

    fn name(&mut self) -> Option<NodeId> {
        let name = self.advance()?;
        if self.is_bracket("(") {
            return self.call(name, Vec::new());
        }
        let at = self.tokens[name].at;
        self.add(Node::Identifier(self.text(name)), at)
    }

    fn literal(&mut self) -> Option<NodeId> {
        let token = self.advance()?;
        let at = self.tokens[token].at;
        let node = match self.tokens[token].kind {
            Kind::Bytes => Node::Bytes(std::mem::take(&mut self.tokens[token].bytes)),
            _ => Node::Text(self.text(token)),
        };
        self.add(node, at)
    }
}
