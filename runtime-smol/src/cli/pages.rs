//! Lists: their pages as one table, or as one document.

use super::{
    api::{self, Api},
    fail::Fail,
    remote::Remote,
    show,
};
use dubhook_core::{
    json::{self, Value},
    model::Page,
};
use serde::de::DeserializeOwned;

/// What one page of a list holds at most.
const PAGE_MAX: usize = 100;

/// Shows up to `limit` things of a list. Its `path` ends so that a parameter may follow; each thing has the cells that `row`
/// makes of it.
pub(super) fn show<T: DeserializeOwned>(
    remote: &Remote,
    path: &str,
    limit: usize,
    headings: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), Fail> {
    let api = Api::new(remote)?;
    let mut rows = Vec::new();
    let mut pages = Pages::default();
    let mut cursor = String::new();
    while rows.len() < limit {
        let limit = (limit - rows.len()).min(PAGE_MAX);
        let mut path = format!("{path}limit={limit}");
        if !cursor.is_empty() {
            path = format!("{path}&cursor={cursor}");
        }
        let page = api.get(&path)?;
        if remote.json {
            pages.add(&page);
        }
        let page: Page<Vec<T>, String> = api::read(&page)?;
        rows.extend(page.data.iter().map(&row));
        match page.next_cursor {
            Some(next) => cursor = next,
            None => {
                cursor.clear();
                break;
            }
        }
    }
    if remote.json {
        let next = Some(cursor.as_str()).filter(|next| !next.is_empty());
        return Ok(show::print_json(&pages.into_document(next))?);
    }
    Ok(show::print_table(headings, &rows)?)
}

/// Gathers what the pages hold, as the server wrote it.
#[derive(Debug, Default)]
struct Pages {
    items: Vec<u8>,
}

impl Pages {
    /// Takes what a page holds, which is known to be JSON.
    fn add(&mut self, page: &[u8]) {
        let items = data(page).unwrap_or_default();
        if !self.items.is_empty() && !items.is_empty() {
            self.items.push(b',');
        }
        self.items.extend_from_slice(items);
    }

    /// One page with all of it, before the one that `next` leads to.
    fn into_document(self, next: Option<&str>) -> Vec<u8> {
        let mut document = b"{\"data\":[".to_vec();
        document.extend(self.items);
        document.extend_from_slice(b"],\"next_cursor\":");
        match next {
            // A cursor is made of letters and digits.
            Some(next) => document.extend(format!("\"{}\"", next.escape_default()).into_bytes()),
            None => document.extend_from_slice(b"null"),
        }
        document.push(b'}');
        document
    }
}

/// What stands in the array `data` of an object.
fn data(page: &[u8]) -> Option<&[u8]> {
    match json::object(page).ok()?.get("data").ok()?? {
        Value::Array(items) => Some(items.inside().as_bytes().trim_ascii()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_become_one_document() {
        let mut pages = Pages::default();
        pages.add(br#"{"data":[{"data":["]"],"e":"\"]"},2],"next_cursor":"a"}"#);
        pages.add(br#"{ "next_cursor": null, "data": [ 3 ] }"#);
        pages.add(br#"{"data":[],"next_cursor":null}"#);
        let all = pages.into_document(None);
        let expect = br#"{"data":[{"data":["]"],"e":"\"]"},2,3],"next_cursor":null}"#;
        assert_eq!(
            String::from_utf8_lossy(&all),
            String::from_utf8_lossy(expect)
        );
        let none = Pages::default().into_document(Some("x1"));
        assert_eq!(none, br#"{"data":[],"next_cursor":"x1"}"#);
    }
}
