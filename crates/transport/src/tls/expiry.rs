//! When a certificate ends (RFC 5280, section 4.1.2.5). No more of it is read here; rustls reads the rest.

use tidings_wire::time::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of a certificate in DER; `None` if it is none, or says so in no form that RFC 5280 allows.
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let mut certificate = Der(Der(certificate).take(SEQUENCE)?);
    let mut fields = Der(certificate.take(SEQUENCE)?);
    if fields.0.first() == Some(&VERSION) {
        fields.next()?;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        fields.next()?;
    }
    let mut validity = Der(fields.take(SEQUENCE)?);
    validity.next()?;
    let (tag, text) = validity.next()?;
    let text = std::str::from_utf8(text).ok()?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let century = if year >= "50" { "19" } else { "20" };
            (format!("{century}{year}"), rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    let pairs: Vec<&str> = (0..5)
        .map(|pair| rest.get(2 * pair..2 * pair + 2))
        .collect::<Option<_>>()?;
    let [month, day, hour, minute, second] = pairs[..] else {
        return None;
    };
    if rest.get(10..) != Some("Z") {
        return None;
    }
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")).ok()
}

/// What is left of a sequence of DER values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value's tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&short, rest) = rest.split_first()?;
        let (length, rest) = match short {
            0..=0x7F => (usize::from(short), rest),
            0x81..=0x84 => {
                let (long, rest) = rest.split_at_checked(usize::from(short & 0x7F))?;
                let length = long
                    .iter()
                    .fold(0, |length, byte| (length << 8) | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next value's content, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn der(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
        let content = contents.concat();
        let mut value = vec![tag, 0x82];
        value.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        value.extend(content);
        value
    }

    fn certificate(tag: u8, end: &str, version: &[u8]) -> Vec<u8> {
        let other = der(SEQUENCE, &[b"\x05\x00"]);
        let validity = der(
            SEQUENCE,
            &[&der(UTC_TIME, &[b"200101000000Z"]), &der(tag, &[end.as_bytes()])],
        );
        let fields = [version, &der(2, &[&[1]]), &other, &other, &validity, &other];
        der(SEQUENCE, &[&der(SEQUENCE, &fields), &other])
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let version = der(VERSION, &[&[2, 1, 2]]);
        let table = [
            (UTC_TIME, "270228235959Z", Some("2027-02-28T23:59:59.000Z")),
            (UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59.000Z")),
            (UTC_TIME, "500101000000Z", Some("1950-01-01T00:00:00.000Z")),
            (
                GENERALIZED_TIME,
                "20500101000000Z",
                Some("2050-01-01T00:00:00.000Z"),
            ),
            (
                GENERALIZED_TIME,
                "99991231235959Z",
                Some("9999-12-31T23:59:59.000Z"),
            ),
            (UTC_TIME, "2702282359Z", None),
            (UTC_TIME, "270228235959+0100", None),
            (UTC_TIME, "271328235959Z", None),
            (GENERALIZED_TIME, "20270228235959.5Z", None),
            (GENERALIZED_TIME, "€€", None),
            (0x16, "270228235959Z", None),
        ];
        for (tag, text, expected) in table {
            for version in [&version[..], b""] {
                let found = not_after(&certificate(tag, text, version)).map(|end| end.to_string());
                assert_eq!(found.as_deref(), expected, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(noise in vec(any::<u8>(), 0..100), cut in 0_usize..200, at in 0_usize..150, byte: u8) {
            let _ = not_after(&noise);
            let mut certificate = certificate(UTC_TIME, "270228235959Z", b"");
            let place = at % certificate.len();
            certificate[place] = byte;
            let _ = not_after(&certificate[..cut.min(certificate.len())]);
            let _ = not_after(&certificate);
        }
    }
}
