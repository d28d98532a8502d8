//! A webhook whose receiver fails and fails is disabled one day, and says why.

use crate::{HOOK, call, new_hook};
use dubhook_tests::machine::{Machine, at};
use serde_json::{Value, json};

const HOUR_MS: u64 = 3_600_000;

/// Answers every attempt that may be made by now, after a restart from what was written down.
fn deliver_all(machine: &mut Machine, status: u16) {
    machine.commit();
    let records = std::mem::take(&mut machine.records);
    *machine = Machine::durable(1, records, at(machine.now.instant.as_ms()));
    while let Some((attempt, _)) = machine.attempt() {
        machine.settle(&attempt, status);
        machine.commit();
    }
}

/// Every six hours from hour `from` on until hour `end` a test is sent, and everything that is sent is answered so.
fn let_days_pass(machine: &mut Machine, path: &str, from: u64, end: u64, status: u16) {
    for hour in (from..end).step_by(6) {
        machine.advance_ms(hour * HOUR_MS - machine.now.instant.as_ms());
        let sent = call(machine, "POST", &format!("{path}/test"), "");
        assert_eq!(sent.status, 202, "hour {hour}");
        deliver_all(machine, status);
    }
}

fn health(machine: &mut Machine, path: &str) -> (Value, Value) {
    let shown = call(machine, "GET", path, "").json();
    (shown["enabled"].clone(), shown["disabled_reason"].clone())
}

#[test]
fn five_days_without_one_success_disable_a_webhook() {
    for success in [None, Some(72)] {
        let mut machine = Machine::durable(1, [].into(), at(0));
        let (path, _) = new_hook(&mut machine, HOOK);
        let mut since = 0;
        if let Some(hour) = success {
            let_days_pass(&mut machine, &path, 0, hour, 500);
            let_days_pass(&mut machine, &path, hour, hour + 6, 200);
            since = hour + 6;
        }
        let_days_pass(&mut machine, &path, since, since + 120, 500);
        assert_eq!(health(&mut machine, &path), (json!(true), Value::Null));
        let_days_pass(&mut machine, &path, since + 120, since + 121, 500);
        let reason = json!("every attempt failed for too long");
        assert_eq!(health(&mut machine, &path), (json!(false), reason));
        let refused = call(&mut machine, "POST", &format!("{path}/test"), "");
        assert_eq!(refused.status, 409);

        // Enabled again, it has five days again.
        call(&mut machine, "PATCH", &path, r#"{"enabled":true}"#);
        let_days_pass(&mut machine, &path, since + 126, since + 132, 500);
        assert_eq!(health(&mut machine, &path), (json!(true), Value::Null));
    }
}
