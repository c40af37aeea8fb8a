//! Any sender that can post JSON, or nothing at all: what a request means is up to the actions of the receiver.
//!
//! Nothing is signed, so the unguessable path is the credential. Owns the compilation of actions, which happens when
//! the configuration changes, and their evaluation, which is the only thing that a request causes. Both are bounded:
//! actions come from tenants, and requests from strangers. The contract's source is Kargo's `generic` receiver; how
//! expressions evaluate is a matter of [`expr`](crate::expr).

mod action;
mod criterion;
mod mistake;
mod sample;

pub use action::Action;

use crate::domain::event::{ActionResult, ActionVerdict, Verdict};
pub use crate::expr::CompileBudget;
use crate::expr::{Budget, Env, ErrorClass, JsonError, Value, parse_json};
use crate::receiver::read::json::without_mark;
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// What all actions of a receiver together may use for one request, twice what the first may use.
const REQUEST_BUDGET: Budget = Budget { steps: 10_000_000, bytes: 48 * 1024 * 1024 };

/// The `generic` receiver.
pub struct Generic;

impl Receiver for Generic {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        let body = match without_mark(request.body) {
            [] => Value::Nil,
            body => parse_json(body).map_err(|error| match error {
                JsonError::Syntax => Rejection::Invalid("invalid request body: it is not JSON"),
                JsonError::TooLarge => Rejection::Invalid("invalid request body: it has too many values"),
            })?,
        };
        Ok(Verdict::Actions(judge(&settings.actions, &environment(request, body))))
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        "registry.example.com/northwind/storefront"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        sample::sample(event, push)
    }
}

/// What expressions see of a request. Their `now()` is its arrival, also when it is run later.
fn environment(request: &Request<'_>, body: Value) -> Env {
    let mut env = Env::builder(request.arrived).body(body);
    for (name, value) in request.headers {
        env = env.header(name.as_str(), value);
    }
    env.query(request.query.unwrap_or_default()).build()
}

fn judge(actions: &[Action], env: &Env) -> Vec<ActionVerdict> {
    let mut left = REQUEST_BUDGET;
    let judge = |action: &Action| {
        // One that runs away uses up half of what is left, and the others still have the other half.
        let mut share = left.take_half();
        let result = action.judge(env, &mut share);
        let ran_away = matches!(result, ActionResult::Failed { class, .. } if class == ErrorClass::Limit.as_str());
        if !ran_away {
            left.give_back(share);
        }
        ActionVerdict { action: action.name().to_owned(), result }
    };
    actions.iter().map(judge).collect()
}

#[cfg(test)]
mod tests;
