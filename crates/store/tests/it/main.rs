//! The store's behaviour over real databases: a `SQLite` file of its own, and a schema of its own in the PostgreSQL that
//! `scripts/services start postgres` started.
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

/// The same tests on each backend.
macro_rules! on_each_backend {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                super::$test(crate::fixture::Backend::Sqlite).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                super::$test(crate::fixture::Backend::Postgres).await;
            })+
        }
    };
}

mod audit;
mod dead_letters;
mod fixture;
mod isolation;
mod jobs;
mod leads;
mod lifecycle;
mod migrations;
mod opening;
mod outbox;
mod processes;
mod reports;
mod requests;
mod search;
mod search_filters;
mod search_model;
mod tenant_deletion;
mod tenants;
mod tenants_apart;
mod token_revocations;
mod workflows;
