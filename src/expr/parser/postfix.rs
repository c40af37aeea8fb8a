//! What can follow an operand: members, indexes, slices and calls of methods.

use super::super::ast::{Node, NodeId};
use super::super::lexer::{Kind, is_name};
use super::Parser;

impl Parser<'_> {
    pub(super) fn postfix(&mut self, mut node: NodeId) -> Option<NodeId> {
        while matches!(self.current().kind, Kind::Operator | Kind::Bracket) {
            let is_optional = self.current().text == "?.";
            if is_optional || self.current().text == "." {
                self.advance()?;
                let is_index = is_optional && self.is_bracket("[");
                node = if is_index { self.index(node, true)? } else { self.member(node, is_optional)? };
            } else if self.current().text == "[" {
                node = self.index(node, false)?;
            } else {
                break;
            }
        }
        Some(node)
    }

    fn member(&mut self, node: NodeId, optional: bool) -> Option<NodeId> {
        let name = self.advance()?;
        let (kind, at) = (self.tokens[name].kind, self.tokens[name].at);
        if kind != Kind::Identifier && (kind != Kind::Operator || !is_name(&self.tokens[name].text)) {
            self.at = name;
            return self.syntax_error("expected name");
        }
        let property = self.add(Node::Text(self.text(name)), at)?;
        // One chain reaches as far as members follow each other.
        let (node, is_chain) = if let Node::Chain(inner) = self.tree[node] { (inner, true) } else { (node, false) };
        let mut node = self.add(Node::Member { node, property, optional }, at)?;
        if self.is_bracket("(") {
            let args = self.arguments(Vec::new())?;
            node = self.add(Node::Call { callee: node, args }, at)?;
        }
        if is_chain || optional { self.add(Node::Chain(node), at) } else { Some(node) }
    }

    fn index(&mut self, node: NodeId, optional: bool) -> Option<NodeId> {
        let bracket = self.advance()?;
        let from = if self.is_operator(":") { None } else { Some(self.expression(0)?) };
        let to = if self.is_operator(":") {
            self.advance()?;
            if self.is_bracket("]") { Some(None) } else { Some(Some(self.expression(0)?)) }
        } else {
            None
        };
        self.expect(Kind::Bracket, "]")?;
        let at = self.tokens[bracket].at;
        match (from, to) {
            (Some(property), None) => {
                let node = self.add(Node::Member { node, property, optional }, at)?;
                if optional { self.add(Node::Chain(node), at) } else { Some(node) }
            }
            (from, to) => self.add(Node::Slice { node, from, to: to.flatten() }, at),
        }
    }
}
