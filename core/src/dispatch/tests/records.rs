//! What is written down comes back, and nothing leaves before it is.

use super::*;
use crate::dispatch::{HandleError, PollError, RestoreError, SubjectError};
use crate::record::{Key, Table};
use std::collections::BTreeMap;

type Store = BTreeMap<Key, Vec<u8>>;

impl Bench<'_> {
    /// Takes one batch into the store. `false` where there is none.
    fn commit(&mut self, store: &mut Store) -> bool {
        let mut memory = [0; 1_024];
        let ready = Ready {
            attempts: false,
            ..Ready::ALL
        };
        loop {
            match self.dispatcher.poll(self.now, ready, &mut memory).unwrap() {
                Output::Save { key, value: None } => drop(store.remove(&key)),
                Output::Save {
                    key,
                    value: Some(value),
                } => drop(store.insert(key, value.to_vec())),
                Output::Commit(batch) => {
                    let input = Input::Durable(batch);
                    let taken = self.dispatcher.handle(self.now, input, &self.doors);
                    assert_eq!(taken, Ok(None));
                    return true;
                }
                Output::Sleep(_) => return false,
                Output::Attempt(_) => panic!("none was wanted"),
            }
        }
    }

    fn attempt_alone(&mut self) -> Option<AttemptId> {
        let ready = Ready {
            records: false,
            ..Ready::ALL
        };
        match self.dispatcher.poll(self.now, ready, &mut []).unwrap() {
            Output::Attempt(attempt) => Some(attempt.id),
            _ => None,
        }
    }
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    bench(Keep::Records, |mut bench| {
        let mut store = Store::new();
        bench.endpoint("http://all.test/", true);
        bench.tell(FRONT, Kind::Opened, 0);
        assert_eq!(bench.attempt_alone(), None);
        assert!(bench.commit(&mut store));
        assert!(!bench.commit(&mut store));
        assert!(bench.attempt_alone().is_some());
    });
}

#[test]
fn records_become_the_same_dispatcher_again() {
    let mut store = Store::new();
    let mut memory = Box::new(Memory::new());
    let mut before = Bench::over(&mut memory, Keep::Records);
    before.admit();
    before.endpoint("http://all.test/", false);
    let new = NewEndpoint {
        subject: Some(FRONT),
        ..NewEndpoint::new("http://front.test/", true).unwrap()
    };
    before.dispatcher.create_endpoint(before.now, new).unwrap();
    before.tell(FRONT, Kind::Opened, 0);
    before.tell(FRONT, Kind::Reading, -5);
    before.tell(BACK, Kind::Closed, 0);
    before.commit(&mut store);
    let id = before.attempt_alone().unwrap();
    let expect = before.request(id);
    before.answer(id, 500);
    before.commit(&mut store);

    let mut memory = Box::new(Memory::new());
    let mut after = Bench::over(&mut memory, Keep::Records);
    after.doors.ids = before.doors.ids;
    for (key, value) in &store {
        let (now, doors) = (before.now, &after.doors);
        after.dispatcher.restore(now, *key, value, doors).unwrap();
    }
    after.admit();
    after.dispatcher.start().unwrap();
    assert_eq!(after.dispatcher.audit(), Ok(()));
    let mut again = Store::new();
    after.commit(&mut again);
    assert_eq!(again, Store::new(), "nothing is new");

    // What failed waits as long as it would have, and is the same to the byte but for the time of its signature.
    after.now = before.now;
    let mut hosts: Vec<String> = Vec::new();
    let failed = field(&expect, "webhook-id");
    while let Some(id) = after.attempt_alone() {
        let request = after.request(id);
        assert_ne!(
            (field(&request, "host"), field(&request, "webhook-id")),
            (field(&expect, "host"), failed)
        );
        hosts.push(field(&request, "host").into());
        after.answer(id, 204);
        after.commit(&mut again);
    }
    after.pass(6_000);
    let id = after.attempt_alone().unwrap();
    assert_eq!(summary(&after.request(id)), summary(&expect));
    assert!(hosts.iter().any(|host| host == "own.test"), "{hosts:?}");
}

#[test]
fn a_batch_is_that_of_its_own_dispatcher_and_memory_is_long_enough() {
    bench(Keep::Records, |mut bench| {
        let mut few = [0; 16];
        let short = bench.dispatcher.poll(bench.now, Ready::ALL, &mut few);
        assert_eq!(short, Err(PollError::ShortMemory));
        let mut other = Memory::new();
        let mut other =
            Dispatcher::<Told>::new(other.lend(Keep::Records), Limits::DEVICE, [8; 32]).unwrap();
        let mut memory = [0; 1_024];
        let batch = loop {
            match other.poll(bench.now, Ready::ALL, &mut memory).unwrap() {
                Output::Commit(batch) => break batch,
                output => assert!(matches!(output, Output::Save { .. })),
            }
        };
        let input = Input::Durable(batch);
        let taken = bench.dispatcher.handle(bench.now, input, &bench.doors);
        assert_eq!(taken, Err(HandleError::Batch));
    });
}

#[test]
fn records_come_in_order_and_before_work() {
    let mut memory = Box::new(Memory::new());
    let mut bench = Bench::over(&mut memory, Keep::Records);
    let key = |table, slot| Key { table, slot };
    let put_back = |bench: &mut Bench<'_>, key| {
        let (now, doors) = (bench.now, &bench.doors);
        bench.dispatcher.restore(now, key, &[1; 33], doors)
    };
    assert_eq!(put_back(&mut bench, key(Table::Meta, 0)), Ok(()));
    let told = bench.event(FRONT, Kind::Opened, 0);
    let early = bench.dispatcher.publish(FRONT, told, false, &bench.doors);
    assert_eq!(early, Err(SubjectError::NotStarted));
    let twice = put_back(&mut bench, key(Table::Meta, 0));
    assert_eq!(twice, Err(RestoreError::Order));
    assert_eq!(bench.dispatcher.start(), Err(RestoreError::Order));

    let mut memory = Box::new(Memory::new());
    let mut bench = Bench::over(&mut memory, Keep::Records);
    assert_eq!(bench.dispatcher.start(), Ok(()));
    assert_eq!(bench.dispatcher.start(), Err(RestoreError::Started));
    let late = put_back(&mut bench, key(Table::Meta, 0));
    assert_eq!(late, Err(RestoreError::Started));
}

#[test]
fn records_are_not_put_back_into_what_keeps_nothing() {
    let mut store = Store::new();
    bench(Keep::Records, |mut bench| {
        assert!(bench.commit(&mut store));
    });
    let mut memory = Box::new(Memory::new());
    let mut bench = Bench::over(&mut memory, Keep::Nothing);
    for (key, value) in &store {
        let put_back = bench
            .dispatcher
            .restore(bench.now, *key, value, &bench.doors);
        assert_eq!(put_back, Err(RestoreError::Keep));
    }
    assert_eq!(bench.dispatcher.start(), Err(RestoreError::Keep));
    let admitted = bench.dispatcher.admit(FRONT, 0, false);
    assert_eq!(admitted, Err(SubjectError::NotStarted));
}

/// An event whose record is longer than it says.
#[derive(Debug, Clone, Copy, PartialEq, zerocopy::FromZeros)]
struct Liar(Told);

impl Message for Liar {
    type Filter = bool;
    const EMPTY: Self = Self(Told::EMPTY);
    const NO_FILTER: bool = false;
    fn sequence(&self) -> u32 {
        self.0.sequence
    }
    fn at(&self) -> Timestamp {
        self.0.at
    }
}

impl Stored for Liar {
    const BYTES_MAX: usize = 1;
    fn write(&self, record: &mut Write<'_>) {
        record.raw(&[0; 2_000]);
    }
    fn read(_: &mut Read<'_>) -> Option<Self> {
        None
    }
}

struct Nobody(Id);

impl Subjects<Liar> for Nobody {
    fn id(&self, _: Ix) -> Option<Id> {
        Some(self.0)
    }
    fn write_body(&self, _: Ix, _: &Liar, _: &Pool<'_>, _: &mut Out<'_>) {}
}

#[test]
fn what_does_not_fit_into_its_record_is_never_written_as_deleted() {
    let now = Now {
        instant: Instant::ZERO,
        timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
    };
    let mut storage = Box::new(Storage::<Liar, 1, 1, 1, 256>::new());
    let tables = storage.lend(Keep::Records);
    let mut dispatcher = Dispatcher::new(tables, Limits::DEVICE, [7; 32]).unwrap();
    let subject = Nobody(dispatcher.new_id(now, FRONT));
    dispatcher.admit(FRONT, 0, false).unwrap();
    let new = NewEndpoint::new("http://all.test/", false).unwrap();
    dispatcher.create_endpoint(now, new).unwrap();
    let told = Liar(Told {
        sequence: 1,
        ..Told::EMPTY
    });
    dispatcher.publish(FRONT, told, false, &subject).unwrap();
    let mut memory = [0; 1_024];
    assert!(memory.len() >= dispatcher.record_bytes_max());
    let mut refused = 0;
    for _ in 0..8 {
        match dispatcher.poll(now, Ready::ALL, &mut memory) {
            Ok(Output::Save { value, .. }) => assert!(value.is_some()),
            Ok(output) => panic!("it came to {output:?}"),
            Err(error) => {
                assert_eq!(error, PollError::ShortMemory);
                refused += 1;
            }
        }
    }
    assert!(refused > 1, "it says so until somebody listens");
}
