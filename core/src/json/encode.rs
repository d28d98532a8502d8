//! From typed values to JSON: what serde's `Serialize` says, in the order in which it says it.

use crate::out::Overflow;
use serde::Serialize;

/// Writes a typed value into `memory`, and returns how many bytes it has.
///
/// For what is neither signed nor written often: bodies of requests, lines for people. It takes some ten times as many
/// instructions as a [`Writer`](super::Writer).
///
/// ```
/// use dubhook_core::json;
///
/// #[derive(serde::Serialize)]
/// struct Opened<'a> {
///     door: &'a str,
///     count: u32,
/// }
///
/// let mut memory = [0; 64];
/// let len = json::to_slice(&Opened { door: "north", count: 2 }, &mut memory).unwrap();
/// assert_eq!(&memory[..len], br#"{"door":"north","count":2}"#);
/// ```
///
/// # Errors
///
/// [`Overflow`] where it does not fit; a part of it may have been written then.
pub fn to_slice<T: Serialize + ?Sized>(value: &T, memory: &mut [u8]) -> Result<usize, Overflow> {
    let len = serde_json_core::to_slice(value, memory).map_err(|_| Overflow)?;
    lower_escapes(memory.get_mut(..len).unwrap_or_default());
    Ok(len)
}

/// Writes the digits of `\u001F` small, as RFC 8785 section 3.2.2.2 wants them: there is one spelling for each string.
fn lower_escapes(mut json: &mut [u8]) {
    while let Some(at) = json.iter().position(|byte| *byte == b'\\') {
        let Some((_, escape)) = json.split_at_mut_checked(at.wrapping_add(1)) else {
            return;
        };
        // Behind a backslash there is one character, or `u` and four digits.
        let Some((first, rest)) = escape.split_first_mut() else {
            return;
        };
        if *first == b'u'
            && let Some(digits) = rest.first_chunk_mut::<4>()
        {
            digits.make_ascii_lowercase();
        }
        json = rest;
    }
}
