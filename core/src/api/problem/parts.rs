//! What never changes of a problem document, and how a table of it is written.

use super::super::Field;

/// What never changes of a problem document.
pub(super) struct Parts {
    pub(super) status: u16,
    pub(super) code: &'static str,
    /// Without a full stop where something follows after a colon.
    #[cfg(feature = "problem-details")]
    pub(super) detail: &'static str,
    /// The member or parameter that it is about, where that is always the same.
    pub(super) field: Option<Field>,
}

/// A constant [`Parts`]; of a member or parameter that is wrong, with its detail alone and perhaps its name.
macro_rules! parts {
    ($detail:literal $(,)?) => {
        parts!(422, "invalid_request", $detail)
    };
    ($field:ident, $detail:literal $(,)?) => {
        parts!(422, "invalid_request", $detail, Some(Field::$field))
    };
    ($status:literal, $code:expr, $detail:literal $(,)?) => {
        parts!($status, $code, $detail, None)
    };
    ($status:literal, $code:expr, $detail:literal, $field:expr) => {
        const {
            &$crate::api::problem::parts::Parts {
                status: $status,
                code: $code,
                #[cfg(feature = "problem-details")]
                detail: $detail,
                field: $field,
            }
        }
    };
}
