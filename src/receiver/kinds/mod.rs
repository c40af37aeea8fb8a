//! One file per sender, named after the kind.

pub mod artifactory;
pub mod artifactregistry;
pub mod azure;
pub mod bitbucket;
pub mod distribution;
pub mod dockerhub;
pub mod ecr;
pub mod generic;
pub mod gitea;
pub mod github;
pub mod gitlab;
pub mod harbor;
pub mod msr;
pub mod nexus;
pub mod quay;
pub mod zot;
