//! What remote workers ask and say: the paths below `/v1/work`, and their bodies.

use super::{
    Field, Problem, Resource,
    body::{members, read_object, string, text},
};
use crate::{
    http::Request,
    json::Value,
    service::{Limits, Report},
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

/// Reads what a worker says, and under which lease, if it names one. `memory` is room for its longest string.
///
/// # Errors
///
/// [`Problem`] says which member is wrong, and how.
pub(crate) fn report<'m>(
    request: &Request<'m>,
    what: OfWork,
    limits: &Limits,
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
        OfWork::Progress => match number(value, Problem::Progress)? {
            None => Report::Alive,
            Some(progress @ 0..=100) => Report::Progress(progress as u8),
            Some(_) => return Err(Problem::Progress),
        },
        OfWork::Complete => {
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

/// A member that may be absent or null, and is a number otherwise.
fn number(value: Option<Value<'_>>, problem: Problem) -> Result<Option<u64>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => number.as_u64().map(Some).map_err(|_| problem),
        Some(_) => Err(problem),
    }
}
