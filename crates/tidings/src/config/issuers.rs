//! Who else issues users' tokens.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;

use reqwest::Url;
use tidings_access::{CONTROL_AUDIENCE, ISSUERS_MAX, JwtSecret, PublicKeys, TokenAlgorithm};

use super::secret::Secret;
use super::setting::{Setting, quoted};
use super::value::{Mismatch, Value};

const KEYS: [&str; 7] = [
    "issuer",
    "audience",
    "jwks_url",
    "public_key_file",
    "secret",
    "secret_file",
    "algorithms",
];
const OF_KEYS: [&str; 4] = ["jwks_url", "public_key_file", "secret", "secret_file"];

/// The issuers.
#[derive(Debug, Clone, Default)]
pub(crate) struct JwtIssuers(pub(crate) Vec<JwtIssuer>);

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct JwtIssuer {
    /// The `iss` of its tokens.
    pub(crate) name: String,
    /// One of these must be among a token's audiences; none: not asked for.
    pub(crate) audiences: Vec<String>,
    /// What its tokens may be signed with.
    pub(crate) algorithms: Vec<TokenAlgorithm>,
    /// Its keys.
    pub(crate) keys: JwtKeys,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone)]
pub(crate) enum JwtKeys {
    Published(Url),
    /// The file they were read from.
    Public(String, PublicKeys),
    /// What it reads as, with the same bytes.
    Secret(Secret, JwtSecret),
}

impl JwtKeys {
    /// Whether tokens verify with a secret.
    fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(..))
    }
}

impl JwtIssuer {
    /// Whether its keys travel over a network in the clear, where they may be exchanged for others.
    pub(crate) fn is_insecure(&self) -> bool {
        matches!(&self.keys, JwtKeys::Published(url) if url.scheme() != "https" && !is_loopback(url))
    }
}

/// Whether a URL leads to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The value holds secrets, or may: it is shown without them.
impl Setting for JwtIssuers {
    const IS_SECRET: bool = true;

    fn expected() -> String {
        "a list of tables with `issuer`, `audience`, `algorithms`, and one of `jwks_url`, `public_key_file`, `secret` and \
         `secret_file`; in a variable as TOML"
            .into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        let read;
        let issuers = match value {
            Value::List(issuers) => issuers,
            Value::Word(text) | Value::Text(text) => {
                read = Value::list_in_toml(text).ok_or_else(Self::mismatch)?;
                &read
            }
            _ => return Err(Self::mismatch()),
        };
        let wrong = |place, what| Mismatch::new(format!("{} (issuer {place}: {what})", Self::expected()));
        let mut read: Vec<JwtIssuer> = Vec::new();
        for (place, issuer) in (1..).zip(issuers) {
            let issuer = JwtIssuer::read(issuer).map_err(|what| wrong(place, what))?;
            if read.iter().any(|other| other.name == issuer.name) {
                return Err(wrong(place, format!("`{}` is there twice", issuer.name)));
            }
            read.push(issuer);
        }
        if read.len() > ISSUERS_MAX {
            return Err(Mismatch::new(format!("at most {ISSUERS_MAX} issuers")));
        }
        Ok(Self(read))
    }

    fn show(&self) -> Option<String> {
        let issuers: Vec<String> = self.0.iter().map(JwtIssuer::show).collect();
        Some(format!("[{}]", issuers.join(", ")))
    }
}

impl JwtIssuer {
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Table(members) = value else {
            return Err("expected a table".to_owned());
        };
        if let Some((key, _)) = members.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
            return Err(format!("there is no key `{key}`"));
        }
        let member = |name| {
            members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
        };
        let text = |name| match member(name) {
            None => Ok(None),
            Some(value) => match value.text() {
                Some(text) if !text.is_empty() => Ok(Some(text)),
                _ => Err(format!("`{name}` is a text")),
            },
        };
        let name = text("issuer")?.ok_or("it has no `issuer`")?.to_owned();
        let keys = match (
            text("jwks_url")?,
            text("public_key_file")?,
            text("secret")?,
            text("secret_file")?,
        ) {
            (Some(url), None, None, None) => published(url)?,
            (None, Some(file), None, None) => public(file)?,
            (None, None, Some(secret), None) => shared("secret", secret)?,
            (None, None, None, Some(file)) => shared("secret_file", &contents(file)?)?,
            _ => return Err(format!("expected exactly one of {}", OF_KEYS.join(", "))),
        };
        let algorithms = match member("algorithms") {
            None => TokenAlgorithm::ALL
                .into_iter()
                .filter(|algorithm| algorithm.is_symmetric() == keys.is_secret())
                .collect(),
            Some(value) => texts("algorithms", value)?
                .into_iter()
                .map(|name| algorithm(name, keys.is_secret()))
                .collect::<Result<Vec<_>, _>>()?,
        };
        let audiences = match member("audience") {
            None => Vec::new(),
            Some(value) if value.text().is_some() => vec![value.text().unwrap_or_default()],
            Some(value) => texts("audience", value)?,
        };
        if audiences.contains(&CONTROL_AUDIENCE) {
            return Err(format!(
                "the audience `{CONTROL_AUDIENCE}` is reserved for operators' and services' tokens"
            ));
        }
        if audiences.contains(&"") {
            return Err("`audience` is a text, or a list of texts".to_owned());
        }
        Ok(Self {
            name,
            audiences: audiences.into_iter().map(str::to_owned).collect(),
            algorithms,
            keys,
        })
    }

    fn show(&self) -> String {
        let list = |items: Vec<&str>| {
            let items: Vec<String> = items.into_iter().map(quoted).collect();
            items.join(", ")
        };
        let mut text = format!("{{ issuer = {}", quoted(&self.name));
        if !self.audiences.is_empty() {
            let audiences = self.audiences.iter().map(String::as_str).collect();
            // Writing to a String cannot fail.
            let _ = write!(text, ", audience = [{}]", list(audiences));
        }
        let (key, value) = match &self.keys {
            JwtKeys::Published(url) => ("jwks_url", quoted(url.as_str())),
            JwtKeys::Public(file, _) => ("public_key_file", quoted(file)),
            JwtKeys::Secret(secret, _) => ("secret", quoted(&secret.to_string())),
        };
        let algorithms = self
            .algorithms
            .iter()
            .map(|algorithm| algorithm.as_str())
            .collect();
        let _ = write!(text, ", {key} = {value}, algorithms = [{}] }}", list(algorithms));
        text
    }
}

fn published(text: &str) -> Result<JwtKeys, String> {
    let url = Url::parse(text).map_err(|error| format!("`jwks_url`: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err("`jwks_url` begins with https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("`jwks_url` holds no password: it is shown and logged".to_owned());
    }
    Ok(JwtKeys::Published(url))
}

fn public(file: &str) -> Result<JwtKeys, String> {
    let keys =
        PublicKeys::from_pem(contents(file)?.as_bytes()).map_err(|error| format!("{file}: {error}"))?;
    Ok(JwtKeys::Public(file.to_owned(), keys))
}

fn shared(name: &str, text: &str) -> Result<JwtKeys, String> {
    // Editors and `echo` end a file with a line break; no secret does.
    let text = text.trim_end_matches(['\r', '\n']);
    let secret = JwtSecret::new(text).map_err(|error| format!("`{name}`: {error}"))?;
    Ok(JwtKeys::Secret(Secret::new(text), secret))
}

fn contents(file: &str) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))
}

fn algorithm(name: &str, is_secret: bool) -> Result<TokenAlgorithm, String> {
    let algorithm: TokenAlgorithm = name
        .parse()
        .map_err(|error: tidings_access::UnknownAlgorithm| format!("`{name}`: {error}"))?;
    if algorithm.is_symmetric() == is_secret {
        Ok(algorithm)
    } else if is_secret {
        Err(format!("`{name}` has public keys, not a secret"))
    } else {
        Err(format!("`{name}` has a secret, not public keys"))
    }
}

fn texts<'v>(name: &str, value: &'v Value) -> Result<Vec<&'v str>, String> {
    let error = || format!("`{name}` is a list of texts");
    let Value::List(items) = value else {
        return Err(error());
    };
    if items.is_empty() {
        return Err(error());
    }
    items.iter().map(|item| item.text().ok_or_else(error)).collect()
}
