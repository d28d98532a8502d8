//! The body of a request to send again what failed.

use crate::{
    api::{
        Field, Problem,
        body::{members, optional_string, text},
    },
    id::{Id, Prefix},
    json::Object,
    time::Timestamp,
};

/// The longest text of an event's id.
const ID_TEXT_BYTES_MAX: usize = 30;
/// The longest text of a point in time.
const TIME_TEXT_BYTES_MAX: usize = 24;

/// Reads the body of `POST /v1/webhooks/{id}/redeliver`: since when, from the beginning where not said, and which event
/// alone, if one is named.
///
/// # Errors
///
/// [`Problem::Since`] for anything that is no time, [`Problem::Event`] for what is no id of an event.
pub(crate) fn redelivery(
    object: Option<&Object<'_>>,
    memory: &mut [u8],
) -> Result<(Timestamp, Option<Id>), Problem> {
    let mut values = [None; 2];
    if let Some(object) = object {
        members(object, &[Field::Since, Field::Event], &mut values)?;
    }
    let [since, event] = values;
    let since = match optional_string(Field::Since, since)? {
        None => Timestamp::EPOCH,
        Some(given) => {
            let given = text(Field::Since, given, TIME_TEXT_BYTES_MAX, memory);
            let given = given.map_err(|_| Problem::Since)?;
            Timestamp::parse_rfc3339(given.as_bytes()).ok_or(Problem::Since)?
        }
    };
    let event = match optional_string(Field::Event, event)? {
        None => None,
        Some(given) => {
            let given = text(Field::Event, given, ID_TEXT_BYTES_MAX, memory);
            let given = given.map_err(|_| Problem::Event)?;
            Some(Id::parse(Prefix::Event, given).ok_or(Problem::Event)?)
        }
    };
    Ok((since, event))
}
