//! Where an object store is, and the keys to it.

use crate::hidden::Hidden;
use dubhook_core::time::Timestamp;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::{fmt, time::Duration};

/// How long a URL is good by which bytes are sent: when it ends, what is on its way goes on.
pub(super) const PUT_FOR: Duration = Duration::from_secs(3_600);
/// How long one is good by which a video is looked at, with pauses.
pub(super) const GET_FOR: Duration = Duration::from_secs(6 * 3_600);
/// How long one is good that a translator program is given.
pub(super) const READ_FOR: Duration = Duration::from_secs(24 * 3_600);

/// A place in an S3-compatible object store, and what it takes to get there. `Debug` shows no key.
#[derive(Clone)]
pub struct Place {
    pub(super) bucket: Bucket,
    pub(super) credentials: Hidden<Box<Credentials>>,
    /// What every name in it begins with: nothing, or something that ends in a slash.
    pub(super) prefix: String,
    /// The store's scheme, host and port.
    pub(super) origin: String,
}

/// The keys to an object store.
#[derive(Clone)]
pub struct Keys {
    /// The name of the key (`AWS_ACCESS_KEY_ID`).
    pub id: String,
    /// The key (`AWS_SECRET_ACCESS_KEY`).
    pub secret: String,
    /// What comes with keys that are good for a time (`AWS_SESSION_TOKEN`).
    pub token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("bucket", &self.bucket.name())
            .field("prefix", &self.prefix)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Place {
    /// The place that `s3://BUCKET/PREFIX` names, in the store at `endpoint`, or where none is said at Amazon's in `region`.
    ///
    /// # Errors
    ///
    /// A sentence says what is wrong with them.
    pub fn new(
        url: &str,
        endpoint: Option<&str>,
        region: &str,
        keys: Keys,
    ) -> Result<Self, &'static str> {
        let named = url
            .strip_prefix("s3://")
            .ok_or("write it like s3://bucket/prefix")?;
        let (name, prefix) = named.split_once('/').unwrap_or((named, ""));
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name = (3..=63).contains(&name.len())
            && name
                .bytes()
                .all(|byte| is_letter(byte) || b"-.".contains(&byte));
        if !is_name {
            return Err("a bucket's name is 3 to 63 small letters, digits, hyphens and dots");
        }
        let prefix = prefix.trim_end_matches('/');
        let is_part = |part: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain)
        };
        if !prefix.is_empty() && !prefix.split('/').all(is_part) {
            return Err(
                "a prefix is letters, digits, hyphens, dots and underscores, between slashes",
            );
        }
        let (endpoint, style) = match endpoint {
            // Stores at an address of one's own have no names for buckets.
            Some(endpoint) => (endpoint.to_owned(), UrlStyle::Path),
            // A dot in the name would be one level more than the certificate is for.
            None if name.contains('.') => (amazon(region), UrlStyle::Path),
            None => (amazon(region), UrlStyle::VirtualHost),
        };
        let wrong = "AWS_ENDPOINT_URL is like https://s3.example.com";
        let endpoint = endpoint.parse().map_err(|_| wrong)?;
        let bucket = Bucket::new(endpoint, style, name.to_owned(), region.to_owned());
        let bucket = bucket.map_err(|_| wrong)?;
        let Keys { id, secret, token } = keys;
        let credentials = match token {
            Some(token) => Credentials::new_with_token(id, secret, token),
            None => Credentials::new(id, secret),
        };
        let prefix = match prefix {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            origin: bucket.base_url().origin().ascii_serialization(),
            bucket,
            credentials: Hidden(Box::new(credentials)),
            prefix,
        })
    }

    /// The store's scheme, host and port, as a browser knows it: where clients send bytes and get them.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A URL that is good for `time`, and when it ends.
    pub(super) fn signed<'a>(
        &self,
        action: &impl S3Action<'a>,
        now: Timestamp,
        time: Duration,
    ) -> (String, Timestamp) {
        let until = now.after_ms(time.as_millis() as u64);
        (action.sign(time).into(), until)
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        Some(&self.credentials.0)
    }
}

fn amazon(region: &str) -> String {
    format!("https://s3.{region}.amazonaws.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys {
            id: "AKIAEXAMPLE".to_owned(),
            secret: "a-secret-key".to_owned(),
            token: Some("a-token".to_owned()),
        }
    }

    #[test]
    fn a_place_is_read_as_it_is_written_and_shows_no_key() {
        let place = |url, endpoint| Place::new(url, endpoint, "eu-west-1", keys());
        for (url, endpoint, object, prefix) in [
            (
                "s3://media",
                None,
                "https://media.s3.eu-west-1.amazonaws.com/x",
                "",
            ),
            (
                "s3://me.dia/a/b/",
                None,
                "https://s3.eu-west-1.amazonaws.com/me.dia/x",
                "a/b/",
            ),
            (
                "s3://media/a",
                Some("http://127.0.0.1:9000"),
                "http://127.0.0.1:9000/media/x",
                "a/",
            ),
        ] {
            let place = place(url, endpoint).expect(url);
            assert_eq!(place.bucket.object_url("x").as_str(), object);
            assert_eq!(place.prefix, prefix);
            let shown = format!("{place:?} {:?}", keys());
            for secret in ["AKIAEXAMPLE", "a-secret-key", "a-token"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        for (url, endpoint) in [
            ("media", None),
            ("s3://", None),
            ("s3://Media", None),
            ("s3://media/../x", None),
            ("s3://media/a//b", None),
            ("s3://media/a?b", None),
            ("s3://media", Some("ftp://x")),
            ("s3://media", Some("x")),
        ] {
            assert!(place(url, endpoint).is_err(), "{url}");
        }
    }
}
