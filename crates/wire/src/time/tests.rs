use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::Timestamp;

#[test]
fn known_instants_read_and_print() {
    let table = [
        ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"),
        (
            "2026-02-07T12:00:00.000Z",
            1_770_465_600_000,
            "2026-02-07T12:00:00.000Z",
        ),
        (
            "2026-02-07T13:30:00.5+01:30",
            1_770_465_600_500,
            "2026-02-07T12:00:00.500Z",
        ),
        (
            "2026-02-07t07:00:00.123999-05:00",
            1_770_465_600_123,
            "2026-02-07T12:00:00.123Z",
        ),
        (
            "2026-02-07 12:00:00z",
            1_770_465_600_000,
            "2026-02-07T12:00:00.000Z",
        ),
        ("1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"),
        (
            "2000-02-29T00:00:00Z",
            951_782_400_000,
            "2000-02-29T00:00:00.000Z",
        ),
        (
            "2016-12-31T23:59:60Z",
            1_483_228_800_000,
            "2017-01-01T00:00:00.000Z",
        ),
        (
            "0000-01-01T00:00:00Z",
            -62_167_219_200_000,
            "0000-01-01T00:00:00.000Z",
        ),
        (
            "9999-12-31T23:59:59.999Z",
            253_402_300_799_999,
            "9999-12-31T23:59:59.999Z",
        ),
    ];
    for (text, millis, printed) in table {
        let timestamp = Timestamp::parse(text).expect(text);
        assert_eq!(timestamp.as_millis(), millis, "{text}");
        assert_eq!(timestamp.to_string(), printed, "{text}");
    }
}

#[test]
fn other_texts_are_refused() {
    let table = [
        "",
        "2026",
        "2026-02-07",
        "2026-02-07T12:00:00",
        "2026-02-07T12:00Z",
        "2026-02-30T12:00:00Z",
        "2025-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-01-00T12:00:00Z",
        "2026-02-07T24:00:00Z",
        "2026-02-07T12:60:00Z",
        "2026-02-07T12:00:61Z",
        "2026-02-07T12:00:00.Z",
        "2026-02-07T12:00:00,5Z",
        "2026-02-07T12:00:00+0100",
        "2026-02-07T12:00:00+24:00",
        "2026-02-07T12:00:00ZZ",
        "2026-02-07T12:00:00.000ä",
        "+026-02-07T12:00:00Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ];
    for text in table {
        assert!(Timestamp::parse(text).is_err(), "{text}");
    }
}

#[test]
fn far_away_values_stay_in_range() {
    assert_eq!(
        Timestamp::from_millis(i64::MAX).to_string(),
        "9999-12-31T23:59:59.999Z"
    );
    assert_eq!(
        Timestamp::from_millis(i64::MIN).to_string(),
        "0000-01-01T00:00:00.000Z"
    );
}

#[test]
fn system_time_converts_on_both_sides_of_the_epoch() {
    let after = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
    let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1_500);
    assert_eq!(Timestamp::from(after).as_millis(), 1_500);
    assert_eq!(Timestamp::from(before).as_millis(), -1_500);
}

#[test]
fn json_is_the_text() {
    let json = serde_json::to_string(&Timestamp::from_millis(7)).expect("a string");
    assert_eq!(json, "\"1970-01-01T00:00:00.007Z\"");
}

proptest! {
    #[test]
    fn text_round_trips(millis in -62_167_219_200_000_i64..=253_402_300_799_999) {
        let timestamp = Timestamp::from_millis(millis);
        prop_assert_eq!(timestamp.as_millis(), millis);
        prop_assert_eq!(Timestamp::parse(&timestamp.to_string()), Ok(timestamp));
        let mut pushed = Vec::new();
        timestamp.push_to(&mut pushed);
        prop_assert_eq!(pushed, timestamp.to_string().into_bytes());
    }

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
        let _ = Timestamp::parse(&text);
    }

    #[test]
    fn near_misses_are_read_without_panic(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,25})?(Z|[+-][0-9]{2}:[0-9]{2})") {
        let _ = Timestamp::parse(&text);
    }
}
