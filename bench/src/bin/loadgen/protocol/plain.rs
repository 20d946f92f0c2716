//! Texts without any protocol around them.

use anyhow::Result;

use super::{Dialect, Heard};

pub(crate) struct Plain {
    pub(crate) welcomes: bool,
}

impl Dialect for Plain {
    fn welcomes(&self) -> bool {
        self.welcomes
    }

    fn hear<'a>(&self, _client: u32, welcomed: bool, text: &mut &'a [u8]) -> Result<Option<Heard<'a>>> {
        let text = std::mem::take(text);
        Ok(match (text, welcomed) {
            ([], _) => None,
            (_, false) => Some(Heard::Welcome),
            (text, true) => Some(Heard::Message(text)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::all;

    #[test]
    fn the_first_text_may_be_a_welcome() {
        let plain = Plain { welcomes: true };
        assert_eq!(all(&plain, false, b"hello").unwrap(), [Heard::Welcome]);
        assert_eq!(all(&plain, true, b"hello").unwrap(), [Heard::Message(b"hello")]);
    }
}
