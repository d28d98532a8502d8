//! What signs a webhook: shown once, replaced on request, and the right one for each.

use crate::{HOOK, JOB, call, deliver_all, durable, is_signed, new_hook, types};
use dubhook_core::service::Report;

#[test]
fn a_secret_is_shown_when_it_is_made_and_never_again() {
    let mut machine = durable();
    let own = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let (path, secret) = new_hook(
        &mut machine,
        &HOOK.replace('}', &format!(r#","secret":"{own}"}}"#)),
    );
    assert_eq!(secret, own);
    let (other, made) = new_hook(&mut machine, HOOK);
    assert!(made.starts_with("whsec_") && made != own);
    for (method, path, body) in [
        ("GET", path.as_str(), ""),
        ("GET", "/v1/webhooks", ""),
        ("PATCH", &path, r#"{"description":"x","secret":"x"}"#),
        ("POST", &format!("{path}/test"), ""),
        ("GET", &format!("{path}/attempts"), ""),
        ("GET", &other, ""),
    ] {
        let answer = call(&mut machine, method, path, body);
        assert!(answer.status < 300);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(
            !text.contains("whsec_") && !text.contains("secret"),
            "{method} {path}: {text}"
        );
    }
    let debug = format!("{:?}", machine.server);
    assert!(!debug.contains("whsec_") && !debug.contains("MDEyMzQ1"));
}

#[test]
fn a_rotated_secret_is_new_and_the_old_one_signs_for_a_day() {
    let mut machine = durable();
    let (path, old) = new_hook(&mut machine, HOOK);
    let answer = call(&mut machine, "POST", &format!("{path}/rotate-secret"), "");
    assert_eq!(answer.status, 200);
    let new = answer.json()["secret"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    let test = format!("{path}/test");
    for (hours, old_signs) in [(0, true), (23, true), (25, false)] {
        machine.advance_ms(hours * 3_600_000 - machine.now.instant.as_ms().min(hours * 3_600_000));
        assert_eq!(call(&mut machine, "POST", &test, "").status, 202);
        let sent = deliver_all(&mut machine, 200);
        assert_eq!(sent.len(), 1);
        assert!(is_signed(&machine, &sent[0], &new));
        assert_eq!(
            is_signed(&machine, &sent[0], &old),
            old_signs,
            "after {hours} h"
        );
    }
}

#[test]
fn a_callback_is_signed_with_the_secret_that_its_asker_was_given() {
    let mut machine = durable();
    let body_text = JOB.replace('}', r#","callback_url":"http://127.0.0.1:3121/cb"}"#);
    let answer = call(&mut machine, "POST", "/v1/translations", &body_text);
    let secret = answer.json()["callback_secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = answer.field("location").unwrap();
    let shown = String::from_utf8(call(&mut machine, "GET", path, "").body).unwrap();
    assert!(!shown.contains("secret"), "{shown}");
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Failed("The video has no sound."));
    let sent = deliver_all(&mut machine, 200);
    assert_eq!(
        types(&sent),
        [
            "translation.pending",
            "translation.processing",
            "translation.error"
        ]
    );
    for request in &sent {
        assert!(request.starts_with("POST /cb HTTP/1.1\r\nhost: 127.0.0.1:3121\r\n"));
        assert!(is_signed(&machine, request, &secret));
        assert!(!request.contains("whsec_"));
    }
    // Without a callback there is no secret to show.
    let answer = call(&mut machine, "POST", "/v1/translations", JOB);
    assert_eq!(answer.json().get("callback_secret"), None);
}
