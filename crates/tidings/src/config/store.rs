//! Where tenants, keys, leads, workflows and executions are kept.

use super::section::section;
use super::setting::{Setting, quoted};
use super::value::{Mismatch, Value};

section! {
    /// Where tenants, keys, leads, workflows and executions are kept.
    ["store"] Store(base) {
        /// `sqlite://PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; by default `tidings.db` in
        /// the data directory. PostgreSQL may be asked for TLS with `?sslmode=verify-full&sslrootcert=FILE`.
        url: StoreUrl = StoreUrl(format!("sqlite://{}", base.data_dir.join("tidings.db").display()));
        /// Whether the server brings an older PostgreSQL database up to date when it starts. Without it, `tidings migrate`
        /// does; several servers share the database, and the older ones should be gone by then. SQLite always is.
        migrate: bool = false;
        /// Connections to PostgreSQL, or readers of SQLite beside its one writer. Beyond it, queries wait.
        connections_max: u32 = 8, within 2..=1_000;
        /// Events that could not be delivered are kept, the newest of them, up to so many.
        dead_letters_max: u32 = 10_000, within 1..=10_000_000;
        /// The same in bytes of their events; of an event, no more than its first 1,048,576 bytes are kept.
        dead_letter_bytes_max: u64 = 268_435_456, within 1_048_576..=1_099_511_627_776;
    }
}

/// The store's address, shown without the password in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreUrl(String);

impl StoreUrl {
    /// The whole address.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The address without a password: whatever stands between the first colon behind `//` and the last `@`.
    fn redacted(&self) -> String {
        let parts = self.0.split_once("://").and_then(|(scheme, rest)| {
            let (user, place) = rest.rsplit_once('@')?;
            let (name, _) = user.split_once(':')?;
            Some(format!("{scheme}://{name}:[redacted]@{place}"))
        });
        parts.unwrap_or_else(|| self.0.clone())
    }
}

impl Setting for StoreUrl {
    const IS_SECRET: bool = true;

    fn expected() -> String {
        "an address that begins with `sqlite:` or `postgres://`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        value
            .text()
            .filter(|text| {
                ["sqlite:", "postgres://", "postgresql://"]
                    .iter()
                    .any(|start| text.starts_with(start))
            })
            .map(|text| StoreUrl(text.to_owned()))
            .ok_or_else(Self::mismatch)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.redacted()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("sqlite:///var/lib/tidings.db", "sqlite:///var/lib/tidings.db"),
            (
                "sqlite://odd:name@x/tidings.db",
                "sqlite://odd:[redacted]@x/tidings.db",
            ),
            ("postgres://tidings@db/tidings", "postgres://tidings@db/tidings"),
            (
                "postgres://tidings:s:e@c@db:5432/tidings",
                "postgres://tidings:[redacted]@db:5432/tidings",
            ),
        ] {
            assert_eq!(StoreUrl(url.to_owned()).show(), Some(format!("\"{shown}\"")));
        }
    }
}
