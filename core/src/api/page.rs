//! The query of a list.

use super::{Field, Problem, query::Parameters};
use crate::{digits::canonical, job::Status};

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page<'q> {
    /// Only jobs of this status.
    pub status: Option<Status>,
    /// At most so many.
    pub limit: u8,
    /// After the thing with this id.
    pub cursor: Option<&'q str>,
}

/// How many a list shows where nobody said.
const LIMIT_DEFAULT: u8 = 20;
/// How many a list shows at most.
const LIMIT_MAX: u32 = 100;

/// Reads the query of a list. Parameters that it does not know are passed over.
///
/// # Errors
///
/// [`Problem::Limit`], [`Problem::Status`], or [`Problem::QueryTwice`] for a parameter that stands there twice.
pub(crate) fn page(query: Option<&str>) -> Result<Page<'_>, Problem> {
    let mut page = Page {
        status: None,
        limit: LIMIT_DEFAULT,
        cursor: None,
    };
    let mut seen = [false; 3];
    for (name, value) in Parameters(query) {
        let (field, seen) = match (name, &mut seen) {
            ("status", [seen, ..]) => (Field::Status, seen),
            ("limit", [_, seen, _]) => (Field::Limit, seen),
            ("cursor", [.., seen]) => (Field::Cursor, seen),
            _ => continue,
        };
        if core::mem::replace(seen, true) {
            return Err(Problem::QueryTwice(field));
        }
        match field {
            Field::Limit => page.limit = limit(value)?,
            _ if value.is_empty() => {}
            Field::Status => page.status = Some(status(value)?),
            _ => page.cursor = Some(value),
        }
    }
    Ok(page)
}

/// A number from 1 to 100, written in one way: no sign, no leading zero.
fn limit(value: &str) -> Result<u8, Problem> {
    match canonical(value.as_bytes()) {
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit as u8),
        _ => Err(Problem::Limit),
    }
}

fn status(value: &str) -> Result<Status, Problem> {
    Status::parse(value).ok_or(Problem::Status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_the_query_says() {
        let page = |query| page(Some(query));
        let all = page("").unwrap();
        assert_eq!((all.status, all.limit, all.cursor), (None, 20, None));
        let some = page("limit=5&status=error&cursor=job_1&x=y").unwrap();
        assert_eq!(
            (some.status, some.limit, some.cursor),
            (Some(Status::Error), 5, Some("job_1"))
        );
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=", "status=done"] {
            assert!(page(bad).is_err(), "{bad}");
        }
    }
}
