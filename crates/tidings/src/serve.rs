//! `tidings serve`: from a configuration to a running server, and down again.

use anyhow::Context;

use crate::cli::check_config::{refuse, refuse_unfit};
use crate::config::{Loaded, Mode};
use crate::data_dir::DataDir;
use crate::failure::{Failure, Outcome};
use crate::listening::Listening;
use crate::{banner, demo, descriptors, listeners, logging, opening, shutdown, signing, time};

/// Serves until a signal asks to stop.
pub(crate) fn run(loaded: &Loaded) -> Outcome {
    let config = &loaded.config;
    let style = logging::start(&config.log)?;
    refuse_unfit(loaded)?;
    let data_dir = DataDir::open(&config.server.data_dir)?;
    let _lock = data_dir.lock()?;
    data_dir.remove_listeners()?;
    let _secret = signing::secret(config)?;
    let _connections_max = descriptors::connections_max(config.limits.connections_max);
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
            Mode::Production => refuse(&demo::refusals(&store, time::now()).await?, Mode::Production)?,
        }
        let mut listening = Listening::default();
        let mut bound = Vec::new();
        for group in listeners::groups(config) {
            for listener in listeners::bind(&group)? {
                let address = listener.local_addr().context("a listener has no address")?;
                for gateway in &group.gateways {
                    listening.add(gateway, address);
                }
                bound.push(listener);
            }
        }
        // Seam: the hub, the bus, the gateways' routers and their listeners start here.
        data_dir.write_listeners(&listening)?;
        banner::show(style, config.server.mode, &config.server.data_dir, &listening);
        stop.cancelled().await;
        data_dir.remove_listeners()?;
        store.close().await;
        Ok(())
    })
}
