//! `paths NAME COUNT` runs one of the core's main paths COUNT times, for a counter of instructions to watch.
//! `paths` alone lists the names.

use dubhook_tests::paths::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for (name, _) in Path::ALL {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    let count: Option<u32> = arguments.next().and_then(|count| count.parse().ok());
    let (Some(path), Some(count)) = (Path::parse(&name), count) else {
        eprintln!("usage: paths [NAME COUNT]");
        return ExitCode::FAILURE;
    };
    let mut run = path.set_up();
    for _ in 0..count {
        run();
    }
    ExitCode::SUCCESS
}
