//! A claim on the command line: `name=value`.

use serde_json::Value;

/// A claim. A value that is JSON is that; anything else is text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) value: Value,
}

/// Reads a claim.
pub(super) fn parse(text: &str) -> Result<Claim, String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| "expected name=value".to_owned())?;
    Ok(Claim {
        name: name.to_owned(),
        value: serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_json_or_text() {
        for (text, value) in [
            ("a=x", json!("x")),
            ("a=", json!("")),
            ("a=b=c", json!("b=c")),
            ("a=1", json!(1)),
            ("a=\"1\"", json!("1")),
            ("a=true", json!(true)),
            ("a=[\"r:1\",\"r:*\"]", json!(["r:1", "r:*"])),
        ] {
            assert_eq!(
                parse(text),
                Ok(Claim {
                    name: "a".into(),
                    value
                }),
                "{text}"
            );
        }
        for text in ["", "a", "=x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
