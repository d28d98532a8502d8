//! The API as openapi.json describes it, held against the machine.

use crate::{HOOK, JOB, call, deliver_all, durable, new_hook, new_job};
use dubhook_core::{
    address::BLOCKED_CODE,
    api,
    event::Kind,
    http::Method,
    job::Status,
    server::{ApiKey, Config},
    service::Report,
};
use dubhook_smol::pages;
use dubhook_tests::{
    caller::{Answer, ask, config_with_keys},
    machine::{Machine, body, config, field},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Described for what is being built, and not asked for here before it is there.
const TO_COME: [&str; 5] = [
    "/v1/events",
    "/v1/work/claim",
    "/v1/work/{id}/progress",
    "/v1/work/{id}/complete",
    "/v1/work/{id}/fail",
];
/// Codes of the same.
const CODES_TO_COME: [&str; 2] = ["lease_lost", "no_remote_workers"];
const METHODS: [(&str, Method); 4] = [
    ("get", Method::Get),
    ("post", Method::Post),
    ("patch", Method::Patch),
    ("delete", Method::Delete),
];

fn description() -> Value {
    let page = pages::ALL
        .iter()
        .find(|page| page.path() == "/openapi.json");
    serde_json::from_slice(page.expect("a page").body()).expect("JSON")
}

/// What `value` stands for: itself, or what it refers to.
fn resolve<'d>(doc: &'d Value, value: &'d Value) -> &'d Value {
    match value.get("$ref") {
        None => value,
        Some(target) => {
            let target = target.as_str().and_then(|target| target.strip_prefix('#'));
            doc.pointer(target.expect("a place in here"))
                .expect("something to refer to")
        }
    }
}

fn schema<'d>(doc: &'d Value, name: &str) -> &'d Value {
    &doc["components"]["schemas"][name]
}

/// The strings of a list, or the names of an object's members.
fn names(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Object(members) => members.keys().map(String::as_str).collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().expect("a name"))
            .collect(),
        _ => BTreeSet::new(),
    }
}

/// The members that an object of this schema may have and must have.
fn members<'d>(doc: &'d Value, of: &'d Value) -> (Vec<(&'d str, &'d Value)>, BTreeSet<&'d str>) {
    let (mut may, mut must) = (Vec::new(), BTreeSet::new());
    for part in of["allOf"].as_array().into_iter().flatten() {
        let (more, needed) = members(doc, resolve(doc, part));
        may.extend(more);
        must.extend(needed);
    }
    let own = of["properties"].as_object().into_iter().flatten();
    may.extend(own.map(|(name, schema)| (name.as_str(), schema)));
    must.extend(names(&of["required"]));
    (may, must)
}

/// Whether `value` is what its schema says, with no member more. `Err` says where it is not.
fn fits(doc: &Value, of: &Value, value: &Value) -> Result<(), String> {
    let of = resolve(doc, of);
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_one = match &of["type"] {
        Value::String(only) => only == kind,
        Value::Array(kinds) => kinds.iter().any(|known| known == kind),
        _ => true,
    };
    let in_enum = of["enum"]
        .as_array()
        .is_none_or(|known| known.contains(value));
    let is_const = of.get("const").is_none_or(|only| only == value);
    let number = value.as_i64();
    let least = of["minimum"]
        .as_i64()
        .is_none_or(|least| number >= Some(least));
    let most = of["maximum"]
        .as_i64()
        .is_none_or(|most| number <= Some(most));
    if !(is_one && in_enum && is_const && least && most) {
        return Err(format!("{value} is not {of}"));
    }
    if let Value::Array(items) = value {
        return items
            .iter()
            .try_for_each(|item| fits(doc, &of["items"], item));
    }
    let Value::Object(found) = value else {
        return Ok(());
    };
    let (may, must) = members(doc, of);
    if let Some(missing) = must.iter().find(|name| !found.contains_key(**name)) {
        return Err(format!("{missing} is missing in {value}"));
    }
    found.iter().try_for_each(|(name, value)| {
        let known = may.iter().find(|(known, _)| known == name);
        let (_, schema) = known.ok_or(format!("{name} is not described"))?;
        fits(doc, schema, value).map_err(|why| format!("{name}: {why}"))
    })
}

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

fn last(path: &str) -> String {
    path.rsplit('/').next().expect("an id").to_owned()
}

fn with_pages() -> Config<'static> {
    Config {
        pages: pages::ALL,
        ..config()
    }
}

#[test]
fn what_is_described_is_there() {
    let doc = description();
    let mut machine = Machine::sized::<4, 4, 4>(with_pages());
    for (path, operations) in doc["paths"].as_object().expect("paths") {
        if TO_COME.contains(&path.as_str()) && api::route(path).is_none() {
            continue;
        }
        for (method, _) in METHODS
            .iter()
            .filter(|(name, _)| operations.get(name).is_some())
        {
            let answer = call(
                &mut machine,
                &method.to_uppercase(),
                &path.replace("{id}", "x"),
                "",
            );
            assert_ne!(answer.status, 405, "{method} {path}");
            let is_lost = answer.status == 404 && answer.json()["code"] == "not_found";
            assert!(!is_lost, "{method} {path}");
        }
        assert!(
            names(operations)
                .iter()
                .all(|name| METHODS.iter().any(|(known, _)| known == name)),
            "{path}"
        );
    }
}

/// The string literals in a program's text, up to its tests.
fn literals(text: &str) -> BTreeSet<&str> {
    let text = text.split("#[cfg(test)]").next().expect("a program");
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .collect()
}

/// Paths are matched by words that stand in the router's text: so whatever of them can be put together and leads
/// somewhere must be described.
#[test]
fn what_is_there_is_described() {
    let doc = description();
    let words = literals(include_str!("../../../core/src/api/route.rs"));
    assert!(
        words.contains("/status") && words.contains("rotate-secret"),
        "{words:?}"
    );
    let mut paths: BTreeSet<String> = words.iter().map(|word| (*word).to_owned()).collect();
    for one in &words {
        let by_id = format!("/v1/{one}/{{id}}");
        for two in &words {
            paths.insert(format!("{by_id}/{two}"));
            // Where an id can stand, any word is taken for one.
            if api::route(&by_id).is_none() {
                paths.insert(format!("/v1/{one}/{two}"));
            }
        }
        paths.extend([format!("/v1/{one}"), by_id]);
    }
    let mut known = 0;
    for path in paths {
        let Some(resource) = api::route(&path) else {
            continue;
        };
        for (name, method) in METHODS {
            let is_described = !doc["paths"][&path][name].is_null();
            assert_eq!(
                is_described,
                resource.methods().has(method),
                "{name} {path}"
            );
        }
        known += 1;
    }
    assert!(known >= 12, "{known} paths");
}

#[test]
fn names_are_those_that_the_core_knows() {
    let doc = description();
    let check = |name: &str, expect: BTreeSet<&str>| {
        assert_eq!(names(&schema(&doc, name)["enum"]), expect, "{name}");
    };
    let statuses = [
        Status::Pending,
        Status::Processing,
        Status::Completed,
        Status::Error,
        Status::Canceled,
    ];
    check(
        "Status",
        statuses.iter().map(|status| status.as_str()).collect(),
    );
    check(
        "SimpleStatus",
        statuses.iter().map(|status| status.simple()).collect(),
    );
    let kinds: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    check("EventType", kinds.clone());
    check(
        "EventFilter",
        kinds
            .iter()
            .copied()
            .chain(["*", "translation.*"])
            .collect(),
    );
    let of_event = &schema(&doc, "TranslationEvent")["properties"]["type"]["enum"];
    let of_test = schema(&doc, "TestEvent")["properties"]["type"]["const"].as_str();
    assert_eq!(
        names(of_event)
            .into_iter()
            .chain(of_test)
            .collect::<BTreeSet<_>>(),
        kinds
    );

    // A code is all that is in small letters and underscores there, behind a status; one in a constant aside.
    let problems = literals(include_str!("../../../core/src/api/problem.rs"));
    let is_code = |text: &str| {
        text.contains(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    let labels = [
        "type", "title", "status", "code", "detail", "field", "offset", "defmt",
    ];
    let codes = problems
        .into_iter()
        .filter(|text| is_code(text) && !labels.contains(text));
    check(
        "ProblemCode",
        codes.chain([BLOCKED_CODE]).chain(CODES_TO_COME).collect(),
    );

    let members = names(&schema(&doc, "Problem")["properties"]);
    assert!(labels[..7].iter().copied().eq([
        "type", "title", "status", "code", "detail", "field", "offset"
    ]));
    assert_eq!(members, labels[..7].iter().copied().collect());
    assert_eq!(doc["info"]["version"], env!("CARGO_PKG_VERSION"));
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
        let (may, must) = members(&doc, schema(&doc, name));
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
        let (may, must) = members(&doc, schema(&doc, name));
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

#[test]
fn what_is_open_needs_no_key_and_all_else_does() {
    let doc = description();
    let keys = vec![ApiKey::new("key")].leak();
    let mut machine = Machine::sized::<4, 4, 4>(Config {
        pages: pages::ALL,
        ..config_with_keys(keys)
    });
    for (path, operations) in doc["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let answer = call(
                &mut machine,
                &method.to_uppercase(),
                &path.replace("{id}", "x"),
                "",
            );
            let is_open = operation["security"] == json!([]);
            assert_eq!(answer.status != 401, is_open, "{method} {path}");
            assert_eq!(
                operation["responses"].get("401").is_none(),
                is_open,
                "{method} {path}"
            );
        }
    }
}
