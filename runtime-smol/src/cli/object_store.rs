//! An object store, as the usual variables of the environment say it.

use super::fail::Fail;
use dubhook_smol::media::{Keys, Place};
use std::env;

/// The place that an `s3://` URL names.
pub(super) fn place(url: &str) -> Result<Place, Fail> {
    let keys = Keys {
        id: needed("AWS_ACCESS_KEY_ID")?,
        secret: needed("AWS_SECRET_ACCESS_KEY")?,
        token: said("AWS_SESSION_TOKEN")?,
    };
    let endpoint = said("AWS_ENDPOINT_URL_S3")?
        .map_or_else(|| said("AWS_ENDPOINT_URL"), |url| Ok(Some(url)))?;
    let region =
        said("AWS_REGION")?.map_or_else(|| said("AWS_DEFAULT_REGION"), |name| Ok(Some(name)))?;
    let region = region.as_deref().unwrap_or("us-east-1");
    Place::new(url, endpoint.as_deref(), region, keys)
        .map_err(|why| Fail::Usage(format!("--media {url}: {why}")))
}

/// What a variable says; one that says nothing is none.
fn said(name: &str) -> Result<Option<String>, Fail> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Fail::Usage(format!("{name} is no text"))),
    }
}

fn needed(name: &str) -> Result<String, Fail> {
    let missing = || Fail::Usage(format!("--media s3://… wants {name} in the environment"));
    said(name)?.ok_or_else(missing)
}
