//! The store's behaviour over real database files.
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

mod fixture;
mod leads;
mod opening;
mod processes;
mod reports;
mod requests;
mod search;
mod tenants;
mod workflows;
