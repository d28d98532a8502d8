//! The tables: made where they are not there, checked where they are, and never touched where they are another's.

use super::{
    fault::{Fault, NO_COLUMN, NO_TABLE},
    hosts::Place,
    session::Session,
    sql,
    wire::Connection,
};
use crate::store::StoreError;
use std::fmt;

/// Why there is no session, or none that may be used.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The database; it may be over in a moment.
    Fault(Fault),
    /// What is there cannot be used, or is no longer ours.
    Final(StoreError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Final(error) => error.fmt(f),
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

/// What was warned of last, if anything: each of it is said once.
pub(super) type Warned = Option<&'static str>;

/// Connects where the tables were seen to already.
pub(super) fn reopen(place: &Place, warned: &mut Warned) -> Result<Session, Fault> {
    let mut connection = place.connect()?;
    warn(place, &mut connection, warned)?;
    place.prepare(connection)
}

/// Connects, and sees to the tables.
pub(super) fn open(place: &Place, warned: &mut Warned) -> Result<Session, Trouble> {
    let mut connection = place.connect()?;
    warn(place, &mut connection, warned)?;
    let tables = tables(place, &mut connection)?;
    if tables != Tables::None {
        known(place, &mut connection)?;
    }
    match tables {
        Tables::All => {}
        Tables::WithoutJournal => run(place, &mut connection, &sql::make_journal(&place.schema))?,
        Tables::None => make(place, &mut connection)?,
    }
    let mut session = match place.prepare(connection) {
        Ok(session) => session,
        Err(fault) if [NO_TABLE, NO_COLUMN].contains(&fault.code()) => {
            return Err(foreign(place).into());
        }
        Err(fault) => return Err(fault.into()),
    };
    session.look()?.ok_or_else(|| foreign(place))?;
    Ok(session)
}

/// Which of our tables there are.
#[derive(PartialEq, Eq)]
enum Tables {
    None,
    /// Those of the form before.
    WithoutJournal,
    All,
}

/// Refuses a form of the tables that is newer than this program, before anything else is asked of them.
fn known(place: &Place, connection: &mut Connection) -> Result<(), Trouble> {
    let mut found = None;
    let asked = format!(
        "SELECT format FROM {}.shard WHERE shard = {}",
        sql::quoted(&place.schema),
        sql::SHARD
    );
    let read = connection.simple(place.time, &asked, &mut |row| {
        found = row.text(0).and_then(|format| format.parse().ok());
        Ok(())
    });
    match (read, found) {
        (Err(fault), _) if fault.code() != NO_COLUMN => Err(fault.into()),
        (Ok(_), Some(sql::WITHOUT_JOURNAL | sql::FORMAT)) => Ok(()),
        (Ok(_), Some(found)) => Err(StoreError::Newer {
            found,
            known: sql::FORMAT,
        }
        .into()),
        _ => Err(foreign(place).into()),
    }
}

fn foreign(place: &Place) -> StoreError {
    StoreError::ForeignSchema {
        schema: place.schema.clone(),
    }
}

/// Which of our tables are there. Where other things are, nothing is touched.
fn tables(place: &Place, connection: &mut Connection) -> Result<Tables, Trouble> {
    let schema = sql::literal(&place.schema);
    let asked = format!(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
    );
    let (mut ours, mut journal, mut others) = (0, false, 0);
    connection.simple(place.time, &asked, &mut |row| {
        match row.text(0) {
            Some("shard" | "record" | "archive") => ours += 1,
            Some("journal") => journal = true,
            _ => others += 1,
        }
        Ok(())
    })?;
    match (ours, journal, others) {
        (3, true, _) => Ok(Tables::All),
        (3, false, _) => Ok(Tables::WithoutJournal),
        (0, false, 0) => Ok(Tables::None),
        _ => Err(foreign(place).into()),
    }
}

fn make(place: &Place, connection: &mut Connection) -> Result<(), Trouble> {
    let mut there = false;
    let asked = format!(
        "SELECT 1 FROM pg_namespace WHERE nspname = {}",
        sql::literal(&place.schema)
    );
    connection.simple(place.time, &asked, &mut |_| {
        there = true;
        Ok(())
    })?;
    let mut statements = sql::make(&place.schema);
    // Who may not make schemas can be given an empty one.
    if !there {
        let schema = sql::quoted(&place.schema);
        statements = format!("CREATE SCHEMA IF NOT EXISTS {schema}; {statements}");
    }
    run(place, connection, &statements)?;
    tracing::info!(schema = place.schema, "made the tables");
    Ok(())
}

fn run(place: &Place, connection: &mut Connection, statements: &str) -> Result<(), Trouble> {
    match connection.simple(place.time, statements, &mut |_| Ok(())) {
        Ok(_) => Ok(()),
        // Another server makes them at this moment: the next look finds them.
        Err(Fault::Refused { code, .. })
            if ["23505", "42P06", "42P07"].contains(&code.as_str()) =>
        {
            Err(Fault::Silent.into())
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Warns where the database is set up so that what it acknowledges can be lost, as one is that has just taken another's place.
fn warn(place: &Place, connection: &mut Connection, warned: &mut Warned) -> Result<(), Fault> {
    let (mut commit, mut names) = (String::new(), String::new());
    let asked = "SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names')";
    connection.simple(place.time, asked, &mut |row| {
        commit = row.text(0).unwrap_or_default().to_owned();
        names = row.text(1).unwrap_or_default().to_owned();
        Ok(())
    })?;
    let warning = match (commit.as_str(), names.as_str()) {
        ("off", _) => Some(
            "synchronous_commit is off: what is acknowledged is lost when the database's machine fails; set it to on",
        ),
        (_, "") => Some(
            "synchronous_standby_names is empty: what is acknowledged last is lost when a standby takes the database's place; \
             name a synchronous standby",
        ),
        ("local", _) => Some(
            "synchronous_commit is local: no standby is waited for, so what is acknowledged last is lost when one takes the \
             database's place; set it to on",
        ),
        _ => None,
    };
    if let Some(warning) = warning
        && *warned != Some(warning)
    {
        tracing::warn!("{warning}");
    }
    *warned = warning;
    Ok(())
}
