//! The grammar of RFC 5646, section 2.1.

use super::TAG_BYTES_MAX;

/// Tags from before the grammar that do not follow it (RFC 5646 section 2.1, `irregular`).
const IRREGULAR: [&str; 17] = [
    "en-GB-oed",
    "i-ami",
    "i-bnn",
    "i-default",
    "i-enochian",
    "i-hak",
    "i-klingon",
    "i-lux",
    "i-mingo",
    "i-navajo",
    "i-pwn",
    "i-tao",
    "i-tay",
    "i-tsu",
    "sgn-BE-FR",
    "sgn-BE-NL",
    "sgn-CH-DE",
];

/// Whether `tag` is a well-formed language tag of at most [`TAG_BYTES_MAX`] bytes, in any case.
#[must_use]
pub fn is_well_formed(tag: &str) -> bool {
    tag.len() <= TAG_BYTES_MAX
        && (is_langtag(tag.as_bytes())
            || IRREGULAR
                .iter()
                .any(|irregular| irregular.eq_ignore_ascii_case(tag)))
}

/// `langtag / privateuse`, part after part; the `regular` old tags follow this grammar too.
fn is_langtag(tag: &[u8]) -> bool {
    let mut subtags = Subtags { rest: Some(tag) };
    if subtags.skip_if(is_language) {
        subtags.skip_up_to(3, |s| is_alpha(s) && s.len() == 3);
        subtags.skip_up_to(1, |s| is_alpha(s) && s.len() == 4);
        subtags.skip_up_to(1, is_region);
        subtags.skip_up_to(usize::MAX, is_variant);
        while subtags.skip_if(is_singleton) {
            if subtags.skip_up_to(usize::MAX, |s| is_alphanumeric(s) && s.len() >= 2) == 0 {
                return false;
            }
        }
        if subtags.rest.is_none() {
            return true;
        }
    }
    subtags.skip_if(|s| s.eq_ignore_ascii_case(b"x"))
        && subtags.skip_up_to(usize::MAX, is_alphanumeric) > 0
        && subtags.rest.is_none()
}

/// What of a tag has not been understood yet, `None` once all of it has.
struct Subtags<'a> {
    rest: Option<&'a [u8]>,
}

impl Subtags<'_> {
    /// Steps over the next subtag if it is `wanted`.
    fn skip_if(&mut self, wanted: fn(&[u8]) -> bool) -> bool {
        let Some(rest) = self.rest else {
            return false;
        };
        let hyphen = rest.iter().position(|byte| *byte == b'-');
        let (subtag, after) = rest
            .split_at_checked(hyphen.unwrap_or(rest.len()))
            .unwrap_or_default();
        // "subtags [...] from one to eight characters" (section 2.1)
        let wanted = (1..=8).contains(&subtag.len()) && wanted(subtag);
        if wanted {
            // Without a hyphen nothing is left, not even a subtag of no characters.
            self.rest = after.get(1..);
        }
        wanted
    }

    /// Steps over at most `max` subtags while they are `wanted`, and counts them.
    fn skip_up_to(&mut self, max: usize, wanted: fn(&[u8]) -> bool) -> usize {
        let mut count = 0;
        while count < max && self.skip_if(wanted) {
            count += 1;
        }
        count
    }
}

fn is_alpha(subtag: &[u8]) -> bool {
    subtag.iter().all(u8::is_ascii_alphabetic)
}

fn is_digit(subtag: &[u8]) -> bool {
    subtag.iter().all(u8::is_ascii_digit)
}

fn is_alphanumeric(subtag: &[u8]) -> bool {
    subtag.iter().all(u8::is_ascii_alphanumeric)
}

/// The primary language: of `2*3ALPHA / 4ALPHA / 5*8ALPHA` only the first, see the module.
fn is_language(subtag: &[u8]) -> bool {
    is_alpha(subtag) && (2..=3).contains(&subtag.len())
}

/// `2ALPHA / 3DIGIT`
fn is_region(subtag: &[u8]) -> bool {
    is_alpha(subtag) && subtag.len() == 2 || is_digit(subtag) && subtag.len() == 3
}

/// `5*8alphanum / (DIGIT 3alphanum)`
fn is_variant(subtag: &[u8]) -> bool {
    is_alphanumeric(subtag)
        && (subtag.len() >= 5
            || subtag.len() == 4 && subtag.first().is_some_and(u8::is_ascii_digit))
}

/// What starts an extension: any letter or digit but `x`.
fn is_singleton(subtag: &[u8]) -> bool {
    is_alphanumeric(subtag) && subtag.len() == 1 && !subtag.eq_ignore_ascii_case(b"x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tag: &str, expect: bool) {
        assert_eq!(is_well_formed(tag), expect, "{tag}");
    }

    #[test]
    fn tags_of_the_rfc_are_well_formed() {
        // RFC 5646 appendix A, then the regular old tags, then each part in its place.
        "de fr ja i-enochian zh-Hant zh-Hans sr-Cyrl sr-Latn zh-cmn-Hans-CN cmn-Hans-CN zh-yue-HK \
         yue-HK zh-Hans-CN sr-Latn-RS sl-rozaj sl-rozaj-biske sl-nedis de-CH-1901 sl-IT-nedis \
         hy-Latn-IT-arevela de-DE en-US es-419 de-CH-x-phonebk az-Arab-x-AZE-derbend x-whatever \
         qaa-Qaaa-QM-x-southern de-Qaaa sr-Latn-QM sr-Qaaa-RS en-US-u-islamcal \
         zh-CN-a-myext-x-private en-a-myext-b-another art-lojban cel-gaulish no-bok no-nyn zh-guoyu \
         zh-hakka zh-min zh-min-nan zh-xiang I-KLINGON EN-gb-OED sgn-be-fr ES zh-Hant-TW x-a-b-c"
            .split_ascii_whitespace()
            .for_each(|tag| check(tag, true));
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        // The first three are the invalid ones of RFC 5646 appendix A that its grammar refuses.
        "de-419-DE a-DE ar-a-aaa-b- e 1 spanish english engl spanish! es_ES es- -es es--ES es-419-ES \
         en-a en-a-b en-x x x- x-123456789 es-ES-x- zh-cmn-yue-hak-min es-España ár zh-Hant-Hans \
         i-nobody en-123456789 en-a-bb-c"
            .split_ascii_whitespace()
            .for_each(|tag| check(tag, false));
        check("", false);
        check("es ES", false);
        check("es-ES\n", false);
    }

    #[test]
    fn a_tag_has_at_most_35_bytes() {
        check("en-x-345678-01234567-9012345-789012", true);
        check("en-x-345678-01234567-9012345-7890123", false);
    }
}
