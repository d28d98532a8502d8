//! As the first process of a container, which a namespace of processes stands in for.

use super::{PATIENCE, Server, WAIT, check, dubhook, run};
use std::{
    fs,
    process::{Command, Stdio},
    time::Instant,
};

/// The children of a process, with the states that they are in.
fn children(pid: &str) -> Vec<(String, char)> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let state = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let state = stat.rsplit_once(") ")?.1.chars().next()?;
        Some((pid.to_owned(), state))
    };
    children.split_whitespace().filter_map(state).collect()
}

#[test]
fn the_first_process_lets_go_of_orphans() {
    // Each job leaves two behind: one that ends later than its parent, and one in a session of its own.
    const LEAVES: &str =
        r#"sleep 0.05 & setsid sleep 0.05 & sleep 0.01; echo '{"output_url":"file:///o"}'"#;
    let namespace = [
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount-proc",
    ];
    let mut try_it = Command::new("unshare");
    try_it.args(namespace).arg("true").stderr(Stdio::null());
    if !try_it.status().is_ok_and(|status| status.success()) {
        eprintln!("not tested: this system gives no namespace of processes");
        return;
    }
    let program = dubhook(&["serve", "--listen", "127.0.0.1:0", "--in-memory"]);
    let mut command = Command::new("unshare");
    command
        .args(namespace)
        .arg("--kill-child")
        .arg(program.get_program())
        .args(program.get_args())
        .args(["--translator", "command", "--command", LEAVES])
        .stderr(Stdio::null());
    let server = Server::spawn(&mut command);
    for _ in 0..5 {
        check(&run(&server.url, &WAIT), 0, "completed", "");
    }
    let (first, _) = children(&server.child.id().to_string()).remove(0);
    let give_up = Instant::now() + PATIENCE;
    loop {
        let left = children(&first);
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < give_up, "{left:?}");
        std::thread::yield_now();
    }
}
