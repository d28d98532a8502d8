//! The program `dubhook`: server, client and tools in one.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
