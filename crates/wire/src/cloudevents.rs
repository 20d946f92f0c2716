//! `CloudEvents` 1.0, for a consumer: structured and batched JSON, and binary mode over HTTP and Kafka.

mod attributes;
mod binary;
mod error;
mod event;
mod media;
mod structured;

pub use error::Error;
pub use event::{CloudEvent, Data, ExtensionValue};
pub use media::{Mode, has_required_headers, has_required_record_headers, is_json};
pub use structured::BATCH_EVENTS_MAX;

#[cfg(test)]
mod tests;
