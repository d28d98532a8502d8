//! Notes of what the machines do, for whoever debugs one where nothing else can be seen.
//!
//! The machines never write a log: they return what happened, and their driver tells it. A note only repeats some of
//! that to the `log` or the `defmt` crate, behind the feature of that name. Without either there is no code for it, and
//! with both each note goes to both. No note holds a secret or a text from outside.

/// Notes something at a level (`trace` to `error`), formatted with what `log` and `defmt` both know: `{}` for a number,
/// `{:?}` for all else.
macro_rules! note {
    ($level:ident, $format:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "log")]
        ::log::$level!($format $(, $value)*);
        #[cfg(feature = "defmt")]
        ::defmt::$level!($format $(, $value)*);
        // A value is used in any case, so that nothing is unused without the features.
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        { $(let _ = &$value;)* }
    }};
}

pub(crate) use note;
