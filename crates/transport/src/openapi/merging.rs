//! One document of several.

use utoipa::openapi::{Info, OpenApi};

use super::sharing::{operations, share_refusals};

/// Makes one document, with this title, of those of gateways that share a listener. What one of them says of all its
/// operations is said of each of them; the refusals that they have in common stand once.
pub fn merged(title: &str, documents: impl IntoIterator<Item = OpenApi>) -> Option<OpenApi> {
    let mut documents = documents.into_iter();
    let first = documents.next()?;
    let mut rest = documents.peekable();
    if rest.peek().is_none() {
        return Some(share_refusals(first));
    }
    let abouts = |info: &Info| {
        info.description
            .clone()
            .map(|about| format!("# {}\n\n{about}", info.title))
    };
    let mut about: Vec<String> = abouts(&first.info).into_iter().collect();
    let mut document = said_of_each(first);
    for other in rest {
        about.extend(abouts(&other.info));
        document = document.merge_from(said_of_each(other));
    }
    title.clone_into(&mut document.info.title);
    document.info.description = Some(about.join("\n\n"));
    Some(share_refusals(document))
}

/// Moves the document's security to the operations that have none of their own.
fn said_of_each(mut document: OpenApi) -> OpenApi {
    if let Some(security) = document.security.take() {
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            operation.security.get_or_insert_with(|| security.clone());
        }
    }
    document
}
