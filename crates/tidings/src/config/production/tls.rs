//! TLS that could not be spoken.

use super::proxies::shared;
use super::{Config, Refusal};

/// What of TLS's configuration does not work, in either mode.
pub(super) fn refusals(config: &Config) -> Vec<Refusal> {
    let tls = &config.tls;
    if tls.listeners.is_empty() {
        return Vec::new();
    }
    let mut refusals: Vec<Refusal> = shared(config, "tls.listeners", &tls.listeners)
        .into_iter()
        .collect();
    for (key, path) in [("certificate", &tls.certificate), ("key", &tls.key)] {
        if path.is_none() {
            refusals.push(Refusal::new(
                format!("tls.{key}"),
                "is not set, and `tls.listeners` names some",
                format!("export TIDINGS__TLS__{}=FILE, in PEM", key.to_uppercase()),
            ));
        }
    }
    if let Some(settings) = tls.settings()
        && let Err(error) = tidings_transport::Tls::load(settings)
    {
        refusals.push(Refusal::new(
            "tls.certificate",
            error.to_string(),
            "mend the files named by tls.certificate and tls.key",
        ));
    }
    refusals
}
