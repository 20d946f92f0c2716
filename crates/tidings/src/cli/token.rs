//! `tidings token`.

use std::io::{self, Write};
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::Map;
use tidings_access::{JwtSigner, ServiceScope, TokenText, UserId};

use super::claim::{self, Claim};
use super::duration;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::signing;

/// What to do with tokens.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, signed with the configured secret
    Create(Create),
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

fn user_id(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|error| error.to_string())
}

impl TokenCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        let Self::Create(create) = self;
        let signer = JwtSigner::new(&signing::secret(config)?);
        let token = create
            .sign(&signer, config)
            .map_err(|error| Failure::Internal(error.into()))?;
        let mut output = io::stdout().lock();
        writeln!(output, "{}", token.reveal())?;
        if !create.quiet {
            writeln!(
                io::stderr(),
                "for {}, valid for {} seconds",
                create.whom(),
                create.ttl.as_secs()
            )?;
        }
        Ok(())
    }
}

impl Create {
    fn sign(&self, signer: &JwtSigner, config: &Config) -> Result<TokenText, tidings_access::SignError> {
        let Some(user) = &self.user else {
            return signer.sign_service(self.scope(), self.ttl);
        };
        // The configured issuer and audience, so that the token is good for this server.
        let mut claims = Map::new();
        for (name, value) in [
            ("iss", &config.auth_jwt.issuer),
            ("aud", &config.auth_jwt.audience),
        ] {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.as_str().into());
            }
        }
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
