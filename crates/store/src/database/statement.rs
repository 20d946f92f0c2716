//! A statement that either database takes: its text, with `$1`, `$2`, … for what is bound, and the values.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, Postgres, Sqlite};

use super::{Link, Row, Transaction};
use crate::StoreError;

/// The statement as the driver takes it. Every text is a constant of the program or put together from some, with places
/// for values; each connection keeps what it has prepared.
macro_rules! prepared {
    ($database:ty, $statement:expr) => {{
        let Statement { text, values } = $statement;
        let mut query = match text {
            Cow::Borrowed(text) => sqlx::query::<$database>(text),
            Cow::Owned(text) => sqlx::query::<$database>(AssertSqlSafe(text)),
        };
        for value in values {
            query = match value {
                Value::Integer(number) => query.bind(number),
                Value::Real(number) => query.bind(number),
                Value::Text(text) => query.bind(text.as_deref()),
                Value::Bytes(bytes) => query.bind(&*bytes),
                Value::Boolean(truth) => query.bind(truth),
            };
        }
        query
    }};
}

/// A statement with its values.
#[derive(Debug)]
pub(crate) struct Statement<'q> {
    text: Cow<'static, str>,
    values: Vec<Value<'q>>,
}

/// A value as it goes to the database.
#[derive(Clone, Debug)]
pub(crate) enum Value<'q> {
    Integer(Option<i64>),
    Real(f64),
    Text(Option<Cow<'q, str>>),
    Bytes(Cow<'q, [u8]>),
    Boolean(bool),
}

/// A statement of this text.
pub(crate) fn sql<'q>(text: &'static str) -> Statement<'q> {
    Statement {
        text: Cow::Borrowed(text),
        values: Vec::new(),
    }
}

impl<'q> Statement<'q> {
    /// The next value, in the order of the numbers.
    pub(crate) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// More text. It is the program's own: values are bound.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// A value and its place in the text.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.values.push(value.into());
        let place = format!("${}", self.values.len());
        self.text.to_mut().push_str(&place);
        self
    }

    /// Values and their places, with commas between.
    pub(crate) fn push_list<V: Into<Value<'q>>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        for (position, value) in values.into_iter().enumerate() {
            if position > 0 {
                self.push(", ");
            }
            self.push_bind(value);
        }
        self
    }

    /// Carries it out and tells how many rows it touched.
    pub(crate) async fn execute(self, transaction: &mut Transaction) -> Result<u64, StoreError> {
        self.check()?;
        Ok(match transaction.link()? {
            Link::Sqlite(link) => prepared!(Sqlite, self).execute(link).await?.rows_affected(),
            Link::Postgres(link) => prepared!(Postgres, self).execute(link).await?.rows_affected(),
        })
    }

    /// All rows that it gives.
    pub(crate) async fn fetch_all(self, transaction: &mut Transaction) -> Result<Vec<Row>, StoreError> {
        self.check()?;
        Ok(match transaction.link()? {
            Link::Sqlite(link) => prepared!(Sqlite, self)
                .fetch_all(link)
                .await?
                .into_iter()
                .map(Row::from)
                .collect(),
            Link::Postgres(link) => prepared!(Postgres, self)
                .fetch_all(link)
                .await?
                .into_iter()
                .map(Row::from)
                .collect(),
        })
    }

    /// The first row, if there is one.
    pub(crate) async fn fetch_optional(
        self,
        transaction: &mut Transaction,
    ) -> Result<Option<Row>, StoreError> {
        self.check()?;
        Ok(match transaction.link()? {
            Link::Sqlite(link) => prepared!(Sqlite, self).fetch_optional(link).await?.map(Row::from),
            Link::Postgres(link) => prepared!(Postgres, self)
                .fetch_optional(link)
                .await?
                .map(Row::from),
        })
    }

    /// The row of a statement that always gives one.
    pub(crate) async fn fetch_one(self, transaction: &mut Transaction) -> Result<Row, StoreError> {
        let row = self.fetch_optional(transaction).await?;
        row.ok_or_else(|| StoreError::corrupt("a statement that always gives a row gave none"))
    }

    /// PostgreSQL's texts hold no NUL, so that neither backend's do.
    fn check(&self) -> Result<(), StoreError> {
        let has_nul = |value: &Value<'_>| matches!(value, Value::Text(Some(text)) if text.contains('\0'));
        if self.values.iter().any(has_nul) {
            return Err(StoreError::Invalid {
                what: "a text holds a NUL character",
            });
        }
        Ok(())
    }
}

/// Defines what values are made from.
macro_rules! values {
    ($($from:ty => $value:expr),+ $(,)?) => {$(
        impl<'q> From<$from> for Value<'q> {
            fn from(from: $from) -> Value<'q> {
                let value: fn($from) -> Value<'q> = $value;
                value(from)
            }
        }
    )+};
}

values! {
    i64 => |number| Value::Integer(Some(number)),
    Option<i64> => Value::Integer,
    u32 => |number| Value::Integer(Some(i64::from(number))),
    u16 => |number| Value::Integer(Some(i64::from(number))),
    f64 => Value::Real,
    bool => Value::Boolean,
    &'q str => |text| Value::Text(Some(Cow::Borrowed(text))),
    Option<&'q str> => |text| Value::Text(text.map(Cow::Borrowed)),
    String => |text| Value::Text(Some(Cow::Owned(text))),
    &'q [u8] => |bytes| Value::Bytes(Cow::Borrowed(bytes)),
    Vec<u8> => |bytes| Value::Bytes(Cow::Owned(bytes)),
}
