//! Names, parameters and types of the builtins.

use super::super::types::{FuncType, Type};
use Type::{Any, Anys, Bool, Duration, Error, Floats, Int, Ints, ListMap, Text, Texts, Zone};

/// What an argument of a function that takes a predicate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum Parameter {
    Value,
    Predicate,
    OptionalValue,
    OptionalPredicate,
}

impl Parameter {
    pub(in crate::expr) const fn is_optional(self) -> bool {
        matches!(self, Self::OptionalValue | Self::OptionalPredicate)
    }

    pub(in crate::expr) const fn is_predicate(self) -> bool {
        matches!(self, Self::Predicate | Self::OptionalPredicate)
    }
}

/// How the arguments of a builtin are checked.
#[derive(Clone, Copy, Debug)]
pub(in crate::expr) enum Check {
    /// Against the first of these types that fits.
    Types(&'static [FuncType]),
    /// By a rule of its own.
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
