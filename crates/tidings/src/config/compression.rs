//! When messages are compressed.

use super::section::section;

section! {
    /// Compressed WebSocket messages (permessage-deflate), for clients that offer it, on every gateway. A message is
    /// compressed by itself and once for all who get it in the same form; no connection keeps a compression state.
    /// Each thread keeps a state of about 300 KiB for each window that clients ask for (one, as a rule).
    ["compression"] Compression(base) {
        /// Whether to accept clients' offers.
        enabled: bool = true;
        /// Messages with a shorter payload are sent as they are, in bytes.
        threshold_bytes: u32 = 1_024, within 0..=67_108_864;
        /// 1 (fast) to 9 (small).
        level: u32 = 2, within 1..=9;
    }
}
