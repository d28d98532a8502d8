//! Why a call that was to be passed on has another end.

/// Why a call is not passed on to its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// Nothing of an answer came. The owner may have seen the call.
    Unheard,
    /// There is no connection to the owner, so it has not seen the call.
    Unreached,
    /// Another server has the records now.
    Ended,
    /// The answer broke, or the caller did.
    Cut,
}
