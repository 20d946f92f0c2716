//! The query of an Engine.IO request.

use axum::extract::Query;
use axum::http::Uri;

/// The parameters that mean something here. The first of a repeated one counts; `t`, `b64` and the rest are ignored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) version: Option<String>,
    pub(crate) transport: Option<String>,
    pub(crate) sid: Option<String>,
}

impl Parameters {
    /// A query that cannot be read has no parameters.
    pub(crate) fn of(uri: &Uri) -> Self {
        let mut parameters = Self::default();
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            return parameters;
        };
        for (name, value) in pairs {
            let place = match name.as_str() {
                "EIO" => &mut parameters.version,
                "transport" => &mut parameters.transport,
                "sid" if !value.is_empty() => &mut parameters.sid,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        parameters
    }

    /// Whether the client says that it speaks the one version there is.
    pub(crate) fn is_version_4(&self) -> bool {
        self.version.as_deref() == Some("4")
    }
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn the_first_of_a_repeated_parameter_counts() {
        let of = |query: &str| Parameters::of(&format!("/socket.io/?{query}").parse().unwrap());
        let parameters = of("EIO=4&transport=polling&t=x&EIO=3&sid=&sid=a%2Db");
        assert_eq!(parameters.version.as_deref(), Some("4"));
        assert_eq!(parameters.transport.as_deref(), Some("polling"));
        assert_eq!(parameters.sid.as_deref(), Some("a-b"));
        assert_eq!(of(""), Parameters::default());
    }
}
