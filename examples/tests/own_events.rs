//! Events of one's own, in a program that depends on the core and on nothing that the core depends on.

use dubhook_core::{
    dispatch::{
        Dispatcher, Limits, Message, NewEndpoint, Output, Ready, Storage, Subjects,
        zerocopy::FromZeros,
    },
    id::{Id, Ix},
    out::Out,
    record::{Keep, Read, Stored, Write},
    text::Pool,
    time::{Instant, Now, Timestamp},
};

/// An order was packed, or left the house.
#[derive(Debug, Clone, Copy, PartialEq, FromZeros)]
#[zerocopy(crate = "dubhook_core::dispatch::zerocopy")]
struct Step {
    at: Timestamp,
    number: u32,
    left: bool,
}

impl Message for Step {
    type Filter = bool;
    const EMPTY: Self = Self {
        at: Timestamp::EPOCH,
        number: 0,
        left: false,
    };
    const NO_FILTER: bool = false;

    fn sequence(&self) -> u32 {
        self.number
    }

    fn at(&self) -> Timestamp {
        self.at
    }

    fn is_last(&self) -> bool {
        self.left
    }

    fn passes(&self, last: bool) -> bool {
        self.left || !last
    }
}

impl Stored for Step {
    const BYTES_MAX: usize = 13;

    fn write(&self, record: &mut Write<'_>) {
        record.timestamp(self.at);
        record.u32(self.number);
        record.bool(self.left);
    }

    fn read(record: &mut Read<'_>) -> Option<Self> {
        Some(Self {
            at: record.timestamp(),
            number: record.u32(),
            left: record.bool(),
        })
    }
}

struct Order(Id);

impl Subjects<Step> for Order {
    fn id(&self, _: Ix) -> Option<Id> {
        Some(self.0)
    }

    fn write_body(&self, _: Ix, step: &Step, _: &Pool<'_>, out: &mut Out<'_>) {
        out.put(if step.left { &b"left"[..] } else { b"packed" });
    }
}

#[test]
fn an_endpoint_is_told_what_passes_its_filter() {
    #[track_caller]
    fn check(last_alone: bool, expect: &[u8]) {
        let now = Now {
            instant: Instant::ZERO,
            timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
        };
        let mut storage = Storage::<Step, 1, 1, 1, 192>::new();
        let tables = storage.lend(Keep::Nothing);
        let mut dispatcher = Dispatcher::new(tables, Limits::DEVICE, [7; 32]).unwrap();
        let order = Order(dispatcher.new_id(now, Ix::MIN));
        let endpoint = NewEndpoint::new("http://ward.test/", last_alone).unwrap();
        dispatcher.create_endpoint(now, endpoint).unwrap();
        dispatcher.admit(Ix::MIN, 2, false).unwrap();
        for (number, left) in [(1, false), (2, true)] {
            let step = Step {
                at: now.timestamp,
                number,
                left,
            };
            dispatcher.publish(Ix::MIN, step, false, &order).unwrap();
        }
        let polled = dispatcher.poll(now, Ready::ALL, &mut []).unwrap();
        let Output::Attempt(attempt) = polled else {
            panic!("{polled:?}")
        };
        let (mut url, mut request) = ([0; 64], [0; 512]);
        let url = dispatcher.attempt_url(attempt.id, &order, &mut url);
        let written =
            dispatcher.write_attempt(now, attempt.id, &url.unwrap(), &order, &mut request);
        assert!(request[..written.unwrap()].ends_with(expect));
    }
    check(false, b"packed");
    check(true, b"left");
}
