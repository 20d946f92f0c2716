//! Whose tokens are believed: those of the local secret and of the issuers, unless they are revoked.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use anyhow::Context;
use tidings_access::{
    Authenticator, Issuer, IssuerKeys, JwtSecret, RemoteKeys, RemoteKeysSettings, Revocation, Revocations,
    RevokedTokens, UserId, UserTokenRules,
};
use tidings_store::{
    RevokedToken, Store, StoreError, TOKEN_REVOCATIONS_PAGE_MAX, TokenRevocation, TokenRevocationNumber,
};
use tidings_tasks::Tasks;
use tidings_transport::Transport;
use tidings_workflows::Workflows;
use tokio::time::MissedTickBehavior;

use crate::config::{Config, JwtIssuer, JwtKeys};
use crate::failure::{Failure, Outcome};
use crate::jwks::PublishedKeys;
use crate::opening;
use crate::time::now;

/// How often the store is asked for new revocations.
const INTERVAL: Duration = Duration::from_millis(500);
/// Rounds after which revocations are dropped that have ended.
const FORGET_ROUNDS: u32 = 120;

/// What verifies tokens, before its tasks run.
pub(crate) struct Authentication {
    pub(crate) authenticator: Authenticator,
    /// Each address once, also if several issuers have their keys there.
    published: Vec<RemoteKeys>,
    revoked: Revoked,
}

/// What is revoked, as far as it has been read.
struct Revoked {
    store: Store,
    revocations: Revocations,
    last: TokenRevocationNumber,
}

impl Authentication {
    /// Reads what is revoked, so that no such token is let in from the start.
    pub(crate) async fn load(config: &Config, store: &Store, secret: &JwtSecret) -> Outcome<Self> {
        let mut revoked = Revoked {
            store: store.clone(),
            revocations: Revocations::default(),
            last: TokenRevocationNumber::default(),
        };
        revoked.read().await.map_err(opening::failure)?;
        let jwt = &config.auth_jwt;
        let rules = UserTokenRules {
            audience: jwt.audience.clone(),
            issuer: jwt.issuer.clone(),
            expiry_required: false,
        };
        let mut published = HashMap::new();
        let issuers = jwt
            .issuers
            .0
            .iter()
            .map(|issuer| self::issuer(config, issuer, &mut published))
            .collect::<Outcome<_>>()?;
        Ok(Self {
            authenticator: Authenticator::new(secret, rules, issuers, revoked.revocations.clone()),
            published: published.into_values().collect(),
            revoked,
        })
    }

    /// How many requests for issuers' keys there were, by result; `None` if nobody publishes any.
    pub(crate) fn refreshes(&self) -> impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static {
        let published = self.published.clone();
        move || {
            if published.is_empty() {
                return Vec::new();
            }
            let (loaded, failed) = published
                .iter()
                .map(RemoteKeys::refreshes)
                .fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
            vec![("failed", failed), ("loaded", loaded)]
        }
    }

    /// Starts fetching keys and looking for revocations, until the server stops.
    pub(crate) fn start(self, transport: &Transport, tasks: Tasks, workflows: Workflows) {
        let shutdown = transport.shutdown();
        for keys in self.published {
            let shutdown = shutdown.clone();
            transport.spawn(async move {
                shutdown.run_until_cancelled(keys.run()).await;
            });
        }
        let (revoked, shutdown) = (self.revoked, shutdown.clone());
        transport.spawn(async move {
            shutdown
                .run_until_cancelled(revoked.watch(tasks, workflows))
                .await;
        });
    }
}

impl Revoked {
    /// Puts in force what is new since the last time; whether anything is.
    async fn read(&mut self) -> Result<bool, StoreError> {
        let mut is_news = false;
        loop {
            let page = self
                .store
                .token_revocations(self.last, TOKEN_REVOCATIONS_PAGE_MAX)
                .await?;
            let Some(last) = page.last() else {
                return Ok(is_news);
            };
            self.last = last.number;
            is_news = true;
            self.revocations.apply(page.into_iter().filter_map(revocation));
        }
    }

    /// Closes the connections of tokens that are revoked from now on.
    async fn watch(mut self, tasks: Tasks, workflows: Workflows) {
        let mut rounds = tokio::time::interval(INTERVAL);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_away = false;
        for round in 1_u32.. {
            rounds.tick().await;
            match self.read().await {
                Ok(is_news) => {
                    is_away = false;
                    if is_news {
                        tasks.close_revoked().await;
                        workflows.close_revoked().await;
                    }
                }
                // What was read stays in force. Nobody can revoke anything meanwhile.
                Err(error) if !is_away => {
                    is_away = true;
                    tracing::warn!(%error, "revoked tokens could not be looked for");
                }
                Err(_) => {}
            }
            if round.is_multiple_of(FORGET_ROUNDS) {
                self.revocations.forget(seconds(now().as_millis()));
            }
        }
    }
}

/// A revocation as the tokens' side has it. Of an id that no user has, nobody has a token.
fn revocation(stored: TokenRevocation) -> Option<Revocation> {
    Some(Revocation {
        tokens: match stored.token {
            RevokedToken::Id(id) => RevokedTokens::Id(id),
            RevokedToken::User(user) => RevokedTokens::User(UserId::new(&user).ok()?),
        },
        revoked_at_s: seconds(stored.revoked_at.as_millis()),
        until_s: seconds(stored.until.as_millis()),
    })
}

fn seconds(millis: i64) -> i64 {
    millis.div_euclid(1_000)
}

fn issuer(
    config: &Config,
    issuer: &JwtIssuer,
    published: &mut HashMap<String, RemoteKeys>,
) -> Outcome<Issuer> {
    if issuer.audiences.is_empty() {
        tracing::warn!(
            issuer = issuer.name,
            "the issuer's tokens are believed whatever application they are for: it has no `audience`"
        );
    }
    let keys = match &issuer.keys {
        JwtKeys::Secret(_, secret) => IssuerKeys::Secret(secret.clone()),
        JwtKeys::Public(_, keys) => IssuerKeys::Public(keys.clone()),
        JwtKeys::Published(url) => IssuerKeys::Remote(match published.entry(url.to_string()) {
            Entry::Occupied(keys) => keys.get().clone(),
            Entry::Vacant(place) => place.insert(remote(config, url)?).clone(),
        }),
    };
    Ok(Issuer {
        name: issuer.name.clone(),
        audiences: issuer.audiences.clone(),
        algorithms: issuer.algorithms.clone(),
        keys,
    })
}

fn remote(config: &Config, url: &reqwest::Url) -> Outcome<RemoteKeys> {
    let jwt = &config.auth_jwt;
    let timeout = Duration::from_millis(jwt.jwks_timeout_ms);
    let source = PublishedKeys::new(url.clone(), timeout)
        .context("auth.jwt.issuers: no HTTP client")
        .map_err(Failure::Internal)?;
    let settings = RemoteKeysSettings {
        refresh_interval: Duration::from_millis(jwt.jwks_refresh_interval_ms),
        refresh_interval_min: Duration::from_millis(jwt.jwks_refresh_interval_ms_min),
        age_max: Duration::from_millis(jwt.jwks_age_ms_max),
        timeout,
    };
    Ok(RemoteKeys::new(url.as_str(), source, settings))
}
