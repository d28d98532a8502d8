//! Records: what a disk gives back, whole or damaged.

use super::Script;
use crate::{
    caller::ask,
    machine::{MachineIn, Records, at, config},
};
use dubhook_core::{
    record::Keep,
    record::{Key, Table},
    server::{Server, ServerStorage},
    service::Report,
};
use std::sync::OnceLock;

/// Restoring: records that a service wrote, damaged as the script says, are refused or make a service that works; and
/// what that one writes can be restored once more.
pub fn records(bytes: &[u8]) {
    let records = damaged(Script::new(bytes));
    let Some(again) = run(1, &records) else {
        return;
    };
    assert!(run(2, &again).is_some(), "what was written is refused");
}

/// Records of a service in the midst of its work.
fn good() -> &'static Records {
    static GOOD: OnceLock<Records> = OnceLock::new();
    GOOD.get_or_init(|| {
        let mut memory = Box::new(ServerStorage::<16, 8, 8, 16>::new());
        let server = Server::new(memory.lend(Keep::Records), config(), [9; 32]).unwrap();
        let mut machine = MachineIn::over(server, at(0));
        let machine = &mut machine;
        for hook in [
            r#"{"url":"http://127.0.0.1:3120/all","description":"all"}"#,
            r#"{"url":"http://127.0.0.1:3121/some","events":["translation.error"]}"#,
            r#"{"url":"http://127.0.0.1:3122/off"}"#,
        ] {
            ask(machine, "POST", "/v1/webhooks", "", hook);
        }
        for number in 0..6 {
            let job = format!(
                r#"{{"video_url":"https://a.test/{number}","target_language":"es","reference":"é","callback_url":"http://127.0.0.1:3123/"}}"#
            );
            let key = format!("idempotency-key: k{number}\r\n");
            let answer = ask(machine, "POST", "/v1/translations", &key, &job);
            let job = answer.json()["id"].as_str().expect("an id").to_owned();
            let hook = format!(r#"{{"url":"http://127.0.0.1:3124/","job":"{job}"}}"#);
            if number < 3 {
                ask(machine, "POST", "/v1/webhooks", "", &hook);
            }
            match (number, machine.start_job()) {
                (0 | 1, Some(id)) => machine.report(id, Report::Completed("file:///out.mp4")),
                (2, Some(id)) => machine.report(id, Report::Failed("no")),
                (3, Some(id)) => machine.report(id, Report::Progress(40)),
                _ => {}
            }
            machine.commit();
            if let Some((attempt, _)) = machine.attempt() {
                machine.settle(&attempt, if number % 2 == 0 { 200 } else { 500 });
            }
        }
        machine.commit();
        machine.records.clone()
    })
}

fn damaged(mut script: Script<'_>) -> Records {
    let mut records = good().clone();
    if script.byte() == 0xff {
        records.clear();
    }
    while !script.is_over() {
        let keys: Vec<Key> = records.keys().copied().collect();
        let key = script.pick(&keys).copied();
        let kind = script.byte() % 6;
        let at = script.below(300);
        let (Some(key), 0..=3) = (key, kind) else {
            // A record of the script's own, or one that is put where another one should be.
            let table = Table::ALL[usize::from(script.byte()) % Table::ALL.len()];
            let slot = u32::from(script.byte()) % 40;
            let value = match key {
                Some(key) if kind == 4 => records[&key].clone(),
                _ => {
                    let len = script.below(120);
                    script.take(len).to_vec()
                }
            };
            records.insert(Key { table, slot }, value);
            continue;
        };
        let value = records.get_mut(&key).expect("a record");
        match kind {
            0 if !value.is_empty() => {
                let at = at % value.len();
                value[at] ^= script.byte();
            }
            1 => value.truncate(at),
            2 => value.insert(at % (value.len() + 1), script.byte()),
            _ => drop(records.remove(&key)),
        }
    }
    records
}

/// Restores the records and, if that is allowed, lets the service work for a while. Returns what it wrote.
fn run(seed: u8, records: &Records) -> Option<Records> {
    let mut memory = Box::new(ServerStorage::<16, 8, 8, 16>::new());
    let server = Server::new(memory.lend(Keep::Records), config(), [seed; 32]).unwrap();
    let mut machine = MachineIn::over(server, at(100_000));
    let now = machine.now;
    for (key, value) in records {
        machine.server.restore(now, *key, value).ok()?;
    }
    machine.server.start(now).ok()?;
    machine.records.clone_from(records);
    machine.commit();
    for round in 0..4 {
        for path in [
            "/v1/translations?limit=100",
            "/v1/webhooks?limit=100",
            "/status",
        ] {
            let answer = ask(&mut machine, "GET", path, "", "");
            assert!(matches!(answer.status, 200 | 404), "{}", answer.status);
        }
        let job = r#"{"video_url":"a:b","target_language":"es"}"#;
        let answer = ask(&mut machine, "POST", "/v1/translations", "", job);
        assert!(matches!(answer.status, 202 | 503));
        while let Some((attempt, request)) = machine.attempt() {
            assert!(request.starts_with("POST "));
            machine.settle(&attempt, [200, 500, 410, 503][round]);
        }
        if let Some(id) = machine.start_job() {
            machine.report(id, Report::Progress(100));
            machine.report(id, Report::Failed("no"));
        }
        let service = machine.server.service();
        assert!(service.jobs_len() <= 16 && service.endpoints_len() <= 8);
        machine.commit();
        machine.advance_ms(400_000);
    }
    machine.commit();
    Some(machine.records)
}
