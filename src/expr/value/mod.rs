//! The values expressions work on.
//!
//! Owns the Go types that can occur at run time, because the language distinguishes them: `1` is not `1.0` for the
//! type of a result, `[]string` is not `[]interface {}` for equality, and a nil list is not nil for indexing. Copies
//! are cheap: everything of variable size is shared.

mod data;
mod func;
mod key;
mod list;
mod map;
mod plain;
mod text;
mod unravel;

pub(super) use data::{Elem, Key, MapKind, NativeFunc, Request};
pub use data::{Func, List, Map, Value};
pub(super) use func::Callable;
pub(super) use list::ListBuilder;
pub use text::Text;
pub(super) use text::runes;
