//! Idempotency keys: a write that is sent twice happens once, and the second answer is the first one's.

use tidings_wire::time::Timestamp;

use crate::database::Turn;
use crate::{Store, StoreError, statements};

/// How long a key is remembered.
pub const IDEMPOTENCY_TTL_MS: i64 = 24 * 60 * 60 * 1000;

/// The longest key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

const SCOPE_BYTES_MAX: usize = 128;
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A write that carries an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotentRequest {
    pub(crate) scope: String,
    pub(crate) key: String,
    pub(crate) fingerprint: [u8; 32],
}

impl IdempotentRequest {
    /// The write that `scope` (say `tenant:demo1`) sent under `key`, with a hash of what it asked for. A key is 1
    /// to 255 visible ASCII characters.
    pub fn new(scope: &str, key: &str, fingerprint: [u8; 32]) -> Result<IdempotentRequest, StoreError> {
        let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=SCOPE_BYTES_MAX).contains(&scope.len()) || !is_visible(scope) {
            return Err(StoreError::Invalid {
                what: "an idempotency scope is 1 to 128 visible ASCII characters",
            });
        }
        if !(1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) || !is_visible(key) {
            return Err(StoreError::Invalid {
                what: "an idempotency key is 1 to 255 visible ASCII characters",
            });
        }
        Ok(IdempotentRequest {
            scope: scope.to_owned(),
            key: key.to_owned(),
            fingerprint,
        })
    }
}

/// An answer as it was first given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// What became of a write with an idempotency key.
#[derive(Clone, Debug, PartialEq)]
pub enum Once<T> {
    /// It happened now.
    Fresh(T),
    /// It had happened before; this was the answer.
    Repeated(StoredResponse),
}

/// A stored response with what belongs to it.
pub(crate) struct StoredRequest {
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) response: StoredResponse,
}

impl StoredRequest {
    /// The response, if the request is the same; another request under a used key is a conflict.
    pub(crate) fn answer(self, request: &IdempotentRequest) -> Result<StoredResponse, StoreError> {
        if self.fingerprint == request.fingerprint {
            Ok(self.response)
        } else {
            Err(StoreError::Conflict {
                what: "idempotency key was used for another request",
            })
        }
    }
}

pub(crate) fn check_response(response: &StoredResponse) -> Result<(), StoreError> {
    if response.body.len() > BODY_BYTES_MAX {
        return Err(StoreError::Invalid {
            what: "a remembered response is at most 1 MiB",
        });
    }
    Ok(())
}

pub(crate) fn expiry(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(IDEMPOTENCY_TTL_MS))
}

impl Store {
    /// The answer that was given to this request within the last 24 hours. The same key on another request is
    /// [`StoreError::Conflict`].
    pub async fn idempotent_response(
        &self,
        request: &IdempotentRequest,
    ) -> Result<Option<StoredResponse>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        let stored = statements::idempotency::find(&mut transaction, request, self.now()).await?;
        stored.map(|stored| stored.answer(request)).transpose()
    }

    /// Remembers the answer to a request whose effect lies outside the store; for effects in the store there are
    /// methods that do both in one transaction, like [`Store::create_lead_with`]. If another one was quicker, its
    /// answer is returned and stays.
    pub async fn remember_response(
        &self,
        request: &IdempotentRequest,
        response: StoredResponse,
    ) -> Result<StoredResponse, StoreError> {
        check_response(&response)?;
        let now = self.now();
        let mut transaction = self
            .database
            .write(Turn::Of("idempotency", &request.scope))
            .await?;
        if let Some(stored) = statements::idempotency::find(&mut transaction, request, now).await? {
            return stored.answer(request);
        }
        statements::idempotency::put(&mut transaction, request, &response, now).await?;
        transaction.commit().await?;
        Ok(response)
    }
}
