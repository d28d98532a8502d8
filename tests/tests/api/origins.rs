//! What a web page of somebody else's may do with a server that asks for no key: read the answers of nothing, and
//! change nothing.

use crate::{HOOK, JOB, check_problem};
use dubhook_core::server::ApiKey;
use dubhook_tests::{
    caller::{Answer, Caller, ask, config_with_keys, request},
    machine::Machine,
};

/// What the requests are sent to.
const HOST: &str = "127.0.0.1:8000";

/// Sends a body as it is; its type is among the fields, if it has one.
fn post(machine: &mut Machine, path: &str, fields: &str, body: &str) -> Answer {
    let mut caller = Caller::open(machine);
    let len = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {HOST}\r\n{fields}content-length: {len}\r\n\r\n{body}"
    );
    caller.send(machine, request.as_bytes());
    let answer = caller.answers().swap_remove(0);
    machine.server.close(caller.id);
    answer
}

#[test]
fn a_webhook_that_comes_back_is_refused() {
    let mut machine = Machine::volatile(1);
    const ID: &str = "webhook-id: evt_1\r\n";
    const SIGNATURE: &str = "webhook-signature: v1,AAAA\r\n";
    for path in ["/v1/translations", "/v1/webhooks/x/test", "/v1/nothing"] {
        let fields = format!("{ID}webhook-timestamp: 1\r\n{SIGNATURE}");
        let answer = post(&mut machine, path, &fields, JOB);
        check_problem(&answer, 403, "webhook_loop", None);
    }
    // One of them says nothing, and what is no part of the API is nobody's to be called in a circle.
    let media_type = "content-type: application/json\r\n";
    for fields in [ID, SIGNATURE] {
        let answer = post(
            &mut machine,
            "/v1/translations",
            &format!("{fields}{media_type}"),
            JOB,
        );
        assert_eq!(answer.status, 202);
    }
}

#[track_caller]
fn check(fields: &str, allowed: bool) {
    let mut machine = Machine::volatile(1);
    for (path, body) in [("/v1/translations", JOB), ("/v1/webhooks", HOOK)] {
        // Of no type, as a page may send it without asking first; and of a type that it has to ask for.
        for media_type in ["", "content-type: application/json\r\n"] {
            let fields = format!("{fields}{media_type}");
            let answer = post(&mut machine, path, &fields, body);
            if allowed {
                assert_eq!(answer.status / 100, 2, "{fields}");
            } else {
                check_problem(&answer, 403, "cross_origin", None);
            }
        }
        assert_eq!(ask(&mut machine, "GET", path, fields, "").status, 200);
    }
    let made = if allowed { 2 } else { 0 };
    assert_eq!(machine.server.service().jobs_len(), made);
    assert_eq!(machine.server.service().endpoints_len(), made);
}

#[test]
fn a_page_of_another_origin_changes_nothing() {
    // A browser that says whose page it is, over https and on this machine.
    for site in ["cross-site", "same-site", "", "Same-Origin"] {
        check(&format!("sec-fetch-site: {site}\r\n"), false);
        let own = format!("sec-fetch-site: {site}\r\norigin: http://{HOST}\r\n");
        check(&own, false);
    }
    check(
        "sec-fetch-site: none\r\nsec-fetch-site: cross-site\r\n",
        false,
    );
    // One that does not: it names the page's origin.
    for origin in [
        "http://evil.test",
        "http://127.0.0.1:8001",
        "http://127.0.0.1",
        "http://evil.test/127.0.0.1:8000",
        "http://127.0.0.1:8000.evil.test",
        "http://127.0.0.1:8000@evil.test",
        "ftp://127.0.0.1:8000",
        "127.0.0.1:8000",
        "null",
        "",
    ] {
        check(&format!("origin: {origin}\r\n"), false);
    }
    check(
        "origin: http://127.0.0.1:8000\r\norigin: http://evil.test\r\n",
        false,
    );
}

#[test]
fn the_servers_own_page_and_programs_do() {
    check("", true);
    check("sec-fetch-site: none\r\n", true);
    // A proxy may have given the request another host than the page has.
    check(
        "sec-fetch-site: same-origin\r\norigin: https://dub.test\r\n",
        true,
    );
    check(&format!("origin: http://{HOST}\r\n"), true);
    check(&format!("origin: https://{HOST}\r\n"), true);
}

#[test]
fn a_host_is_compared_as_hosts_are() {
    for (host, origin, status) in [
        ("Dub.Test", "http://dub.test", 202),
        ("dub.test:80", "http://dub.test", 403),
        ("[::1]:8000", "http://[::1]:8000", 202),
        ("[::1]:8000", "http://[::2]:8000", 403),
    ] {
        let mut machine = Machine::volatile(1);
        let mut caller = Caller::open(&mut machine);
        let len = JOB.len();
        let request = format!(
            "POST /v1/translations HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\n\
             content-length: {len}\r\n\r\n{JOB}"
        );
        caller.send(&mut machine, request.as_bytes());
        assert_eq!(caller.answers()[0].status, status, "{host} {origin}");
    }
}

#[test]
fn a_page_that_asks_before_it_sends_a_body_is_refused_at_once() {
    let mut machine = Machine::volatile(1);
    let mut caller = Caller::open(&mut machine);
    let head = request(
        "POST",
        "/v1/translations",
        "origin: http://evil.test\r\nexpect: 100-continue\r\ncontent-length: 2\r\n",
        "",
    );
    caller.send(&mut machine, &head);
    check_problem(&caller.answers()[0], 403, "cross_origin", None);
}

#[test]
fn where_a_key_is_asked_for_it_decides_alone() {
    let keys = vec![ApiKey::new("key")].leak();
    let mut machine = Machine::sized::<8, 4, 4>(config_with_keys(keys));
    let fields = "origin: http://evil.test\r\nauthorization: Bearer key\r\n";
    let answer = ask(&mut machine, "POST", "/v1/translations", fields, JOB);
    assert_eq!(answer.status, 202);
    let fields = "origin: http://evil.test\r\n";
    let answer = ask(&mut machine, "POST", "/v1/translations", fields, JOB);
    check_problem(&answer, 401, "unauthorized", None);
}
