//! Why a command ends without success, and its exit code.

use std::fmt::Display;
use std::process::ExitCode;

/// What a command gives back.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// An error with its exit code, after `sysexits.h` but for the first.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 1: what was asked about does not work, the one answer that container runtimes know beside 0.
    Unhealthy(anyhow::Error),
    /// 64: the command line or the configuration is wrong; starting again will not help.
    Usage(anyhow::Error),
    /// 69: something this process needs (an address, a lock, the store) is not to be had; later it may be.
    Unavailable(anyhow::Error),
    /// 70: our fault.
    Internal(anyhow::Error),
}

impl Failure {
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(anyhow::anyhow!("{message}"))
    }

    pub(crate) fn unavailable(message: impl Display) -> Self {
        Self::Unavailable(anyhow::anyhow!("{message}"))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Unhealthy(_) => 1,
            Self::Usage(_) => 64,
            Self::Unavailable(_) => 69,
            Self::Internal(_) => 70,
        })
    }

    pub(crate) fn error(&self) -> &anyhow::Error {
        match self {
            Self::Unhealthy(error)
            | Self::Usage(error)
            | Self::Unavailable(error)
            | Self::Internal(error) => error,
        }
    }
}

/// An error without a verdict is ours.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Internal(error.into())
    }
}
