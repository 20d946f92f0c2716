//! What checks go by: the facts of the configuration, and how old things may become.

/// What compliance checks know of the configuration in force.
#[derive(Clone, Debug)]
pub struct ComplianceSettings {
    /// Whether the server runs in development mode.
    pub is_development: bool,
    /// How the gateway's listener can be reached.
    pub listener: ListenerSecurity,
    /// SHA-256 of keys that everybody knows.
    pub known_key_hashes: Vec<[u8; 32]>,
    /// How old a key may become.
    pub key_age_days_max: u32,
    /// How long a key or a permission may go unused.
    pub unused_days_max: u32,
    /// How old a tenant's last backup may become.
    pub backup_age_hours_max: u32,
    /// How long a lead may lie untouched.
    pub lead_retention_days: u32,
    /// The same for one that is LOST.
    pub lost_lead_retention_days: u32,
}

/// How a listener can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerSecurity {
    /// Whether it speaks TLS, and nothing else.
    pub speaks_tls: bool,
    /// Whether trusted proxies in front of it are configured, which speak TLS with clients.
    pub is_behind_proxy: bool,
    /// From where it can be reached.
    pub reach: ListenerReach,
}

/// From where a listener can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerReach {
    /// From this machine alone.
    Loopback,
    /// From a private network.
    Private,
    /// From anywhere.
    Public,
}

impl Default for ComplianceSettings {
    fn default() -> ComplianceSettings {
        ComplianceSettings {
            is_development: false,
            listener: ListenerSecurity {
                speaks_tls: false,
                is_behind_proxy: false,
                reach: ListenerReach::Loopback,
            },
            known_key_hashes: Vec::new(),
            key_age_days_max: 90,
            unused_days_max: 90,
            backup_age_hours_max: 24,
            lead_retention_days: 730,
            lost_lead_retention_days: 180,
        }
    }
}
