//! Full-text search: what a searchable term is, on both sides.
//!
//! Splitting and folding happen here and not in the database's tokenizer, so that index and query agree, every
//! backend agrees, and a query holds nothing but letters and digits when it meets the database's query language.

use unicode_normalization::UnicodeNormalization;

use super::{Lead, LeadStatus, TimeRange};
use crate::{Store, StoreError, TenantId, statements};

/// Totals of searches are exact up to here and stop there.
pub const SEARCH_TOTAL_MAX: u64 = 10_000;

/// Terms of a query beyond this are ignored.
const TERMS_MAX: usize = 32;
/// Terms are cut at this many characters, in index and query alike.
const TERM_CHARACTERS_MAX: usize = 128;

/// Terms of a lead that are indexed, and their bytes. PostgreSQL keeps a megabyte of them at most.
const INDEXED_TERMS_MAX: usize = 16_384;
const INDEXED_BYTES_MAX: usize = 512 * 1024;

/// What to search for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadSearch {
    /// Terms, split on whatever is no letter and no digit. All must match, each as a prefix.
    pub query: String,
    /// Only leads of this status.
    pub status: Option<LeadStatus>,
    /// Only leads created in this span.
    pub created: TimeRange,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeadHits {
    /// The best ones, best first.
    pub leads: Vec<Lead>,
    /// How many match in all, up to [`SEARCH_TOTAL_MAX`].
    pub total: u64,
}

impl Store {
    /// Searches a tenant's leads by name, email, company, phone and notes. A query without a searchable term finds
    /// nothing. Where more than [`SEARCH_TOTAL_MAX`] match, those stored last are ranked.
    pub async fn search_leads(
        &self,
        tenant: &TenantId,
        search: &LeadSearch,
        limit: u32,
    ) -> Result<LeadHits, StoreError> {
        let terms = terms(&search.query);
        if terms.is_empty() {
            return Ok(LeadHits::default());
        }
        let limit = limit.clamp(1, super::LEAD_PAGE_MAX);
        let mut snapshot = self.database.read_snapshot(Some(tenant)).await?;
        let hits = statements::lead_search::search(&mut snapshot, tenant, search, &terms, limit).await?;
        snapshot.commit().await?;
        Ok(hits)
    }
}

/// The terms of one lead on their way into the index, up to a bound over all of its texts: what stands behind it is not
/// found.
pub(crate) struct IndexedTerms {
    left: usize,
    bytes_left: usize,
}

impl Default for IndexedTerms {
    fn default() -> IndexedTerms {
        IndexedTerms {
            left: INDEXED_TERMS_MAX,
            bytes_left: INDEXED_BYTES_MAX,
        }
    }
}

impl IndexedTerms {
    /// A text's terms, as many as there is room for.
    pub(crate) fn of(&mut self, text: &str) -> Vec<String> {
        let has_room = |term: &String| {
            let room = self
                .left
                .checked_sub(1)
                .zip(self.bytes_left.checked_sub(term.len()));
            if let Some((left, bytes_left)) = room {
                (self.left, self.bytes_left) = (left, bytes_left);
            }
            room.is_some()
        };
        all_terms(text).take_while(has_room).collect()
    }
}

/// A query's terms, each once.
pub(crate) fn terms(query: &str) -> Vec<String> {
    let mut terms = Vec::new();
    for term in all_terms(query) {
        if terms.len() == TERMS_MAX {
            break;
        }
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms
}

/// A text's terms: compatible forms and letters' marks undone, lower case, letters and digits only.
fn all_terms(text: &str) -> impl Iterator<Item = String> {
    let mut characters = text
        .nfkd()
        .flat_map(char::to_lowercase)
        .filter(|character| !is_mark(*character))
        // Put together again what is no mark to leave out, like the voiced sounds of Japanese.
        .nfc();
    std::iter::from_fn(move || {
        let first = characters.find(|character| character.is_alphanumeric())?;
        let mut term = String::from(first);
        let mut length = 1;
        for character in characters
            .by_ref()
            .take_while(|character| character.is_alphanumeric())
        {
            if length < TERM_CHARACTERS_MAX {
                term.push(character);
                length += 1;
            }
        }
        Some(term)
    })
}

/// The accents and such of Latin, Greek and Cyrillic, which people leave out when they search.
fn is_mark(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_split_into_folded_terms() {
        let cases: [(&str, &[&str]); 11] = [
            ("", &[]),
            (" -- \"*'() ", &[]),
            ("John Doe", &["john", "doe"]),
            ("john@example.com", &["john", "example", "com"]),
            ("+45 12 34-56", &["45", "12", "34", "56"]),
            ("José MÜLLER-Ångström", &["jose", "muller", "angstrom"]),
            ("Jose\u{301}", &["jose"]),
            ("Ørsted", &["ørsted"]),
            ("日本語 ガス", &["日本語", "ガス"]),
            ("NEAR(a, b) OR \"c\"* ^d", &["near", "a", "b", "or", "c", "d"]),
            ("a\u{0}b", &["a", "b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(terms(text), expected, "{text:?}");
        }
    }

    #[test]
    fn terms_are_bounded() {
        let many: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        assert_eq!(terms(&many.join(" ")), many[..TERMS_MAX]);
        assert_eq!(terms(&"a b ".repeat(1000)), ["a", "b"]);
        assert_eq!(terms(&"ab".repeat(1000))[0].chars().count(), TERM_CHARACTERS_MAX);
        assert_eq!(terms(&format!("{} end", "x".repeat(1000)))[1], "end");
    }
}
