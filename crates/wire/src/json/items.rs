//! The items of an array as the texts they are, bounded in number: an array of digits would otherwise take a dozen times its length
//! in memory.

use serde_json::value::RawValue;

use super::CollectError;
use super::extent::extent;
use super::raw::raw;
use super::scan::skip_white_space;

/// The first `items_max` items of an array, and whether there are more; `None` if `json` is no array.
pub fn first_items(json: &str, items_max: usize) -> Option<(Vec<&RawValue>, bool)> {
    let mut items = Vec::new();
    let count = each_item(json, |item| {
        if items.len() < items_max {
            items.push(raw(item));
        }
    })?;
    Some((items, count > items_max))
}

/// The items of an array, all of them.
pub(crate) fn array_items(json: &str, items_max: usize) -> Result<Vec<&RawValue>, CollectError> {
    match first_items(json, items_max) {
        Some((items, false)) => Ok(items),
        Some((_, true)) => Err(CollectError::TooMany),
        None => Err(CollectError::Mismatch),
    }
}

/// How many there are; `None` if `json` is no array.
fn each_item<'a>(json: &'a str, mut take: impl FnMut(&'a str)) -> Option<usize> {
    let bytes = json.as_bytes();
    let mut index = skip_white_space(bytes, 0);
    if bytes.get(index)? != &b'[' {
        return None;
    }
    index = skip_white_space(bytes, index + 1);
    let mut count = 0;
    while count > 0 || bytes.get(index)? != &b']' {
        let end = extent(bytes, index)?.end;
        take(&json[index..end]);
        count += 1;
        index = skip_white_space(bytes, end);
        match bytes.get(index)? {
            b',' => index = skip_white_space(bytes, index + 1),
            b']' => break,
            _ => return None,
        }
    }
    (skip_white_space(bytes, index + 1) == bytes.len()).then_some(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::super::CollectError;
    use super::{array_items, first_items};

    fn items(json: &str, items_max: usize) -> Result<Vec<&str>, CollectError> {
        let items = array_items(json, items_max)?;
        Ok(items.into_iter().map(RawValue::get).collect())
    }

    #[test]
    fn items_keep_their_text_and_order() {
        assert_eq!(items(" [1.0, {\"b\" :1}] ", 2), Ok(vec!["1.0", "{\"b\" :1}"]));
        assert_eq!(items("[ ]", 0), Ok(vec![]));
    }

    #[test]
    fn anything_else_is_refused() {
        for json in [
            "", "{}", "1", "[", "[1", "[1]]", "[1] [2]", "[1,]", "[,1]", "[1 2]", "[,]",
        ] {
            assert_eq!(items(json, 9), Err(CollectError::Mismatch), "{json}");
        }
        assert_eq!(items("[1,2,3,4]", 2), Err(CollectError::TooMany));
        assert_eq!(items("[1,2,3,4", 2), Err(CollectError::Mismatch));
    }

    #[test]
    fn the_first_of_many() {
        let texts = |json, items_max| {
            let (items, has_more) = first_items(json, items_max)?;
            Some((items.into_iter().map(RawValue::get).collect::<Vec<_>>(), has_more))
        };
        assert_eq!(texts("[1,2,3]", 2), Some((vec!["1", "2"], true)));
        assert_eq!(texts("[1,2]", 2), Some((vec!["1", "2"], false)));
        assert_eq!(texts("[1,2,3", 2), None);
    }

    proptest! {
        #[test]
        fn items_are_those_that_serde_finds(json in "[\\[]?[\\[\\]{}\"a:, 0-9.]{0,10}\\]?") {
            let expected: Option<Vec<&RawValue>> = serde_json::from_str(&json).ok();
            let expected = expected.map(|items| items.into_iter().map(RawValue::get).collect::<Vec<_>>());
            prop_assert_eq!(items(&json, usize::MAX).ok(), expected);
        }
    }
}
