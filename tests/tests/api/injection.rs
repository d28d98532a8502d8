//! What callers say comes out as they said it, and as nothing else.

use crate::{call, new_job};
use dubhook_tests::machine::{Machine, body};

#[test]
fn no_line_of_a_head_can_be_brought_in() {
    let mut machine = Machine::volatile(1);
    for end in [r"\r\n", r"\n", r"\r", r"\u0000", r"\t", " ", r"\u007f"] {
        let injected = format!("{end}x-injected: 1");
        for url in [
            format!("http://127.0.0.1:3120/a{injected}"),
            format!("http://127.0.0.1:3120{injected}/"),
            format!("http://127.0.0.1{injected}:3120/"),
            format!("http{injected}://127.0.0.1:3120/"),
        ] {
            let hook = format!(r#"{{"url":"{url}"}}"#);
            assert_eq!(machine.call("POST", "/v1/webhooks", &hook).0, 422, "{url}");
            let ask =
                r#"{"video_url":"https://v.test/1.mp4","target_language":"es","callback_url""#;
            let ask = format!(r#"{ask}:"{url}"}}"#);
            assert_eq!(
                machine.call("POST", "/v1/translations", &ask).0,
                422,
                "{url}"
            );
        }
        for (video, language) in [(&*injected, ""), ("", &*injected)] {
            let ask = format!(
                r#"{{"video_url":"https://v.test/1.mp4{video}","target_language":"es{language}"}}"#
            );
            assert_eq!(
                machine.call("POST", "/v1/translations", &ask).0,
                422,
                "{ask}"
            );
        }
    }
    assert_eq!(machine.server.service().jobs_len(), 0);
    assert_eq!(machine.server.service().endpoints_len(), 0);
}

#[test]
fn free_text_stays_inside_its_string() {
    let mut machine = Machine::volatile(1);
    let hook = r#"{"url":"http://127.0.0.1:3120/hook"}"#;
    assert_eq!(machine.call("POST", "/v1/webhooks", hook).0, 201);
    let text = "\r\nx-in: 1\r\n\r\n\",\"id\":\"o\u{7f}";
    let ask = serde_json::json!({
        "video_url": "https://v.test/1.mp4", "target_language": "es", "reference": text,
    });
    let (status, job) = machine.call("POST", "/v1/translations", &ask.to_string());
    assert_eq!((status, &job["reference"]), (202, &text.into()), "{job}");
    machine.commit();
    let (_, request) = machine.attempt().expect("an attempt");
    let (head, payload) = request.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("x-in"), "{head}");
    assert!(
        !payload.contains(|c: char| c.is_ascii_control() && c != '\u{7f}'),
        "{payload}"
    );
    assert_eq!(body(&request)["data"]["reference"], text);
    assert_eq!(body(&request)["data"]["id"], job["id"]);
}

#[test]
fn nothing_that_comes_in_can_add_a_line_to_what_goes_out() {
    let mut machine = Machine::volatile(1);
    let evil = r"\r\nx-evil: 1\r\n\r\n";
    let body = format!(r#"{{"video_url":"a:b","target_language":"es","reference":"{evil}"}}"#);
    let answer = call(&mut machine, "POST", "/v1/translations", &body);
    assert_eq!(answer.status, 202);
    assert_eq!(answer.field("x-evil"), None);
    assert_eq!(answer.json()["reference"], "\r\nx-evil: 1\r\n\r\n");
    assert!(!answer.body.contains(&b'\r') && !answer.body.contains(&b'\n'));
    for body in [
        format!(r#"{{"video_url":"https://a/{evil}","target_language":"es"}}"#),
        format!(r#"{{"video_url":"a:b","target_language":"es{evil}"}}"#),
        format!(
            r#"{{"video_url":"a:b","target_language":"es","callback_url":"http://127.0.0.1/{evil}"}}"#
        ),
    ] {
        assert_eq!(
            call(&mut machine, "POST", "/v1/translations", &body).status,
            422
        );
    }
    let body = format!(r#"{{"url":"http://127.0.0.1/{evil}"}}"#);
    assert_eq!(
        call(&mut machine, "POST", "/v1/webhooks", &body).status,
        422
    );
    // What a worker says is no more trusted.
    let job = new_job(&mut machine);
    let id = machine.start_job().unwrap();
    let _ = machine.start_job();
    machine.report(id, dubhook_core::service::Report::Failed("no\r\nx-evil: 1"));
    let shown = call(&mut machine, "GET", "/v1/translations?status=error", "");
    assert!(!shown.body.contains(&b'\n'), "{job}");
}
