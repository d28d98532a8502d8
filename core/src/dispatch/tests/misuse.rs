//! What a driver does wrong is a typed error, and changes nothing.

use super::*;
use crate::dispatch::{EndpointChange, EndpointError, HandleError, RequestError, SubjectError};

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
