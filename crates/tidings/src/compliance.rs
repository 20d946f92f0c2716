//! What flow's compliance checks are told of the configuration.

use tidings_flow::{ComplianceSettings, ListenerReach, ListenerSecurity};

use crate::config::{Config, ListenerName, Mode};
use crate::demo;
use crate::failure::Outcome;

/// The facts and bounds that the checks go by.
pub(crate) fn settings(config: &Config) -> Outcome<ComplianceSettings> {
    let bounds = &config.compliance;
    Ok(ComplianceSettings {
        is_development: config.server.mode == Mode::Development,
        listener: listener(config),
        known_key_hashes: demo::hashes()?,
        key_age_days_max: bounds.key_age_days_max,
        unused_days_max: bounds.unused_days_max,
        backup_age_hours_max: bounds.backup_age_hours_max,
        lead_retention_days: bounds.lead_retention_days,
        lost_lead_retention_days: bounds.lost_lead_retention_days,
    })
}

fn listener(config: &Config) -> ListenerSecurity {
    let names_flow = |listeners: &[ListenerName]| listeners.iter().any(|name| name.as_str() == "flow");
    let (listen, proxies) = (config.flow.listen, &config.proxies);
    ListenerSecurity {
        speaks_tls: names_flow(&config.tls.listeners),
        is_behind_proxy: !proxies.trusted.is_empty()
            && (proxies.header.is_some() || names_flow(&proxies.protocol_listeners)),
        reach: if listen.is_loopback() {
            ListenerReach::Loopback
        } else if listen.is_private() {
            ListenerReach::Private
        } else {
            ListenerReach::Public
        },
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Base;

    #[test]
    fn how_the_listener_can_be_reached() {
        let base = Base {
            mode: Mode::Production,
            data_dir: PathBuf::from("data"),
        };
        let mut config = Config::defaults(&base);
        let told = |config: &Config| {
            let ListenerSecurity {
                speaks_tls,
                is_behind_proxy,
                reach,
            } = listener(config);
            (speaks_tls, is_behind_proxy, reach)
        };
        assert_eq!(told(&config), (false, false, ListenerReach::Loopback));
        config.flow.listen = "10.0.0.1:4000".parse().unwrap();
        assert_eq!(told(&config), (false, false, ListenerReach::Private));
        config.flow.listen = "0.0.0.0:4000".parse().unwrap();
        config.proxies.trusted = vec!["10.0.0.0/8".parse().unwrap()];
        // Trusted, but nobody has said how it names whom it speaks for.
        assert_eq!(told(&config), (false, false, ListenerReach::Public));
        config.proxies.protocol_listeners = vec!["tasks".parse().unwrap()];
        config.tls.listeners = vec!["tasks".parse().unwrap()];
        assert_eq!(told(&config), (false, false, ListenerReach::Public));
        config.proxies.header = Some("x-forwarded-for".parse().unwrap());
        config.tls.listeners = vec!["flow".parse().unwrap()];
        assert_eq!(told(&config), (true, true, ListenerReach::Public));
    }
}
