//! What compliance checks go by.

use super::section::section;

section! {
    /// What compliance checks go by (`compliance_check`). What they find, and what is to be done then, stands in
    /// [compliance.md](compliance.md).
    ["compliance"] Compliance(base) {
        /// How old a tenant's key may become before it is to be rotated, in days.
        key_age_days_max: u32 = 90, within 1..=36_500;
        /// How long a key, or a permission that a key holds, may go unused, in days. Younger keys are not asked.
        unused_days_max: u32 = 90, within 1..=36_500;
        /// How old a tenant's last completed backup may become, in hours.
        backup_age_hours_max: u32 = 24, within 1..=876_000;
        /// How long a lead may be kept untouched, in days.
        lead_retention_days: u32 = 730, within 1..=36_500;
        /// The same for a lead that is LOST.
        lost_lead_retention_days: u32 = 180, within 1..=36_500;
    }
}
