//! Builtins that take a predicate.

use super::super::ast::{BuiltinCall, NodeId};
use super::super::builtins::Builtin;
use super::super::code::{Op, When};
use super::super::value::Value;
use super::generator::{Generator, Label, Task};

type Tasks<'a> = Vec<Task<'a>>;

const NOT_FOUND: &str = "index out of range";

fn op<'a>(op: Op) -> Task<'a> {
    Task::Op(op)
}

fn push<'a>(value: impl Into<Value>) -> Task<'a> {
    Task::Op(Op::Push(value.into()))
}

impl<'a> Generator<'a> {
    pub(super) fn predicate(&mut self, call: &BuiltinCall) {
        let mut tasks: Tasks<'a> = self.operand(call.args[0]).chain([op(Op::Begin)]).collect();
        tasks.extend(match call.builtin {
            Builtin::All => self.test(call, When::False, false, true),
            Builtin::None => self.test(call, When::False, true, true),
            Builtin::Any => self.test(call, When::True, false, false),
            Builtin::One => self.one(call),
            Builtin::Filter => self.filter(call),
            Builtin::Map => {
                let mut tasks = self.forward(vec![Task::Visit(call.args[1])]);
                tasks.extend([op(Op::GetLen), op(Op::End), op(Op::Array)]);
                tasks
            }
            Builtin::Count => self.count(call),
            Builtin::Sum => self.sum(call),
            Builtin::Find | Builtin::FindIndex => self.find(call, Self::forward),
            Builtin::FindLast | Builtin::FindLastIndex => self.find(call, Self::backward),
            Builtin::GroupBy => {
                let mut tasks = vec![op(Op::CreateGroups)];
                tasks.extend(self.forward(vec![Task::Visit(call.args[1]), op(Op::Group)]));
                tasks.extend([op(Op::GetGroups), op(Op::End)]);
                tasks
            }
            Builtin::SortBy => self.sort(call),
            Builtin::Reduce => self.reduce(call),
            _ => Tasks::new(),
        });
        self.plan(tasks);
    }

    fn forward(&mut self, body: Tasks<'a>) -> Tasks<'a> {
        let (begin, end) = (self.label(), self.label());
        let mut tasks = vec![Task::Bind(begin), Task::Jump(When::End, end)];
        tasks.extend(body);
        tasks.extend([op(Op::IncrementIndex), Task::Jump(When::Always, begin), Task::Bind(end)]);
        tasks
    }

    /// From the last element to the first. The comparison stays on the stack.
    fn backward(&mut self, body: Tasks<'a>) -> Tasks<'a> {
        let (begin, end) = (self.label(), self.label());
        let mut tasks = vec![op(Op::GetLen), push(1), op(Op::Subtract), op(Op::SetIndex), Task::Bind(begin)];
        tasks.extend([op(Op::GetIndex), push(0), op(Op::MoreOrEqual), Task::Jump(When::False, end)]);
        tasks.extend(body);
        tasks.extend([op(Op::DecrementIndex), Task::Jump(When::Always, begin), Task::Bind(end)]);
        tasks
    }

    /// `body` only if the boolean on top is true.
    fn only_if(&mut self, body: Tasks<'a>) -> Tasks<'a> {
        let (no, end) = (self.label(), self.label());
        let mut tasks = vec![Task::Jump(When::False, no), op(Op::Pop)];
        tasks.extend(body);
        tasks.extend([Task::Jump(When::Always, end), Task::Bind(no), op(Op::Pop), Task::Bind(end)]);
        tasks
    }

    fn test(&mut self, call: &BuiltinCall, stop: When, is_negated: bool, otherwise: bool) -> Tasks<'a> {
        let stopped = self.label();
        let mut body = vec![Task::Visit(call.args[1])];
        body.extend(is_negated.then_some(op(Op::Not)));
        body.extend([Task::Jump(stop, stopped), op(Op::Pop)]);
        let mut tasks = self.forward(body);
        tasks.extend([push(otherwise), Task::Bind(stopped), op(Op::End)]);
        tasks
    }

    fn one(&mut self, call: &BuiltinCall) -> Tasks<'a> {
        let mut body = vec![Task::Visit(call.args[1])];
        body.extend(self.only_if(vec![op(Op::IncrementCount)]));
        let mut tasks = self.forward(body);
        tasks.extend([op(Op::GetCount), push(1), op(Op::Equal), op(Op::End)]);
        tasks
    }

    fn filter(&mut self, call: &BuiltinCall) -> Tasks<'a> {
        let mut body = vec![Task::Visit(call.args[1])];
        body.extend(self.only_if(vec![op(Op::IncrementCount), kept(call.map)]));
        let mut tasks = self.forward(body);
        tasks.extend([op(Op::GetCount), op(Op::End), op(Op::Array)]);
        tasks
    }

    fn count(&mut self, call: &BuiltinCall) -> Tasks<'a> {
        let enough = self.label();
        let mut counted = vec![op(Op::IncrementCount)];
        if let Some(threshold) = call.threshold {
            counted.extend([op(Op::GetCount), push(threshold), op(Op::MoreOrEqual)]);
            counted.extend([Task::Jump(When::True, enough), op(Op::Pop)]);
        }
        let mut body = vec![predicate_or_item(call)];
        body.extend(self.only_if(counted));
        let mut tasks = self.forward(body);
        tasks.push(op(Op::GetCount));
        if call.threshold.is_some() {
            let end = self.label();
            tasks.extend([Task::Jump(When::Always, end), Task::Bind(enough), op(Op::Pop), op(Op::GetCount)]);
            tasks.push(Task::Bind(end));
        }
        tasks.push(op(Op::End));
        tasks
    }

    fn sum(&mut self, call: &BuiltinCall) -> Tasks<'a> {
        let mut tasks = vec![push(0), op(Op::SetAcc)];
        let body = vec![predicate_or_item(call), op(Op::GetAcc), op(Op::Add), op(Op::SetAcc)];
        tasks.extend(self.forward(body));
        tasks.extend([op(Op::GetAcc), op(Op::End)]);
        tasks
    }

    fn find(&mut self, call: &BuiltinCall, direction: fn(&mut Self, Tasks<'a>) -> Tasks<'a>) -> Tasks<'a> {
        let (no, found): (Label, Label) = (self.label(), self.label());
        let is_index = matches!(call.builtin, Builtin::FindIndex | Builtin::FindLastIndex);
        let mut body = vec![Task::Visit(call.args[1]), Task::Jump(When::False, no), op(Op::Pop)];
        body.push(if is_index { op(Op::GetIndex) } else { kept(call.map) });
        body.extend([Task::Jump(When::Always, found), Task::Bind(no), op(Op::Pop)]);
        let mut tasks = direction(self, body);
        tasks.push(if call.throws { op(Op::Throw(NOT_FOUND)) } else { push(Value::Nil) });
        tasks.extend([Task::Bind(found), op(Op::End)]);
        tasks
    }

    fn sort(&mut self, call: &BuiltinCall) -> Tasks<'a> {
        let order = call.args.get(2).map_or_else(|| push("asc"), |order| Task::Visit(*order));
        let mut tasks = vec![order, op(Op::CreateSort)];
        tasks.extend(self.forward(vec![Task::Visit(call.args[1]), op(Op::SortKey)]));
        tasks.extend([op(Op::Sort), op(Op::End)]);
        tasks
    }

    fn reduce(&mut self, call: &BuiltinCall) -> Tasks<'a> {
        let mut tasks = Tasks::new();
        if let Some(start) = call.args.get(2) {
            tasks.extend(self.operand(*start).chain([op(Op::SetAcc)]));
        } else {
            let (empty, end) = (self.label(), self.label());
            tasks.extend([Task::Jump(When::End, empty), op(Op::Pointer), op(Op::IncrementIndex), op(Op::SetAcc)]);
            tasks.extend([Task::Jump(When::Always, end), Task::Bind(empty)]);
            tasks.extend([op(Op::Throw("reduce of empty list with no initial value")), Task::Bind(end)]);
        }
        tasks.extend(self.forward(vec![Task::Visit(call.args[1]), op(Op::SetAcc)]));
        tasks.extend([op(Op::GetAcc), op(Op::End)]);
        tasks
    }
}

fn kept<'a>(map: Option<NodeId>) -> Task<'a> {
    map.map_or_else(|| op(Op::Pointer), Task::Visit)
}

fn predicate_or_item<'a>(call: &BuiltinCall) -> Task<'a> {
    call.args.get(1).map_or_else(|| op(Op::Pointer), |predicate| Task::Visit(*predicate))
}
