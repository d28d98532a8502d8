//! What the machine answers, sends and takes, beside what is described.

use super::last;
use crate::{HOOK, JOB, call, deliver_all, durable, new_hook, new_job};
use dubhook_core::service::Report;
use dubhook_tests::{
    caller::{Answer, ask},
    described::{description, fits, members, names, resolve, schema},
    machine::{Machine, body, field},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Makes a call and checks that its answer is described: the status, its fields, its body. `at` is the path as it is
/// described.
#[track_caller]
fn check(
    machine: &mut Machine,
    method: &str,
    at: &str,
    id: &str,
    body: &str,
    status: u16,
) -> Answer {
    let doc = description();
    let (path, query) = at.split_once('?').unwrap_or((at, ""));
    let operation = &doc["paths"][path][method.to_lowercase()];
    let target = format!("{path}?{query}").replace("{id}", id);
    let answer = call(machine, method, target.trim_end_matches('?'), body);
    assert_eq!(
        answer.status, status,
        "{method} {target}: {:?}",
        answer.body
    );
    let responses = &operation["responses"];
    let known = responses.get(status.to_string());
    assert!(
        known.is_some() || status >= 400,
        "{method} {at}: {status} is not described"
    );
    let response = resolve(&doc, known.unwrap_or(&responses["default"]));
    if known.is_some() {
        for name in names(&response["headers"]) {
            let name = name.to_lowercase();
            assert!(answer.field(&name).is_some(), "{method} {at}: {name}");
        }
    }
    let Some((kind, content)) = response["content"]
        .as_object()
        .and_then(|kinds| kinds.iter().next())
    else {
        assert!(
            answer.body.is_empty(),
            "{method} {at}: its body is not described"
        );
        return answer;
    };
    assert!(
        answer
            .field("content-type")
            .is_some_and(|found| found.starts_with(kind)),
        "{method} {at}"
    );
    if kind.ends_with("json") {
        let fit = fits(&doc, &content["schema"], &answer.json());
        assert_eq!(fit, Ok(()), "{method} {at}: {status}");
    }
    answer
}

#[test]
fn calls_are_answered_as_described() {
    let mut machine = durable();
    let m = &mut machine;
    check(m, "GET", "/status", "", "", 404);
    check(m, "GET", "/healthz", "", "", 200);
    check(m, "GET", "/readyz", "", "", 200);
    check(m, "GET", "/metrics", "", "", 200);
    let hook = check(m, "POST", "/v1/webhooks", "", HOOK, 201);
    let hook = last(hook.field("location").unwrap());
    let callback = r#"{"video_url":"https://v.test/1.mp4","target_language":"es","source_language":"en","reference":"order-17","callback_url":"http://127.0.0.1:3121/"}"#;
    let job = check(m, "POST", "/v1/translations", "", callback, 202);
    let job = last(job.field("location").unwrap());
    check(
        m,
        "POST",
        "/v1/webhooks",
        "",
        &format!(r#"{{"url":"http://127.0.0.1:3122/","job":"{job}"}}"#),
        201,
    );
    check(m, "GET", "/status", "", "", 200);
    deliver_all(m, 204);
    for end in ["completed", "error", "canceled"] {
        let id = last(&new_job(m));
        check(m, "GET", "/v1/translations/{id}", &id, "", 200);
        match end {
            "canceled" => drop(check(
                m,
                "POST",
                "/v1/translations/{id}/cancel",
                &id,
                "",
                200,
            )),
            _ => {
                let started = std::iter::from_fn(|| m.start_job()).last().unwrap();
                let completed = Report::Completed("https://v.test/1.es.mp4");
                m.report(
                    started,
                    if end == "completed" {
                        completed
                    } else {
                        Report::Failed("no")
                    },
                );
            }
        }
        m.commit();
        check(m, "GET", "/v1/translations/{id}", &id, "", 200);
    }
    check(m, "GET", "/v1/translations?limit=2", "", "", 200);
    check(m, "GET", "/v1/translations", "", "", 200);
    check(m, "GET", "/v1/webhooks", "", "", 200);
    check(m, "GET", "/v1/webhooks/{id}", &hook, "", 200);
    check(
        m,
        "PATCH",
        "/v1/webhooks/{id}",
        &hook,
        r#"{"description":"x","events":["*"]}"#,
        200,
    );
    check(m, "POST", "/v1/webhooks/{id}/rotate-secret", &hook, "", 200);
    check(m, "POST", "/v1/webhooks/{id}/test", &hook, "", 202);
    deliver_all(m, 500);
    check(m, "GET", "/v1/webhooks/{id}/attempts", &hook, "", 200);
    check(
        m,
        "POST",
        "/v1/webhooks/{id}/redeliver",
        &hook,
        r#"{"since":"2026-11-24T09:00:00Z"}"#,
        202,
    );
    check(
        m,
        "PATCH",
        "/v1/webhooks/{id}",
        &hook,
        r#"{"enabled":false}"#,
        200,
    );
    check(m, "POST", "/v1/webhooks/{id}/test", &hook, "", 409);
    check(m, "POST", "/v1/webhooks/{id}/redeliver", &hook, "", 409);
    check(m, "DELETE", "/v1/webhooks/{id}", &hook, "", 204);

    let gone = last(&new_job(m));
    assert_eq!(
        call(m, "POST", &format!("/v1/translations/{gone}/cancel"), "").status,
        200
    );
    check(m, "POST", "/v1/translations/{id}/cancel", &gone, "", 409);
    for (method, at, body, status) in [
        ("GET", "/v1/translations/{id}", "", 404),
        ("POST", "/v1/translations/{id}/cancel", "", 404),
        ("GET", "/v1/webhooks/{id}", "", 404),
        ("PATCH", "/v1/webhooks/{id}", "{}", 404),
        ("DELETE", "/v1/webhooks/{id}", "", 404),
        ("POST", "/v1/webhooks/{id}/test", "", 404),
        ("POST", "/v1/webhooks/{id}/rotate-secret", "", 404),
        ("POST", "/v1/webhooks/{id}/redeliver", "", 404),
        ("GET", "/v1/webhooks/{id}/attempts", "", 404),
        ("POST", "/v1/translations", "{", 400),
        ("POST", "/v1/translations", "{}", 422),
        ("POST", "/v1/webhooks", "[]", 400),
        ("POST", "/v1/webhooks", r#"{"url":"http://10.0.0.1/"}"#, 422),
        ("GET", "/v1/translations?limit=0", "", 422),
        ("GET", "/v1/webhooks?cursor=x", "", 422),
    ] {
        check(m, method, at, "x", body, status);
    }
    let form = ask(
        m,
        "POST",
        "/v1/translations",
        "content-type: text/plain\r\n",
        JOB,
    );
    assert_eq!(form.status, 415);
    let full = (0..20)
        .map(|_| call(m, "POST", "/v1/translations", JOB))
        .find(|a| a.status == 503);
    assert_eq!(full.expect("no room at last").status, 503);
    check(m, "POST", "/v1/translations", "", JOB, 503);
    let doc = description();
    let unavailable = resolve(
        &doc,
        &doc["paths"]["/v1/translations"]["post"]["responses"]["503"],
    );
    assert_eq!(
        names(&unavailable["headers"]),
        BTreeSet::from(["Retry-After"])
    );
}

/// Every member that is described occurs, and those that must be there always do.
#[test]
fn members_are_exactly_those_described() {
    let doc = description();
    let check = |name: &str, found: &[Value]| {
        let (may, must) = members(schema(&doc, name));
        let may: BTreeSet<_> = may.iter().map(|(name, _)| *name).collect();
        let found: Vec<_> = found.iter().map(names).collect();
        let some = found.iter().flatten().copied().collect::<BTreeSet<_>>();
        let all = found.iter().fold(may.clone(), |all, one| &all & one);
        assert_eq!((some, all), (may, must), "{name}");
    };
    let mut machine = durable();
    let m = &mut machine;
    let path = new_job(m);
    let job = call(m, "GET", &path, "").json();
    let callback = JOB.replace('}', r#","callback_url":"http://127.0.0.1:3121/"}"#);
    let accepted =
        [JOB, callback.as_str()].map(|body| call(m, "POST", "/v1/translations", body).json());
    check("Job", std::slice::from_ref(&job));
    check("AcceptedJob", &accepted);
    let (hook, _) = new_hook(m, HOOK);
    let narrowed = format!(
        r#"{{"url":"http://127.0.0.1:3122/","job":"{}"}}"#,
        last(&path)
    );
    let narrowed = call(m, "POST", "/v1/webhooks", &narrowed).json();
    check("Webhook", &[call(m, "GET", &hook, "").json(), narrowed]);
    check(
        "Tested",
        &[call(m, "POST", &format!("{hook}/test"), "").json()],
    );
    check(
        "Redelivered",
        &[call(m, "POST", &format!("{hook}/redeliver"), "").json()],
    );
    let requests = deliver_all(m, 204);
    let attempts = call(m, "GET", &format!("{hook}/attempts"), "").json();
    check("AttemptList", std::slice::from_ref(&attempts));
    check("Attempt", attempts["data"].as_array().unwrap());
    check("JobList", &[call(m, "GET", "/v1/translations", "").json()]);
    check("WebhookList", &[call(m, "GET", "/v1/webhooks", "").json()]);
    let problems = ["{", "{}", "[]"].map(|body| call(m, "POST", "/v1/translations", body).json());
    check("Problem", &problems);

    // What the server sends is described too.
    let (tests, events): (Vec<_>, Vec<_>) = requests
        .iter()
        .map(|r| body(r))
        .partition(|event| event["type"] == "webhook.test");
    check("TestEvent", &tests);
    check("TranslationEvent", &events);
    for (name, events) in [("TestEvent", tests), ("TranslationEvent", events)] {
        for event in events {
            assert_eq!(fits(&doc, schema(&doc, name), &event), Ok(()));
        }
    }
    for sent in ["translation", "test"] {
        for parameter in doc["webhooks"][sent]["post"]["parameters"]
            .as_array()
            .unwrap()
        {
            let name = resolve(&doc, parameter)["name"].as_str().unwrap();
            assert!(
                requests
                    .iter()
                    .all(|request| !field(request, name).is_empty()),
                "{name}"
            );
        }
    }
}

#[test]
fn what_bodies_may_have_is_read_and_the_examples_are_good() {
    let doc = description();
    let mut machine = durable();
    for (path, name, status) in [
        ("/v1/translations", "NewJob", 202),
        ("/v1/webhooks", "NewWebhook", 201),
    ] {
        for example in schema(&doc, name)["examples"].as_array().expect("examples") {
            assert_eq!(fits(&doc, schema(&doc, name), example), Ok(()));
            assert_eq!(
                call(&mut machine, "POST", path, &example.to_string()).status,
                status
            );
        }
    }
    let (hook, _) = new_hook(&mut machine, HOOK);
    for (method, path, name) in [
        ("POST", "/v1/translations", "NewJob"),
        ("POST", "/v1/webhooks", "NewWebhook"),
        ("PATCH", &hook, "WebhookChange"),
        ("POST", &format!("{hook}/redeliver"), "Redelivery"),
    ] {
        let whole = match name {
            "NewJob" => json!({"video_url": "https://v.test/1.mp4", "target_language": "es"}),
            "NewWebhook" => json!({"url": "http://127.0.0.1:3123/"}),
            _ => json!({}),
        };
        let (may, must) = members(schema(&doc, name));
        assert_eq!(names(&whole), must, "{name}");
        for (member, _) in may {
            // A value of no type that any of them has is refused by name where the member is read at all.
            let mut wrong = whole.clone();
            wrong[member] = json!({"x": 1});
            let answer = call(&mut machine, method, path, &wrong.to_string());
            let problem = answer.json();
            assert_eq!(
                (answer.status, problem["field"].as_str()),
                (422, Some(member)),
                "{name}"
            );
        }
    }
}
