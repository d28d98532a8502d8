//! What must not show when the thing that holds it is shown.

use std::fmt;

/// A key, a seed: `Debug` says that it is there, and no more.
#[derive(Clone, Copy)]
pub(crate) struct Hidden<T>(pub(crate) T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}
