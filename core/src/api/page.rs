//! The query of a list.

#[cfg(feature = "media")]
use super::MediaProblem;
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

/// Reads the query of a list of uploads: also which SHA-256 they are to have, as hexadecimal digits.
///
/// # Errors
///
/// [`Problem::Limit`], [`MediaProblem::Sha256`], or [`Problem::QueryTwice`].
#[cfg(feature = "media")]
pub(crate) fn uploads(query: Option<&str>) -> Result<(Page<'_>, Option<&str>), Problem> {
    let sha256 = parameter(query, Field::Sha256)?;
    let is_digest =
        |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !sha256.is_none_or(is_digest) {
        return Err(MediaProblem::Sha256.into());
    }
    Ok((page(query)?, sha256))
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
