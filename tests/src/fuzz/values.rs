//! JSON, URLs, signatures.

use super::Script;
use dubhook_core::{
    address::{Class, Guard, classify},
    json::{self, ReadErrorKind, Str, Value},
    model::{Event, Problem, Webhook},
    out::Out,
    signature::{Headers, MessageId, Secret, TOLERANCE_S, verify, write_header},
    time::Timestamp,
    url::{Host, Url, is_absolute_uri},
};
use std::net::IpAddr;

/// JSON: accepts what `serde_json` accepts and nothing else, and both read the same strings. What is written is read
/// back the same.
pub fn json(bytes: &[u8]) {
    let ours = json::value(bytes);
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
    match (&ours, &theirs) {
        (Ok(value), Ok(other)) => agree(*value, other, 0),
        (Err(error), Err(_)) => assert!(error.offset <= bytes.len()),
        // Deeper than we go.
        (Err(error), Ok(_)) => assert_eq!(error.kind, json::ErrorKind::TooDeep),
        // It also wants numbers that fit into its own.
        (Ok(_), Err(error)) => assert!(error.to_string().starts_with("number out of range")),
    }
    assert_eq!(json::validate(bytes).is_ok(), ours.is_ok());
    typed(bytes, &theirs);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let mut memory = vec![0; 6 * text.len() + 2];
        let mut out = Out::new(&mut memory);
        json::write_str(&mut out, text);
        let written: String = serde_json::from_slice(out.written()).expect("JSON");
        assert_eq!(written, text);
    }
}

/// Typed values: what is read with memory for decoding is what `serde_json` reads, and is read again when it was written.
fn typed(bytes: &[u8], theirs: &serde_json::Result<serde_json::Value>) {
    let mut memory = vec![0; bytes.len()];
    match json::from_slice_in::<serde_json::Value>(bytes, &mut memory) {
        Ok(ours) => alike(&ours, theirs.as_ref().expect("JSON")),
        // It makes a float of an integer that is too large.
        Err(error) => {
            let is_json = json::validate(bytes).is_ok();
            assert!(!is_json || error.kind == ReadErrorKind::Range, "{error}");
            assert!(error.offset <= bytes.len());
        }
    }
    let lent = json::from_slice::<Event<Str<'_>>>(bytes);
    let mut memory = vec![0; bytes.len()];
    match json::from_slice_in::<Event<String>>(bytes, &mut memory) {
        Ok(event) => {
            let lent = lent.expect("an event");
            assert_eq!(lent.timestamp, event.timestamp);
            assert_eq!(lent.translation().is_some(), event.translation().is_some());
            let mut written = vec![0; 6 * bytes.len() + 1_024];
            let len = json::to_slice(&event, &mut written).expect("room");
            let mut memory = vec![0; len];
            let again = json::from_slice_in(&written[..len], &mut memory);
            assert_eq!(again.as_ref(), Ok(&event));
        }
        // The name of an unknown type with escapes is lent by nobody.
        Err(error) => assert!(lent.is_err(), "{error}"),
    }
    let _ = json::from_slice::<Webhook<Str<'_>>>(bytes);
    let _ = json::from_slice::<Problem<Str<'_>>>(bytes);
}

/// Whether two readings are the same, as far as floats are: `serde_json` may be off by one bit.
fn alike(ours: &serde_json::Value, theirs: &serde_json::Value) {
    use serde_json::Value as Either;
    match (ours, theirs) {
        (Either::Number(ours), Either::Number(theirs)) if ours != theirs => {
            let (ours, theirs) = (ours.as_f64().expect("f64"), theirs.as_f64().expect("f64"));
            assert!((ours - theirs).abs() <= theirs.abs() * f64::EPSILON);
        }
        (Either::Array(ours), Either::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            ours.iter()
                .zip(theirs)
                .for_each(|(ours, theirs)| alike(ours, theirs));
        }
        (Either::Object(ours), Either::Object(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            for (name, ours) in ours {
                alike(ours, &theirs[name]);
            }
        }
        (ours, theirs) => assert_eq!(ours, theirs),
    }
}

/// Whether both mean the same. A name that stands twice means two things, and is for the caller to refuse.
fn agree(value: Value<'_>, other: &serde_json::Value, depth: u32) {
    use serde_json::Value as Other;
    assert!(depth <= json::DEPTH_MAX);
    match (value, other) {
        (Value::Null, Other::Null) => {}
        (Value::Bool(ours), Other::Bool(theirs)) => assert_eq!(ours, *theirs),
        (Value::Number(ours), Other::Number(theirs)) => {
            if let (Ok(ours), Some(theirs)) = (ours.as_u64(), theirs.as_u64()) {
                assert_eq!(ours, theirs);
            }
        }
        (Value::String(ours), Other::String(theirs)) => {
            assert!(ours.bytes().eq(theirs.bytes()));
            assert_eq!(ours.decoded_len(), theirs.len());
        }
        (Value::Array(ours), Other::Array(theirs)) => {
            assert_eq!(ours.items().count(), theirs.len());
            for (ours, theirs) in ours.items().zip(theirs) {
                agree(ours, theirs, depth + 1);
            }
        }
        (Value::Object(ours), Other::Object(theirs)) => {
            for (name, theirs) in theirs {
                if let Ok(ours) = ours.get(name) {
                    agree(ours.expect("a member"), theirs, depth + 1);
                }
            }
        }
        (ours, theirs) => panic!("{ours:?} is not {theirs}"),
    }
}

/// URLs and the address guard: what is accepted has one reading, can stand in a request, and only leads to the outside.
pub fn urls(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(url) = Url::parse(text, 2_048) else {
        return;
    };
    assert!(is_absolute_uri(text));
    let mut memory = [0; 2_100];
    let mut out = Out::new(&mut memory);
    url.write_host(&mut out);
    assert!(out.written().iter().all(u8::is_ascii_graphic));
    let host = String::from_utf8(out.written().to_vec()).expect("text");
    out.rewind(0);
    url.write_target(&mut out);
    let target = String::from_utf8(out.written().to_vec()).expect("text");
    assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!target.contains('#') && !host.contains(['@', '/', '?', '#']));

    // Read again from its parts, it is the same.
    let scheme = if text.as_bytes()[4] == b':' {
        "http"
    } else {
        "https"
    };
    let again = format!("{scheme}://{host}{target}");
    let again = Url::parse(&again, usize::MAX).expect("a URL");
    assert_eq!((again.host(), again.port()), (url.host(), url.port()));

    let guard = Guard::default();
    let literal = match url.host() {
        Host::V4(address) => Some(IpAddr::V4(address)),
        Host::V6(address) => Some(IpAddr::V6(address)),
        Host::Name(name) => {
            // A name is never an address in disguise: what resolvers take for one ends in a number.
            let last = name.rsplit('.').next().unwrap_or_default();
            assert!(last.parse::<u64>().is_err(), "{name}");
            None
        }
    };
    if guard.permits_url(&url) {
        assert!(literal.is_none_or(|address| classify(address) == Class::Global));
    }
    for private in [
        "127.0.0.1",
        "10.1.2.3",
        "::1",
        "fe80::1",
        "::ffff:127.0.0.1",
    ] {
        let private: IpAddr = private.parse().expect("an address");
        assert!(!guard.permits_answers(&url, [private]));
    }
}

/// Signatures: only what was signed verifies. The script damages a good message, or makes one up.
pub fn signatures(bytes: &[u8]) {
    const SENT_S: u64 = 1_795_510_800;
    let mut script = Script::new(bytes);
    let key = Secret::from_bytes(b"0123456789abcdef0123456789abcdef")
        .expect("a secret")
        .signing_key();
    let (kind, damaged, at, with) = (
        script.byte(),
        script.byte(),
        script.below(512),
        script.byte(),
    );
    let now = Timestamp::from_unix_ms((SENT_S + u64::from(script.byte()) * 2) * 1_000);
    let (id, timestamp, body) = (&b"evt_1"[..], SENT_S.to_string(), &b"{\"type\":\"x\"}"[..]);
    let mut memory = [0; 128];
    let mut out = Out::new(&mut memory);
    let message = MessageId::new(id).expect("an id");
    write_header(&mut out, [key.sign(message, SENT_S, body)]);
    let mut fields = [
        id.to_vec(),
        timestamp.into_bytes(),
        out.written().to_vec(),
        body.to_vec(),
    ];
    let good = fields.clone();
    let field = usize::from(damaged) % fields.len();
    match kind % 5 {
        0 => {}
        1 => {
            let at = at % fields[field].len();
            fields[field][at] = with;
        }
        2 => fields[field].insert(at % (good[field].len() + 1), with),
        3 => fields[field].truncate(at % good[field].len()),
        _ => fields[field] = script.take(usize::MAX).to_vec(),
    }
    let [id, timestamp, signature, body] = &fields;
    let headers = Headers {
        id,
        timestamp,
        signature,
    };
    let verified = verify(&headers, body, [&key], now, TOLERANCE_S);
    let age_s = now.as_unix_seconds() - SENT_S;
    let (others, sent) = ([id, timestamp, body], [&good[0], &good[1], &good[3]]);
    if verified.is_ok() {
        assert_eq!(others, sent, "what was not signed verifies");
        // Beside the good signature there may be others; it must be there.
        let mut members = signature.split(|byte| *byte == b' ');
        assert!(members.any(|member| member == good[2]));
        assert!(age_s <= TOLERANCE_S);
    } else if fields == good {
        assert!(age_s > TOLERANCE_S, "{verified:?}");
    }
}
