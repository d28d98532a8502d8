//! What remote workers ask and say: the paths below `/v1/work`, and their bodies.

use super::{
    Field, Problem, Resource,
    body::{members, read_object, string, text},
};
use crate::{
    digits::decimal,
    http::Request,
    json::Value,
    service::{Limits, Report},
    split::split_once,
    url::is_absolute_uri,
};

/// What a worker says of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum OfWork {
    /// `progress`: it is at work.
    Progress,
    /// `complete`: it is done.
    Complete,
    /// `fail`: it gives up.
    Fail,
}

/// What a path below `/v1/work` names.
pub(super) fn route<'p>(name: &'p str, below: Option<&str>) -> Option<Resource<'p>> {
    let what = match below {
        None if name == "claim" => return Some(Resource::Claim),
        Some("progress") => OfWork::Progress,
        Some("complete") => OfWork::Complete,
        Some("fail") => OfWork::Fail,
        _ => return None,
    };
    Some(Resource::Work(name, what))
}

/// Reads the body of a claim: nothing, or an object of which no member means anything yet.
///
/// # Errors
///
/// [`Problem`] for what is no JSON object.
pub(crate) fn claim(request: &Request<'_>) -> Result<(), Problem> {
    if request.body.is_empty() {
        return Ok(());
    }
    read_object(request).map(|_| ())
}

/// Reads what a worker says, and under which lease, if it names one. `memory` is room for its longest string. An output that is the
/// server's `own` is at that URL, whatever the worker says.
///
/// # Errors
///
/// [`Problem`] says which member is wrong, and how.
pub(crate) fn report<'m>(
    request: &Request<'m>,
    what: OfWork,
    limits: &Limits,
    own: Option<&'m str>,
    memory: &'m mut [u8],
) -> Result<(Option<u32>, Report<'m>), Problem> {
    if request.body.is_empty() && what == OfWork::Progress {
        return Ok((None, Report::Alive));
    }
    let object = read_object(request)?;
    let said = match what {
        OfWork::Progress => Field::Progress,
        OfWork::Complete => Field::OutputUrl,
        OfWork::Fail => Field::Error,
    };
    let mut values = [None; 2];
    members(&object, &[said, Field::Lease], &mut values)?;
    let [value, lease] = values;
    let lease = match number(lease, Problem::Lease)? {
        Some(lease) => Some(u32::try_from(lease).map_err(|_| Problem::Lease)?),
        None => None,
    };
    let report = match what {
        OfWork::Progress => match value {
            None | Some(Value::Null) => Report::Alive,
            Some(Value::Number(share)) => {
                Report::Progress(percent(share.text()).ok_or(Problem::Progress)?)
            }
            Some(_) => return Err(Problem::Progress),
        },
        OfWork::Complete => {
            if let Some(own) = own {
                return Ok((lease, Report::Completed(own)));
            }
            let url = string(said, value)?;
            let url = text(said, url, limits.url_bytes_max, memory)?;
            if !is_absolute_uri(url) {
                return Err(Problem::OutputUrl);
            }
            Report::Completed(url)
        }
        OfWork::Fail => {
            let why = string(said, value)?;
            Report::Failed(text(said, why, limits.error_bytes_max, memory)?)
        }
    };
    Ok((lease, report))
}

/// What a worker has uploaded for its job.
#[cfg(feature = "media")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Brought {
    /// The upload that is the output.
    pub upload: crate::id::Id,
    /// The one that is its subtitles, if there are some.
    pub subtitles: Option<crate::id::Id>,
}

/// What a worker says that it has uploaded, if it says so.
///
/// # Errors
///
/// [`Problem`] for what is no id, and for subtitles of what is elsewhere.
#[cfg(feature = "media")]
pub(crate) fn brought(request: &Request<'_>) -> Result<Option<Brought>, Problem> {
    let mut values = [None; 2];
    let names = &[Field::Upload, Field::Subtitles];
    members(&read_object(request)?, names, &mut values)?;
    let [upload, subtitles] = values;
    let upload = named(Field::Upload, upload)?;
    let subtitles = named(Field::Subtitles, subtitles)?;
    match upload {
        None if subtitles.is_some() => Err(Problem::Missing(Field::Upload)),
        upload => Ok(upload.map(|upload| Brought { upload, subtitles })),
    }
}

/// The upload that a member names, if it is there.
#[cfg(feature = "media")]
fn named(field: Field, value: Option<Value<'_>>) -> Result<Option<crate::id::Id>, Problem> {
    let Some(text) = super::body::optional_string(field, value)? else {
        return Ok(None);
    };
    let name = text.plain().unwrap_or_default();
    let id = crate::id::Id::parse(crate::id::Prefix::Media, name);
    id.map(Some)
        .ok_or(super::MediaProblem::Upload(field).into())
}

/// A member that may be absent or null, and is a number otherwise.
fn number(value: Option<Value<'_>>, problem: Problem) -> Result<Option<u64>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => number.as_u64().map(Some).map_err(|_| problem),
        Some(_) => Err(problem),
    }
}

/// A share of 100, however it is spelt: `42`, `42.0`, `4.2e1`. What is between two is not reached yet. `number` is one of a
/// document that has been checked.
fn percent(number: &str) -> Option<u8> {
    let (mantissa, exponent) = split_once(number, b'e')
        .or_else(|| split_once(number, b'E'))
        .unwrap_or((number, "0"));
    let (digits, is_negative) = match mantissa.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (mantissa, false),
    };
    let (whole, fraction) = split_once(digits, b'.').unwrap_or((digits, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().all(|digit| digit == b'0') {
        // Zero is zero, whatever stands before and behind it.
        return Some(0);
    }
    if is_negative {
        return None;
    }
    let down = exponent.starts_with('-');
    let exponent = decimal(exponent.trim_start_matches(['+', '-']).as_bytes());
    let exponent = exponent.unwrap_or(u32::MAX) as usize;
    // So many digits stand before the point once the exponent has moved it; those behind it are cut off.
    let kept = if down {
        whole.len().saturating_sub(exponent)
    } else {
        whole.len().saturating_add(exponent)
    };
    let mut percent = 0u32;
    let mut given = digits();
    for _ in 0..kept {
        let digit = given.next().unwrap_or(b'0') & 0x0f;
        percent = percent.saturating_mul(10).saturating_add(digit.into());
        if percent > 100 {
            return None;
        }
    }
    let more = given.any(|digit| digit != b'0');
    (percent < 100 || !more).then_some(percent as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_taken_in_any_spelling() {
        for (number, expect) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-0.0e7", Some(0)),
            ("0e99999999999", Some(0)),
            ("42", Some(42)),
            ("42.0", Some(42)),
            ("42.5", Some(42)),
            ("42.999999999999999999999999", Some(42)),
            ("4.2e1", Some(42)),
            ("4.2E+1", Some(42)),
            ("420e-1", Some(42)),
            ("0.042e3", Some(42)),
            ("0.0000000042e10", Some(42)),
            ("9e-1", Some(0)),
            ("1e-99999999999", Some(0)),
            ("99.9", Some(99)),
            ("100", Some(100)),
            ("100.00", Some(100)),
            ("1e2", Some(100)),
            ("100.5", None),
            ("100.0000000001", None),
            ("1005e-1", None),
            ("101", None),
            ("1e3", None),
            ("1e99999999999", None),
            ("18446744073709551658", None),
            ("-1", None),
            ("-0.1", None),
        ] {
            assert_eq!(percent(number), expect, "{number}");
        }
    }
}
