//! A tenant's own hands reach for other tenants' rows: what compliance checks ask for.

use crate::{LeadFilter, Store, StoreError, TenantId, statements};

/// Leads on the first page that is looked through.
const PAGE: u32 = 100;

/// What a tenant could reach of the others. Names no other tenant and nothing of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IsolationProbe {
    /// Other tenants' leads that were asked for by their ids; none if no other tenant has one.
    pub foreign_leads: u32,
    /// By which ways rows of other tenants were reached; none if tenants are apart.
    pub leaks: Vec<&'static str>,
    /// Tables with rows of tenants on which PostgreSQL's row-level security is not forced.
    pub unwalled_tables: Vec<String>,
    /// Whether PostgreSQL lets this user past row-level security.
    pub bypasses_row_security: bool,
}

impl IsolationProbe {
    /// Whether nothing speaks against it.
    pub fn is_apart(&self) -> bool {
        self.leaks.is_empty() && self.unwalled_tables.is_empty() && !self.bypasses_row_security
    }
}

impl Store {
    /// Asks for leads of other tenants through this tenant's methods, looks through what its lists give, and on
    /// PostgreSQL asks each table for a row of another's with the tenant's filter left out, and whether its row-level
    /// security is forced. Nothing is written.
    pub async fn probe_isolation(&self, tenant: &TenantId) -> Result<IsolationProbe, StoreError> {
        let mut probe = IsolationProbe {
            bypasses_row_security: self.bypasses_row_security(),
            ..IsolationProbe::default()
        };
        let mut transaction = self.database.read(None).await?;
        let foreign = statements::isolation::foreign_leads(&mut transaction, tenant).await?;
        drop(transaction);
        for id in foreign {
            probe.foreign_leads += 1;
            if self.lead(tenant, id).await?.is_some() {
                probe.leaks.push("a lead by its id");
            }
            if !self.lead_history(tenant, id).await?.is_empty() {
                probe.leaks.push("a lead's history");
            }
        }
        let page = self
            .list_leads(tenant, &LeadFilter::default(), PAGE, None)
            .await?;
        if page.leads.iter().any(|lead| lead.tenant_id != *tenant) {
            probe.leaks.push("the list of leads");
        }
        let keys = self.list_keys(tenant).await?;
        if keys.iter().any(|key| key.tenant != *tenant) {
            probe.leaks.push("the list of keys");
        }
        if self.database.is_postgres() {
            self.probe_wall(tenant, &mut probe).await?;
        }
        Ok(probe)
    }

    /// Asks PostgreSQL itself. In one transaction, whose places of rows stay what they are.
    async fn probe_wall(&self, tenant: &TenantId, probe: &mut IsolationProbe) -> Result<(), StoreError> {
        use statements::isolation::{
            TENANT_TABLES, foreign_rows, is_reached, step_behind_the_wall, unwalled_tables,
        };

        let mut transaction = self.database.read_snapshot(None).await?;
        let mut rows = Vec::new();
        for table in &TENANT_TABLES {
            for place in foreign_rows(&mut transaction, table, tenant).await? {
                rows.push((table, place));
            }
        }
        step_behind_the_wall(&mut transaction, tenant).await?;
        for (table, place) in rows {
            if is_reached(&mut transaction, table, tenant, &place).await?
                && !probe.leaks.contains(&table.name)
            {
                probe.leaks.push(table.name);
            }
        }
        probe.unwalled_tables = unwalled_tables(&mut transaction).await?;
        Ok(())
    }
}
