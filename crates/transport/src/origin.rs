//! Which web pages may connect.

use axum::http::{HeaderMap, HeaderValue, header};

const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Which `Origin`s may connect. Requests without one do not come from a browser's page and pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Every origin.
    Any,
    /// http and https on this machine's loopback names, any port.
    Loopback,
    /// These, as browsers send them (`https://app.example.com`, lower case, no path).
    List(Vec<String>),
}

impl OriginPolicy {
    /// Whether a request with these headers may go on.
    pub fn permits(&self, headers: &HeaderMap) -> bool {
        !headers.contains_key(header::ORIGIN) || self.allowed_origin(headers).is_some()
    }

    /// The request's own origin, if it is allowed: what CORS answers with.
    pub fn allowed_origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        let allowed = match self {
            Self::Any => true,
            Self::Loopback => value.to_str().is_ok_and(is_loopback),
            Self::List(origins) => origins
                .iter()
                .any(|origin| origin == "*" || value.as_bytes().eq_ignore_ascii_case(origin.as_bytes())),
        };
        allowed.then_some(value)
    }
}

fn is_loopback(origin: &str) -> bool {
    let Some(("http" | "https", authority)) = origin.split_once("://") else {
        return false;
    };
    LOOPBACK_HOSTS
        .iter()
        .filter_map(|host| authority.strip_prefix(host))
        .any(|port| {
            port.is_empty()
                || port
                    .strip_prefix(':')
                    .is_some_and(|port| !port.starts_with('+') && port.parse::<u16>().is_ok())
        })
}

#[cfg(test)]
mod tests {
    use super::OriginPolicy;
    use axum::http::{HeaderMap, HeaderValue, header};

    fn from(origin: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_str(origin).unwrap())])
    }

    #[test]
    fn no_origin_is_no_browser() {
        for policy in [
            OriginPolicy::Any,
            OriginPolicy::Loopback,
            OriginPolicy::List(Vec::new()),
        ] {
            assert!(policy.permits(&HeaderMap::new()));
            assert_eq!(policy.allowed_origin(&HeaderMap::new()), None);
        }
    }

    #[test]
    fn loopback_is_this_machine_on_any_port() {
        for origin in [
            "http://localhost",
            "https://localhost:3000",
            "http://127.0.0.1:1",
            "http://[::1]:8080",
        ] {
            assert!(OriginPolicy::Loopback.permits(&from(origin)), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com:80",
            "ftp://localhost",
            "http://localhost:80@example.com",
            "http://example.com/localhost",
            "http://[::1",
            "localhost",
            "http://127.0.0.2",
            "http://localhost:x",
            "http://localhost:+80",
        ] {
            assert!(!OriginPolicy::Loopback.permits(&from(origin)), "{origin}");
        }
    }

    #[test]
    fn a_list_allows_what_it_names() {
        let list = OriginPolicy::List(vec!["https://app.example.com".into()]);
        assert!(list.permits(&from("https://app.example.com")));
        assert!(!list.permits(&from("https://app.example.com:8443")));
        assert!(!list.permits(&from("http://app.example.com")));
        assert!(!list.permits(&from("https://app.example.com.evil.example")));
        let mut twice = from("https://app.example.com");
        twice.append(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert!(!list.permits(&twice));
    }
}
