//! Where tenants, keys, leads, workflows and executions are kept.

use super::section::section;

section! {
    /// Where tenants, keys, leads, workflows and executions are kept.
    ["store"] Store(base) {
        /// `sqlite://PATH` or `sqlite::memory:`; by default `tidings.db` in the data directory.
        url: String = format!("sqlite://{}", base.data_dir.join("tidings.db").display());
    }
}
