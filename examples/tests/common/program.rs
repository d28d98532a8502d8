//! A program to start, and to kill.

use std::{
    env,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

/// An example that runs, until it is dropped.
pub(crate) struct Program {
    child: Child,
    /// What it prints, line by line.
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts the example of this name. Cargo has built it beside the test.
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        let test = env::current_exe().expect("a test has a path");
        let target = test.ancestors().nth(2).expect("target/debug/deps/test");
        let mut command = Command::new(target.join("examples").join(name));
        let mut child = command
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo builds the examples before it runs their tests");
        let stdout = child.stdout.take().expect("it is piped");
        let lines = BufReader::new(stdout).lines();
        Self { child, lines }
    }

    /// What stands behind `start` in the next line that begins so.
    #[track_caller]
    pub(crate) fn line(&mut self, start: &str) -> String {
        for line in self.lines.by_ref() {
            let line = line.expect("it prints text");
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
        panic!("it ended without a line that starts with {start:?}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
