//! A session in a database, in the hands of a test.

use crate::cluster::program;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What stands behind an answer.
const END: &str = "~end";
/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(60);

/// A session: what it begins stays open until it ends it.
#[derive(Debug)]
pub struct Psql {
    process: Child,
    statements: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Psql {
    pub(crate) fn new(port: u16) -> Self {
        let mut process = program("psql")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-p",
            ])
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql");
        Self {
            statements: process.stdin.take().expect("its input"),
            answers: BufReader::new(process.stdout.take().expect("its output")),
            process,
        }
    }

    /// Runs a statement and returns what it answers, a row a line.
    ///
    /// # Panics
    ///
    /// If the session has ended.
    pub fn run(&mut self, statement: &str) -> Vec<String> {
        writeln!(self.statements, "{statement};\n\\echo {END}").expect("psql reads");
        let mut rows = Vec::new();
        loop {
            let mut line = String::new();
            let len = self.answers.read_line(&mut line).expect("psql answers");
            assert!(len > 0, "psql has ended");
            match line.trim_end() {
                END => return rows,
                row => rows.push(row.to_owned()),
            }
        }
    }

    /// Waits until this is true.
    ///
    /// # Panics
    ///
    /// If it never is.
    pub fn wait_for(&mut self, condition: &str) {
        let since = Instant::now();
        while self.run(&format!("SELECT {condition}")) != ["t"] {
            assert!(since.elapsed() < PATIENCE, "never: {condition}");
            thread::yield_now();
        }
    }

    /// Waits until a session of a server waits for a lock.
    pub fn wait_for_a_waiter(&mut self) {
        self.wait_for(
            "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'dubhook' AND wait_event_type = 'Lock')",
        );
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
