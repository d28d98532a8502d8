//! The command line: one file for each group of commands.
//!
//! What a command has to say goes to standard output, as a person reads it or with `--json` as one JSON document, or one a line where it goes on;
//! what went wrong goes to standard error. Exit codes: 0 done, 1 not done, 2 asked for something that cannot be, 3 the
//! server does not answer, 4 out of time.

mod api;
mod bar;
mod database;
mod demo;
mod download;
mod duration;
mod exchange;
mod fail;
mod jobs;
mod listen;
mod log;
mod moving;
mod object_store;
mod pages;
mod remote;
mod rest;
mod serve;
mod servers;
mod show;
mod signals;
mod size;
mod translate;
mod upload;
mod verify;
mod webhooks;
mod work;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Translates videos and tells whoever asked, the moment something happens, by signed webhook.
#[derive(Debug, Parser)]
#[command(name = "dubhook", version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str =
    "Exit codes: 0 done, 1 not done, 2 bad usage, 3 the server does not answer, 4 out of time.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::Serve>),
    /// Watch it happen: a server, a webhook client and a job in one process
    Demo(demo::Demo),
    /// Ask for a translation, and wait for it if you like
    Translate(translate::Translate),
    /// Send a video to the server; print what a job names it by
    Upload(upload::Upload),
    /// List uploads, newest first
    Uploads(upload::Uploads),
    /// Get what came of a job
    Download(download::Download),
    /// Translate jobs of a server that runs with --translator remote
    Work(work::Work),
    /// Be told what happens, and hand it on
    Listen(listen::Listen),
    /// Show a job, or the newest one in one word
    Status(jobs::Status),
    /// List jobs, newest first
    Jobs(jobs::Jobs),
    /// Call a job off
    Cancel(jobs::Cancel),
    /// Manage registered webhooks
    #[command(subcommand)]
    Webhooks(webhooks::Webhooks),
    /// Move everything that a server keeps from a directory into a database, or back
    Move(moving::Move),
    /// Check the signature of a webhook that was received
    ///
    /// The body is read from standard input, byte for byte as it was received.
    Verify(verify::Verify),
}

/// Does what the arguments ask for.
pub(crate) fn run() -> ExitCode {
    let command = Cli::parse().command;
    if let Err(error) = signals::look_after_orphans() {
        return fail::Fail::from(error).tell();
    }
    let done = match command {
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Translate(translate) => translate.run(),
        Command::Upload(upload) => upload.run(),
        Command::Uploads(uploads) => uploads.run(),
        Command::Download(download) => download.run(),
        Command::Work(work) => work.run(),
        Command::Listen(listen) => listen.run(),
        Command::Status(status) => status.run(),
        Command::Jobs(jobs) => jobs.run(),
        Command::Cancel(cancel) => cancel.run(),
        Command::Webhooks(webhooks) => webhooks.run(),
        Command::Move(moving) => moving.run(),
        Command::Verify(verify) => verify.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fail) => fail.tell(),
    }
}
