//! Proofs that a request is authentic.

pub mod credentials;
pub mod oidc;
pub mod signature;
