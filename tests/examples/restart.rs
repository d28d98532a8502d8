//! `restart RECORDS DIRECTORY` writes at least so many records as a server does; where the directory is there already, it
//! times how long a start on them takes instead.

use dubhook_core::{
    dispatch::NewEndpoint,
    event::Filter,
    record::{Keep, Table},
    server::{Config, Input, Output, Ready, Server},
    service::{NewJob, Report},
    text::Source,
    time::Now,
};
use dubhook_smol::{
    clock::Clock,
    memory::{Capacity, Memory},
    store::{Batch, Disk, Store},
};
use std::{error::Error, path::Path, process::ExitCode, time::Instant};

/// Jobs that are written in one batch.
const BATCH_JOBS: usize = 1_000;
/// Records of a job that has ended: what was asked for, what became of it, its idempotency key.
const RECORDS_PER_JOB: usize = 3;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let records = arguments.next().and_then(|records| records.parse().ok());
    let (Some(records), Some(directory)) = (records, arguments.next()) else {
        eprintln!("usage: restart RECORDS DIRECTORY");
        return ExitCode::FAILURE;
    };
    match run(records, Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(records: usize, directory: &Path) -> Result<(), Box<dyn Error>> {
    let config = Config::SERVER;
    let jobs = records.div_ceil(RECORDS_PER_JOB);
    let capacity = Capacity::for_jobs(jobs + BATCH_JOBS);
    let clock = Clock::start();
    if !directory.exists() {
        let mut memory = Memory::new(capacity, &config, Keep::Archive);
        let (memory, _) = memory.lend();
        let mut server = Server::new(memory, config, [1; 32])?;
        return write(jobs, clock, &mut server, &Disk::open(directory)?);
    }
    let started = Instant::now();
    let disk = Disk::open(directory)?;
    let opened = started.elapsed();
    let mut memory = Memory::new(capacity, &config, Keep::Archive);
    let (memory, _) = memory.lend();
    let mut server = Server::new(memory, config, [2; 32])?;
    let mut count = [0_usize; Table::ALL.len()];
    let now = clock.now();
    disk.load(&mut |key, value| {
        count[key.table as usize] += 1;
        server.restore(now, key, value)
    })?;
    let loaded = started.elapsed();
    server.start(now)?;
    let total = started.elapsed();
    println!(
        "{} records ({count:?}): {total:.2?} in all; open {opened:.2?}, load {:.2?}, begin {:.2?}",
        count.iter().sum::<usize>(),
        loaded - opened,
        total - loaded,
    );
    Ok(())
}

/// Lets so many jobs come in and all but some of them end, with an endpoint that is owed the last ones' events.
fn write(
    jobs: usize,
    clock: Clock,
    server: &mut Server<'_>,
    disk: &Disk,
) -> Result<(), Box<dyn Error>> {
    let mut batch = Batch::default();
    for number in 0..jobs {
        let now = clock.now();
        if number == jobs - jobs / 10 {
            let endpoint = NewEndpoint {
                url: Source::Plain("https://receiver.test/hook"),
                filter: Filter::ALL,
                description: Source::EMPTY,
                secret: None,
                subject: None,
            };
            server.create_endpoint(now, endpoint)?;
        }
        let (url, key) = (
            format!("https://videos.test/uploads/2026/11/24/{number}.mp4"),
            format!("order-{number}"),
        );
        let new = NewJob {
            video_url: Source::Plain(&url),
            source_language: None,
            target_language: Source::Plain("es"),
            reference: Some(Source::Plain(&key)),
            callback_url: None,
        };
        server.submit_once(now, &new, key.as_bytes(), url.as_bytes())?;
        if number % BATCH_JOBS == BATCH_JOBS - 1 || number == jobs - 1 {
            commit(now, server, &mut batch, disk)?;
            while let Ok(Output::Start { job, .. }) = server.poll(now, Ready::WORK, &mut []) {
                if number % 20 != 0 {
                    let output = format!("https://videos.test/dubbed/{number}.mp4");
                    let report = Report::Completed(&output);
                    server.handle(now, Input::Report { job, report })?;
                }
            }
            commit(now, server, &mut batch, disk)?;
        }
    }
    Ok(())
}

fn commit(
    now: Now,
    server: &mut Server<'_>,
    batch: &mut Batch,
    disk: &Disk,
) -> Result<(), Box<dyn Error>> {
    let mut memory = vec![0; 16 * 1024];
    batch.clear();
    loop {
        match server.poll(now, Ready::RECORDS, &mut memory)? {
            Output::Archive { job, json } => batch.add_archived(job, &json),
            Output::Save { key, value } => batch.add(key, value.as_deref()),
            Output::Commit(written) => {
                disk.write(batch)?;
                server.handle(now, Input::Durable(written))?;
                return Ok(());
            }
            _ => return Ok(()),
        }
    }
}
