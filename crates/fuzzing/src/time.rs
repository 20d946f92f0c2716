//! Points in time.

use tidings_wire::time::Timestamp;

pub(crate) fn run(input: &[u8]) {
    if let Some(millis) = input.first_chunk() {
        round_trip(Timestamp::from_millis(i64::from_le_bytes(*millis)));
    }
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(time) = Timestamp::parse(text) else { return };
    round_trip(time);
    // Without zone and fraction the text is the form's beginning.
    if text.ends_with('Z') && !text.contains(":60") {
        let form = time.to_string();
        assert_eq!(form[..10], text[..10]);
        assert_eq!(form[11..19], text[11..19]);
    }
}

fn round_trip(time: Timestamp) {
    let text = time.to_string();
    assert_eq!(text.len(), 24, "{text}");
    assert_eq!(Timestamp::parse(&text), Ok(time));
    assert_eq!(Timestamp::from_millis(time.as_millis()), time);
    let mut pushed = Vec::new();
    time.push_to(&mut pushed);
    assert_eq!(pushed, text.as_bytes());
    // A day later it is the same time of the day, unless that is the end of all days.
    let next = Timestamp::from_millis(time.as_millis() + 86_400_000);
    if next.as_millis() == time.as_millis() + 86_400_000 {
        assert_eq!(next.to_string()[10..], text[10..]);
        assert!(next.to_string() > text);
    }
}
