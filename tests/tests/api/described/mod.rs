//! The API as openapi.json describes it, held against the machine.

mod answers;
mod refusals;

use crate::call;
use dubhook_core::{
    address::BLOCKED_CODE,
    event::Kind,
    http::Method,
    job::Status,
    server::{ApiKey, Config},
};
use dubhook_smol::pages;
use dubhook_tests::{
    caller::{ask, config_with_keys},
    described::{description, names, schema},
    machine::{Machine, config},
};
use serde_json::json;
use std::collections::BTreeSet;

/// A stream, which has no end.
const ENDLESS: &str = "/v1/events";
const METHODS: [(&str, Method); 5] = [
    ("get", Method::Get),
    ("put", Method::Put),
    ("post", Method::Post),
    ("patch", Method::Patch),
    ("delete", Method::Delete),
];

fn last(path: &str) -> String {
    path.rsplit('/').next().expect("an id").to_owned()
}

fn with_pages() -> Config<'static> {
    Config {
        pages: pages::ALL,
        media: true,
        ..config()
    }
}

#[test]
fn what_is_described_is_there() {
    let doc = description();
    let mut machine = Machine::sized::<4, 4, 4>(with_pages());
    for (path, operations) in doc["paths"].as_object().expect("paths") {
        if path == ENDLESS {
            continue;
        }
        for (method, _) in METHODS
            .iter()
            .filter(|(name, _)| operations.get(name).is_some())
        {
            let answer = call(
                &mut machine,
                &method.to_uppercase(),
                &path.replace("{id}", "x").replace("{number}", "1"),
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

/// The string literals in a program's text, comments and attributes aside, up to its tests.
fn literals(text: &str) -> BTreeSet<&str> {
    let text = text.split("#[cfg(test)]").next().expect("a program");
    text.lines()
        .filter(|line| !line.trim_start().starts_with(['/', '#']))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .collect()
}

/// The methods that a path allows; none where nothing is there.
fn methods_at(machine: &mut Machine, path: &str) -> Option<String> {
    let answer = call(
        machine,
        "OPTIONS",
        &path.replace("{id}", "x").replace("{number}", "1"),
        "",
    );
    match answer.status {
        404 => None,
        204 => Some(answer.field("allow").expect("methods").to_owned()),
        status => panic!("{status} for OPTIONS {path}"),
    }
}

/// Paths are matched by words that stand in the router's text: so whatever of them can be put together and leads
/// somewhere must be described.
#[test]
fn what_is_there_is_described() {
    let doc = description();
    let mut words = literals(include_str!("../../../../core/src/api/route.rs"));
    words.extend(literals(include_str!(
        "../../../../core/src/api/webhook/route.rs"
    )));
    assert!(
        words.contains("/status") && words.contains("rotate-secret"),
        "{words:?}"
    );
    // Lists of methods stand there too, which no path can hold.
    words.retain(|word| !word.contains(' '));
    let whole = words.iter().filter(|word| word.starts_with('/'));
    let mut paths: BTreeSet<String> = whole.map(|word| (*word).to_owned()).collect();
    let mut machine = Machine::sized::<4, 4, 4>(with_pages());
    for one in &words {
        let by_id = format!("/v1/{one}/{{id}}");
        // Where an id can stand, any word is taken for one.
        let takes_ids = methods_at(&mut machine, &by_id).is_some();
        for two in &words {
            paths.insert(format!("{by_id}/{two}"));
            if !takes_ids {
                paths.insert(format!("/v1/{one}/{two}"));
            }
        }
        paths.extend([format!("/v1/{one}"), by_id]);
    }
    let mut known = 0;
    for path in paths {
        let Some(allowed) = methods_at(&mut machine, &path) else {
            continue;
        };
        for (name, _) in METHODS {
            let is_described = !doc["paths"][&path][name].is_null();
            let is_there = allowed
                .split(", ")
                .any(|method| method.eq_ignore_ascii_case(name));
            assert_eq!(is_described, is_there, "{name} {path}");
        }
        known += 1;
    }
    assert!(known >= 15, "{known} paths");
}

/// Whoever makes a client out of the description may pass over what stands beside `allOf`, or be strict about it.
#[test]
fn each_object_is_described_in_one_place() {
    let doc = description();
    let schemas = &doc["components"]["schemas"];
    for name in names(schemas) {
        for part in ["allOf", "anyOf", "oneOf"] {
            assert!(schemas[name].get(part).is_none(), "{name}: {part}");
        }
    }
    let [mut accepted, job] = ["AcceptedJob", "Job"].map(|name| schema(&doc, name).clone());
    let members = accepted["properties"].as_object_mut().expect("members");
    assert!(members.remove("callback_secret").is_some());
    for part in ["type", "required", "properties"] {
        assert_eq!(accepted[part], job[part], "{part}");
    }
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

    // All that is in small letters and underscores there is a code or a member; one code is a constant elsewhere.
    let problems = literals(concat!(
        include_str!("../../../../core/src/api/problem/mod.rs"),
        include_str!("../../../../core/src/api/problem/media.rs"),
        include_str!("../../../../core/src/api/problem/parts.rs"),
    ));
    let is_code = |text: &str| {
        text.contains(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    let labels = [
        "type", "title", "status", "code", "detail", "field", "offset",
    ];
    let codes = problems
        .into_iter()
        .filter(|text| is_code(text) && !labels.contains(text));
    check("ProblemCode", codes.chain([BLOCKED_CODE]).collect());

    let members = names(&schema(&doc, "Problem")["properties"]);
    assert_eq!(members, BTreeSet::from(labels));
    assert_eq!(doc["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn what_is_open_needs_no_key_and_all_else_does() {
    let doc = description();
    let keys = vec![ApiKey::new("key")].leak();
    let mut machine = Machine::sized::<4, 4, 4>(Config {
        pages: pages::ALL,
        media: true,
        ..config_with_keys(keys)
    });
    for (path, operations) in doc["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let answer = call(
                &mut machine,
                &method.to_uppercase(),
                &path.replace("{id}", "x").replace("{number}", "1"),
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

#[test]
fn what_changes_something_is_refused_to_pages_of_another_origin() {
    let doc = description();
    let mut machine = Machine::sized::<4, 4, 4>(with_pages());
    for (path, operations) in doc["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let changes = method != "get";
            assert_eq!(
                operation["responses"].get("403").is_some(),
                changes,
                "{method} {path}"
            );
            if changes {
                let method = method.to_uppercase();
                let path = path.replace("{id}", "x").replace("{number}", "1");
                let fields = "sec-fetch-site: cross-site\r\n";
                let answer = ask(&mut machine, &method, &path, fields, "");
                assert_eq!(answer.status, 403, "{method} {path}");
            }
        }
    }
}
