use proptest::prelude::*;
use serde_json::value::RawValue;

use super::{CollectError, each_member, member};

fn members(json: &str, members_max: usize) -> Result<Vec<(String, &str)>, CollectError> {
    let mut members = Vec::new();
    let taken = each_member(json, members_max, |key, value| {
        members.push((key.into_owned(), value.json().raw().get()));
        Ok::<(), ()>(())
    });
    taken.map(|_| members)
}

#[test]
fn members_keep_their_text_and_order() {
    let members = members("{\"b\":1,\"a\":2,\"\\u0062\":3}", 3).expect("members");
    let members: Vec<_> = members.iter().map(|(key, value)| (&**key, *value)).collect();
    assert_eq!(members, [("b", "1"), ("a", "2"), ("b", "3")]);
}

#[test]
fn anything_else_is_refused() {
    for json in ["", "[]", "null", "{\"a\":1", "{1:2}", "{} {}"] {
        assert_eq!(members(json, 9).expect_err(json), CollectError::Mismatch);
    }
    assert_eq!(
        members("{\"a\":1,\"b\":2}", 1).expect_err("too many"),
        CollectError::TooMany
    );
    for json in [
        "{\"a\":1,\"b\":2",
        "{\"a\":1,\"b\":2,}",
        "{\"a\":1,\"\\ud800\":2}",
    ] {
        assert_eq!(members(json, 1).expect_err(json), CollectError::Mismatch);
    }
}

#[test]
fn an_error_ends_the_taking_and_not_the_reading() {
    let first = |json| {
        let mut taken = 0;
        let result = each_member(json, 9, |_, value| {
            taken += 1;
            if value.json().raw().get() == "1" {
                Err(taken)
            } else {
                Ok(())
            }
        });
        (result, taken)
    };
    assert_eq!(first(r#"{"a":2,"b":1,"c":1}"#), (Ok(Err(2)), 2));
    assert_eq!(first(r#"{"a":2,"b":1,"c":}"#), (Err(CollectError::Mismatch), 2));
    assert_eq!(first(r#"{"a":1,"b":2"#), (Err(CollectError::Mismatch), 1));
    assert_eq!(first(r#"{"a":1,"\ud800":2}"#), (Err(CollectError::Mismatch), 1));
}

/// The members as serde reads them.
struct Reference(Vec<(String, String)>);

impl<'de> serde::Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsMembers;
        impl<'de> serde::de::Visitor<'de> for AsMembers {
            type Value = Reference;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Reference, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((key, value.get().to_owned()));
                }
                Ok(Reference(members))
            }
        }
        deserializer.deserialize_map(AsMembers)
    }
}

fn agrees(json: &str) {
    let expected = serde_json::from_str(json).ok().map(|Reference(members)| members);
    let found = members(json, usize::MAX).ok().map(|members| {
        let owned = members.into_iter().map(|(key, value)| (key, value.to_owned()));
        owned.collect::<Vec<_>>()
    });
    assert_eq!(found, expected, "{json}");
}

#[test]
fn what_is_json_is_as_serde_says() {
    let values = [
        "0",
        "-0",
        "01",
        "-",
        "1.",
        "1.0",
        ".5",
        "1e5",
        "1E+05",
        "1e",
        "1e-",
        "+1",
        "12345678901234567890123",
        "null",
        "nul",
        "nullx",
        "true",
        "false",
        "True",
        "\"\"",
        "\"abcdefgh\"",
        "\"abcdefg\\\"h\"",
        "\"\\u00e4\\ud800\"",
        "\"\\u00g0\"",
        "\"\\x\"",
        "\"a\nb\"",
        "\"12345678\u{1f}\"",
        "\"\u{7f}äöü𝄞\"",
        "\"open",
        "\"\\",
        "[]",
        "[1,]",
        "{\"a\":[{}]}",
        "[[",
        "{\"a\"}",
        "",
    ];
    for value in values {
        agrees(&format!("{{\"a\":{value}}}"));
        agrees(&format!(" {{ \"a\" : {value} , \"b\":1 }} "));
        agrees(&format!("{{\"a\":1,{value}}}"));
        agrees(&format!("{{{value}:1}}"));
        agrees(&format!("{{}}{value}"));
        agrees(value);
    }
}

fn found<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let json: &RawValue = serde_json::from_str(json).expect(json);
    member(json, key).map(RawValue::get)
}

#[test]
fn members_are_found_by_their_meaning() {
    let table = [
        (r#"{"a":1}"#, Some("1")),
        (r#" { "b" : {"a":2} , "a" : [ 1.0 ] } "#, Some("[ 1.0 ]")),
        (r#"{"a":{"b":[{}, "]}"]} , "c":1}"#, Some(r#"{"b":[{}, "]}"]}"#)),
        (r#"{"a":1,"a":2}"#, Some("2")),
        (r#"{"a":"x\\","b":"\"a"}"#, Some(r#""x\\""#)),
        (r#"{"\u0061":"x"}"#, Some(r#""x""#)),
        (r#"{"\ud800":1,"a":2}"#, Some("2")),
        (r#"{"b":{"a":1}}"#, None),
        (r#"{"b":"a","c":-1e3}"#, None),
        ("{ }", None),
        ("[\"a\",1]", None),
        ("\"a\"", None),
        ("1", None),
    ];
    for (json, expected) in table {
        assert_eq!(found(json, "a"), expected, "{json}");
    }
    assert_eq!(found(r#"{"\n":1}"#, "\\n"), None);
    assert_eq!(found(r#"{"\\n":1}"#, "\\n"), Some("1"));
}

#[test]
fn several_members_are_found_in_one_pass() {
    let values =
        |json| super::members(json, ["a", "b"]).map(|values| values.map(|value| value.map(RawValue::get)));
    assert_eq!(values(r#"{"b":1,"c":0,"a":[2]}"#), Some([Some("[2]"), Some("1")]));
    assert_eq!(values(r#"{"b":1,"\ud800":0,"b":2}"#), Some([None, Some("2")]));
    assert_eq!(values("{}"), Some([None, None]));
    for json in ["", "[]", "null", "\"a\"", "{", "{\"a\":1", "{\"a\":1}x", "{} {}"] {
        assert_eq!(values(json), None, "{json}");
    }
}

#[test]
fn depth_does_not_matter() {
    let deep = format!("{{\"x\":{}{},\"a\":1}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(found(&deep, "a"), Some("1"));
}

proptest! {
    #[test]
    fn members_are_those_that_serde_finds(json in "[{]([ \t]{0,2}\"([a-z\\\\\"u0]|é|\\\\u00e9){0,12}\"[ ]?:[ ]?(-?[0-9]{1,3}([.][0-9]+)?(e[+-]?[0-9])?|null|true|\"[^\"]{0,20}\"|\\[[0-9, ]{0,4}\\]|[{][}])[ ]?,?){0,4}[}][ x]?") {
        agrees(&json);
    }

    #[test]
    fn any_text_is_judged_as_serde_judges_it(json in "[{\"a:,}0-9. \\\\n\\[\\]]{0,16}") {
        agrees(&json);
        let object = format!("{{\"a\":{json}}}");
        agrees(&object);
    }

    #[test]
    fn it_finds_what_a_parser_finds(
        members in proptest::collection::vec((any::<String>(), any::<String>(), any::<i64>()), 0..6),
        is_pretty in any::<bool>(),
    ) {
        let object: serde_json::Map<_, _> = members
            .iter()
            .map(|(key, text, number)| (key.clone(), serde_json::json!({ "t": [text, number], "n": number })))
            .collect();
        let json = if is_pretty {
            serde_json::to_string_pretty(&object)
        } else {
            serde_json::to_string(&object)
        };
        let json = json.expect("JSON");
        for (key, value) in &object {
            let found: serde_json::Value = serde_json::from_str(found(&json, key).expect("a member")).expect("JSON");
            prop_assert_eq!(&found, value);
        }
    }

}
