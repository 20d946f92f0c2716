//! Tenants.

mod deletion;

use serde::Serialize;
use tidings_wire::time::Timestamp;

use crate::database::Turn;
use crate::text::{NAME_BYTES_MAX, check_length};
use crate::{Store, StoreError, TenantId, statements};

pub use deletion::TenantDeletion;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// A second, human id that clients may send in place of the id.
    pub slug: TenantId,
    /// Its name.
    pub name: String,
    /// Whether its keys are refused.
    pub suspended: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A tenant to create.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// Its slug; the id if not given.
    pub slug: Option<TenantId>,
    /// Its name.
    pub name: String,
}

impl Store {
    /// Creates a tenant. An id or slug that is taken is a [`StoreError::Conflict`].
    pub async fn create_tenant(&self, new: NewTenant) -> Result<Tenant, StoreError> {
        check_length(
            Some(&new.name),
            NAME_BYTES_MAX,
            "a tenant's name is at most 1024 bytes",
        )?;
        let tenant = Tenant {
            slug: new.slug.unwrap_or_else(|| new.id.clone()),
            id: new.id,
            name: new.name,
            suspended: false,
            created_at: self.now(),
        };
        let mut transaction = self.database.write(Turn::Of("tenants", "")).await?;
        // One tenant's slug that is another's id would let a client's `tenantId` mean either.
        if statements::tenants::is_name_taken(&mut transaction, &tenant).await? {
            return Err(StoreError::Conflict {
                what: "tenant id or slug is taken",
            });
        }
        statements::tenants::insert(&mut transaction, &tenant).await?;
        transaction.commit().await?;
        Ok(tenant)
    }

    /// The tenant with this id, created under it if there is none. For seeding.
    pub async fn ensure_tenant(&self, id: &TenantId, name: &str) -> Result<Tenant, StoreError> {
        if let Some(tenant) = self.tenant(id).await? {
            return Ok(tenant);
        }
        let new = NewTenant {
            id: id.clone(),
            slug: None,
            name: name.to_owned(),
        };
        match self.create_tenant(new).await {
            // Another process may have been quicker.
            Err(StoreError::Conflict { what }) => self.tenant(id).await?.ok_or(StoreError::Conflict { what }),
            other => other,
        }
    }

    /// A tenant by its id.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let mut transaction = self.database.read(Some(id)).await?;
        statements::tenants::find(&mut transaction, id).await
    }

    /// All tenants by id, at most `limit` of them, from the first after `after`.
    pub async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<Tenant>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::tenants::list(&mut transaction, after, limit).await
    }

    /// Suspends or resumes a tenant.
    pub async fn set_tenant_suspended(&self, id: &TenantId, suspended: bool) -> Result<Tenant, StoreError> {
        let mut transaction = self.database.write(Turn::Of("tenants", "")).await?;
        statements::tenants::set_suspended(&mut transaction, id, suspended).await?;
        let tenant = statements::tenants::find(&mut transaction, id).await?;
        transaction.commit().await?;
        tenant.ok_or(StoreError::NotFound { what: "tenant" })
    }
}
