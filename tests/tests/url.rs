//! Every URL has one reading or none.

use dubhook_core::out::Out;
use dubhook_core::url::{Scheme, Url, UrlError, is_absolute_uri};
use dubhook_tests::cases;
use serde::Deserialize;

const BYTES_MAX: usize = 2_048;

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Case {
    Good {
        url: String,
        target: String,
        host: String,
        port: u16,
    },
    Bad {
        url: String,
        error: String,
    },
}

fn written(write: impl FnOnce(&mut Out<'_>)) -> String {
    let mut memory = [0; 512];
    let mut out = Out::new(&mut memory);
    write(&mut out);
    assert!(!out.is_full());
    String::from_utf8(out.written().to_vec()).unwrap()
}

#[test]
fn a_url_has_one_reading_or_none() {
    for case in cases::read::<Case>("url_cases.jsonl") {
        match case {
            Case::Good {
                url: text,
                target,
                host,
                port,
            } => {
                let url = Url::parse(&text, BYTES_MAX).unwrap_or_else(|e| panic!("{text}: {e:?}"));
                assert_eq!(written(|out| url.write_target(out)), target, "{text}");
                assert_eq!(written(|out| url.write_host(out)), host, "{text}");
                assert_eq!(url.port(), port, "{text}");
                // Its origin and target, put together again, are the same URL.
                let whole = written(|out| {
                    url.write_origin(out);
                    url.write_target(out);
                });
                let again = Url::parse(&whole, BYTES_MAX).unwrap();
                assert!(again.same_origin(&url), "{whole}");
                assert_eq!(written(|out| again.write_target(out)), target, "{whole}");
            }
            Case::Bad { url: text, error } => {
                let read = Url::parse(&text, BYTES_MAX).map_err(|e| format!("{e:?}"));
                assert_eq!(read.err(), Some(error), "{text:?}");
            }
        }
    }
}

#[test]
fn a_url_is_no_longer_than_the_caller_allows() {
    assert_eq!(Url::parse("http://a/", 8), Err(UrlError::TooLong));
    let url = Url::parse("http://a/", 9).unwrap();
    assert_eq!((url.scheme(), url.path_and_query()), (Scheme::Http, "/"));
}

#[test]
fn origins_are_compared_by_meaning() {
    #[track_caller]
    fn check(a: &str, b: &str, expect: bool) {
        let (a, b) = (Url::parse(a, 99).unwrap(), Url::parse(b, 99).unwrap());
        assert_eq!(a.same_origin(&b), expect);
        assert_eq!(b.same_origin(&a), expect);
    }
    check("http://a/x", "HTTP://A.:80/y", true);
    check("http://[::1]/", "http://[0:0::1]/", true);
    check("http://a/", "https://a/", false);
    check("http://a:443/", "https://a/", false);
    check("http://a/", "http://b/", false);
    check("http://a/", "http://a:81/", false);
}

#[test]
fn any_scheme_makes_an_absolute_uri() {
    #[track_caller]
    fn check(texts: &[&str], expect: bool) {
        for text in texts {
            assert_eq!(is_absolute_uri(text), expect, "{text:?}");
        }
    }
    check(
        &["file:///v/a%20b.mp4", "https://a/b?c#t=10", "s3://b/k"],
        true,
    );
    check(&["data:,x", "http://[::1]/", "a+b-c.d:e"], true);
    check(&["", ":", "a", "/a", "a b:c", "1a:b", ":a", "http:"], false);
    check(
        &["file:///a b", "file:///é", "file:///%", "file:///%2"],
        false,
    );
    check(
        &["a:#b#c", "file:///a\n", "C:\\v.mp4", "a:\"", "a:{}"],
        false,
    );
}
