//! Whose event it is, and so which room it goes to.

use crate::DropReason;
use crate::json::member;
use serde_json::value::RawValue;
use thiserror::Error;
use tidings_hub::RoomName;

/// Paths that a configuration may name.
const PATHS_MAX: usize = 16;
/// Keys on one path.
const DEPTH_MAX: usize = 8;
/// The longest user id, in bytes.
const USER_ID_BYTES_MAX: usize = 200;

/// Where in an event's data the user stands, in order of preference.
///
/// A path is a list of keys with dots between them. A path that leads nowhere, or to null, leaves the question to the
/// next one; what another leads to must be a user id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPaths(Box<[Box<[Box<str>]>]>);

/// Why a text is no list of paths.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UserPathError {
    /// No path, or too many.
    #[error("expected 1 to {PATHS_MAX} paths")]
    Count,
    /// A path without a key, with an empty one, or with too many.
    #[error("a path is 1 to {DEPTH_MAX} keys with dots between them, found `{0}`")]
    Path(String),
}

impl UserPaths {
    /// Reads paths such as `data.user_id`.
    pub fn parse(paths: impl IntoIterator<Item = impl AsRef<str>>) -> Result<UserPaths, UserPathError> {
        let paths = paths
            .into_iter()
            .take(PATHS_MAX + 1)
            .map(|path| keys(path.as_ref()));
        let paths: Box<[_]> = paths.collect::<Result<_, _>>()?;
        if paths.is_empty() || paths.len() > PATHS_MAX {
            return Err(UserPathError::Count);
        }
        Ok(UserPaths(paths))
    }

    /// The room of the user that `data` is for.
    pub fn room(&self, data: &RawValue) -> Result<RoomName, DropReason> {
        for path in &self.0 {
            if let Some(value) = follow(data, path)? {
                return room_of(value);
            }
        }
        Err(DropReason::NoUser)
    }
}

impl Default for UserPaths {
    /// `user_id`, `data.user_id`, `payload.user_id`.
    fn default() -> UserPaths {
        UserPaths::parse(["user_id", "data.user_id", "payload.user_id"])
            .expect("Invariant: the default paths are well formed")
    }
}

fn keys(path: &str) -> Result<Box<[Box<str>]>, UserPathError> {
    let keys: Box<[Box<str>]> = path.split('.').take(DEPTH_MAX + 1).map(Box::from).collect();
    if keys.len() > DEPTH_MAX || keys.iter().any(|key| key.is_empty()) {
        return Err(UserPathError::Path(path.to_owned()));
    }
    Ok(keys)
}

/// What stands at the end of `path`, if it leads to anything but null. The data itself must be an object; on the way
/// anything may stand.
fn follow<'a>(data: &'a RawValue, path: &[Box<str>]) -> Result<Option<&'a RawValue>, DropReason> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(None);
    };
    let mut value = member(data.get(), first).map_err(|_| DropReason::NotJson)?;
    for key in rest {
        value = value.and_then(|value| member(value.get(), key).ok().flatten());
    }
    Ok(value.filter(|value| value.get() != "null"))
}

fn room_of(value: &RawValue) -> Result<RoomName, DropReason> {
    let json = value.get();
    if json.starts_with('"') {
        let user: String = serde_json::from_str(json).map_err(|_| DropReason::InvalidUser)?;
        return room(&user);
    }
    if is_canonical_integer(json) {
        room(json)
    } else {
        Err(DropReason::InvalidUser)
    }
}

fn room(user: &str) -> Result<RoomName, DropReason> {
    if user.is_empty() {
        return Err(DropReason::NoUser);
    }
    if user.len() > USER_ID_BYTES_MAX {
        return Err(DropReason::InvalidUser);
    }
    RoomName::new(&format!("user:{user}")).map_err(|_| DropReason::InvalidUser)
}

/// Whether a JSON number is spelled as an integer is printed: `1.0` and `1e3` name nobody for sure.
fn is_canonical_integer(json: &str) -> bool {
    let digits = json.strip_prefix('-').unwrap_or(json);
    // JSON has no leading zeros anyway.
    json != "-0" && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(paths: &UserPaths, json: &str) -> Result<String, DropReason> {
        let data: &RawValue = serde_json::from_str(json).unwrap();
        paths.room(data).map(|room| room.as_str().to_owned())
    }

    #[test]
    fn users_are_found_at_the_configured_paths() {
        let longest = "u".repeat(200);
        let table = [
            (r#"{"user_id":"user-123"}"#, Ok("user:user-123")),
            (r#"{"data":{"user_id":"a"}}"#, Ok("user:a")),
            (r#"{"payload": {"user_id": "b"} }"#, Ok("user:b")),
            (
                r#"{"payload":{"user_id":"c"},"data":{"user_id":"b"},"user_id":"a"}"#,
                Ok("user:a"),
            ),
            (r#"{"user_id":null,"payload":{"user_id":"c"}}"#, Ok("user:c")),
            (r#"{"data":"text","payload":{"user_id":"c"}}"#, Ok("user:c")),
            (r#"{"user_id":42}"#, Ok("user:42")),
            (r#"{"user_id":0}"#, Ok("user:0")),
            (r#"{"user_id":-7}"#, Ok("user:-7")),
            (
                r#"{"user_id":12345678901234567890123}"#,
                Ok("user:12345678901234567890123"),
            ),
            (r#"{"user_id":"\u00e4:b c"}"#, Ok("user:ä:b c")),
            (r#"{"user_id":"a","user_id":"b"}"#, Ok("user:b")),
            (r#"{"user_id":42.0}"#, Err(DropReason::InvalidUser)),
            (r#"{"user_id":1e3}"#, Err(DropReason::InvalidUser)),
            (r#"{"user_id":-0}"#, Err(DropReason::InvalidUser)),
            (r#"{"user_id":true}"#, Err(DropReason::InvalidUser)),
            (r#"{"user_id":{"id":1}}"#, Err(DropReason::InvalidUser)),
            (r#"{"user_id":["a"]}"#, Err(DropReason::InvalidUser)),
            (r#"{"user_id":"a\u0000"}"#, Err(DropReason::InvalidUser)),
            (r#"{"user_id":"\ud800"}"#, Err(DropReason::InvalidUser)),
            // What stands at the first path is meant: another user further down must not get it instead.
            (
                r#"{"user_id":false,"payload":{"user_id":"c"}}"#,
                Err(DropReason::InvalidUser),
            ),
            (r#"{"user_id":""}"#, Err(DropReason::NoUser)),
            (r#"{"userId":"a"}"#, Err(DropReason::NoUser)),
            (r#"{"payload":{"data":{"user_id":"a"}}}"#, Err(DropReason::NoUser)),
            ("{}", Err(DropReason::NoUser)),
            ("[]", Err(DropReason::NotJson)),
            ("null", Err(DropReason::NotJson)),
            (r#""{\"user_id\":\"a\"}""#, Err(DropReason::NotJson)),
        ];
        for (json, expected) in table {
            assert_eq!(
                route(&UserPaths::default(), json),
                expected.map(str::to_owned),
                "{json}"
            );
        }
        assert_eq!(
            route(&UserPaths::default(), &format!(r#"{{"user_id":"{longest}"}}"#)),
            Ok(format!("user:{longest}"))
        );
        assert_eq!(
            route(&UserPaths::default(), &format!(r#"{{"user_id":"{longest}u"}}"#)),
            Err(DropReason::InvalidUser)
        );
    }

    #[test]
    fn paths_are_configurable() {
        let paths = UserPaths::parse(["owner", "meta.owner.id"]).unwrap();
        assert_eq!(
            route(&paths, r#"{"meta":{"owner":{"id":9}}}"#),
            Ok("user:9".to_owned())
        );
        assert_eq!(route(&paths, r#"{"user_id":"a"}"#), Err(DropReason::NoUser));
    }

    #[test]
    fn paths_that_lead_nowhere_are_refused() {
        assert_eq!(UserPaths::parse(Vec::<String>::new()), Err(UserPathError::Count));
        assert_eq!(
            UserPaths::parse(vec!["a"; PATHS_MAX + 1]),
            Err(UserPathError::Count)
        );
        for path in ["", ".", "a.", ".a", "a..b", "a.b.c.d.e.f.g.h.i"] {
            assert_eq!(
                UserPaths::parse([path]),
                Err(UserPathError::Path(path.to_owned()))
            );
        }
    }
}
