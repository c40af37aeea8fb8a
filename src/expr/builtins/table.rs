//! Names, parameters and static rules of the builtins.

use super::super::types::{FuncType, Nature, Shape, Type};
use super::Parameter;
use Type::{Any, Anys, Bool, Duration, Error, Floats, Int, Ints, ListMap, Text, Texts, Time, Zone};

/// How the arguments of a builtin are checked.
#[derive(Clone, Copy, Debug)]
pub(in crate::expr) enum Check {
    /// Against the first of these types that fits.
    Types(&'static [FuncType]),
    /// By [`validate`].
    Rule,
    /// `get` looks at its first argument.
    Get,
    /// Each has its own rule for the predicate.
    Predicate(&'static [Parameter], &'static FuncType),
}

macro_rules! types {
    ($(($($in:expr),*) -> ($($out:expr),*)),* $(,)?) => {
        &[$(FuncType { ins: &[$($in),*], variadic: false, outs: &[$($out),*] }),*]
    };
}

macro_rules! builtins {
    ($($variant:ident $name:literal $check:expr;)*) => {
        /// A builtin.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::expr) enum Builtin { $($variant),* }

        impl Builtin {
            pub(in crate::expr) fn by_name(name: &str) -> Option<Self> {
                Some(match name { $($name => Self::$variant,)* _ => return None })
            }

            pub(in crate::expr) const fn check(self) -> Check {
                match self { $(Self::$variant => $check),* }
            }
        }
    };
}

use Check::{Get, Predicate, Rule, Types};

const ONE_PREDICATE: &[Parameter] = &[Parameter::Value, Parameter::Predicate];
const MAYBE_PREDICATE: &[Parameter] = &[Parameter::Value, Parameter::OptionalPredicate];
const AND_VALUE: &[Parameter] = &[Parameter::Value, Parameter::Predicate, Parameter::OptionalValue];

const fn func(ins: &'static [Type], outs: &'static [Type]) -> FuncType {
    FuncType { ins, variadic: false, outs }
}

const TEST: FuncType = func(&[Any], &[Bool]);
const MAPPING: FuncType = func(&[Any], &[Any]);
const FOLD: FuncType = func(&[Any, Any], &[Any]);
const TO_BOOL: FuncType = func(&[Anys, Type::Func(&TEST)], &[Bool]);
const TO_INT: FuncType = func(&[Anys, Type::Func(&TEST)], &[Int]);
const TO_ANY: FuncType = func(&[Anys, Type::Func(&TEST)], &[Any]);
const TO_LIST: FuncType = func(&[Anys, Type::Func(&TEST)], &[Anys]);
const MAP: FuncType = func(&[Anys, Type::Func(&MAPPING)], &[Anys]);
const GROUP: FuncType = func(&[Anys, Type::Func(&MAPPING)], &[ListMap]);
const SORT: FuncType = func(&[Anys, Type::Func(&TEST), Text], &[Anys]);
const REDUCE: FuncType = func(&[Anys, Type::Func(&FOLD), Any], &[Any]);

/// What upstream's functions are in Go when nothing else describes them.
pub(super) const VARIADIC: FuncType = FuncType { ins: &[Anys], variadic: true, outs: &[Any, Error] };

/// `sort` in all its forms.
const SORTS: &[FuncType] = types![
    (Anys, Text) -> (Anys), (Ints, Text) -> (Anys), (Floats, Text) -> (Anys), (Texts, Text) -> (Anys),
    (Anys) -> (Anys), (Floats) -> (Anys), (Texts) -> (Anys), (Ints) -> (Anys),
];
const JOINS: &[FuncType] = types![
    (Texts, Text) -> (Text), (Anys, Text) -> (Text), (Anys) -> (Text), (Texts, Text) -> (Text), (Texts) -> (Text),
];
const SPLITS: &[FuncType] = types![(Text, Text) -> (Texts), (Text, Text, Int) -> (Texts)];
const REPLACES: &[FuncType] = types![(Text, Text, Text, Int) -> (Text), (Text, Text, Text) -> (Text)];
const TRIMS: &[FuncType] = types![(Text) -> (Text), (Text, Text) -> (Text)];
const TRIM_ENDS: &[FuncType] = types![(Text, Text) -> (Text), (Text) -> (Text)];
const TEXT_TO_TEXT: &[FuncType] = types![(Text) -> (Text)];
const TWO_INTS: &[FuncType] = types![(Int, Int) -> (Int)];

builtins! {
    All "all" Predicate(ONE_PREDICATE, &TO_BOOL);
    None "none" Predicate(ONE_PREDICATE, &TO_BOOL);
    Any "any" Predicate(ONE_PREDICATE, &TO_BOOL);
    One "one" Predicate(ONE_PREDICATE, &TO_BOOL);
    Filter "filter" Predicate(ONE_PREDICATE, &TO_LIST);
    Map "map" Predicate(ONE_PREDICATE, &MAP);
    Find "find" Predicate(ONE_PREDICATE, &TO_ANY);
    FindIndex "findIndex" Predicate(ONE_PREDICATE, &TO_INT);
    FindLast "findLast" Predicate(ONE_PREDICATE, &TO_ANY);
    FindLastIndex "findLastIndex" Predicate(ONE_PREDICATE, &TO_INT);
    Count "count" Predicate(MAYBE_PREDICATE, &TO_INT);
    Sum "sum" Predicate(MAYBE_PREDICATE, &TO_INT);
    GroupBy "groupBy" Predicate(ONE_PREDICATE, &GROUP);
    SortBy "sortBy" Predicate(AND_VALUE, &SORT);
    Reduce "reduce" Predicate(AND_VALUE, &REDUCE);
    Len "len" Rule;
    Type "type" Types(types![(Any) -> (Text)]);
    Abs "abs" Rule;
    Ceil "ceil" Rule;
    Floor "floor" Rule;
    Round "round" Rule;
    Int "int" Rule;
    Float "float" Rule;
    Str "string" Types(types![(Any) -> (Text)]);
    Trim "trim" Types(TRIMS);
    TrimPrefix "trimPrefix" Types(TRIM_ENDS);
    TrimSuffix "trimSuffix" Types(TRIM_ENDS);
    Upper "upper" Types(TEXT_TO_TEXT);
    Lower "lower" Types(TEXT_TO_TEXT);
    Split "split" Types(SPLITS);
    SplitAfter "splitAfter" Types(SPLITS);
    Replace "replace" Types(REPLACES);
    Repeat "repeat" Types(types![(Text, Int) -> (Text)]);
    Join "join" Types(JOINS);
    IndexOf "indexOf" Types(types![(Text, Text) -> (Int)]);
    LastIndexOf "lastIndexOf" Types(types![(Text, Text) -> (Int)]);
    HasPrefix "hasPrefix" Types(types![(Text, Text) -> (Bool)]);
    HasSuffix "hasSuffix" Types(types![(Text, Text) -> (Bool)]);
    Max "max" Rule;
    Min "min" Rule;
    Mean "mean" Rule;
    Median "median" Rule;
    ToJson "toJSON" Types(types![(Any) -> (Text)]);
    FromJson "fromJSON" Types(types![(Text) -> (Any)]);
    ToBase64 "toBase64" Types(TEXT_TO_TEXT);
    FromBase64 "fromBase64" Types(TEXT_TO_TEXT);
    Now "now" Rule;
    Duration "duration" Types(types![(Text) -> (Duration, Error)]);
    Date "date" Rule;
    Timezone "timezone" Types(types![(Text) -> (Zone, Error)]);
    First "first" Rule;
    Last "last" Rule;
    Get "get" Get;
    Take "take" Rule;
    Keys "keys" Rule;
    Values "values" Rule;
    ToPairs "toPairs" Rule;
    FromPairs "fromPairs" Rule;
    Reverse "reverse" Rule;
    Uniq "uniq" Rule;
    Concat "concat" Rule;
    Flatten "flatten" Rule;
    Sort "sort" Types(SORTS);
    BitAnd "bitand" Types(TWO_INTS);
    BitOr "bitor" Types(TWO_INTS);
    BitXor "bitxor" Types(TWO_INTS);
    BitNand "bitnand" Types(TWO_INTS);
    BitShl "bitshl" Types(TWO_INTS);
    BitShr "bitshr" Types(TWO_INTS);
    BitUshr "bitushr" Types(TWO_INTS);
    BitNot "bitnot" Types(types![(Int) -> (Int)]);
}

impl Builtin {
    /// Whether it takes what is on top of the stack, whatever it was given.
    pub(in crate::expr) const fn takes_top(self) -> bool {
        matches!(self, Self::Len | Self::Type | Self::Abs | Self::Ceil | Self::Floor | Self::Round)
            || matches!(self, Self::Int | Self::Float | Self::Str | Self::Upper | Self::Lower)
    }

    /// The parameters of a builtin that takes a predicate.
    pub(in crate::expr) const fn parameters(self) -> Option<&'static [Parameter]> {
        if let Predicate(parameters, _) = self.check() { Some(parameters) } else { Option::None }
    }
}

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
                Some(_) => return Option::None,
                Option::None => known(0),
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
        _ => return Option::None,
    };
    Some(answer)
}

/// Unknown counts as any; pointers as what they point at.
fn shape(nature: &Nature) -> Shape {
    if nature.is_unknown() { Shape::Any } else { nature.clone().deref().shape() }
}
