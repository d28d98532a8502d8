//! The parameters of a query.

use crate::split::split_once;

/// Walks over the names and values of a query, as they stand there.
pub(super) struct Parameters<'q>(pub(super) Option<&'q str>);

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
