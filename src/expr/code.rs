//! Instructions of the stack machine.
//!
//! The machine works like upstream's, down to what is left on the stack, because that is visible: `findLast` leaves a
//! boolean behind for every element it looks at, and a list literal around it picks those up.

use std::sync::Arc;

use super::ast::TemplateFunc;
use super::builtins::Builtin;
use super::methods::Method;
use super::value::Value;
use crate::domain::go_regex::Pattern;

/// Position of an instruction.
pub(super) type Target = usize;

/// When a jump is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Always,
    True,
    False,
    Nil,
    NotNil,
    /// The loop has no more elements.
    End,
}

/// An instruction. What it needs comes from the stack unless it says so.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Push(Value),
    Pop,
    Store(usize),
    Load(usize),
    /// A member of the environment.
    LoadName(Value),
    LoadEnv,
    Fetch,
    Method(Method),
    Negate,
    Not,
    Equal,
    /// Both are integers, or else.
    EqualInt,
    /// Both are strings, or else.
    EqualText,
    Jump(When, Target),
    In,
    Less,
    More,
    LessOrEqual,
    MoreOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Range,
    Matches,
    MatchesPattern(Arc<Pattern>),
    Contains,
    StartsWith,
    EndsWith,
    Slice,
    /// Calls what is on top with that many arguments; typed calls take nil for no argument.
    Call(usize, bool),
    CallBuiltin(Builtin, usize),
    CallTemplate(TemplateFunc, usize),
    /// A list of as many elements as the number on top says.
    Array,
    Map(usize),
    /// The length of what stays on top.
    Len,
    Deref,
    /// Fails.
    Throw(&'static str),
    Begin,
    End,
    IncrementIndex,
    DecrementIndex,
    IncrementCount,
    GetIndex,
    SetIndex,
    GetCount,
    GetLen,
    GetAcc,
    SetAcc,
    Pointer,
    CreateGroups,
    GetGroups,
    CreateSort,
    Group,
    SortKey,
    Sort,
}

/// A compiled program.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) ops: Vec<Op>,
    pub(super) variables: usize,
}
