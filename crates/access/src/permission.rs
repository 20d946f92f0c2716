//! What a tenant key may do.

use std::fmt;
use std::str::FromStr;

/// One thing a tenant key may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Read leads and receive lead events.
    LeadsRead,
    /// Create and change leads.
    LeadsWrite,
    /// Read the tenant's metrics.
    MetricsRead,
    /// Start backups.
    BackupRun,
    /// Start compliance checks.
    ComplianceRun,
    /// All of the others.
    Admin,
}

impl Permission {
    /// Every permission, in the order in which sets of them are printed.
    pub const ALL: [Permission; 6] = [
        Permission::LeadsRead,
        Permission::LeadsWrite,
        Permission::MetricsRead,
        Permission::BackupRun,
        Permission::ComplianceRun,
        Permission::Admin,
    ];

    /// The name in configuration, command line and store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Permission::LeadsRead => "leads:read",
            Permission::LeadsWrite => "leads:write",
            Permission::MetricsRead => "metrics:read",
            Permission::BackupRun => "backup:run",
            Permission::ComplianceRun => "compliance:run",
            Permission::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Permission::ALL
            .into_iter()
            .find(|permission| permission.as_str() == text)
            .ok_or(UnknownPermission)
    }
}

/// A name that is no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown permission: expected leads:read, leads:write, metrics:read, backup:run, compliance:run or admin"
)]
pub struct UnknownPermission;

/// A set of permissions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// No permission at all.
    pub const NONE: Permissions = Permissions(0);

    /// The set of the named permissions, as the store keeps them.
    pub fn parse<Name: AsRef<str>>(
        names: impl IntoIterator<Item = Name>,
    ) -> Result<Permissions, UnknownPermission> {
        names
            .into_iter()
            .map(|name| name.as_ref().parse::<Permission>())
            .collect()
    }

    /// Whether this set allows `permission`; `admin` allows all.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (permission.bit() | Permission::Admin.bit()) != 0
    }

    /// This set with one more permission.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Permissions {
        Permissions(self.0 | permission.bit())
    }

    /// Whether nothing was granted.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The permissions that were granted by name (`admin` alone stays alone).
    pub fn granted(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .into_iter()
            .filter(move |permission| self.0 & permission.bit() != 0)
    }

    /// The names of the granted permissions, as the store keeps them.
    pub fn names(self) -> Vec<String> {
        self.granted()
            .map(|permission| permission.as_str().to_owned())
            .collect()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<Source: IntoIterator<Item = Permission>>(source: Source) -> Self {
        source.into_iter().fold(Permissions::NONE, Permissions::with)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, permission) in self.granted().enumerate() {
            if position > 0 {
                formatter.write_str(",")?;
            }
            formatter.write_str(permission.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Permissions({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(permission));
        }
        for wrong in ["", "leads", "LEADS:READ", "leads:read ", "root"] {
            assert_eq!(wrong.parse::<Permission>(), Err(UnknownPermission), "{wrong:?}");
        }
    }

    #[test]
    fn a_set_holds_what_was_granted_and_nothing_else() {
        let set = Permissions::parse(["leads:read", "metrics:read"]).unwrap();
        for permission in Permission::ALL {
            let expected = matches!(permission, Permission::LeadsRead | Permission::MetricsRead);
            assert_eq!(set.contains(permission), expected, "{permission}");
        }
        assert_eq!(set.to_string(), "leads:read,metrics:read");
        assert_eq!(set.names(), ["leads:read", "metrics:read"]);
        assert!(!set.is_empty() && Permissions::NONE.is_empty());
        assert_eq!(
            Permissions::parse(["leads:read", "nonsense"]),
            Err(UnknownPermission)
        );
    }

    #[test]
    fn admin_implies_all() {
        let admin = Permissions::NONE.with(Permission::Admin);
        assert!(
            Permission::ALL
                .into_iter()
                .all(|permission| admin.contains(permission))
        );
        assert_eq!(admin.names(), ["admin"]);
    }
}
