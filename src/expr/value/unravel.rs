//! Dropping values without recursing, as an expression can nest lists deeper than the stack.

use std::sync::Arc;

use super::data::{Data, Inner, Items, Value};

impl Drop for Items {
    fn drop(&mut self) {
        drop_all(self.take_values());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop_all(self.take_values().collect());
    }
}

impl Items {
    fn take_values(&mut self) -> Vec<Value> {
        match &mut self.data {
            Data::Values(values) => std::mem::take(values),
            Data::Nil | Data::From(_) | Data::Bytes(_) => Vec::new(),
        }
    }
}

impl Inner {
    fn take_values(&mut self) -> impl Iterator<Item = Value> + use<> {
        std::mem::take(&mut self.entries).into_iter().map(|(_, value)| value)
    }
}

/// Drops values and everything that only they hold.
fn drop_all(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut items) = Arc::into_inner(list.items) {
                    pending.append(&mut items.take_values());
                }
            }
            Value::Map(map) => {
                if let Some(mut inner) = Arc::into_inner(map.0) {
                    pending.extend(inner.take_values());
                }
            }
            _ => {}
        }
    }
}
