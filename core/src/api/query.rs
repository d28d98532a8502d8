//! The parameters of a query.

use super::{Field, Problem};
use crate::split::split_once;

/// The value of a parameter of a query, as it stands there. Others are passed over.
///
/// # Errors
///
/// [`Problem::QueryTwice`].
pub(crate) fn parameter(query: Option<&str>, field: Field) -> Result<Option<&str>, Problem> {
    let mut found = None;
    for (name, value) in Parameters(query) {
        if name == field.as_str() && found.replace(value).is_some() {
            return Err(Problem::QueryTwice(field));
        }
    }
    Ok(found)
}

/// Walks over the names and values of a query, as they stand there.
struct Parameters<'q>(Option<&'q str>);

impl<'q> Iterator for Parameters<'q> {
    type Item = (&'q str, &'q str);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0?;
        let (pair, rest) = match split_once(text, b'&') {
            Some((pair, rest)) => (pair, Some(rest)),
            None => (text, None),
        };
        self.0 = rest;
        Some(split_once(pair, b'=').unwrap_or((pair, "")))
    }
}
