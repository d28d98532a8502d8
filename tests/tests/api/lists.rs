//! Lists and their pages.

use crate::{HOOK, JOB, call, check_problem, deliver_all, new_hook, new_job};
use dubhook_core::{server::Drive, service::Report};
use dubhook_tests::{
    caller::{Caller, request},
    machine::{Machine, config},
};

fn ids(page: &serde_json::Value) -> Vec<String> {
    let items = page["data"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Walks over all pages of a list. Returns the ids and how many pages there were.
fn walk(machine: &mut Machine, path: &str) -> (Vec<String>, usize) {
    let (mut all, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = call(machine, "GET", &format!("{path}{cursor}"), "");
        assert_eq!(page.status, 200, "{:?}", page.json());
        all.extend(ids(&page.json()));
        pages += 1;
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (all, pages),
        }
        assert!(pages < 100, "a list without an end");
    }
}

/// The id that a path ends with.
fn id(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

#[test]
fn pages_make_up_the_whole_list_newest_first() {
    let mut machine = Machine::sized::<64, 8, 4>(config());
    let mut jobs: Vec<_> = (0..47)
        .map(|_| {
            machine.advance_ms(1);
            id(&new_job(&mut machine))
        })
        .collect();
    jobs.reverse();
    let (listed, pages) = walk(&mut machine, "/v1/translations?");
    assert_eq!(listed, jobs);
    assert!(pages >= 3, "20 at most where nobody said");
    for limit in [1, 5, 46, 47, 48, 100] {
        let (listed, pages) = walk(&mut machine, &format!("/v1/translations?limit={limit}"));
        assert_eq!(listed, jobs);
        assert!(pages >= 47_usize.div_ceil(limit));
    }
    assert_eq!(
        call(&mut machine, "GET", "/v1/translations?limit=5", "").json()["data"]
            .as_array()
            .unwrap()
            .len(),
        5
    );

    let mut machine = Machine::volatile(1);
    let mut hooks: Vec<_> = (0..8)
        .map(|_| id(&new_hook(&mut machine, HOOK).0))
        .collect();
    hooks.reverse();
    for limit in [1, 3, 8, 20] {
        let (listed, _) = walk(&mut machine, &format!("/v1/webhooks?limit={limit}"));
        assert_eq!(listed, hooks);
    }
}

#[test]
fn a_list_of_one_status_has_all_of_that_status() {
    let mut machine = Machine::sized::<64, 4, 4>(config());
    let mut by_status = [Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for round in 0..40 {
        let path = new_job(&mut machine);
        let kind = round % 5;
        by_status[kind].push(id(&path));
        if kind == 4 {
            assert_eq!(
                call(&mut machine, "POST", &format!("{path}/cancel"), "").status,
                200
            );
        }
    }
    // Workers take jobs in their order, so those that stay pending are put at the end.
    while let Some(job) = machine.start_job() {
        let text = job.text(dubhook_core::id::Prefix::Job).to_string();
        if by_status[2].contains(&text) {
            machine.report(job, Report::Completed("file:///out.mp4"));
        } else if by_status[3].contains(&text) {
            machine.report(job, Report::Failed("no"));
        } else if by_status[0].contains(&text) {
            by_status[0].retain(|pending| *pending != text);
            by_status[1].push(text);
        }
    }
    by_status[0].extend((0..4).map(|_| id(&new_job(&mut machine))));
    for (status, mut expect) in ["pending", "processing", "completed", "error", "canceled"]
        .into_iter()
        .zip(by_status)
    {
        let (mut listed, _) = walk(
            &mut machine,
            &format!("/v1/translations?limit=3&status={status}"),
        );
        listed.sort();
        expect.sort();
        assert!(!expect.is_empty());
        assert_eq!(listed, expect, "{status}");
    }
}

#[test]
fn a_query_means_one_thing() {
    let mut machine = Machine::volatile(1);
    new_job(&mut machine);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=+5", "limit"),
        ("limit=05", "limit"),
        ("limit=5.0", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=5&limit=6", "limit"),
        ("status=done", "status"),
        ("status=Pending", "status"),
        ("status=pending&status=error", "status"),
        ("status=", "status"),
        ("status", "status"),
        ("status=&limit=5", "status"),
        ("cursor=x", "cursor"),
        ("cursor=", "cursor"),
        ("cursor", "cursor"),
        ("cursor=job_00000000000000000000000000", "cursor"),
        ("cursor=a&cursor=b", "cursor"),
    ] {
        let answer = call(
            &mut machine,
            "GET",
            &format!("/v1/translations?{query}"),
            "",
        );
        check_problem(&answer, 422, "invalid_request", Some(field));
    }
    for query in ["", "&", "x=y", "limit=100&&", "Limit=0", "x=1&x=2"] {
        let answer = call(
            &mut machine,
            "GET",
            &format!("/v1/translations?{query}"),
            "",
        );
        assert_eq!(ids(&answer.json()).len(), 1, "{query}");
    }
    let answer = call(
        &mut machine,
        "GET",
        "/v1/webhooks?cursor=ep_00000000000000000000000000",
        "",
    );
    check_problem(&answer, 422, "invalid_request", Some("cursor"));
}

#[test]
fn the_newest_attempts_are_as_many_as_are_asked_for() {
    let mut machine = Machine::volatile(1);
    let (hook, _) = new_hook(&mut machine, HOOK);
    let path = format!("{hook}/attempts");
    for _ in 0..2 {
        let sent = call(&mut machine, "POST", &format!("{hook}/test"), "");
        assert_eq!(sent.status, 202);
        assert_eq!(deliver_all(&mut machine, 204).len(), 1);
        machine.advance_ms(1_000);
    }
    let all = call(&mut machine, "GET", &path, "").json();
    let all = all["data"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    for (query, count) in [("limit=1", 1), ("limit=2", 2), ("limit=100", 2), ("x=y", 2)] {
        let some = call(&mut machine, "GET", &format!("{path}?{query}"), "").json();
        assert_eq!(some["data"].as_array().unwrap(), &all[..count], "{query}");
    }
    for query in [
        "limit=0",
        "limit=101",
        "limit=",
        "limit=x",
        "limit=1&limit=1",
    ] {
        let answer = call(&mut machine, "GET", &format!("{path}?{query}"), "");
        check_problem(&answer, 422, "invalid_request", Some("limit"));
    }
}

#[test]
fn a_small_output_makes_pages_shorter_and_loses_nothing() {
    let mut machine = Machine::sized::<64, 4, 4>(config());
    for _ in 0..30 {
        new_job(&mut machine);
    }
    let (all, _) = walk(&mut machine, "/v1/translations?limit=100");
    let least = machine.server.config().answer_bytes_max();
    for output in [least, least + 500, 8_000, 20_000] {
        let (mut listed, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut caller = Caller::with_output(&mut machine, output);
            let path = format!("/v1/translations?limit=100{cursor}");
            caller.send(&mut machine, &request("GET", &path, "", ""));
            let answer = caller.answers().remove(0);
            machine.server.close(caller.id);
            let page = answer.json();
            assert!(!ids(&page).is_empty());
            listed.extend(ids(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(listed, all);
    }
}

#[test]
fn what_was_pipelined_before_a_list_does_not_make_it_shorter() {
    let mut machine = Machine::sized::<64, 4, 4>(config());
    for _ in 0..30 {
        new_job(&mut machine);
    }
    let one = request("GET", "/v1/translations?limit=5", "", "");
    let mut caller = Caller::with_output(&mut machine, 8_000);
    caller.send(&mut machine, &one);
    let alone = caller.answers().remove(0);
    assert_eq!(ids(&alone.json()).len(), 5);
    caller.send(&mut machine, &one.repeat(10));
    let answers = caller.answers();
    assert_eq!(answers.len(), 10);
    for answer in answers {
        assert_eq!(answer.body, alone.body);
    }
}

#[test]
fn a_list_that_waits_for_room_is_the_list_of_when_it_is_written() {
    let mut machine = Machine::sized::<4, 4, 4>(config());
    for _ in 0..4 {
        new_job(&mut machine);
    }
    let one = request("GET", "/v1/translations", "", "");
    // One answer fits, and not two.
    let size = machine.server.config().answer_bytes_max();
    let mut caller = Caller::with_output(&mut machine, size);
    // The buffer is filled and driven once: the second list waits for room.
    let mut memory = one.repeat(2);
    let len = memory.len();
    let mut input = dubhook_core::http::RecvBuf::new(&mut memory, len);
    let mut output = vec![0; size];
    let mut out = dubhook_core::out::Out::new(&mut output);
    let drive = machine
        .server
        .drive(machine.now, caller.id, &mut input, &mut out);
    assert_eq!(drive, Ok(Drive::Flush));
    // Meanwhile every job ends, is forgotten, and others take their slots.
    while let Some(job) = machine.start_job() {
        machine.report(job, Report::Failed("no"));
    }
    let mut newest: Vec<_> = (0..4).map(|_| id(&new_job(&mut machine))).collect();
    newest.reverse();
    let mut out = dubhook_core::out::Out::new(&mut output);
    let drive = machine
        .server
        .drive(machine.now, caller.id, &mut input, &mut out);
    assert!(matches!(drive, Ok(Drive::Input { .. })));
    let answers = dubhook_tests::caller::answers(out.written(), [false]);
    assert_eq!(
        ids(&answers[0].json()),
        newest[..ids(&answers[0].json()).len()]
    );
    assert!(!ids(&answers[0].json()).is_empty());
    assert!(caller.take().is_empty() && JOB.len() > 1);
}

/// A machine of so many slots is made on a stack that has room for it.
#[test]
fn a_page_is_bounded_work_and_leads_on_though_nothing_fits_the_filter() {
    let walk_all = || {
        let mut machine = Machine::sized::<2_300, 1, 2>(config());
        let oldest = id(&new_job(&mut machine));
        let first = machine.start_job().unwrap();
        machine.report(first, Report::Completed("file:///out.mp4"));
        for _ in 0..2_200 {
            new_job(&mut machine);
        }
        let (found, pages) = walk(&mut machine, "/v1/translations?status=completed&limit=5");
        assert_eq!((found, pages), (vec![oldest], 3));
    };
    let stack = std::thread::Builder::new().stack_size(128 << 20);
    stack.spawn(walk_all).unwrap().join().unwrap();
}
