//! What became of an event.

use std::fmt;
use tidings_hub::EventId;

/// What became of one event, and so what its broker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The bus has it, under this id.
    Accepted(EventId),
    /// It was here before; it was not sent again.
    Duplicate,
    /// It can never be delivered.
    Dropped(DropReason),
    /// It could not be delivered now.
    Retry(RetryReason),
}

/// Why an event can never be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// Its data is no JSON object.
    NotJson,
    /// It is not what its content type or its envelope says.
    Mislabelled,
    /// It meets no rule.
    NoRoute,
    /// It names no user, or nothing where a rule asks for a name.
    NoUser,
    /// What it names is no user id, or no name.
    InvalidUser,
    /// It is over the limit for one delivery.
    TooLarge,
}

impl DropReason {
    /// All reasons, each at the index of its variant.
    pub const ALL: [DropReason; 6] = [
        DropReason::NotJson,
        DropReason::Mislabelled,
        DropReason::NoRoute,
        DropReason::NoUser,
        DropReason::InvalidUser,
        DropReason::TooLarge,
    ];

    /// The reason in metrics and dead letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            DropReason::NotJson => "not_json",
            DropReason::Mislabelled => "mislabelled",
            DropReason::NoRoute => "no_route",
            DropReason::NoUser => "no_user",
            DropReason::InvalidUser => "invalid_user",
            DropReason::TooLarge => "too_large",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an event could not be delivered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryReason {
    /// The bus is down.
    BusUnavailable,
    /// Too much is in flight.
    Overloaded,
    /// It is to be dropped, but the store did not take it as a dead letter.
    StoreUnavailable,
    /// It did not arrive as a whole.
    Incomplete,
}

impl RetryReason {
    /// All reasons, each at the index of its variant.
    pub const ALL: [RetryReason; 4] = [
        RetryReason::BusUnavailable,
        RetryReason::Overloaded,
        RetryReason::StoreUnavailable,
        RetryReason::Incomplete,
    ];

    /// The reason in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            RetryReason::BusUnavailable => "bus_unavailable",
            RetryReason::Overloaded => "overloaded",
            RetryReason::StoreUnavailable => "store_unavailable",
            RetryReason::Incomplete => "incomplete",
        }
    }
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
