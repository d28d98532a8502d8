//! The program `dubhook`: server, client and tools in one.

// They panic where nobody reads: `show` writes instead.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
