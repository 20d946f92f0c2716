//! HMAC-SHA256 and the two things that are signed with it: tokens of users and requests of the Pusher API.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::Md5;
use sha2::{Digest, Sha256};

const BLOCK_BYTES: usize = 64;

/// HMAC (RFC 2104) with SHA-256.
pub fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(text)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner);
    outer.finalize().into()
}

/// A JSON web token, HS256, for one user and one hour from `now_s` (seconds since 1970).
pub fn token(secret: &[u8], user: &str, now_s: u64) -> String {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = format!(r#"{{"sub":"{user}","exp":{}}}"#, now_s + 3600);
    let mut token = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(secret, token.as_bytes()));
    token.push('.');
    token.push_str(&signature);
    token
}

/// The query that signs a `POST` of the Pusher HTTP API at `now_s`, with the digest of its body.
/// <https://pusher.com/docs/channels/library_auth_reference/rest-api/#authentication>
pub fn pusher_query(key: &str, secret: &str, path: &str, body: &str, now_s: u64) -> String {
    let digest = hexadecimal(&Md5::digest(body));
    let query = format!("auth_key={key}&auth_timestamp={now_s}&auth_version=1.0&body_md5={digest}");
    let code = hmac_sha256(secret.as_bytes(), format!("POST\n{path}\n{query}").as_bytes());
    format!("{query}&auth_signature={}", hexadecimal(&code))
}

/// Lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn known_codes() {
        let cases: [(&[u8], &[u8], &str); 2] = [
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, text, code) in cases {
            assert_eq!(hexadecimal(&hmac_sha256(key, text)), code);
        }
    }

    /// The example of Pusher's document on authentication.
    #[test]
    fn a_signed_query() {
        let body = r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
        assert_eq!(
            pusher_query(
                "278d425bdf160c739803",
                "7ad3773142a6692b25b8",
                "/apps/3/events",
                body,
                1_353_088_179
            ),
            "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0\
             &body_md5=ec365a775a4cd0599faeb73354201b6f\
             &auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
        );
    }

    #[test]
    fn a_token_has_three_parts_and_its_claims() {
        let token = token(b"secret", "bench-7", 1_000);
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3);
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        assert_eq!(claims, br#"{"sub":"bench-7","exp":4600}"#);
    }
}
