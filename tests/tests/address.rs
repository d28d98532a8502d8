//! The address guard against `ssrf_cases.jsonl`: each row through what a runtime does with a URL.

use std::net::{IpAddr, SocketAddr};

use dubhook_core::address::{Cidr, Guard};
use dubhook_core::url::{Host, Url};
use dubhook_tests::cases;
use serde::Deserialize;

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Case {
    url: String,
    verdict: Verdict,
    why: String,
    group: String,
    /// What the name leads to at the attempt; a row without it must be decided before a look-up.
    resolves: Option<Vec<IpAddr>>,
    /// What the name led to when the endpoint was registered.
    resolves_at_registration: Option<Vec<IpAddr>>,
    /// Where the receiver's answer points.
    redirect_to: Option<String>,
    #[serde(default)]
    own_addrs: Vec<SocketAddr>,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Allow,
    Block,
}

/// How a URL fared, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// Not a URL.
    Unreadable,
    /// Refused before any name was looked up.
    BeforeLookUp,
    /// Refused for what the name leads to.
    Answers,
    /// The connection may be made.
    Connect,
}

/// One attempt, as a runtime makes it. A look-up nobody provided for fails the test.
fn attempt(guard: &Guard<'_>, url: &str, answers: Option<&[IpAddr]>) -> Outcome {
    let Ok(url) = Url::parse(url, 2_048) else {
        return Outcome::Unreadable;
    };
    if !guard.permits_url(&url) {
        return Outcome::BeforeLookUp;
    }
    let answers = match url.host() {
        Host::V4(address) => vec![address.into()],
        Host::V6(address) => vec![address.into()],
        Host::Name(name) => answers
            .unwrap_or_else(|| panic!("{name} was looked up"))
            .to_vec(),
    };
    if guard.permits_answers(&url, answers) {
        Outcome::Connect
    } else {
        Outcome::Answers
    }
}

/// The rule that must decide each group of rows.
fn check(case: &Case) {
    let guard = Guard {
        own: &case.own_addrs,
        ..Guard::default()
    };
    let outcome = attempt(&guard, &case.url, case.resolves.as_deref());
    let context = format!("{}: {}", case.url, case.why);
    let expect: &[Outcome] = match (case.verdict, case.group.as_str()) {
        (Verdict::Allow, _) => &[Outcome::Connect],
        (Verdict::Block, "ipv4" | "self") => &[Outcome::BeforeLookUp],
        (Verdict::Block, "ipv6") => &[Outcome::BeforeLookUp],
        (Verdict::Block, "ipv4-encoding" | "ipv6-syntax" | "scheme") => &[Outcome::Unreadable],
        (Verdict::Block, "name" | "syntax" | "port") => {
            &[Outcome::Unreadable, Outcome::BeforeLookUp]
        }
        (Verdict::Block, "dns") => &[Outcome::Answers],
        // The guard lets these out, and nothing comes after: a redirect is a failed attempt, whatever
        // it points to. That is a rule of delivery, tested there with the same rows.
        (Verdict::Block, "redirect") => &[Outcome::Connect],
        (Verdict::Block, group) => panic!("no rule for the group {group}"),
    };
    assert!(expect.contains(&outcome), "{context}: {outcome:?}");
    assert_eq!(
        case.redirect_to.is_some(),
        case.group == "redirect",
        "{context}"
    );
    if let Some(answers) = &case.resolves_at_registration {
        // Rebinding: it was fine once, which is why the guard is asked at each attempt.
        let registered = attempt(&guard, &case.url, Some(answers));
        assert_eq!(registered, Outcome::Connect, "{context}");
    }
}

#[test]
fn every_case_is_decided_by_its_rule() {
    cases::read("ssrf_cases.jsonl").iter().for_each(check);
}

#[test]
fn what_is_blocked_can_be_allowed_by_naming_it() {
    let everything = [Cidr::parse("0.0.0.0/0"), Cidr::parse("::/0")].map(Result::unwrap);
    let guard = Guard {
        allow: &everything,
        ..Guard::default()
    };
    for case in cases::read::<Case>("ssrf_cases.jsonl") {
        let strict = attempt(&Guard::default(), &case.url, case.resolves.as_deref());
        let answers = case.resolves.clone().unwrap_or_default();
        let open = attempt(&guard, &case.url, Some(&answers));
        let expect = match (strict, case.group.as_str()) {
            // No network makes a text a URL, a port safe, or an answer out of none.
            (Outcome::Unreadable, _) => Outcome::Unreadable,
            (Outcome::BeforeLookUp, "port") => Outcome::BeforeLookUp,
            _ if answers.is_empty() && matches!(case.group.as_str(), "name" | "dns") => {
                Outcome::Answers
            }
            _ => Outcome::Connect,
        };
        assert_eq!(open, expect, "{}", case.url);
    }
}
