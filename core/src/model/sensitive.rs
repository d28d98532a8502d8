//! A text that must not be shown by accident.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A secret's text: it is written where it is asked for, and `Debug` does not show it.
///
/// ```
/// use dubhook_core::model::Sensitive;
///
/// let secret = Sensitive::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
/// assert_eq!(format!("{secret:?}"), "Sensitive");
/// assert!(secret.reveal().starts_with("whsec_"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Hides a text.
    pub const fn new(text: T) -> Self {
        Self(text)
    }

    /// The text.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// The text itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sensitive")
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for Sensitive<T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Sensitive");
    }
}
