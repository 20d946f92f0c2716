//! Tokens that are refused before their expiry: one by its id, or all of a user that were issued up to a moment.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Claims, ServiceClaims};
use crate::UserId;

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevokedTokens {
    /// The token with this `jti`, a user's, an operator's or a service's, whoever issued it.
    Id(String),
    /// A user's tokens that were issued up to the revocation, in the second of it too, and those that do not say when.
    User(UserId),
}

/// A revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Of what.
    pub tokens: RevokedTokens,
    /// Since when, in seconds since 1970.
    pub revoked_at_s: i64,
    /// When it may be forgotten, because what it revokes has expired; in seconds since 1970.
    pub until_s: i64,
}

/// The revocations in force. A clone is another handle.
///
/// Invariant: a connection that enters the books and then asks [`Revocations::has`], and a revocation that is applied
/// and then looks through the books, cannot miss each other.
#[derive(Clone, Default)]
pub struct Revocations(Arc<Inner>);

#[derive(Default)]
struct Inner {
    hasher: RandomState,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// By the id's hash, until when. Two ids with the same hash would be revoked together: of a million tokens and a
    /// hundred thousand revocations, once in 10^8 servers.
    ids: HashMap<u64, i64>,
    users: HashMap<UserId, RevokedUser>,
}

#[derive(Clone, Copy)]
struct RevokedUser {
    revoked_at_s: i64,
    until_s: i64,
}

/// What a connection keeps of its token, to be found when that is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenStamp {
    user: UserId,
    /// 0: it has no id.
    id: u64,
    /// `i64::MIN`: it does not say.
    issued_at_s: i64,
}

impl Revocations {
    /// Puts revocations in force. A later one of the same user or id takes the place of an earlier one.
    pub fn apply(&self, revocations: impl IntoIterator<Item = Revocation>) {
        let mut state = self.0.state.write();
        for Revocation {
            tokens,
            revoked_at_s,
            until_s,
        } in revocations
        {
            match tokens {
                RevokedTokens::Id(id) => drop(state.ids.insert(self.hash(&id), until_s)),
                RevokedTokens::User(user) => {
                    let revoked = RevokedUser {
                        revoked_at_s,
                        until_s,
                    };
                    state.users.insert(user, revoked);
                }
            }
        }
    }

    /// Drops those whose time is over.
    pub fn forget(&self, now_s: i64) {
        let mut state = self.0.state.write();
        state.ids.retain(|_, until_s| *until_s > now_s);
        state.users.retain(|_, revoked| revoked.until_s > now_s);
    }

    /// How many are in force.
    pub fn count(&self) -> usize {
        let state = self.0.state.read();
        state.ids.len() + state.users.len()
    }

    /// Whether the token behind this stamp is revoked.
    pub fn has(&self, stamp: &TokenStamp) -> bool {
        let state = self.0.state.read();
        state.has_id(stamp.id)
            || (!state.users.is_empty()
                && state
                    .users
                    .get(&stamp.user)
                    .is_some_and(|revoked| stamp.issued_at_s <= revoked.revoked_at_s))
    }

    /// Whether an operator's or service's token is revoked: by its id alone, because its `sub` is no user.
    pub fn has_service(&self, claims: &ServiceClaims) -> bool {
        claims
            .jti
            .as_ref()
            .is_some_and(|id| self.0.state.read().has_id(self.hash(id)))
    }

    /// What a connection keeps of its user's token.
    pub fn stamp(&self, claims: &Claims) -> TokenStamp {
        TokenStamp {
            user: claims.sub.clone(),
            id: claims.jti.as_ref().map_or(0, |id| self.hash(id)),
            issued_at_s: claims.iat.unwrap_or(i64::MIN),
        }
    }

    /// Never 0.
    fn hash(&self, id: &str) -> u64 {
        self.0.hasher.hash_one(id).max(1)
    }
}

impl State {
    fn has_id(&self, id: u64) -> bool {
        id != 0 && !self.ids.is_empty() && self.ids.contains_key(&id)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Revocations({})", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    fn stamp(revocations: &Revocations, id: Option<&str>, issued_at_s: Option<i64>) -> TokenStamp {
        let mut claims = Claims::for_user(user("ann"));
        claims.jti = id.map(str::to_owned);
        claims.iat = issued_at_s;
        revocations.stamp(&claims)
    }

    fn revoke(tokens: RevokedTokens) -> Revocation {
        Revocation {
            tokens,
            revoked_at_s: 100,
            until_s: 200,
        }
    }

    #[test]
    fn by_id_and_by_user() {
        let by_id = || revoke(RevokedTokens::Id("t1".to_owned()));
        let of = |name| revoke(RevokedTokens::User(user(name)));
        for (revocation, id, issued_at_s, expected) in [
            (by_id(), Some("t1"), Some(1_000), true),
            (by_id(), Some("t2"), Some(1), false),
            (by_id(), Some(""), Some(1), false),
            (by_id(), None, None, false),
            (of("ann"), Some("t1"), Some(99), true),
            (of("ann"), None, Some(100), true),
            (of("ann"), Some("t1"), Some(101), false),
            (of("ann"), Some("t1"), None, true),
            (of("bob"), Some("t1"), Some(1), false),
        ] {
            let revocations = Revocations::default();
            let token = stamp(&revocations, id, issued_at_s);
            assert!(!revocations.has(&token));
            revocations.apply([revocation.clone()]);
            assert_eq!(
                revocations.has(&token),
                expected,
                "{revocation:?} {id:?} {issued_at_s:?}"
            );
            revocations.forget(199);
            assert_eq!(revocations.has(&token), expected);
            revocations.forget(200);
            assert!(!revocations.has(&token));
            assert_eq!(revocations.count(), 0);
        }
    }

    #[test]
    fn a_later_one_of_the_same_takes_its_place() {
        let revocations = Revocations::default();
        let token = stamp(&revocations, None, Some(150));
        revocations.apply([revoke(RevokedTokens::User(user("ann")))]);
        assert!(!revocations.has(&token));
        revocations.apply([Revocation {
            revoked_at_s: 150,
            ..revoke(RevokedTokens::User(user("ann")))
        }]);
        assert!(revocations.has(&token));
        assert_eq!(revocations.count(), 1);
    }

    #[test]
    fn operators_and_services_by_id_alone() {
        let revocations = Revocations::default();
        let service = ServiceClaims {
            scope: crate::ServiceScope::Service,
            sub: Some(user("service")),
            exp: None,
            jti: Some("t1".to_owned()),
        };
        revocations.apply([revoke(RevokedTokens::User(user("service")))]);
        assert!(!revocations.has_service(&service));
        revocations.apply([revoke(RevokedTokens::Id("t1".to_owned()))]);
        assert!(revocations.has_service(&service));
    }
}
