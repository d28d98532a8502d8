//! Standard Webhooks `v1`: the case tables, rotation, and the official Rust library as the other side.

use std::time::{SystemTime, UNIX_EPOCH};

use dubhook_core::out::Out;
use dubhook_core::signature::{
    Headers, MessageId, Secret, SecretError, Signature, SigningKey, TOLERANCE_S, VerifyError,
    verify, write_header,
};
use dubhook_core::time::Timestamp;
use dubhook_tests::cases;
use serde::Deserialize;
use standardwebhooks::Webhook;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Case {
    Sign {
        name: String,
        secret: String,
        id: String,
        ts: u64,
        #[serde(deserialize_with = "cases::base64")]
        body_b64: Vec<u8>,
        expect: String,
        #[serde(rename = "why")]
        _why: String,
        #[serde(rename = "source")]
        _source: String,
    },
    Verify {
        name: String,
        secret: String,
        headers: Vec<(String, String)>,
        #[serde(deserialize_with = "cases::base64")]
        body_b64: Vec<u8>,
        now: u64,
        tolerance_s: u64,
        expect: String,
        #[serde(rename = "why")]
        _why: String,
        #[serde(rename = "source")]
        _source: String,
    },
}

/// Rows that need scheme `v1a`, and what we do instead: their keys are no secrets here.
const NEEDS_V1A: [&str; 3] = [
    "sign-official-v1a",
    "v1a-malleable-s-plus-l",
    "v1a-small-order-key",
];

fn header(signatures: &[Signature]) -> String {
    let mut memory = [0; 256];
    let mut out = Out::new(&mut memory);
    write_header(&mut out, signatures.iter().copied());
    assert!(!out.is_full());
    String::from_utf8(out.written().to_vec()).unwrap()
}

fn sign(secret: &str, id: &str, ts: u64, body: &[u8]) -> String {
    let Ok(secret) = Secret::parse(secret) else {
        return "refuse:bad_secret".into();
    };
    let Some(id) = MessageId::new(id.as_bytes()) else {
        return "refuse:bad_id".into();
    };
    header(&[secret.signing_key().sign(id, ts, body)])
}

fn verdict(
    secret: &str,
    fields: &[(String, String)],
    body: &[u8],
    now_s: u64,
    tolerance_s: u64,
) -> &'static str {
    let Ok(secret) = Secret::parse(secret) else {
        return "reject:bad_secret";
    };
    let fields = fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()));
    let now = Timestamp::from_unix_ms(now_s * 1_000);
    let verified = Headers::from_fields(fields).and_then(|headers| {
        verify(&headers, body, &[secret.signing_key()], now, tolerance_s).map(|v| v.timestamp)
    });
    match verified {
        Ok(_) => "ok",
        Err(VerifyError::MissingHeader) => "reject:missing_header",
        Err(VerifyError::DuplicateHeader) => "reject:duplicate_header",
        Err(VerifyError::BadId) => "reject:bad_id",
        Err(VerifyError::BadTimestamp) => "reject:bad_timestamp",
        Err(VerifyError::TooOld) => "reject:too_old",
        Err(VerifyError::TooNew) => "reject:too_new",
        Err(VerifyError::TooMany) => "reject:too_many",
        Err(VerifyError::NoMatch) => "reject:no_match",
    }
}

fn check(case: &Case) {
    let (name, secret, expect, got) = match case {
        Case::Sign {
            name,
            secret,
            id,
            ts,
            body_b64,
            expect,
            ..
        } => (name, secret, expect, sign(secret, id, *ts, body_b64)),
        Case::Verify {
            name,
            secret,
            headers,
            body_b64,
            now,
            tolerance_s,
            expect,
            ..
        } => {
            let got = verdict(secret, headers, body_b64, *now, *tolerance_s);
            (name, secret, expect, got.to_owned())
        }
    };
    if NEEDS_V1A.contains(&name.as_str()) {
        let refused = Secret::parse(secret).err();
        assert_eq!(refused, Some(SecretError::Asymmetric), "{name}");
        assert!(got.ends_with(":bad_secret"), "{name}: {got}");
    } else {
        assert_eq!(&got, expect, "{name}");
    }
}

#[test]
fn every_case_signs_or_verifies_as_expected() {
    let table: Vec<Case> = cases::read("webhook_sig_cases.jsonl");
    table.iter().for_each(check);
    let v1a = table.iter().filter(|case| match case {
        Case::Sign { name, .. } | Case::Verify { name, .. } => NEEDS_V1A.contains(&name.as_str()),
    });
    assert_eq!(
        v1a.count(),
        NEEDS_V1A.len(),
        "each exception is in the table"
    );
}

#[test]
fn every_edge_case_signs_or_verifies_as_expected() {
    let table: Vec<Case> = cases::read("webhook_sig_edge_cases.jsonl");
    table.iter().for_each(check);
}

fn keys() -> [SigningKey; 3] {
    [1, 2, 3].map(|n| Secret::from_random([n; 32]).signing_key())
}

#[test]
fn during_a_rotation_either_side_may_still_have_the_old_key() {
    let id = MessageId::new(b"evt_1").unwrap();
    let [old, new, other] = keys();
    let now = Timestamp::from_unix_ms(1_700_000_000_000);
    let both = header(&[&new, &old].map(|key| key.sign(id, now.as_unix_seconds(), b"{}")));
    let one = header(&[old.sign(id, now.as_unix_seconds(), b"{}")]);
    let verified = |signature: &str, keys: &[&SigningKey]| {
        let headers = Headers {
            id: b"evt_1",
            timestamp: b"1700000000",
            signature: signature.as_bytes(),
        };
        verify(&headers, b"{}", keys.iter().copied(), now, TOLERANCE_S)
            .map(|verified| verified.timestamp)
    };
    assert_eq!(verified(&both, &[&old]), Ok(now));
    assert_eq!(verified(&both, &[&new]), Ok(now));
    assert_eq!(verified(&one, &[&new, &old]), Ok(now));
    assert_eq!(verified(&both, &[&other]), Err(VerifyError::NoMatch));
    assert_eq!(verified(&both, &[]), Err(VerifyError::NoMatch));
}

#[test]
fn every_flipped_bit_of_a_message_is_noticed() {
    let [key, ..] = keys();
    let id = MessageId::new(b"evt_1").unwrap();
    let body = br#"{"type":"translation.completed"}"#;
    let signature = header(&[key.sign(id, 1_700_000_000, body)]);
    let now = Timestamp::from_unix_ms(1_700_000_000_000);
    let parts: [&[u8]; 4] = [b"evt_1", b"1700000000", signature.as_bytes(), body];
    for part in 0..parts.len() {
        for bit in 0..parts[part].len() * 8 {
            let mut changed = parts.map(<[u8]>::to_vec);
            changed[part][bit / 8] ^= 1 << (bit % 8);
            let [id, timestamp, signature, body] = &changed;
            let headers = Headers {
                id,
                timestamp,
                signature,
            };
            let refused = verify(&headers, body, [&key], now, u64::MAX).is_err();
            assert!(refused, "part {part}, bit {bit}");
        }
    }
}

/// The official library reads the clock itself, so both sides sign for the present.
#[test]
fn the_official_library_and_we_take_each_others_signatures() {
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let now = Timestamp::from_unix_ms(now_s * 1_000);
    for len in [24usize, 32, 33, 64] {
        let secret = Secret::from_bytes(&vec![len as u8; len]).unwrap();
        let mut memory = [0; 128];
        let mut out = Out::new(&mut memory);
        secret.write_text(&mut out);
        let text = std::str::from_utf8(out.written()).unwrap();
        let theirs = Webhook::new(text).unwrap();
        let ours = secret.signing_key();
        for body_len in [0, 1, 31, 63, 64, 65, 300, 4_000] {
            let body = "é".repeat(body_len);
            let id = format!("evt_{len}-{body_len}");
            let message_id = MessageId::new(id.as_bytes()).unwrap();

            let our_signature = header(&[ours.sign(message_id, now_s, body.as_bytes())]);
            let mut fields = http::HeaderMap::new();
            fields.insert("webhook-id", id.parse().unwrap());
            fields.insert("webhook-timestamp", now_s.to_string().parse().unwrap());
            fields.insert("webhook-signature", our_signature.parse().unwrap());
            assert!(theirs.verify(body.as_bytes(), &fields).is_ok(), "{id}");

            let their_signature = theirs.sign(&id, now_s as i64, body.as_bytes()).unwrap();
            assert_eq!(their_signature, our_signature);
            let timestamp = now_s.to_string();
            let headers = Headers {
                id: id.as_bytes(),
                timestamp: timestamp.as_bytes(),
                signature: their_signature.as_bytes(),
            };
            let verified = verify(&headers, body.as_bytes(), [&ours], now, TOLERANCE_S);
            assert_eq!(verified.map(|v| v.id), Ok(message_id));
        }
    }
}
