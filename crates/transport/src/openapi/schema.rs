//! The smallest parts of the schemas that stand beside the readers of requests.
//!
//! Where JSON Schema cannot say what a reader takes (letters beyond ASCII in an address, a length without the white space
//! around it), the schema is the narrower of the two.

use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};

/// Characters that [`char::is_control`] knows, as a class of an expression has them.
macro_rules! control {
    () => {
        r"\u0000-\u001f\u007f-\u009f"
    };
}

/// Characters that [`str::trim`] cuts off.
macro_rules! space {
    () => {
        r"\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    };
}

/// White space, as an expression.
pub const SPACE: &str = concat!("[", space!(), "]*");

/// Something other than white space without control characters, white space around it.
macro_rules! filled {
    () => {
        concat!(
            "[^",
            space!(),
            control!(),
            "]([^",
            control!(),
            "]*[^",
            space!(),
            control!(),
            "])?"
        )
    };
}

/// One line, white space around it.
pub const LINE: &str = concat!("^[", space!(), "]*(", filled!(), ")?[", space!(), "]*$");
/// The same, and not empty.
pub const FILLED_LINE: &str = concat!("^[", space!(), "]*", filled!(), "[", space!(), "]*$");
/// No control character but line ends and tabulators.
pub const PLAIN_LINES: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";

/// No control characters at all.
pub const PLAIN: &str = concat!("^[^", control!(), "]*$");

/// A text.
pub fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A text of a known format.
pub fn format(format: KnownFormat) -> ObjectBuilder {
    string().format(Some(SchemaFormat::KnownFormat(format)))
}

/// An object.
pub fn object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object)
}

/// Nothing.
pub fn null() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Null)
}

/// The same text, or what forms send for nothing.
pub fn or_blank(string: ObjectBuilder) -> AnyOfBuilder {
    let blank = self::string().pattern(Some(format!("^{SPACE}$")));
    AnyOfBuilder::new().item(string).item(or_null(blank))
}

/// The same text or null.
pub fn or_null(string: ObjectBuilder) -> ObjectBuilder {
    string.schema_type([Type::String, Type::Null].into_iter().collect::<SchemaType>())
}

/// A text of 1 to so many bytes without control characters: the ids of users and rooms.
///
/// JSON Schema counts characters and cannot count bytes; the description does.
pub fn plain(bytes_max: usize) -> ObjectBuilder {
    string()
        .description(Some(format!("At most {bytes_max} bytes of UTF-8.")))
        .min_length(Some(1))
        .max_length(Some(bytes_max))
        .pattern(Some(PLAIN))
}

/// A text that is always the same.
pub fn word(text: &str) -> ObjectBuilder {
    words([text])
}

/// One of these texts.
pub fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    string().enum_values(Some(texts))
}

/// A number of things.
pub fn count() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0))
}

/// Anything that is JSON.
pub fn anything() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}

/// The same text, unless it is one of these.
pub fn but(string: ObjectBuilder, never: &[&str]) -> ObjectBuilder {
    let words: Vec<serde_json::Value> = never.iter().map(|word| (*word).into()).collect();
    // utoipa's schema has no such field.
    let not = serde_json::json!({ "enum": words });
    string.extensions(Some([("not", not)].into_iter().collect()))
}
