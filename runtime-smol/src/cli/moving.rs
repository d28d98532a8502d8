//! `move`: everything from one store into another.

use super::{
    database::{self, StoreUrl},
    fail::Fail,
    remote::trust,
};
use clap::Args;
use dubhook_smol::store::{Disk, Store, StoreError, Whole, move_all, postgres::Postgres};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// For how long a database is this command's after each batch.
const LEASE: Duration = Duration::from_secs(10);
/// How long to wait for the lease of a server that has ended without giving the records back.
const PATIENCE: Duration = Duration::from_secs(20);

/// Both ends are directories or databases; one that is left out is the database of DUBHOOK_STORE. No server may use either
/// meanwhile. What it comes from is left as it is.
#[derive(Debug, Args)]
pub(super) struct Move {
    /// Where everything is: a directory, or postgres://USER@HOST:PORT/DATABASE
    #[arg(long, value_name = "DIR|URL")]
    from: Option<String>,
    /// Where everything shall be; nothing may be there yet
    #[arg(long, value_name = "DIR|URL")]
    to: Option<String>,
    /// In which schema of a database the tables are
    #[arg(long, value_name = "NAME", default_value = database::SCHEMA)]
    schema: String,
    /// A file of certificates to believe a database by, as PEM, besides the platform's; may be given more than once
    #[arg(long = "ca", value_name = "FILE", env = "DUBHOOK_CA")]
    ca_files: Vec<PathBuf>,
}

/// A store that is this command's, and is given back after it.
struct End(Box<dyn Whole>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Move {
    pub(super) fn run(&self) -> Result<(), Fail> {
        // The one that must be there first: a typing error makes no new directory then.
        let from = self.open("--from", self.from.as_deref(), true)?;
        let to = self.open("--to", self.to.as_deref(), false)?;
        let bar = ProgressBar::new_spinner();
        let style =
            ProgressStyle::with_template("{spinner} {human_pos} moved  {per_sec}  {elapsed}");
        // The template is a constant that indicatif accepts.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let since = Instant::now();
        let moved = move_all(&*from.0, &*to.0, &mut |moved| bar.set_position(moved));
        bar.finish_and_clear();
        drop((from, to));
        let moved = moved.map_err(|error| Fail::NotDone(error.to_string()))?;
        writeln!(
            io::stdout(),
            "moved {} records and {} ended jobs in {:.1?}; both ends have the digest {:032x}",
            moved.records,
            moved.archived,
            since.elapsed(),
            moved.digest
        )?;
        Ok(())
    }

    fn open(&self, flag: &str, end: Option<&str>, there: bool) -> Result<End, Fail> {
        let url = match end {
            None => Some(StoreUrl::from_environment().ok_or_else(|| {
                Fail::Usage(format!(
                    "{flag} is missing, and there is no DUBHOOK_STORE to take its place"
                ))
            })?),
            Some(end) => StoreUrl::of(end),
        };
        let blame = |error: StoreError| Fail::NotDone(format!("{flag}: {error}"));
        if let Some(url) = url {
            let store = database::open(&url, &self.schema, LEASE, trust(&self.ca_files)?)?;
            take(&store).map_err(blame)?;
            return Ok(End(Box::new(store)));
        }
        let folder = Path::new(end.unwrap_or_default());
        if there && !folder.join("format").exists() {
            return Err(Fail::Usage(format!(
                "{flag}: there is no data of dubhook in {}",
                folder.display()
            )));
        }
        let disk = Disk::open(folder).map_err(blame)?;
        Ok(End(Box::new(disk)))
    }
}

/// Takes the records, unless a server has them.
fn take(store: &Postgres) -> Result<(), StoreError> {
    let since = Instant::now();
    while let Some(pause) = store.take()? {
        if since.elapsed() > PATIENCE {
            return Err(StoreError::InUse);
        }
        thread::sleep(pause);
    }
    Ok(())
}
