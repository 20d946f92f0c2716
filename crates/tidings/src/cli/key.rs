//! `tidings key`.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use tidings_access::{Permission, Permissions, TenantKey};
use tidings_store::{KeyId, KeyStanding, NewKey, RotatedKey, Store, TenantId};
use tidings_wire::time::Timestamp;

use super::duration;
use super::tenant::{json_line, known};
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
    /// Make a new key in a key's place, and let the old one end
    Rotate(Rotate),
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
    /// A JSON object on each line
    #[arg(long)]
    json: bool,
}

/// Make a new key with the same tenant, permissions and end as an old one.
#[derive(Debug, Clone, Args)]
pub(crate) struct Rotate {
    /// The old key's id (`key_…`), as `key list` shows it
    #[arg(value_parser = key_id)]
    id: KeyId,
    /// How long the old key still works: 90s, 15m, 1h, 30d; 0s revokes it at once
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration::parse_or_zero)]
    grace: Duration,
    /// Print the new key alone
    #[arg(long, short)]
    quiet: bool,
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

pub(super) fn tenant(text: &str) -> Result<TenantId, String> {
    TenantId::new(text).map_err(|error| error.to_string())
}

fn key_id(text: &str) -> Result<KeyId, String> {
    text.parse()
        .map_err(|error: tidings_store::StoreError| error.to_string())
}

/// A time to come: a duration from now, or a timestamp.
pub(super) fn expiry(text: &str) -> Result<Timestamp, String> {
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
        opening::on_store(config, async |store| match self {
            Self::Create(create) => create.run(store).await,
            Self::List(list) => list.run(store).await,
            Self::Rotate(rotate) => rotate.run(store).await,
            Self::Revoke(revoke) => revoke.run(store).await,
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
        let tenant = known(store, &self.tenant).await?;
        let mut output = io::stdout().lock();
        for key in store.list_keys(&self.tenant).await.map_err(opening::failure)? {
            let listed = ListedKey {
                standing: match key.standing(&tenant, now()) {
                    KeyStanding::Good => "good",
                    KeyStanding::Revoked => "revoked",
                    KeyStanding::TenantSuspended => "suspended",
                    KeyStanding::Expired => "expired",
                },
                id: key.id,
                tenant_id: key.tenant,
                permissions: key.permissions,
                created_at: key.created_at,
                expires_at: key.expires_at,
                revoked_at: key.revoked_at,
                last_used_at: key.last_used_at,
            };
            if self.json {
                json_line(&mut output, &listed)?;
            } else {
                writeln!(output, "{listed}")?;
            }
        }
        Ok(())
    }
}

/// A key as it is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedKey {
    id: KeyId,
    tenant_id: TenantId,
    standing: &'static str,
    permissions: Vec<String>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl fmt::Display for ListedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permissions = self.permissions.join(",");
        write!(
            formatter,
            "{} {} {permissions} created {}",
            self.id, self.standing, self.created_at
        )?;
        if let Some(time) = self.expires_at {
            write!(formatter, " expires {time}")?;
        }
        if let Some(time) = self.revoked_at {
            write!(formatter, " revoked {time}")?;
        }
        match self.last_used_at {
            Some(time) => write!(formatter, " last used {time}"),
            None => write!(formatter, " never used"),
        }
    }
}

impl Rotate {
    async fn run(self, store: &Store) -> Outcome {
        let key = TenantKey::generate().map_err(|error| Failure::Internal(error.into()))?;
        let rotated = store
            .rotate_key(self.id, *key.hash().as_bytes(), self.grace)
            .await
            .map_err(opening::failure)?;
        writeln!(io::stdout(), "{}", key.reveal())?;
        if !self.quiet {
            let RotatedKey { new, old } = rotated;
            let permissions = new.permissions.join(" ");
            let mut output = io::stderr().lock();
            write!(output, "{} for tenant {}: {permissions}", new.id, new.tenant)?;
            if let Some(end) = new.expires_at {
                write!(output, " until {end}")?;
            }
            writeln!(output, "; shown this once")?;
            match old.expires_at {
                Some(end) if old.revoked_at.is_none() => writeln!(output, "{} works until {end}", old.id)?,
                _ => writeln!(output, "{} is revoked", old.id)?,
            }
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
