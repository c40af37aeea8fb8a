//! What is known about the builtins that types alone do not describe.

use super::super::builtins::{Builtin, Check};
use super::super::types::{FuncType, Shape, Type};
use super::nature::Nature;
use Type::{Anys, Error, Time, Zone};

/// What upstream's functions are in Go when nothing else describes them.
const VARIADIC: FuncType = FuncType { ins: &[Anys], variadic: true, outs: &[Type::Any, Error] };

/// The type of the answer, or nothing if the arguments are refused.
pub(super) fn validate(builtin: Builtin, args: &[Nature]) -> Option<Nature> {
    use Builtin as B;
    let shapes: Vec<Shape> = args.iter().map(shape).collect();
    let known = |index: usize| Nature::from(args[index].ty.unwrap_or(Type::Any));
    let is_list = |shape: &Shape| matches!(shape, Shape::Any | Shape::Slice);
    let is_number = |shape: &Shape| matches!(shape, Shape::Any | Shape::Integer | Shape::Float);
    let answer: Nature = match (builtin, &*shapes) {
        (B::Len, [Shape::Any | Shape::Slice | Shape::Map | Shape::Text]) => Type::Int.into(),
        (B::Abs, [shape]) if is_number(shape) => known(0),
        (B::Ceil | B::Floor | B::Round, [shape]) if is_number(shape) => Type::Float.into(),
        (B::Int, [shape]) if is_number(shape) || *shape == Shape::Text => Type::Int.into(),
        (B::Float, [shape]) if is_number(shape) || *shape == Shape::Text => Type::Float.into(),
        (B::Max | B::Min | B::Mean | B::Median, [_, ..]) => {
            // The first list or unknown ends the check.
            let decisive = shapes.iter().find(|shape| !matches!(shape, Shape::Integer | Shape::Float));
            match decisive {
                Some(Shape::Any | Shape::Slice) => Type::Any.into(),
                Some(_) => return None,
                None => known(0),
            }
        }
        (B::Now, []) => Time.into(),
        (B::Now, [_]) if args[0].is(Zone) => Time.into(),
        (B::Date, [_, ..]) if args.len() <= 3 + usize::from(args[0].is(Zone)) => Time.into(),
        (B::First | B::Last, [Shape::Any]) => Type::Any.into(),
        (B::First | B::Last, [Shape::Slice]) => args[0].ty.map_or(Type::Any, Type::elem).into(),
        (B::Take, [items, Shape::Any | Shape::Integer]) if is_list(items) && !args[1].is(Type::Uint8) => known(0),
        (B::Keys | B::Values | B::ToPairs, [Shape::Any | Shape::Map]) => Anys.into(),
        (B::FromPairs, [shape]) if is_list(shape) => Type::AnyMap.into(),
        (B::Reverse | B::Uniq | B::Flatten, [shape]) if is_list(shape) => Anys.into(),
        (B::Concat, [_, ..]) if shapes.iter().all(is_list) => Anys.into(),
        _ => return None,
    };
    Some(answer)
}

/// Unknown counts as any; pointers as what they point at.
fn shape(nature: &Nature) -> Shape {
    if nature.is_unknown() { Shape::Any } else { nature.clone().deref().shape() }
}

/// The static type of the name of a builtin that is not called.
pub(super) fn type_of(builtin: Builtin) -> &'static FuncType {
    match builtin.check() {
        Check::Types(types) => types.first().unwrap_or(&VARIADIC),
        Check::Rule | Check::Get => &VARIADIC,
        Check::Predicate(_, own) => own,
    }
}

pub(super) const TEMPLATE_FUNC: FuncType = FuncType { ins: &[Type::Any], variadic: false, outs: &[Type::Text] };
