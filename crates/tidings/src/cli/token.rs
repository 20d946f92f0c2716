//! `tidings token`.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use tidings_access::{JwtSigner, ServiceScope, TokenText, UserId};
use tidings_store::{
    RevokedToken, Store, TOKEN_REVOCATIONS_PAGE_MAX, TokenRevocation, TokenRevocationNumber,
};
use tidings_wire::time::Timestamp;

use super::claim::{self, Claim};
use super::duration;
use super::key::expiry;
use super::tenant::json_line;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{opening, signing};

/// What to do with tokens.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, signed with the configured secret
    Create(Create),
    /// Refuse a token, or a user's tokens, before they expire, and end their connections
    Revoke(Revoke),
    /// List what is revoked
    Revoked(Revoked),
}

/// Make a token.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("who").required(true)))]
pub(crate) struct Create {
    /// A token of this user, for client connections
    #[arg(long, value_name = "ID", group = "who", value_parser = user_id)]
    user: Option<UserId>,
    /// A token for everything on the operators' listener
    #[arg(long, group = "who", conflicts_with = "claim")]
    operator: bool,
    /// A token for the application's backend
    #[arg(long, group = "who", conflicts_with = "claim")]
    service: bool,
    /// A further claim; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim::parse)]
    claim: Vec<Claim>,
    /// How long the token is valid: 90s, 15m, 1h, 30d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration::parse)]
    ttl: Duration,
    /// Print the token alone
    #[arg(long, short)]
    quiet: bool,
}

/// Revoke tokens.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("which").required(true)))]
pub(crate) struct Revoke {
    /// The token with this id (its claim `jti`)
    #[arg(long, value_name = "ID", group = "which")]
    jti: Option<String>,
    /// The tokens of this user (their claim `sub`) that were issued up to now
    #[arg(long, value_name = "USER", group = "which", value_parser = user_id)]
    sub: Option<UserId>,
    /// When the last of them has expired, and the revocation may be forgotten: 90s, 15m, 1h, 30d from now, or
    /// 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = expiry)]
    until: Timestamp,
}

/// List what is revoked.
#[derive(Debug, Clone, Args)]
pub(crate) struct Revoked {
    /// A JSON object on each line
    #[arg(long)]
    json: bool,
}

pub(super) fn user_id(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|error| error.to_string())
}

impl TokenCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        match self {
            Self::Create(create) => create.run(config),
            Self::Revoke(revoke) => opening::on_store(config, async |store| revoke.run(store).await),
            Self::Revoked(revoked) => opening::on_store(config, async |store| revoked.run(store).await),
        }
    }
}

impl Revoke {
    async fn run(self, store: &Store) -> Outcome {
        // One of the two is there.
        let token = match self.sub {
            Some(user) => RevokedToken::User(user.as_str().to_owned()),
            None => RevokedToken::Id(self.jti.unwrap_or_default()),
        };
        let revocation = store.revoke_token(token, self.until).await;
        let revocation = revocation.map_err(opening::failure)?;
        writeln!(io::stdout(), "revoked {}", Shown(&revocation))?;
        Ok(())
    }
}

impl Revoked {
    async fn run(self, store: &Store) -> Outcome {
        let mut output = io::stdout().lock();
        let mut after = TokenRevocationNumber::default();
        loop {
            let page = store.token_revocations(after, TOKEN_REVOCATIONS_PAGE_MAX).await;
            let page = page.map_err(opening::failure)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.number;
            for revocation in &page {
                if self.json {
                    json_line(&mut output, revocation)?;
                } else {
                    writeln!(output, "{} since {}", Shown(revocation), revocation.revoked_at)?;
                }
            }
        }
    }
}

/// A revocation for people. Texts that others chose are quoted, so that they end where they end.
struct Shown<'a>(&'a TokenRevocation);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.token {
            RevokedToken::Id(id) => write!(formatter, "jti {id:?}")?,
            RevokedToken::User(user) => write!(formatter, "sub {user:?}")?,
        }
        write!(formatter, " until {}", self.0.until)
    }
}

impl Create {
    fn run(&self, config: &Config) -> Outcome {
        let signer = JwtSigner::new(&signing::secret(config)?);
        let token = self
            .sign(&signer, config)
            .map_err(|error| Failure::Internal(error.into()))?;
        writeln!(io::stdout(), "{}", token.reveal())?;
        if !self.quiet {
            let (whom, ttl_s) = (self.whom(), self.ttl.as_secs());
            let id = token.id().map(|id| format!(", jti {id}")).unwrap_or_default();
            writeln!(io::stderr(), "for {whom}, valid for {ttl_s} seconds{id}")?;
        }
        Ok(())
    }

    fn sign(&self, signer: &JwtSigner, config: &Config) -> Result<TokenText, tidings_access::SignError> {
        let Some(user) = &self.user else {
            return signer.sign_service(self.scope(), self.ttl);
        };
        let mut claims = signing::user_claims(config);
        claims.extend(
            self.claim
                .iter()
                .map(|claim| (claim.name.clone(), claim.value.clone())),
        );
        signer.sign_user(user, self.ttl, claims)
    }

    fn scope(&self) -> ServiceScope {
        if self.operator {
            ServiceScope::Operator
        } else {
            ServiceScope::Service
        }
    }

    fn whom(&self) -> String {
        self.user.as_ref().map_or_else(
            || format!("a {}", self.scope()),
            |user| format!("user {}", user.as_str()),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tidings_access::{JwtSecret, JwtVerifier, UserTokenRules};

    use super::*;
    use crate::config::{Base, Mode};

    #[test]
    fn a_users_token_is_good_for_the_server_it_was_made_for() {
        let mut config = Config::defaults(&Base {
            mode: Mode::Development,
            data_dir: PathBuf::new(),
        });
        config.auth_jwt.issuer = Some("https://issuer.example".into());
        config.auth_jwt.audience = Some("app".into());
        let secret = JwtSecret::new("0123456789abcdef0123456789abcdef").unwrap();
        let create = Create {
            user: Some(UserId::new("42").unwrap()),
            operator: false,
            service: false,
            claim: vec![
                claim::parse("rooms=[\"execution:1\"]").unwrap(),
                claim::parse("team=7").unwrap(),
            ],
            ttl: Duration::from_mins(1),
            quiet: true,
        };
        let token = create.sign(&JwtSigner::new(&secret), &config).unwrap();
        let mut rules = UserTokenRules::default();
        rules.issuer.clone_from(&config.auth_jwt.issuer);
        rules.audience.clone_from(&config.auth_jwt.audience);
        rules.expiry_required = true;
        let claims = JwtVerifier::new(&secret)
            .verify_user(token.reveal(), &rules)
            .unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.rooms.as_slice()),
            ("42", ["execution:1".to_owned()].as_slice())
        );
        assert_eq!(claims.other.get("team"), Some(&7.into()));
    }
}
