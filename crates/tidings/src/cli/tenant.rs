//! `tidings tenant`.

use std::io::{self, Write};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;
use tidings_store::{NewTenant, Store, StoreError, Tenant, TenantId};

use super::key::tenant;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::opening;

/// Tenants that are read at once.
const PAGE: u32 = 500;
/// A deletion says how far it is each time it has deleted so many leads more.
const PROGRESS_LEADS: u64 = 100_000;

/// What to do with tenants.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant
    Create(Create),
    /// List all tenants
    List(List),
    /// Refuse a tenant's keys until it is resumed; its connections end within a second
    Suspend(Named),
    /// Take a suspended tenant's keys again
    Resume(Named),
    /// Delete a tenant with its keys, leads and all else that is its own; it cannot be undone
    Delete(Delete),
}

/// Make a tenant.
#[derive(Debug, Clone, Args)]
pub(crate) struct Create {
    /// Its id: 1 to 64 letters, digits, _ or -
    #[arg(value_parser = tenant)]
    id: TenantId,
    /// Its name, for people (default: the id)
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// A second id that clients may send in place of the id (default: the id)
    #[arg(long, value_name = "SLUG", value_parser = tenant)]
    slug: Option<TenantId>,
}

/// List tenants.
#[derive(Debug, Clone, Args)]
pub(crate) struct List {
    /// A JSON object on each line
    #[arg(long)]
    json: bool,
}

/// A tenant that there is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Named {
    /// Its id
    #[arg(value_parser = tenant)]
    id: TenantId,
}

/// Delete a tenant.
#[derive(Debug, Clone, Args)]
pub(crate) struct Delete {
    /// Its id
    #[arg(value_parser = tenant)]
    id: TenantId,
    /// Do it; without, it is only told what would be deleted
    #[arg(long)]
    yes: bool,
}

/// A name ends up on terminals.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("expected a text without control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// The tenant of this id, which must be there.
pub(super) async fn known(store: &Store, id: &TenantId) -> Outcome<Tenant> {
    let tenant = store.tenant(id).await.map_err(opening::failure)?;
    tenant.ok_or_else(|| unknown(id))
}

/// Prints a value as one line of JSON.
pub(super) fn json_line(output: &mut impl Write, value: &impl Serialize) -> Outcome {
    let line = serde_json::to_string(value).context("cannot print a line of JSON")?;
    writeln!(output, "{line}")?;
    Ok(())
}

fn unknown(id: &TenantId) -> Failure {
    Failure::usage(format!("there is no tenant {id}"))
}

/// A refusal by the store of a command about this tenant.
fn failure(error: StoreError, id: &TenantId) -> Failure {
    match error {
        StoreError::NotFound { .. } => unknown(id),
        error => opening::failure(error),
    }
}

impl TenantCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        opening::on_store(config, async |store| match self {
            Self::Create(create) => create.run(store).await,
            Self::List(list) => list.run(store).await,
            Self::Suspend(tenant) => tenant.set_suspended(store, true).await,
            Self::Resume(tenant) => tenant.set_suspended(store, false).await,
            Self::Delete(delete) => delete.run(store).await,
        })
    }
}

impl Create {
    async fn run(self, store: &Store) -> Outcome {
        let new = NewTenant {
            name: self.name.unwrap_or_else(|| self.id.as_str().to_owned()),
            id: self.id,
            slug: self.slug,
        };
        let tenant = store.create_tenant(new).await.map_err(opening::failure)?;
        writeln!(io::stdout(), "created tenant {}", tenant.id)?;
        Ok(())
    }
}

impl List {
    async fn run(self, store: &Store) -> Outcome {
        let mut output = io::stdout().lock();
        let mut last: Option<TenantId> = None;
        loop {
            let page = store
                .list_tenants(last.as_ref(), PAGE)
                .await
                .map_err(opening::failure)?;
            for tenant in &page {
                if self.json {
                    json_line(&mut output, tenant)?;
                } else {
                    writeln!(output, "{}", described(tenant))?;
                }
            }
            match page.last() {
                Some(tenant) => last = Some(tenant.id.clone()),
                None => return Ok(()),
            }
        }
    }
}

/// A tenant on one line, its name in quotes: any text may stand in it.
fn described(tenant: &Tenant) -> String {
    let standing = if tenant.suspended { "suspended" } else { "active" };
    let Tenant {
        id,
        slug,
        name,
        created_at,
        ..
    } = tenant;
    format!("{id} {standing} slug {slug} created {created_at} name {name:?}")
}

impl Named {
    async fn set_suspended(self, store: &Store, suspended: bool) -> Outcome {
        store
            .set_tenant_suspended(&self.id, suspended)
            .await
            .map_err(|error| failure(error, &self.id))?;
        let done = if suspended { "suspended" } else { "resumed" };
        writeln!(io::stdout(), "{done} tenant {}", self.id)?;
        Ok(())
    }
}

impl Delete {
    async fn run(self, store: &Store) -> Outcome {
        let id = self.id;
        known(store, &id).await?;
        if !self.yes {
            let leads = store
                .lead_counts(&id, None)
                .await
                .map_err(opening::failure)?
                .total;
            let keys = store.list_keys(&id).await.map_err(opening::failure)?.len();
            return Err(Failure::usage(format!(
                "this would delete tenant {id} (leads: {leads}, keys: {keys}) with all that is its own, and cannot be undone; \
                 say --yes to do it"
            )));
        }
        let mut deleted = 0;
        store
            .delete_tenant(&id, |leads| {
                let before = deleted / PROGRESS_LEADS;
                deleted += leads;
                if deleted / PROGRESS_LEADS > before {
                    // Nobody may be reading; the deletion goes on.
                    let _ = writeln!(io::stderr(), "{deleted} leads deleted");
                }
            })
            .await
            .map_err(|error| match failure(error, &id) {
                Failure::Unavailable(error) => Failure::Unavailable(error.context(format!(
                    "tenant {id} is not all deleted, the same command goes on with it"
                ))),
                failure => failure,
            })?;
        writeln!(io::stdout(), "deleted tenant {id} with {deleted} leads")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tidings_wire::time::Timestamp;

    use super::*;

    #[test]
    fn a_name_stays_on_its_line() {
        let tenant = Tenant {
            id: TenantId::new("a").unwrap(),
            slug: TenantId::new("b").unwrap(),
            name: "x\n\u{1b}[2J\"y".to_owned(),
            suspended: true,
            created_at: Timestamp::from_millis(0),
        };
        assert_eq!(
            described(&tenant),
            r#"a suspended slug b created 1970-01-01T00:00:00.000Z name "x\n\u{1b}[2J\"y""#
        );
        for wrong in ["", "a\nb", "\u{1b}"] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }
}
