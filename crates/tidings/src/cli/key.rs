//! `tidings key`.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use tidings_access::{Permission, Permissions, TenantKey};
use tidings_store::{KeyId, KeyStanding, NewKey, Store, TenantId};
use tidings_wire::time::Timestamp;

use super::duration;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::opening;
use crate::time::now;

/// What to do with tenant keys.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; it is shown this once, and kept as a hash
    Create(Create),
    /// List a tenant's keys, without the keys themselves
    List(List),
    /// Revoke a key
    Revoke(Revoke),
}

/// Make a key.
#[derive(Debug, Clone, Args)]
pub(crate) struct Create {
    /// The tenant; made if there is none of this name
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// What the key may do: leads:read, leads:write, metrics:read, backup:run, compliance:run, admin; may be repeated
    #[arg(long, value_name = "PERMISSION", required = true, value_parser = permission)]
    permission: Vec<Permission>,
    /// When the key stops working: 90s, 15m, 1h, 30d from now, or 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    expires: Option<Timestamp>,
    /// Print the key alone
    #[arg(long, short)]
    quiet: bool,
}

/// List keys.
#[derive(Debug, Clone, Args)]
pub(crate) struct List {
    /// The tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
}

/// Revoke a key.
#[derive(Debug, Clone, Args)]
pub(crate) struct Revoke {
    /// The key's id (`key_…`), as `key list` shows it
    #[arg(value_parser = key_id)]
    id: KeyId,
}

fn permission(text: &str) -> Result<Permission, String> {
    text.parse()
        .map_err(|error: tidings_access::UnknownPermission| error.to_string())
}

fn tenant(text: &str) -> Result<TenantId, String> {
    TenantId::new(text).map_err(|error| error.to_string())
}

fn key_id(text: &str) -> Result<KeyId, String> {
    text.parse()
        .map_err(|error: tidings_store::StoreError| error.to_string())
}

/// A time to come: a duration from now, or a timestamp.
fn expiry(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = Timestamp::parse(text) {
        return Ok(time);
    }
    let duration =
        duration::parse(text).map_err(|expected| format!("{expected}, or 2027-01-31T12:00:00Z"))?;
    let millis = i64::try_from(duration.as_millis()).map_err(|_| "too far away")?;
    Ok(Timestamp::from_millis(now().as_millis().saturating_add(millis)))
}

impl KeyCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let store = opening::store(config).await?;
            let done = match self {
                Self::Create(create) => create.run(&store).await,
                Self::List(list) => list.run(&store).await,
                Self::Revoke(revoke) => revoke.run(&store).await,
            };
            store.close().await;
            done
        })
    }
}

impl Create {
    async fn run(self, store: &Store) -> Outcome {
        let key = TenantKey::generate().map_err(|error| Failure::Internal(error.into()))?;
        let is_new = store
            .tenant(&self.tenant)
            .await
            .map_err(opening::failure)?
            .is_none();
        store
            .ensure_tenant(&self.tenant, self.tenant.as_str())
            .await
            .map_err(opening::failure)?;
        let permissions: Permissions = self.permission.into_iter().collect();
        let new = NewKey {
            tenant: self.tenant.clone(),
            hash: *key.hash().as_bytes(),
            permissions: permissions.names(),
            expires_at: self.expires,
        };
        let record = store.create_key(new).await.map_err(opening::failure)?;
        writeln!(io::stdout(), "{}", key.reveal())?;
        if !self.quiet {
            let tenant = self.tenant;
            let made = if is_new { ", which is new" } else { "" };
            writeln!(
                io::stderr(),
                "{} for tenant {tenant}{made}: {}; shown this once",
                record.id,
                record.permissions.join(" ")
            )?;
        }
        Ok(())
    }
}

impl List {
    async fn run(self, store: &Store) -> Outcome {
        let Some(tenant) = store.tenant(&self.tenant).await.map_err(opening::failure)? else {
            return Err(Failure::usage(format!("there is no tenant {}", self.tenant)));
        };
        let mut output = io::stdout().lock();
        for key in store.list_keys(&self.tenant).await.map_err(opening::failure)? {
            let standing = match key.standing(&tenant, now()) {
                KeyStanding::Good => "good",
                KeyStanding::Revoked => "revoked",
                KeyStanding::TenantSuspended => "suspended",
                KeyStanding::Expired => "expired",
            };
            let expiry = key
                .expires_at
                .map(|time| format!(" expires {time}"))
                .unwrap_or_default();
            writeln!(
                output,
                "{} {standing} {} created {}{expiry}",
                key.id,
                key.permissions.join(","),
                key.created_at
            )?;
        }
        Ok(())
    }
}

impl Revoke {
    async fn run(self, store: &Store) -> Outcome {
        let key = store.revoke_key(self.id).await.map_err(opening::failure)?;
        writeln!(io::stdout(), "revoked {} of tenant {}", key.id, key.tenant)?;
        Ok(())
    }
}
