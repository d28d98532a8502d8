//! Who has the records of a shared store, in virtual time and over a row in memory: each race and each end, one by one.

use dubhook_smol::store::postgres::owner::{
    Answer, End, Failure, Lease, Moment, Operation, Owner, Shard, Step, Want,
};
use std::{sync::Arc, time::Duration};

/// The lease of every server here, in milliseconds.
const LEASE_MS: u64 = 3_000;

/// The row, as a database keeps it.
#[derive(Debug, Clone)]
struct Row(Shard);

impl Row {
    fn new() -> Self {
        Self(Shard {
            format: 1,
            epoch: 0,
            batch: 0,
            beat: 0,
            lease: Duration::ZERO,
            owner: None,
            url: None,
            lost: None,
            waits: false,
        })
    }

    /// Does what is asked, as the statements say.
    fn answer(&mut self, who: &str, operation: &Operation) -> Answer {
        let row = &mut self.0;
        match operation {
            Operation::Look => Answer::Row(Some(row.clone())),
            Operation::Take(seen) => Answer::Taken((*row == *seen).then(|| {
                row.epoch += 1;
                row.beat += 1;
                row.owner = Some(who.to_owned());
                row.lease = Duration::from_millis(LEASE_MS);
                (row.epoch, row.batch)
            })),
            Operation::Write { epoch, number } => {
                let is_next = (row.epoch, row.batch + 1) == (*epoch, *number);
                row.batch += i64::from(is_next);
                row.beat += i64::from(is_next);
                Answer::Written(is_next)
            }
            Operation::Beat { epoch } => Answer::Beaten((row.epoch == *epoch).then(|| {
                row.beat += 1;
                row.batch
            })),
            Operation::MarkLost { epoch, written, .. } => {
                row.lost = Some(*written);
                row.epoch = row.epoch.max(*epoch) + 1;
                row.owner = None;
                Answer::Done
            }
            Operation::Release { epoch } => {
                if row.epoch == *epoch {
                    row.owner = None;
                    row.beat += 1;
                }
                Answer::Done
            }
            Operation::Read | Operation::EndHolder => Answer::Done,
        }
    }
}

/// A server and its clock.
struct Server {
    name: &'static str,
    owner: Owner,
    lease: Arc<Lease>,
    now_ms: u64,
}

/// What came of what was wanted.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Done,
    Ended(End),
    /// It comes again after so long.
    Pause(u64),
}

impl Server {
    /// One whose clock shows this.
    fn new(name: &'static str, now_ms: u64) -> Self {
        let lease = Arc::new(Lease::new(Duration::from_millis(LEASE_MS)));
        let owner = Owner::new(name.to_owned(), Arc::clone(&lease));
        Self {
            name,
            owner,
            lease,
            now_ms,
        }
    }

    fn now(&self) -> Moment {
        Moment::from_nanos(self.now_ms * 1_000_000)
    }

    fn holds(&self) -> bool {
        self.lease.holds(self.now())
    }

    /// What it does next about what it wants.
    fn step(&mut self, want: Want) -> Step {
        let now = self.now();
        self.owner.want(now, want);
        self.owner.poll(now)
    }

    /// The question that it asks next.
    #[track_caller]
    fn asks(&mut self, want: Want) -> Operation {
        match self.step(want) {
            Step::Ask(operation) => operation,
            other => panic!("{other:?}"),
        }
    }

    fn hears(&mut self, answer: Result<Answer, Failure>) {
        self.owner.handle(self.now(), answer);
    }

    /// Has what it asks answered at once, until it asks no more.
    #[track_caller]
    fn does(&mut self, row: &mut Row, want: Want) -> Came {
        for _ in 0..10 {
            match self.step(want) {
                Step::Ask(operation) => {
                    let answer = row.answer(self.name, &operation);
                    self.hears(Ok(answer));
                }
                Step::Pause(pause) => return Came::Pause(pause.as_millis() as u64 + 1),
                Step::Done(Ok(())) => return Came::Done,
                Step::Done(Err(end)) => return Came::Ended(end),
                Step::Wait => panic!("everything is answered"),
            }
        }
        panic!("it asks for ever");
    }

    /// One that has the records.
    #[track_caller]
    fn owning(name: &'static str, row: &mut Row) -> Self {
        let mut server = Self::new(name, 50_000);
        assert_eq!(server.does(row, Want::Take), Came::Done);
        server
    }

    /// One that has waited for long enough and is asking to take the records, and what it asks.
    #[track_caller]
    fn about_to_take(name: &'static str, row: &mut Row) -> (Self, Operation) {
        let mut server = Self::new(name, 7);
        loop {
            match server.step(Want::Take) {
                Step::Ask(Operation::Look) => server.hears(Ok(Answer::Row(Some(row.0.clone())))),
                Step::Ask(take) => return (server, take),
                Step::Pause(pause) => server.now_ms += pause.as_millis() as u64 + 1,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Looks until it has the records. After how many milliseconds.
    #[track_caller]
    fn waits_for(&mut self, row: &mut Row) -> u64 {
        let since_ms = self.now_ms;
        loop {
            match self.does(row, Want::Take) {
                Came::Done => return self.now_ms - since_ms,
                Came::Pause(pause_ms) => self.now_ms += pause_ms,
                Came::Ended(end) => panic!("{end:?}"),
            }
        }
    }
}

fn taken_over_by(name: &str) -> Came {
    let by = Some(name.to_owned());
    Came::Ended(End::TakenOver { by })
}

#[test]
fn a_batch_of_an_old_epoch_that_comes_late_is_refused() {
    let mut row = Row::new();
    let mut old = Server::owning("old", &mut row);
    let late = old.asks(Want::Write);
    Server::new("new", 7).waits_for(&mut row);
    let before = row.clone();
    let answer = row.answer("old", &late);
    assert_eq!(answer, Answer::Written(false));
    old.hears(Ok(answer));
    assert_eq!(old.does(&mut row, Want::Write), taken_over_by("new"));
    assert_eq!(row.0, before.0);
    // Nothing is its own any more, nor does it give anything back.
    assert_eq!(old.does(&mut row, Want::Write), Came::Ended(End::Closed));
    assert_eq!(old.does(&mut row, Want::Release), Came::Done);
    assert_eq!(row.0, before.0);
}

#[test]
fn a_batch_that_waits_behind_a_takeover_is_refused() {
    let mut row = Row::new();
    let mut old = Server::owning("old", &mut row);
    let waiting = old.asks(Want::Write);
    let (mut new, take) = Server::about_to_take("new", &mut row);
    // Both have come; the takeover has the row first.
    let taken = row.answer("new", &take);
    let written = row.answer("old", &waiting);
    new.hears(Ok(taken));
    old.hears(Ok(written));
    assert_eq!(new.does(&mut row, Want::Take), Came::Done);
    assert_eq!(old.does(&mut row, Want::Write), taken_over_by("new"));
    assert!(!old.holds() && new.holds());
}

#[test]
fn a_takeover_that_waits_behind_a_batch_is_refused() {
    let mut row = Row::new();
    let mut old = Server::owning("old", &mut row);
    let waiting = old.asks(Want::Write);
    let (mut new, take) = Server::about_to_take("new", &mut row);
    let written = row.answer("old", &waiting);
    let taken = row.answer("new", &take);
    assert_eq!(taken, Answer::Taken(None));
    old.hears(Ok(written));
    new.hears(Ok(taken));
    assert_eq!(old.does(&mut row, Want::Write), Came::Done);
    assert!(matches!(new.does(&mut row, Want::Take), Came::Pause(_)));
    assert_eq!((row.0.epoch, row.0.batch), (1, 1));
    assert!(old.holds() && !new.holds());
}

#[test]
fn of_two_that_take_at_once_one_has_it() {
    let mut row = Row::new();
    let mut servers = ["one", "other"].map(|name| Server::new(name, 7));
    let takes = servers.each_mut().map(|server| {
        let look = server.asks(Want::Take);
        let found = row.answer(server.name, &look);
        server.hears(Ok(found));
        server.asks(Want::Take)
    });
    for (server, take) in servers.iter_mut().zip(&takes) {
        let taken = row.answer(server.name, take);
        server.hears(Ok(taken));
    }
    assert_eq!(servers.each_ref().map(Server::holds), [true, false]);
    assert_eq!(row.0.epoch, 1);
}

#[test]
fn a_lease_counts_from_before_its_question_was_sent() {
    let mut row = Row::new();
    let mut server = Server::owning("one", &mut row);
    server.now_ms += 2_000;
    let sent_ms = server.now_ms;
    let write = server.asks(Want::Write);
    // Its answer takes so long that the first lease ends.
    server.now_ms += 2_000;
    assert!(!server.holds());
    let written = row.answer("one", &write);
    server.hears(Ok(written));
    assert!(server.holds());
    server.now_ms = sent_ms + LEASE_MS - 1;
    assert!(server.holds());
    server.now_ms += 1;
    assert!(!server.holds());
}

#[test]
fn an_owner_is_replaced_after_its_lease_and_a_tenth_without_a_sign_of_life() {
    for lives_ms in [0, 100, 10_000] {
        let mut row = Row::new();
        let mut owner = Server::owning("owner", &mut row);
        let mut standby = Server::new("standby", 900_000);
        let mut beat_ms = 0;
        let mut passed_ms = 0;
        let took_ms = loop {
            match standby.does(&mut row, Want::Take) {
                Came::Done => break passed_ms - beat_ms,
                Came::Pause(pause_ms) => {
                    passed_ms += pause_ms;
                    standby.now_ms += pause_ms;
                    owner.now_ms += pause_ms;
                }
                Came::Ended(end) => panic!("{end:?}"),
            }
            if passed_ms <= lives_ms && passed_ms - beat_ms >= LEASE_MS / 4 {
                assert_eq!(owner.does(&mut row, Want::Beat), Came::Done);
                beat_ms = passed_ms;
            }
            assert!(owner.holds() == (passed_ms - beat_ms < LEASE_MS));
        };
        let least_ms = LEASE_MS + LEASE_MS / 10;
        // It looks every sixteenth of a lease.
        let most_ms = least_ms + 2 * LEASE_MS / 16;
        assert!(
            (least_ms..=most_ms).contains(&took_ms),
            "{took_ms} after {lives_ms}"
        );
    }
}

#[test]
fn what_was_given_back_is_taken_at_once() {
    let mut row = Row::new();
    let mut old = Server::owning("old", &mut row);
    let mut new = Server::new("new", 7);
    assert!(matches!(new.does(&mut row, Want::Take), Came::Pause(_)));
    assert_eq!(old.does(&mut row, Want::Release), Came::Done);
    assert!(!old.holds());
    new.now_ms += 500;
    assert_eq!(new.does(&mut row, Want::Take), Came::Done);
}

#[test]
fn nothing_is_spoken_while_it_is_being_given_back() {
    let mut row = Row::new();
    let mut server = Server::owning("one", &mut row);
    let write = server.asks(Want::Write);
    server.owner.close();
    let written = row.answer("one", &write);
    server.hears(Ok(written));
    assert_eq!(server.does(&mut row, Want::Write), Came::Ended(End::Closed));
    assert!(matches!(
        server.asks(Want::Release),
        Operation::Release { epoch: 1 }
    ));
    assert!(!server.holds());
}

#[test]
fn who_holds_the_row_of_an_owner_that_is_gone_is_ended() {
    let mut row = Row::new();
    let mut old = Server::owning("old", &mut row);
    // All of it has come but its end.
    let _torn = old.asks(Want::Write);
    let (mut new, take) = Server::about_to_take("new", &mut row);
    assert!(matches!(take, Operation::Take(_)));
    // However long the database lets it wait: it was there meanwhile, and the owner was not.
    new.now_ms += LEASE_MS;
    new.hears(Err(Failure::Locked));
    assert_eq!(new.asks(Want::Take), Operation::EndHolder);
    new.now_ms += LEASE_MS;
    new.hears(Ok(Answer::Done));
    let Step::Pause(pause) = new.step(Want::Take) else {
        panic!("it leaves it time to end");
    };
    new.now_ms += pause.as_millis() as u64;
    assert_eq!(new.does(&mut row, Want::Take), Came::Done);
    // So does an owner whose own session of before holds it.
    let _ = new.asks(Want::Write);
    new.hears(Err(Failure::Unknown));
    new.now_ms += 1_000;
    assert!(matches!(new.asks(Want::Write), Operation::Beat { .. }));
    new.hears(Err(Failure::Locked));
    assert_eq!(new.asks(Want::Write), Operation::EndHolder);
}

#[test]
fn a_batch_in_doubt_is_asked_about_by_a_beat_and_written_once() {
    // Whether it was there when its answer did not come.
    for was_written in [true, false] {
        let mut row = Row::new();
        let mut server = Server::owning("one", &mut row);
        let write = server.asks(Want::Write);
        if was_written {
            let _ = row.answer("one", &write);
        }
        server.now_ms += LEASE_MS;
        server.hears(Err(Failure::Unknown));
        assert!(!server.holds());
        let Step::Pause(pause) = server.step(Want::Write) else {
            panic!("it waits before it asks again");
        };
        server.now_ms += pause.as_millis() as u64;
        let asked = server.asks(Want::Write);
        assert!(matches!(asked, Operation::Beat { .. }));
        let beaten = row.answer("one", &asked);
        server.hears(Ok(beaten));
        assert!(server.holds());
        assert_eq!(server.does(&mut row, Want::Write), Came::Done);
        assert_eq!((row.0.batch, server.owner.batch()), (1, 1));
    }
}

#[test]
fn that_a_beat_is_taken_says_nothing_of_a_batch_that_is_refused() {
    let mut row = Row::new();
    let mut server = Server::owning("one", &mut row);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let write = server.asks(Want::Write);
        assert!(matches!(write, Operation::Write { .. }));
        // Its disk is full.
        server.hears(Err(Failure::Unknown));
        let Step::Pause(pause) = server.step(Want::Write) else {
            panic!("it waits before it asks again");
        };
        pauses.push(pause.as_millis() as u64);
        server.now_ms += pause.as_millis() as u64;
        let beat = server.asks(Want::Write);
        assert!(matches!(beat, Operation::Beat { .. }));
        let beaten = row.answer("one", &beat);
        server.hears(Ok(beaten));
        // It goes on to be the owner, and is known to be stuck.
        assert!(server.holds() && server.owner.is_silent());
    }
    assert!(pauses.is_sorted() && pauses[0] < pauses[5], "{pauses:?}");
    assert_eq!(pauses[5], LEASE_MS / 4);
    assert_eq!(server.does(&mut row, Want::Write), Came::Done);
    assert!(!server.owner.is_silent());
}

#[test]
fn what_was_taken_without_hearing_so_is_taken_again_at_once() {
    let mut row = Row::new();
    let mut server = Server::new("one", 7);
    let look = server.asks(Want::Take);
    let found = row.answer("one", &look);
    server.hears(Ok(found));
    let take = server.asks(Want::Take);
    let _ = row.answer("one", &take);
    server.hears(Err(Failure::Unknown));
    assert!(!server.holds());
    assert!(server.waits_for(&mut row) < LEASE_MS / 4);
    assert_eq!(server.owner.epoch(), Some(2));
}

#[test]
fn what_was_acknowledged_and_is_gone_ends_everybody() {
    let mut row = Row::new();
    let mut owner = Server::owning("owner", &mut row);
    let mut standby = Server::new("standby", 7);
    for _ in 0..3 {
        assert_eq!(owner.does(&mut row, Want::Write), Came::Done);
    }
    assert!(matches!(standby.does(&mut row, Want::Take), Came::Pause(_)));
    let before = row.clone();
    let lost = Came::Ended(End::Lost {
        found: 1,
        written: 3,
    });
    // Whoever sees it first writes it down, and whoever comes after reads it.
    for (first, second) in [(&mut owner, "late"), (&mut standby, "later")] {
        row = before.clone();
        row.0.batch = 1;
        first.now_ms += 1_000;
        let want = match first.owner.epoch() {
            Some(_) => Want::Write,
            None => Want::Take,
        };
        assert_eq!(first.does(&mut row, want), lost);
        assert!(!first.holds());
        assert_eq!(Server::new(second, 7).does(&mut row, Want::Take), lost);
    }
}

#[test]
fn a_misfit_of_an_answer_is_none() {
    let mut row = Row::new();
    let mut server = Server::owning("one", &mut row);
    let _ = server.asks(Want::Write);
    server.hears(Ok(Answer::Taken(Some((9, 9)))));
    assert!(matches!(server.step(Want::Write), Step::Pause(_)));
    server.now_ms += 1_000;
    assert_eq!(server.does(&mut row, Want::Write), Came::Done);
    assert_eq!((row.0.epoch, row.0.batch), (1, 1));
}
