//! The same driver under two executors: a job is submitted, told of by webhook, and found again after a restart.

#[path = "common/program.rs"]
mod program;

use program::Program;

#[track_caller]
fn check(example: &str) {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    let args = [records.to_str().unwrap()];

    let mut program = Program::start(example, &args);
    assert_eq!(program.line("knows "), "no job");
    program.line("registered");
    let job = program.line("submitted ");
    // What it is told it has verified; what it had to ask for would say so.
    let told = program.line("Told: translation.completed ");
    assert_eq!(told, job);
    drop(program);

    let mut program = Program::start(example, &args);
    assert_eq!(program.line("knows "), format!("{job}: completed"));
    let next = program.line("submitted ");
    assert_ne!(next, job);
    assert_eq!(program.line("Told: translation.completed "), next);
}

#[test]
fn under_smol() {
    check("async_loop_smol");
}

#[test]
fn under_embassy_with_static_tasks() {
    check("async_loop_embassy");
}
