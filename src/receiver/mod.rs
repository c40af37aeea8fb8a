//! One file per sender: how its requests are authenticated and what they say.
//!
//! A receiver is pure: bytes and headers in, a `Verdict` or a [`Rejection`] out. It never sees a Warehouse, the API
//! server or a socket. `quayside send` uses the samples of the same file, so both ends of a kind stay together.

mod kept;
pub(crate) mod kinds;
pub mod proof;
mod read;
mod request;
mod sample;
mod settings;

use crate::domain::event::Verdict;
use crate::domain::kind::{ReceiverKind, kinds};
use crate::domain::secret::Secret;
pub use kept::keep_what_is_read;
use read::json;
pub use request::Request;
pub use sample::{Sample, SamplePush};
pub use settings::Settings;

/// Why a request is the sender's fault. The text goes into the answer, so it never holds a value from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The credential is missing or wrong (401).
    Unauthorized(&'static str),
    /// The request is not what this kind sends (400); says what is wrong.
    Invalid(&'static str),
    /// The body is not what this kind sends (400).
    InvalidBody,
}

impl From<json::Malformed> for Rejection {
    fn from(_: json::Malformed) -> Self {
        Self::InvalidBody
    }
}

/// What every kind of receiver can do.
pub trait Receiver: Send + Sync {
    /// Authenticates a request and reads what happened.
    ///
    /// # Errors
    /// A [`Rejection`] when the request itself is at fault.
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection>;

    /// The events that can be sampled; the first is a push.
    fn events(&self) -> &'static [&'static str];

    /// A repository for samples where none is given.
    fn sample_repository(&self) -> &'static str;

    /// A tag or ref for samples where none is given.
    fn sample_qualifier(&self) -> &'static str {
        "latest"
    }

    /// An unsigned sample of one of [`Self::events`]; `None` for another.
    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample>;

    /// Adds what proves the sender's knowledge of the secret, where the kind has such a thing.
    fn sign(&self, sample: Sample, secret: &Secret) -> Sample {
        let _ = secret;
        sample
    }
}

macro_rules! implementations {
    (
        kargo { $($(#[$_kd:meta])* $kargo:ident $kargo_name:ident $_ks:ident $_k:literal $_m:literal;)* }
        own { $($(#[$_od:meta])* $own:ident $own_name:ident $_os:ident;)* }
    ) => {
        /// The implementation of a kind.
        #[must_use]
        pub fn implementation(kind: ReceiverKind) -> &'static dyn Receiver {
            match kind {
                $(ReceiverKind::$kargo => &kinds::$kargo_name::$kargo,)*
                $(ReceiverKind::$own => &kinds::$own_name::$own,)*
            }
        }
    };
}
kinds!(implementations);

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
