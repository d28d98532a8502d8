//! What a driver does wrong is a typed error, and changes nothing.

use super::*;
use crate::dispatch::{
    EndpointChange, EndpointError, HandleError, Kinds, RequestError, SubjectError,
};

const NOWHERE: Ix = Ix::new(9).unwrap();

#[test]
fn a_subject_is_admitted_once_and_into_a_slot_that_there_is() {
    bench(Keep::Nothing, |mut bench| {
        let again = bench.dispatcher.admit(FRONT, 0, false);
        assert_eq!(again, Err(SubjectError::Twice));
        let nowhere = bench.dispatcher.admit(NOWHERE, 0, false);
        assert_eq!(nowhere, Err(SubjectError::Unknown));
        assert_eq!(bench.dispatcher.audit(), Ok(()));
    });
}

#[test]
fn a_subject_that_needs_more_room_than_there_is_is_refused() {
    let mut memory = Box::new(Memory::new());
    let mut bench = Bench::over(&mut memory, Keep::Nothing);
    let admitted = bench.dispatcher.admit(FRONT, u8::MAX, false);
    assert_eq!(admitted, Err(SubjectError::Full));
    assert_eq!(bench.dispatcher.admit(FRONT, 1, false), Ok(()));
}

#[test]
fn an_event_is_of_a_subject_that_still_tells() {
    bench(Keep::Nothing, |mut bench| {
        let told = bench.event(FRONT, Kind::Opened, 0);
        let nowhere = bench.dispatcher.publish(NOWHERE, told, false, &bench.doors);
        assert_eq!(nowhere, Err(SubjectError::NotAdmitted));
        bench.tell(FRONT, Kind::Removed, 0);
        let told = bench.event(FRONT, Kind::Opened, 0);
        let ended = bench.dispatcher.publish(FRONT, told, false, &bench.doors);
        assert_eq!(ended, Err(SubjectError::NotAdmitted));
    });
}

#[test]
fn an_event_without_room_is_refused_and_owed_to_nobody() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://all.test/", true);
        let full = loop {
            let told = bench.event(FRONT, Kind::Opened, 0);
            let told = bench.dispatcher.publish(FRONT, told, false, &bench.doors);
            if let Err(error) = told {
                break error;
            }
        };
        assert_eq!(full, SubjectError::Full);
        assert_eq!(bench.dispatcher.audit(), Ok(()));
        assert_eq!(bench.drain(204).len(), 12);
    });
}

#[test]
fn an_endpoint_that_is_not_there_is_unknown_and_not_full() {
    bench(Keep::Nothing, |mut bench| {
        let change = EndpointChange::default();
        let changed = bench.dispatcher.change_endpoint(NOWHERE, change);
        assert_eq!(changed, Err(EndpointError::Unknown));
        let test = bench.event(FRONT, Kind::Test, 0);
        let sent = bench.dispatcher.send(NOWHERE, None, test, &bench.doors);
        assert_eq!(sent, Err(EndpointError::Unknown));
        for _ in 0..2 {
            bench.endpoint("http://all.test/", true);
        }
        let new = NewEndpoint::new("http://third.test/", true).unwrap();
        let third = bench.dispatcher.create_endpoint(bench.now, new);
        assert_eq!(third, Err(EndpointError::Full));
        let long = format!("http://all.test/{}", "a".repeat(120));
        let new = NewEndpoint::new(&long, true).unwrap();
        let long = bench.dispatcher.create_endpoint(bench.now, new);
        assert_eq!(long, Err(EndpointError::TooLong));
        assert!(NewEndpoint::new("all.test", true).is_err(), "no URL");
    });
}

#[test]
fn an_attempt_is_told_of_once() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://all.test/", true);
        bench.tell(FRONT, Kind::Opened, 0);
        let (id, _) = bench.attempt().unwrap();
        let mut short = [0; 8];
        let url = bench.dispatcher.attempt_url(id, &bench.doors, &mut short);
        assert_eq!(url, Err(RequestError::ShortMemory));
        bench.answer(id, 204);
        let input = Input::Attempt {
            id,
            result: answered(204, None),
        };
        let again = bench.dispatcher.handle(bench.now, input, &bench.doors);
        assert_eq!(again, Err(HandleError::Attempt));
        let url = bench.dispatcher.attempt_url(id, &bench.doors, &mut short);
        assert_eq!(url, Err(RequestError::Unknown));
    });
}

#[test]
fn a_slot_is_another_subjects_once_the_one_before_is_settled() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://all.test/", true);
        bench.tell(FRONT, Kind::Opened, 0);
        bench.tell(FRONT, Kind::Removed, 0);
        assert!(!bench.dispatcher.is_settled(FRONT));
        let early = bench.dispatcher.admit(FRONT, 0, false);
        assert_eq!(early, Err(SubjectError::Owing));
        assert_eq!(bench.drain(204).len(), 2);
        assert!(bench.dispatcher.is_settled(FRONT));
        assert_eq!(bench.dispatcher.admit(FRONT, 0, false), Ok(()));
        // Numbers are the new subject's own.
        bench.sequences = [0; 2];
        bench.tell(FRONT, Kind::Opened, 0);
        assert_eq!(bench.drain(204).len(), 1);
    });
}

#[test]
fn endpoints_of_a_subject_that_has_ended_are_forgotten_before_its_slot_is_used_again() {
    bench(Keep::Nothing, |mut bench| {
        let narrowed = NewEndpoint {
            subject: Some(FRONT),
            ..NewEndpoint::new("http://front.test/", false).unwrap()
        };
        let made = bench.dispatcher.create_endpoint(bench.now, narrowed);
        assert!(made.is_ok());
        bench.tell(FRONT, Kind::Removed, 0);
        bench.drain(204);
        let early = bench.dispatcher.admit(FRONT, 0, false);
        assert_eq!(early, Err(SubjectError::Owing));
        bench.dispatcher.forget_subject(FRONT);
        assert_eq!(bench.dispatcher.admit(FRONT, 0, false), Ok(()));
        assert_eq!(bench.dispatcher.audit(), Ok(()));
    });
}

#[test]
fn an_endpoint_is_narrowed_to_a_subject_that_is_admitted() {
    let mut memory = Box::new(Memory::new());
    let mut bench = Bench::over(&mut memory, Keep::Nothing);
    for subject in [FRONT, NOWHERE] {
        let narrowed = NewEndpoint {
            subject: Some(subject),
            ..NewEndpoint::new("http://front.test/", false).unwrap()
        };
        let made = bench.dispatcher.create_endpoint(bench.now, narrowed);
        assert_eq!(made, Err(EndpointError::Subject));
        assert_eq!(bench.dispatcher.audit(), Ok(()));
    }
    bench.admit();
}

#[test]
fn what_can_not_be_called_is_no_endpoint() {
    bench(Keep::Nothing, |mut bench| {
        let ix = bench.endpoint("http://all.test/", true);
        let changed = bench.dispatcher.change_endpoint(
            ix,
            EndpointChange {
                url: Some("nonsense".into()),
                ..EndpointChange::default()
            },
        );
        assert_eq!(changed, Err(EndpointError::Url));
        let made = NewEndpoint {
            url: "nonsense".into(),
            ..NewEndpoint::new("http://all.test/", true).unwrap()
        };
        let made = bench.dispatcher.create_endpoint(bench.now, made);
        assert_eq!(made, Err(EndpointError::Url));
        bench.tell(FRONT, Kind::Opened, 0);
        assert_eq!(bench.drain(204).len(), 1, "it is called where it was");
    });
}

#[test]
fn an_event_has_a_number_above_the_one_before() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://all.test/", true);
        bench.tell(FRONT, Kind::Opened, 111);
        for step_back in [0, 1] {
            let mut told = bench.event(FRONT, Kind::Closed, 222);
            told.sequence = 1 - step_back;
            let told = bench.dispatcher.publish(FRONT, told, false, &bench.doors);
            assert_eq!(told, Err(SubjectError::Sequence));
        }
        assert_eq!(bench.drain(204).len(), 1);
        assert_eq!(bench.dispatcher.audit(), Ok(()));
    });
}

#[test]
fn an_ending_without_room_can_be_told_later() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://all.test/", true);
        let ending = loop {
            let told = bench.event(FRONT, Kind::Opened, 0);
            let told = bench.dispatcher.publish(FRONT, told, false, &bench.doors);
            if told.is_err() {
                break bench.event(FRONT, Kind::Removed, 0);
            }
        };
        let told = bench.dispatcher.publish(FRONT, ending, false, &bench.doors);
        assert_eq!(told, Err(SubjectError::Full));
        bench.drain(204);
        let told = bench.dispatcher.publish(FRONT, ending, false, &bench.doors);
        assert_eq!(told, Ok(()));
        assert_eq!(bench.drain(204).len(), 1);
    });
}

#[test]
fn an_attempt_is_known_to_the_machine_alone_that_made_it() {
    let mut memory = [const { Memory::new() }; 2].map(Box::new);
    let [one, two] = &mut memory;
    let mut machines = [(one, [7; 32]), (two, [8; 32])].map(|(memory, seed)| {
        let mut bench = Bench::seeded(memory, Keep::Nothing, Limits::DEVICE, seed);
        bench.admit();
        bench.endpoint("http://all.test/", true);
        bench.tell(FRONT, Kind::Opened, 0);
        let (id, _) = bench.attempt().unwrap();
        (bench, id)
    });
    let [(one, _), (_, of_two)] = &mut machines;
    let input = Input::Attempt {
        id: *of_two,
        result: answered(204, None),
    };
    let told = one.dispatcher.handle(one.now, input, &one.doors);
    assert_eq!(told, Err(HandleError::Attempt));
}

#[test]
fn a_body_that_is_too_long_is_not_the_requests_fault() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://all.test/", true);
        bench.tell(FRONT, Kind::Opened, 0);
        let output = bench.dispatcher.poll(bench.now, Ready::ALL, &mut []);
        let Ok(Output::Attempt(attempt)) = output else {
            panic!("it is owed");
        };
        let long = Long(bench.doors.ids[0]);
        let (mut text, mut request) = ([0; 120], [0; 4_096]);
        let url = bench.dispatcher.attempt_url(attempt.id, &long, &mut text);
        let (url, now) = (url.unwrap(), bench.now);
        let written = bench
            .dispatcher
            .write_attempt(now, attempt.id, &url, &long, &mut request);
        assert_eq!(written, Err(RequestError::LongBody));
    });
}

/// A door that has more to say than there is room for.
struct Long(Id);

impl Subjects<Told> for Long {
    fn id(&self, _: Ix) -> Option<Id> {
        Some(self.0)
    }
    fn write_body(&self, _: Ix, _: &Told, _: &Pool<'_>, out: &mut Out<'_>) {
        out.put(&[b' '; 257]);
    }
}

#[test]
fn a_kind_without_a_place_in_a_set_is_told_to_who_wants_all() {
    assert!(Kinds::ALL.has(32) && !Kinds::of(&[32]).has(32));
}
