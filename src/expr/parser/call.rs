//! Calls, and the literals that look like argument lists.

use super::super::ast::{BuiltinCall, Node, NodeId, TemplateFunc};
use super::super::builtins::{Builtin, Parameter};
use super::super::dialect::Dialect;
use super::super::lexer::Kind;
use super::super::value::Text;
use super::Parser;

impl Parser<'_> {
    /// A call whose name has been passed. `args` holds what a pipe brought.
    pub(super) fn call(&mut self, name: usize, args: Vec<NodeId>) -> Option<NodeId> {
        let Some(builtin) = self.builtin(name) else {
            let at = self.tokens[name].at;
            let callee = self.add(Node::Identifier(self.text(name)), at)?;
            let args = self.arguments(args)?;
            return self.add(Node::Call { callee, args }, at);
        };
        let args = match builtin.parameters() {
            Some(parameters) => self.predicate_arguments(parameters, args)?,
            None => self.arguments(args)?,
        };
        self.builtin_call(builtin, args, name)
    }

    fn builtin(&self, name: usize) -> Option<Builtin> {
        let name = &self.tokens[name].text;
        if self.dialect == Dialect::Template && TemplateFunc::by_name(name).is_some() {
            return None;
        }
        Builtin::by_name(name)
    }

    fn builtin_call(&mut self, builtin: Builtin, args: Vec<NodeId>, name: usize) -> Option<NodeId> {
        let at = self.tokens[name].at;
        let call = BuiltinCall { builtin, args, throws: false, map: None, threshold: None };
        self.add(Node::Builtin(call), at)
    }

    /// Whether a list goes on, after the comma that this takes. `first` says whether it has begun.
    fn goes_on(&mut self, end: &str, is_first: bool) -> Option<bool> {
        if !is_first && !self.is_bracket(end) {
            self.expect(Kind::Operator, ",")?;
        }
        Some(!self.is_bracket(end))
    }

    pub(super) fn arguments(&mut self, mut args: Vec<NodeId>) -> Option<Vec<NodeId>> {
        let piped = args.len();
        self.expect(Kind::Bracket, "(")?;
        while self.goes_on(")", args.len() == piped)? {
            args.push(self.expression(0)?);
        }
        self.expect(Kind::Bracket, ")")?;
        Some(args)
    }

    fn predicate_arguments(&mut self, parameters: &[Parameter], mut args: Vec<NodeId>) -> Option<Vec<NodeId>> {
        self.expect(Kind::Bracket, "(")?;
        let piped = args.len();
        for (index, parameter) in parameters.iter().enumerate().skip(piped) {
            if self.is_bracket(")") {
                if parameter.is_optional() {
                    break;
                }
                return self.syntax_error("expected more arguments");
            }
            if index > piped {
                self.expect(Kind::Operator, ",")?;
            }
            args.push(if parameter.is_predicate() { self.predicate()? } else { self.expression(0)? });
        }
        if self.is_operator(",") {
            self.advance()?;
        }
        self.expect(Kind::Bracket, ")")?;
        Some(args)
    }

    fn predicate(&mut self) -> Option<NodeId> {
        let at = self.current().at;
        self.predicates += 1;
        let node = if self.is_bracket("{") { self.block()? } else { self.expression(0)? };
        self.predicates -= 1;
        if self.is_operator(";") {
            return self.syntax_error("wrap predicate with brackets { and }");
        }
        self.add(Node::Predicate(node), at)
    }

    pub(super) fn array(&mut self) -> Option<NodeId> {
        let bracket = self.advance()?;
        let mut nodes = Vec::new();
        while self.goes_on("]", nodes.is_empty())? {
            nodes.push(self.expression(0)?);
        }
        self.expect(Kind::Bracket, "]")?;
        let at = self.tokens[bracket].at;
        self.add(Node::Array(nodes), at)
    }

    pub(super) fn map(&mut self) -> Option<NodeId> {
        let bracket = self.advance()?;
        let mut pairs = Vec::new();
        while self.goes_on("}", pairs.is_empty())? {
            let key = if self.is_bracket("(") { self.expression(0)? } else { self.key()? };
            self.expect(Kind::Operator, ":")?;
            let value = self.expression(0)?;
            self.count_pair()?;
            pairs.push((key, value));
        }
        self.expect(Kind::Bracket, "}")?;
        let at = self.tokens[bracket].at;
        self.add(Node::Map(pairs), at)
    }

    fn key(&mut self) -> Option<NodeId> {
        let token = self.current();
        if !matches!(token.kind, Kind::Number | Kind::Text | Kind::Identifier) {
            return self.unexpected();
        }
        let (key, at) = (Text::from(&*token.text), token.at);
        self.advance()?;
        self.add(Node::Text(key), at)
    }

    fn count_pair(&mut self) -> Option<()> {
        match self.tree.count_one() {
            Ok(()) => Some(()),
            Err(error) => self.fail(error),
        }
    }
}
