//! What is asked about webhooks: paths and bodies. With the feature `webhook-api`.

#[cfg(feature = "redelivery")]
mod redelivery;
mod route;

#[cfg(feature = "redelivery")]
pub(crate) use redelivery::redelivery;
pub(crate) use route::OfWebhook;
pub(super) use route::route;

use super::{
    Field, Problem,
    body::{Rules, members, optional_string, string, text},
    translation::check_callback,
};
use crate::{
    event::Filter,
    json::{Object, Str, Value},
    service::{EndpointChange, NewEndpoint},
    signature::Secret,
    text::Source,
};

/// The longest text of a secret: 64 bytes in Base64, and its prefix.
const SECRET_TEXT_BYTES_MAX: usize = super::STRING_BYTES_MAX;

/// Reads the body of `POST /v1/webhooks`: the endpoint, still for all jobs, and the id of the only job whose events it
/// wants, if it names one. `memory` is room for one string while it is checked.
///
/// # Errors
///
/// [`Problem`] says which member is wrong, and how.
pub(crate) fn webhook<'b>(
    object: &Object<'b>,
    rules: &Rules<'_>,
    memory: &mut [u8],
) -> Result<(NewEndpoint<'b>, Option<Str<'b>>), Problem> {
    let names = &[
        Field::Url,
        Field::Events,
        Field::Description,
        Field::Secret,
        Field::Job,
    ];
    let mut values = [None; 5];
    members(object, names, &mut values)?;
    let [url, events, description, secret, job] = values;
    let url = string(Field::Url, url)?;
    check_callback(Field::Url, url, rules, memory)?;
    let secret = match optional_string(Field::Secret, secret)? {
        None => None,
        Some(given) => {
            let given = text(Field::Secret, given, SECRET_TEXT_BYTES_MAX, memory)
                .map_err(|_| Problem::Secret)?;
            Some(Secret::parse(given).map_err(|_| Problem::Secret)?)
        }
    };
    let endpoint = NewEndpoint {
        url: Source::Json(url),
        filter: filter(events)?.unwrap_or(Filter::ALL),
        description: described(description, rules)?.map_or(Source::EMPTY, Source::Json),
        secret,
        subject: None,
    };
    Ok((endpoint, optional_string(Field::Job, job)?))
}

/// Reads the body of `PATCH /v1/webhooks/{id}`.
///
/// # Errors
///
/// [`Problem`] says which member is wrong, and how.
pub(crate) fn webhook_change<'b>(
    object: &Object<'b>,
    rules: &Rules<'_>,
    memory: &mut [u8],
) -> Result<EndpointChange<'b>, Problem> {
    let names = &[
        Field::Url,
        Field::Events,
        Field::Description,
        Field::Enabled,
    ];
    let mut values = [None; 4];
    members(object, names, &mut values)?;
    let [url, events, description, enabled] = values;
    let url = optional_string(Field::Url, url)?;
    if let Some(url) = url {
        check_callback(Field::Url, url, rules, memory)?;
    }
    let enabled = match enabled {
        None | Some(Value::Null) => None,
        Some(Value::Bool(enabled)) => Some(enabled),
        Some(_) => return Err(Problem::NotBool(Field::Enabled)),
    };
    Ok(EndpointChange {
        url: url.map(Source::Json),
        filter: filter(events)?,
        description: described(description, rules)?.map(Source::Json),
        enabled,
    })
}

fn described<'b>(value: Option<Value<'b>>, rules: &Rules<'_>) -> Result<Option<Str<'b>>, Problem> {
    let description = optional_string(Field::Description, value)?;
    if let Some(description) = description
        && description.decoded_len() > rules.limits.description_bytes_max
    {
        return Err(Problem::TooLong(Field::Description));
    }
    Ok(description)
}

fn filter(value: Option<Value<'_>>) -> Result<Option<Filter>, Problem> {
    let items = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Problem::Events),
    };
    let mut filter = Filter::NONE;
    for item in items.items() {
        let Value::String(name) = item else {
            return Err(Problem::Events);
        };
        if !filter.add_where(|known| name == *known) {
            return Err(Problem::Events);
        }
    }
    if filter == Filter::NONE {
        return Err(Problem::Events);
    }
    Ok(Some(filter))
}
