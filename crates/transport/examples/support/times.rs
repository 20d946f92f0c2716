use std::num::ParseIntError;
use std::time::Duration;

/// The milliseconds that an environment variable says, or the default.
pub(crate) fn millis(variable: &str, default: u64) -> Result<Duration, ParseIntError> {
    let millis = std::env::var(variable).map_or(Ok(default), |text| text.parse())?;
    Ok(Duration::from_millis(millis))
}
