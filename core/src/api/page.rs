//! The query of a list.

use super::{Field, Problem, query::parameter};
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
    let status = match parameter(query, Field::Status)? {
        None => None,
        Some(name) => Some(Status::parse(name).ok_or(Problem::Status)?),
    };
    Ok(Page {
        status,
        limit: limit(query)?,
        cursor: parameter(query, Field::Cursor)?,
    })
}

/// How many things the query of a list asks for.
///
/// # Errors
///
/// [`Problem::Limit`], or [`Problem::QueryTwice`].
pub(crate) fn limit(query: Option<&str>) -> Result<u8, Problem> {
    let Some(value) = parameter(query, Field::Limit)? else {
        return Ok(LIMIT_DEFAULT);
    };
    // Written in one way: no sign, no leading zero.
    match canonical(value.as_bytes()) {
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit as u8),
        _ => Err(Problem::Limit),
    }
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
        for bad in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=",
            "status=done",
            "status=",
            "status",
        ] {
            assert!(page(bad).is_err(), "{bad}");
        }
    }
}
