//! The syntax tree, and the names of everything in it.
//!
//! Nodes live in one vector and refer to each other by position, so that neither building nor dropping a tree
//! recurses. A node may have two parents: `a < b < c` reads `b` twice.

use super::builtins::Builtin;
use super::limits::MAX_NODES;
use super::value::{Text, Value};
use super::{CompileError, ErrorClass};

/// Position of a node.
pub(super) type NodeId = usize;

/// What a unary operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnaryOp {
    Not,
    Minus,
    Plus,
}

/// What a binary operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    More,
    LessOrEqual,
    MoreOrEqual,
    In,
    Matches,
    Contains,
    StartsWith,
    EndsWith,
    Range,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Coalesce,
}

impl BinaryOp {
    pub(super) const fn is_comparison(self) -> bool {
        matches!(self, Self::Less | Self::More | Self::LessOrEqual | Self::MoreOrEqual)
    }
}

/// What a predicate can point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pointer {
    Item,
    Index,
    Acc,
    Unknown,
}

/// A function that only templates know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TemplateFunc {
    Quote,
    UnsafeQuote,
    AsYaml,
    AsJson,
}

impl TemplateFunc {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "quote" => Self::Quote,
            "unsafeQuote" => Self::UnsafeQuote,
            "asYAML" => Self::AsYaml,
            "asJSON" => Self::AsJson,
            _ => return None,
        })
    }
}

/// A call of a builtin, with what the optimizer makes of it.
#[derive(Clone, Debug)]
pub(super) struct BuiltinCall {
    pub(super) builtin: Builtin,
    pub(super) args: Vec<NodeId>,
    /// `find` fails when nothing is found, because it stands for an index.
    pub(super) throws: bool,
    /// What `filter` and `find` make of an element.
    pub(super) map: Option<NodeId>,
    /// `count` need not go on beyond that.
    pub(super) threshold: Option<i64>,
}

/// A node of the tree.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Text),
    Bytes(Vec<u8>),
    /// What the optimizer computed.
    Constant(Value),
    Identifier(Text),
    Unary {
        op: UnaryOp,
        node: NodeId,
    },
    Binary {
        op: BinaryOp,
        left: NodeId,
        right: NodeId,
    },
    /// The extent of `?.`: if it meets nil, all of this is nil.
    Chain(NodeId),
    Member {
        node: NodeId,
        property: NodeId,
        optional: bool,
    },
    Slice {
        node: NodeId,
        from: Option<NodeId>,
        to: Option<NodeId>,
    },
    Call {
        callee: NodeId,
        args: Vec<NodeId>,
    },
    Builtin(BuiltinCall),
    Predicate(NodeId),
    Pointer(Pointer),
    Let {
        name: Text,
        value: NodeId,
        body: NodeId,
    },
    Sequence(Vec<NodeId>),
    Conditional {
        condition: NodeId,
        then: NodeId,
        otherwise: NodeId,
    },
    Array(Vec<NodeId>),
    Map(Vec<(NodeId, NodeId)>),
    /// `a + (b + (c + …))`, which the optimizer makes of `sum([a, b, c])`
    SumOf(Vec<NodeId>),
}

impl Node {
    /// The children in the order in which they are visited.
    pub(super) fn children(&self, mut visit: impl FnMut(NodeId)) {
        match self {
            Self::Nil
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::Constant(_)
            | Self::Identifier(_)
            | Self::Pointer(_) => {}
            Self::Unary { node, .. } | Self::Chain(node) | Self::Predicate(node) => visit(*node),
            Self::Binary { left, right, .. } => [*left, *right].into_iter().for_each(visit),
            Self::Member { node, property, .. } => [*node, *property].into_iter().for_each(visit),
            Self::Slice { node, from, to } => [Some(*node), *from, *to].into_iter().flatten().for_each(visit),
            Self::Call { callee, args } => std::iter::once(callee).chain(args).copied().for_each(visit),
            Self::Builtin(call) => call.args.iter().copied().for_each(visit),
            Self::Let { value, body, .. } => [*value, *body].into_iter().for_each(visit),
            Self::Conditional { condition, then, otherwise } => {
                [*condition, *then, *otherwise].into_iter().for_each(visit);
            }
            Self::Sequence(nodes) | Self::Array(nodes) | Self::SumOf(nodes) => nodes.iter().copied().for_each(visit),
            Self::Map(pairs) => {
                for (key, value) in pairs {
                    visit(*key);
                    visit(*value);
                }
            }
        }
    }
}

/// A tree under construction.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Where in the source a node stands.
    positions: Vec<usize>,
    /// Nodes as upstream counts them.
    count: usize,
}

impl Tree {
    /// Adds a node that the source spells out.
    pub(super) fn add(&mut self, node: Node, at: usize) -> Result<NodeId, CompileError> {
        self.count_one()?;
        Ok(self.add_derived(node, at))
    }

    /// Counts a node of upstream's that is none here.
    pub(super) fn count_one(&mut self) -> Result<(), CompileError> {
        self.count += 1;
        if self.count > MAX_NODES {
            return Err(CompileError::new(ErrorClass::Limit, "the expression has too many nodes"));
        }
        Ok(())
    }

    /// Adds a node that is not counted.
    pub(super) fn add_derived(&mut self, node: Node, at: usize) -> NodeId {
        self.nodes.push(node);
        self.positions.push(at);
        self.nodes.len() - 1
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn position(&self, id: NodeId) -> usize {
        self.positions.get(id).copied().unwrap_or_default()
    }

    pub(super) fn replace(&mut self, id: NodeId, node: Node) {
        self.nodes[id] = node;
    }

    pub(super) fn text(&self, id: NodeId) -> Option<&Text> {
        if let Node::Text(text) = &self.nodes[id] { Some(text) } else { None }
    }

    pub(super) fn int(&self, id: NodeId) -> Option<i64> {
        if let Node::Int(value) = self.nodes[id] { Some(value) } else { None }
    }

    /// The name, if the node is one.
    pub(super) fn identifier(&self, id: NodeId) -> Option<&Text> {
        if let Node::Identifier(name) = &self.nodes[id] { Some(name) } else { None }
    }

    /// Every node below and including `root`, children first, each once.
    pub(super) fn post_order(&self, root: NodeId) -> Vec<NodeId> {
        let mut order = Vec::new();
        let mut seen = vec![false; self.nodes.len()];
        let mut pending = vec![(root, false)];
        while let Some((id, is_done)) = pending.pop() {
            if is_done {
                order.push(id);
                continue;
            }
            if std::mem::replace(&mut seen[id], true) {
                continue;
            }
            pending.push((id, true));
            let first_child = pending.len();
            self.nodes[id].children(|child| pending.push((child, false)));
            pending[first_child..].reverse();
        }
        order
    }
}

impl std::ops::Index<NodeId> for Tree {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }
}
