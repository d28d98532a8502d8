//! What the strings of a request must be, whoever hands them in and whenever they come back.

use super::{NewJob, Service, request_field};
use crate::{
    language::looks_like_tag,
    text::Source,
    url::{Url, is_absolute_uri},
};

impl Service<'_> {
    /// Whether a request can be accepted: what comes over HTTP was looked at more closely, and need not be asked.
    pub(crate) fn may_be_accepted(&mut self, new: &NewJob<'_>) -> bool {
        let strings = [
            new.video_url,
            new.source_language.unwrap_or(Source::EMPTY),
            new.target_language,
            new.reference.unwrap_or(Source::EMPTY),
            new.callback_url.unwrap_or(Source::EMPTY),
        ];
        let limits = self.limits;
        let has_callback = new.callback_url.is_none_or(|url| url.bytes_len() > 0);
        has_callback
            && strings.into_iter().enumerate().all(|(field, text)| {
                let text = self.dispatch.plain(text);
                text.is_some_and(|text| limits.allow(field, text))
            })
    }
}

impl super::Limits {
    /// Whether this can be a field of a request. Answers and deliveries count on it: they are written as they are, into
    /// room that was measured by the limits. A tag need only look like one: whoever took it may have been built without the
    /// grammar.
    pub(super) fn allow(&self, field: usize, text: &str) -> bool {
        match field {
            request_field::VIDEO_URL => text.len() <= self.url_bytes_max && is_absolute_uri(text),
            request_field::SOURCE_LANGUAGE => text.is_empty() || looks_like_tag(text),
            request_field::TARGET_LANGUAGE => looks_like_tag(text),
            request_field::REFERENCE => text.len() <= self.reference_bytes_max,
            _ => text.is_empty() || Url::parse(text, self.callback_bytes_max).is_ok(),
        }
    }
}
