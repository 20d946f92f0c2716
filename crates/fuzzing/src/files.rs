//! What an operator's files hold: rows of an import, and a backup's manifest and rows. What was taken from a backup and is
//! written again is taken again, and is then the same.

use tidings_backup::fuzzing as backup;
use tidings_flow::import;
use tidings_store::{JobId, LEAD_PAYLOAD_BYTES_MAX, TenantId};

/// The first byte says what it is.
pub(crate) fn run(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    let tenant = TenantId::new("t1").expect("an id");
    match kind {
        b'j' => {
            if let Some(Ok(lead)) = std::str::from_utf8(rest).ok().map(import::read_json) {
                assert!(lead.payload.as_raw().get().len() <= LEAD_PAYLOAD_BYTES_MAX);
            }
        }
        b'f' => {
            let Ok(text) = std::str::from_utf8(rest) else {
                return;
            };
            let fields = text.split('\n').filter_map(|line| line.split_once('='));
            if let Ok(lead) = import::read_fields(&fields) {
                assert!(lead.payload.as_raw().get().starts_with('{'));
            }
        }
        b'r' => {
            if let Some(written) = backup::row(rest, &tenant) {
                let [0x1e, json @ .., b'\n'] = written.as_slice() else {
                    panic!("a row between its separator and its line's end");
                };
                assert!(!json.contains(&0x1e), "one row");
                assert_eq!(backup::row(json, &tenant).as_deref(), Some(written.as_slice()));
            }
        }
        b'm' => {
            let id: JobId = "job_0192f0c1-7a7b-7c7d-8e8f-909192939495".parse().expect("an id");
            if let Some(sealed) = backup::manifest(rest, &tenant, id) {
                assert_eq!(backup::manifest(&sealed, &tenant, id), Some(sealed));
            }
        }
        _ => {}
    }
}
