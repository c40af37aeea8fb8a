//! Builds the tree: a Pratt parser with expr-lang's precedences.
//!
//! Precedence is unusual in places and reproduced as it is: `not a == b` negates `a` only, `??` binds tightest and
//! refuses to be mixed, and numbers, `true`, `false` and `nil` take no `.` or `[`.
//!
//! This is the one stage that recurses, up to [`MAX_DEPTH`]. To need little stack for each
//! level, functions pass positions of tokens around, and nothing instead of an error: that is kept aside.

mod call;
mod number;
mod operand;
mod operators;
mod postfix;

use super::ast::{Node, NodeId, Tree};
use super::dialect::Dialect;
use super::lexer::{Kind, Token, tokens};
use super::limits::{MAX_DEPTH, MAX_SOURCE_LEN};
use super::value::Text;
use super::{CompileError, ErrorClass};

/// Parses a whole source.
pub(super) fn parse(source: &str, dialect: Dialect) -> Result<(Tree, NodeId), CompileError> {
    if source.len() > MAX_SOURCE_LEN {
        return Err(CompileError::new(ErrorClass::Limit, "the expression is too long"));
    }
    let mut parser =
        Parser { tokens: tokens(source)?, at: 0, tree: Tree::default(), depth: 0, predicates: 0, dialect, error: None };
    match parser.whole() {
        Some(root) => Ok((parser.tree, root)),
        None => Err(parser.error.unwrap_or_else(|| CompileError::syntax("unexpected token", 0))),
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    tree: Tree,
    depth: usize,
    /// How many predicates surround this place.
    predicates: usize,
    dialect: Dialect,
    /// What went wrong first.
    error: Option<CompileError>,
}

impl<'a> Parser<'a> {
    fn current(&self) -> &Token<'a> {
        // The last token is the end and is never passed.
        &self.tokens[self.at]
    }

    /// Remembers an error.
    fn fail<T>(&mut self, error: CompileError) -> Option<T> {
        self.error.get_or_insert(error);
        None
    }

    fn syntax_error<T>(&mut self, message: &'static str) -> Option<T> {
        let at = self.current().at;
        self.fail(CompileError::syntax(message, at))
    }

    fn unexpected<T>(&mut self) -> Option<T> {
        self.syntax_error("unexpected token")
    }

    /// Passes a token and returns its position.
    fn advance(&mut self) -> Option<usize> {
        if self.current().kind == Kind::End {
            return self.syntax_error("unexpected end of expression");
        }
        self.at += 1;
        Some(self.at - 1)
    }

    fn is_operator(&self, text: &str) -> bool {
        self.current().is(Kind::Operator, text)
    }

    fn is_bracket(&self, text: &str) -> bool {
        self.current().is(Kind::Bracket, text)
    }

    fn expect(&mut self, kind: Kind, text: &str) -> Option<()> {
        if !self.current().is(kind, text) {
            return self.unexpected();
        }
        self.advance().map(drop)
    }

    fn expect_identifier(&mut self) -> Option<usize> {
        if self.current().kind != Kind::Identifier {
            return self.unexpected();
        }
        self.advance()
    }

    /// The text of a token that has been passed.
    fn text(&self, token: usize) -> Text {
        Text::from(&*self.tokens[token].text)
    }

    #[inline(never)]
    fn add(&mut self, node: Node, at: usize) -> Option<NodeId> {
        match self.tree.add(node, at) {
            Ok(id) => Some(id),
            Err(error) => self.fail(error),
        }
    }

    fn enter(&mut self) -> Option<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(CompileError::new(ErrorClass::Limit, "the expression nests too deeply"));
        }
        Some(())
    }

    fn whole(&mut self) -> Option<NodeId> {
        let root = self.sequence()?;
        if self.current().kind == Kind::End { Some(root) } else { self.unexpected() }
    }

    fn sequence(&mut self) -> Option<NodeId> {
        let first = self.expression(0)?;
        if self.is_operator(";") { self.further(first) } else { Some(first) }
    }

    fn further(&mut self, first: NodeId) -> Option<NodeId> {
        let mut nodes = vec![first];
        while self.is_operator(";") {
            self.advance()?;
            if self.current().kind == Kind::End {
                break;
            }
            nodes.push(self.expression(0)?);
        }
        if nodes.len() == 1 {
            return Some(first);
        }
        let at = self.tree.position(first);
        self.add(Node::Sequence(nodes), at)
    }

    fn expression(&mut self, precedence: u16) -> Option<NodeId> {
        self.enter()?;
        let node = if precedence == 0 && self.is_operator("let") {
            self.variable()
        } else if precedence == 0 && self.is_operator("if") {
            self.if_else()
        } else {
            self.operators(precedence)
        };
        self.depth -= 1;
        node
    }

    fn variable(&mut self) -> Option<NodeId> {
        self.advance()?;
        let name = self.expect_identifier()?;
        self.expect(Kind::Operator, "=")?;
        let value = self.expression(0)?;
        self.expect(Kind::Operator, ";")?;
        let body = self.sequence()?;
        let at = self.tokens[name].at;
        self.add(Node::Let { name: self.text(name), value, body }, at)
    }

    fn if_else(&mut self) -> Option<NodeId> {
        let token = self.advance()?;
        let condition = self.expression(0)?;
        let then = self.block()?;
        self.expect(Kind::Operator, "else")?;
        let otherwise = if self.is_operator("if") {
            self.enter()?;
            let otherwise = self.if_else()?;
            self.depth -= 1;
            otherwise
        } else {
            self.block()?
        };
        // Upstream does not count this one.
        let at = self.tokens[token].at;
        Some(self.tree.add_derived(Node::Conditional { condition, then, otherwise }, at))
    }

    fn block(&mut self) -> Option<NodeId> {
        self.expect(Kind::Bracket, "{")?;
        let node = self.sequence()?;
        self.expect(Kind::Bracket, "}")?;
        Some(node)
    }
}
