//! `tidings serve`: from a configuration to a running server, and down again.

use std::time::Duration;

use anyhow::Context;
use tidings_transport::{Listener, Tls};

use crate::assembly::Assembly;
use crate::authentication::Authentication;
use crate::cli::check_config::{refuse, refuse_unfit};
use crate::config::{Config, Loaded, Mode};
use crate::data_dir::DataDir;
use crate::failure::{Failure, Outcome};
use crate::listening::Listening;
use crate::{
    banner, board, certificates, demo, descriptors, listeners, logging, opening, shutdown, signing, time,
};

/// Serves until a signal asks to stop.
pub(crate) fn run(loaded: &Loaded) -> Outcome {
    let config = &loaded.config;
    let style = logging::start(&config.log)?;
    refuse_unfit(loaded)?;
    let data_dir = DataDir::open(&config.server.data_dir)?;
    let _lock = data_dir.lock()?;
    data_dir.remove_listeners()?;
    let secret = signing::secret(config)?;
    let connections_max = descriptors::connections_max(config.limits.connections_max);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
        .map_err(Failure::Unavailable)?;
    runtime.block_on(async {
        let stop = shutdown::token()?;
        let store = opening::store(config).await?;
        match config.server.mode {
            Mode::Development => demo::seed(&store).await?,
            Mode::Production => {
                let mut refusals = demo::refusals(&store, time::now()).await?;
                refusals.extend(opening::refusal(&store));
                refuse(&refusals, Mode::Production)?;
            }
        }
        let authentication = Authentication::load(config, &store, &secret).await?;
        let tls = tls(config)?;
        let mut assembly = Assembly::start(
            config,
            &store,
            authentication,
            connections_max,
            tls.clone(),
            stop.clone(),
        )?;
        if let Some(tls) = &tls {
            let interval = Duration::from_millis(config.tls.reload_interval_ms);
            certificates::watch(tls.clone(), interval, &assembly.transport)?;
        }
        let (listeners, listening) = listen(config, &assembly, tls.as_ref())?;
        if config.server.mode == Mode::Development {
            assembly.add_routes("workflows", board::routes(&listening));
        }
        for (listener, gateways) in listeners {
            for gateway in &gateways {
                for address in listener.local_addresses() {
                    tracing::info!(gateway, %address, "listening");
                }
            }
            let serving = listener.serve(assembly.routes(&gateways), assembly.transport.clone());
            assembly.transport.spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "a listener failed");
                }
            });
        }
        data_dir.write_listeners(&listening)?;
        assembly.health.started();
        banner::show(style, config.server.mode, &config.server.data_dir, &listening);
        let is_failed = tokio::select! {
            () = stop.cancelled() => false,
            () = assembly.hub_failed() => true,
        };
        if is_failed {
            tracing::error!("a shard of the hub panicked; stopping, so that its clients connect anew");
            stop.cancel();
        }
        data_dir.remove_listeners()?;
        assembly
            .drain(Duration::from_millis(config.server.drain_timeout_ms))
            .await;
        store.close().await;
        if is_failed {
            return Err(Failure::Internal(anyhow::anyhow!("a shard of the hub panicked")));
        }
        Ok(())
    })
}

/// A bound listener, with the gateways that it serves.
type Bound = (Listener, Vec<&'static str>);

/// Binds all listeners before any of them serves, so that what they serve may tell of all of them.
fn listen(config: &Config, assembly: &Assembly, tls: Option<&Tls>) -> Outcome<(Vec<Bound>, Listening)> {
    let mut listeners = Vec::new();
    let mut listening = Listening::default();
    for group in listeners::groups(config) {
        listeners::warn_of_clear_text(config, &group);
        let listener = Listener::from_sockets(listeners::bind(&group)?, assembly.transport.limits())?
            .with_options(listeners::options(config, &group, tls));
        for gateway in &group.gateways {
            for address in listener.local_addresses() {
                listening.add(gateway, *address);
            }
            if config.tls.listeners.iter().any(|name| name.as_str() == *gateway) {
                listening.secure(gateway);
            }
        }
        listeners.push((listener, group.gateways));
    }
    Ok((listeners, listening))
}

/// TLS, if a listener speaks it.
fn tls(config: &Config) -> Outcome<Option<Tls>> {
    let Some(settings) = config.tls.settings().filter(|_| !config.tls.listeners.is_empty()) else {
        return Ok(None);
    };
    let tls = Tls::load(settings)
        .map_err(|error| Failure::Usage(anyhow::Error::new(error).context("tls.certificate")))?;
    let not_after = tls.not_after().map(tracing::field::display);
    tracing::info!(not_after, "TLS: the certificate is in use");
    Ok(Some(tls))
}
