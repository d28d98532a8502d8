//! The JSON reader and writer: a table of cases, and serde_json as the second opinion.

use dubhook_core::json::{self, Duplicate, Error, ErrorKind, NumberError, Str, Value};
use dubhook_core::out::Out;
use dubhook_tests::cases;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Case {
    /// A document, as text or, where it is not UTF-8, in hexadecimal.
    Document {
        why: String,
        text: Option<String>,
        hex: Option<String>,
        expect: String,
        offset: Option<usize>,
    },
    /// `open` and `close` repeated around `inside`.
    Nested {
        why: String,
        open: String,
        close: String,
        times: usize,
        inside: String,
        expect: String,
        offset: Option<usize>,
    },
    /// What a number converts to.
    Number { text: String, expect: String },
    /// What a string decodes to.
    String { text: String, expect: String },
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[track_caller]
fn check_document(why: &str, bytes: &[u8], expect: &str, offset: Option<usize>) {
    let context = format!("{why}: {:?}", String::from_utf8_lossy(bytes));
    match json::validate(bytes) {
        Ok(()) => {
            assert_eq!(expect, "accept", "{context}");
            check_prefixes(bytes);
        }
        Err(Error { offset: at, kind }) => {
            assert_eq!(format!("{kind:?}"), expect, "{context}");
            assert_eq!(Some(at), offset, "{context}");
        }
    }
}

/// A document that is cut short is refused for just that, wherever the cut is.
fn check_prefixes(document: &[u8]) {
    let document = document.trim_ascii();
    let is_number = document
        .first()
        .is_some_and(|b| *b == b'-' || b.is_ascii_digit());
    if is_number || document.len() > 1_000 {
        return;
    }
    for len in 0..document.len() {
        let prefix = &document[..len];
        let error = json::validate(prefix).expect_err("a prefix is no document");
        let expect = match std::str::from_utf8(prefix) {
            Ok(_) => (len, ErrorKind::UnexpectedEnd),
            Err(cut) => (cut.valid_up_to(), ErrorKind::NotUtf8),
        };
        assert_eq!((error.offset, error.kind), expect, "{prefix:?}");
    }
}

fn check_number(text: &str, expect: &str) {
    let Ok(Value::Number(number)) = json::value(text.as_bytes()) else {
        panic!("{text} is no number");
    };
    assert_eq!(number.text(), text);
    let converted = match number.as_u64() {
        Ok(value) => value.to_string(),
        Err(NumberError::NotAnInteger) => "NotAnInteger".into(),
        Err(NumberError::OutOfRange) => "OutOfRange".into(),
    };
    assert_eq!(converted, expect, "{text}");
}

fn check_string(text: &str, expect: &str) {
    let Ok(Value::String(string)) = json::value(text.as_bytes()) else {
        panic!("{text} is no string");
    };
    assert_eq!(decoded(string), expect);
    assert!(string == *expect, "{text}");
    assert!(string != *format!("{expect}x"), "{text}");
    assert!(string != *format!("x{expect}"), "{text}");
}

/// The decoded string, by each of the ways there are.
fn decoded(string: Str<'_>) -> String {
    let bytes: Vec<u8> = string.bytes().collect();
    assert_eq!(string.decoded_len(), bytes.len());
    let (least, most) = string.bytes().size_hint();
    assert!(least <= bytes.len() && bytes.len() <= most.unwrap());
    let mut memory = vec![0; bytes.len()];
    let text = string.decode_into(&mut memory).expect("just enough room");
    assert_eq!(text.as_bytes(), bytes);
    if let Some(plain) = string.plain() {
        assert_eq!(plain, text);
    }
    let mut too_short = vec![0; bytes.len().saturating_sub(1)];
    assert_eq!(
        string.decode_into(&mut too_short).is_none(),
        !bytes.is_empty()
    );
    text.to_owned()
}

#[test]
fn every_case_is_read_as_expected() {
    for case in cases::read("json_cases.jsonl") {
        match case {
            Case::Document {
                why,
                text,
                hex,
                expect,
                offset,
            } => {
                let bytes = match (text, hex) {
                    (Some(text), None) => text.into_bytes(),
                    (None, Some(hex)) => from_hex(&hex),
                    _ => panic!("{why}: text or hex"),
                };
                check_document(&why, &bytes, &expect, offset);
            }
            Case::Nested {
                why,
                open,
                close,
                times,
                inside,
                expect,
                offset,
            } => {
                let document = [open.repeat(times), inside, close.repeat(times)].concat();
                match json::validate(document.as_bytes()) {
                    Ok(()) => assert_eq!(expect, "accept", "{why}"),
                    Err(error) => {
                        assert_eq!(format!("{:?}", error.kind), expect, "{why}");
                        assert_eq!(Some(error.offset), offset, "{why}");
                    }
                }
            }
            Case::Number { text, expect } => check_number(&text, &expect),
            Case::String { text, expect } => check_string(&text, &expect),
        }
    }
}

#[test]
fn only_an_object_is_an_object() {
    for (text, offset) in [("[]", 0), (" 1", 1), ("\n\"{}\"", 1), ("null", 0)] {
        let error = json::object(text.as_bytes()).expect_err(text);
        assert_eq!((error.offset, error.kind), (offset, ErrorKind::NotAnObject));
    }
    assert!(json::object(b" {} ").is_ok());
}

#[test]
fn members_are_found_by_their_meaning_and_only_once() {
    let text = br#"{"a":1,"\u0062":{"a":2,"a":3},"c":"x","c":"y","d":null}"#;
    let object = json::object(text).unwrap();
    assert!(matches!(object.get("a"), Ok(Some(Value::Number(n))) if n.text() == "1"));
    assert!(matches!(object.get("e"), Ok(None)));
    assert!(matches!(object.get("d"), Ok(Some(Value::Null))));
    assert_eq!(object.get("c").unwrap_err(), Duplicate { name: "c" });
    assert_eq!(
        object.fields(["d", "c"]).unwrap_err(),
        Duplicate { name: "c" }
    );
    // A duplicate that nobody asks for is legal JSON.
    let [d, b] = object.fields(["d", "b"]).unwrap();
    assert!(matches!(d, Some(Value::Null)));
    let Some(Value::Object(inner)) = b else {
        panic!("b is an object");
    };
    assert_eq!(inner.members().count(), 2);
    assert_eq!(inner.get("a").unwrap_err(), Duplicate { name: "a" });
    // The same name with and without escapes is the same name.
    let twice = json::object(br#"{"ab":1,"\u0061b":2}"#).unwrap();
    assert_eq!(twice.get("ab").unwrap_err(), Duplicate { name: "ab" });
}

/// What our views show, as serde_json would hold it.
fn to_serde(value: Value<'_>) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(bool) => bool.into(),
        Value::Number(number) => serde_json::from_str(number.text()).unwrap(),
        Value::String(string) => decoded(string).into(),
        Value::Array(array) => array.items().map(to_serde).collect(),
        Value::Object(object) => object
            .members()
            .map(|(name, value)| (decoded(name), to_serde(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// Both readers agree on whether `bytes` are JSON, and on what they say.
fn check_against_serde(bytes: &[u8]) -> Result<(), TestCaseError> {
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
    match (json::value(bytes), theirs) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(to_serde(ours), theirs),
        // serde_json converts numbers while it reads; a token it cannot hold is JSON all the same.
        (Ok(_), Err(error)) if error.to_string().starts_with("number out of range") => {}
        (Err(_), Err(_)) => {}
        (ours, theirs) => prop_assert!(
            false,
            "{:?}: {ours:?}, serde_json: {theirs:?}",
            String::from_utf8_lossy(bytes)
        ),
    }
    Ok(())
}

/// Bytes that mean something to JSON, or must not be there.
const MARKS: &[u8] = b"{}[]\",:\\u0e-.\0 d8";

/// A document in which names, escapes and white space come in all their spellings.
fn document() -> impl Strategy<Value = String> {
    let space = "[ \t\n\r]{0,2}";
    let string = r#""([a-cé😀]|\\u00[0-9a-fA-F]{2}|\\ud83d\\ude0[0-9]|\\["\\/bfnrt]){0,6}""#;
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        string,
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let spaced = (space, inner, space).prop_map(|(a, b, c)| [a, b, c].concat());
        let member = (space, string, space, spaced.clone())
            .prop_map(|(a, name, b, value)| [a, name, b, ":".into(), value].concat());
        prop_oneof![
            prop::collection::vec(spaced, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..4).prop_map(|m| format!("{{{}}}", m.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_say_what_serde_json_reads(document in document()) {
        prop_assert!(json::validate(document.as_bytes()).is_ok(), "{document}");
        check_against_serde(document.as_bytes())?;
        check_prefixes(document.as_bytes());
    }

    #[test]
    fn damaged_documents_are_refused_where_serde_json_refuses(
        document in document(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut bytes = document.into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len() + 1);
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => {
                    bytes.remove(at);
                }
                // More often than not something that means something to JSON.
                _ => bytes.insert(at, MARKS[usize::from(byte) % MARKS.len()]),
            }
        }
        check_against_serde(&bytes)?;
    }

    #[test]
    fn soup_of_tokens_is_judged_as_by_serde_json(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\\", "\"a\"", "1", "-", ".", "e", "0", "null", "true",
                "\\ud83d", "\\ude00", "\\u0041", " ", "\n", "é", "\u{1}", "[]", "{}", "\"\":",
            ]),
            0..12,
        ),
    ) {
        check_against_serde(tokens.concat().as_bytes())?;
    }

    #[test]
    fn what_is_written_is_read_again(text in any::<String>(), cut in any::<prop::sample::Index>()) {
        let mut memory = vec![0; text.len() * 6 + 2];
        let mut out = Out::new(&mut memory);
        json::write_str(&mut out, &text);
        // serde_json writes the same canonical spelling.
        prop_assert_eq!(out.written(), serde_json::to_vec(&text).unwrap());
        let Ok(Value::String(string)) = json::value(out.written()) else {
            panic!("{text:?} was not written as a string");
        };
        prop_assert!(string == *text);
        prop_assert_eq!(decoded(string), text.clone());

        let mut in_pieces = vec![0; text.len() * 6];
        let mut pieces = Out::new(&mut in_pieces);
        let (a, b) = text.as_bytes().split_at(cut.index(text.len() + 1));
        json::write_escaped(&mut pieces, a);
        json::write_escaped(&mut pieces, b);
        prop_assert_eq!(pieces.written(), string.escaped_text().as_bytes());
    }
}
