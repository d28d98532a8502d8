//! Who may call.

use crate::{HOOK, JOB, check_problem};
use dubhook_core::{client, server::ApiKey};
use dubhook_smol::{client::Client, server::Server};
use dubhook_tests::{
    caller::{Caller, ask, config_with_keys, request},
    machine::Machine,
};

fn machine(keys: &[&str]) -> Machine {
    let keys: Vec<_> = keys.iter().map(|key| ApiKey::new(key)).collect();
    Machine::sized::<8, 4, 4>(config_with_keys(keys.leak()))
}

#[test]
fn a_key_opens_and_nothing_else_does() {
    let mut machine = machine(&["first", "second"]);
    // RFC 6750, section 3: who sent no key, or nothing that is looked at, is told of no error.
    const NONE: Option<&str> = Some("Bearer");
    const WRONG: Option<&str> = Some(r#"Bearer error="invalid_token""#);
    for (fields, challenge) in [
        ("authorization: Bearer first\r\n", None),
        ("authorization: Bearer second\r\n", None),
        ("AUTHORIZATION: bearer second\r\n", None),
        ("authorization: BEARER   second  \r\n", None),
        ("", NONE),
        ("authorization:\r\n", NONE),
        ("authorization: Bearer\r\n", NONE),
        ("authorization: Bearer \r\n", NONE),
        ("authorization: Bearer firs\r\n", WRONG),
        ("authorization: Bearer first1\r\n", WRONG),
        ("authorization: Bearer First\r\n", WRONG),
        ("authorization: Bearer first second\r\n", WRONG),
        ("authorization: first\r\n", NONE),
        ("authorization: Bearerfirst\r\n", NONE),
        ("authorization: Bearer\tfirst\r\n", NONE),
        ("authorization: Basic Zmlyc3Q6c2Vjb25k\r\n", NONE),
        ("authorization: Token first\r\n", NONE),
        ("authorization: Bearer first, Bearer second\r\n", WRONG),
        (
            "authorization: Bearer first\r\nauthorization: Bearer first\r\n",
            WRONG,
        ),
        (
            "authorization: Bearer first\r\nauthorization: Bearer wrong\r\n",
            WRONG,
        ),
        ("x-authorization: Bearer first\r\n", NONE),
        ("proxy-authorization: Bearer first\r\n", NONE),
        ("authorization: Bearer \u{e9}\r\n", WRONG),
    ] {
        let answer = ask(&mut machine, "GET", "/v1/translations", fields, "");
        if challenge.is_none() {
            assert_eq!(answer.status, 200, "{fields}");
        } else {
            check_problem(&answer, 401, "unauthorized", None);
            assert_eq!(answer.field("www-authenticate"), challenge, "{fields}");
        }
    }
}

#[test]
fn without_a_key_nobody_learns_or_changes_anything() {
    let mut machine = machine(&["key"]);
    for (method, path, body) in [
        ("GET", "/v1/translations", ""),
        ("HEAD", "/v1/translations", ""),
        ("POST", "/v1/translations", JOB),
        ("POST", "/v1/translations", "{"),
        ("PUT", "/v1/translations", ""),
        ("OPTIONS", "/v1/translations", ""),
        ("GET", "/v1/translations/job_0", ""),
        ("POST", "/v1/translations/job_0/cancel", ""),
        ("POST", "/v1/webhooks", HOOK),
        ("DELETE", "/v1/webhooks/ep_0", ""),
        ("GET", "/v1/webhooks/ep_0/attempts", ""),
        ("GET", "/v1/events", ""),
        ("GET", "/v1/nothing", ""),
        ("GET", "/v1/", ""),
    ] {
        let answer = ask(&mut machine, method, path, "", body);
        assert_eq!(answer.status, 401, "{method} {path}");
    }
    assert_eq!(machine.server.service().jobs_len(), 0);
    assert_eq!(machine.server.service().endpoints_len(), 0);
    // A client that waits before it sends its body learns as much.
    for path in ["/v1/translations", "/v1/nothing"] {
        let mut caller = Caller::open(&mut machine);
        let head = request(
            "POST",
            path,
            "expect: 100-continue\r\ncontent-length: 2\r\n",
            "",
        );
        caller.send(&mut machine, &head);
        assert_eq!(caller.answers()[0].status, 401, "{path}");
        machine.server.close(caller.id);
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(&mut machine, "GET", path, "", "").status, 200);
    }
    check_problem(
        &ask(&mut machine, "GET", "/status", "", ""),
        404,
        "no_job",
        None,
    );
}

#[test]
fn a_key_shows_up_nowhere() {
    let shown = format!("{:?}", ApiKey::new("very secret"));
    assert_eq!(shown, "ApiKey");
    let server = client::Server::parse("http://127.0.0.1:8000").unwrap();
    let shown = format!("{:?}", server.with_key("very-secret").unwrap());
    assert!(shown.contains("127.0.0.1") && !shown.contains("very-secret"));
    let shown = format!("{:?}", Client::new("http://a").api_key("very-secret"));
    assert!(shown.contains("http://a") && !shown.contains("very-secret"));
}

#[test]
fn what_secrets_are_made_from_shows_up_nowhere() {
    let shown = format!("{:?}", Server::builder().seed([177; 32]));
    assert!(
        shown.contains("limits") && !shown.contains("177"),
        "{shown}"
    );
    let mut machine = machine(&[]);
    let (_, hook) = machine.call("POST", "/v1/webhooks", HOOK);
    let secret = hook["secret"].as_str().unwrap();
    let shown = format!("{:?}", machine.server);
    assert!(
        !shown.contains(secret) && !shown.contains("master"),
        "{shown}"
    );
}
