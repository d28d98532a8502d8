//! Rules that the environment breaks on purpose, to see that somebody notices.

use dubhook_core::{
    out::Out,
    record::{Key, Table},
    signature::{MessageId, Secret},
};

/// A rule that the environment breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// A crash takes all that was durable, but for the first record.
    LoseAll,
    /// The server is told that a batch is durable when it has just been sealed.
    AckBeforeSync,
    /// A crash takes back a batch that was durable.
    LoseSynced,
    /// Idempotency keys are not written down.
    ForgetKeys,
    /// A record of a job's state comes back as it was before.
    StaleState,
    /// A crash cuts a record off.
    TearRecord,
    /// A second recovery does not see all records.
    ForgetfulRecovery,
    /// The server is never told that what it writes is durable, once all faults are over.
    NeverCommit,
    /// A retry sends the bytes of the first attempt again.
    ReuseTimestamp,
    /// One byte of a body differs in a retry.
    ChangeBody,
    /// A retry goes by another id.
    NewId,
    /// A delivery is said to have arrived though it was never sent.
    SkipDelivery,
    /// An attempt is sent long after the server was told that it had arrived.
    SendLate,
    /// Each attempt is sent twice at once.
    SendTwice,
    /// An ending is followed by one more event of its job.
    GoOn,
    /// The server's schedule has shorter pauses than was said.
    HurryRetries,
    /// The server makes no pause before it probes an endpoint that fails.
    HurryProbes,
    /// The server delivers to any address.
    AllowAll,
    /// There is one attempt at a time, whoever it goes to.
    OneAtATime,
    /// Connections that have ended are not given back.
    LeakConns,
    /// A job that is completed has failed, by its record.
    FlipEnding,
    /// Who has called a job off is told that it has failed.
    DenyCancel,
    /// Answers are no HTTP.
    MangleAnswers,
    /// Who asks about a completed job is told that it was called off.
    LieToClients,
    /// A client's application is told everything twice.
    TellTwice,
    /// Applications of clients are told nothing, once all faults are over.
    DeafApplications,
    /// Who reads the stream of events comes back to where it was before the last one.
    LosePlace,
    /// Who reads the stream of events hears nothing, once all faults are over.
    DeafWatchers,
    /// Remote workers do not name their leases.
    NoLease,
    /// A server that was stopped lets time pass before it reads what has come meanwhile.
    JudgeFirst,
    /// The database writes batches of any epoch.
    NoEpoch,
    /// Servers speak whatever their leases say.
    SpeakOn,
    /// What asks the database how far it is waits for no standby, as if it only read.
    DoubtByRead,
}

impl Mutation {
    /// Each of them, with the invariants of which one must fire.
    pub const ALL: [(Self, &'static [&'static str]); 33] = [
        (Self::LoseAll, &["S1"]),
        (Self::AckBeforeSync, &["S9"]),
        (Self::LoseSynced, &["S1", "S2", "S8", "S9"]),
        (Self::ForgetKeys, &["K1"]),
        (
            Self::StaleState,
            &["S1", "S2", "S3", "S8", "S9", "S13", "S14"],
        ),
        (Self::TearRecord, &["S14"]),
        (Self::ForgetfulRecovery, &["S13"]),
        (Self::NeverCommit, &["L1"]),
        (Self::ReuseTimestamp, &["S6"]),
        (Self::ChangeBody, &["S6"]),
        (Self::NewId, &["S8"]),
        (Self::SkipDelivery, &["S3"]),
        (Self::SendLate, &["S4", "S5"]),
        (Self::SendTwice, &["S7"]),
        (Self::GoOn, &["S5"]),
        (Self::HurryRetries, &["S7"]),
        (Self::HurryProbes, &["S12"]),
        (Self::AllowAll, &["S11"]),
        (Self::OneAtATime, &["S12"]),
        (Self::LeakConns, &["S10", "L1", "L2"]),
        (Self::FlipEnding, &["S2"]),
        (Self::DenyCancel, &["S15"]),
        (Self::MangleAnswers, &["L2"]),
        (Self::LieToClients, &["C2"]),
        (Self::TellTwice, &["C1"]),
        (Self::DeafApplications, &["L3"]),
        (Self::LosePlace, &["W1"]),
        (Self::DeafWatchers, &["W2"]),
        (Self::NoLease, &["R1"]),
        (Self::JudgeFirst, &["R2"]),
        (Self::NoEpoch, &["S17"]),
        (Self::SpeakOn, &["S16"]),
        (Self::DoubtByRead, &["S1", "S2", "S9", "S16"]),
    ];

    /// What becomes of the records of a batch on their way to the disk, in the process with this number.
    pub(super) fn spoil_records(self, process: u32, changes: &mut Vec<(Key, Option<Vec<u8>>)>) {
        match self {
            Self::ForgetKeys => changes.retain(|(key, _)| key.table != Table::Key),
            Self::StaleState => {
                let mut first = true;
                changes.retain(|(key, _)| {
                    let state = key.table == Table::State && key.slot == 1;
                    !state || core::mem::take(&mut first) && process == 1
                });
            }
            Self::FlipEnding => {
                for (key, value) in changes {
                    // The kind of the last event. The other way round it would be noticed that there is no URL.
                    if key.table == Table::State
                        && let Some(kind) = value.as_mut().and_then(|value| value.get_mut(12))
                        && *kind == 3
                    {
                        *kind = 4;
                    }
                }
            }
            _ => {}
        }
    }

    /// What becomes of the server's answers on their way.
    pub(super) fn spoil_answer(self, bytes: &mut Vec<u8>) {
        match self {
            Self::MangleAnswers => bytes.iter_mut().take(4).for_each(|byte| *byte ^= 1),
            Self::DenyCancel => replace(bytes, r#""status":"canceled""#, r#""status":"error"   "#),
            Self::LieToClients => {
                replace(bytes, r#""status":"completed""#, r#""status":"canceled" "#);
            }
            _ => {}
        }
    }
}

/// Replaces text by text of the same length.
fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        *bytes = text.replace(from, to).into_bytes();
    }
}

/// An attempt's request with another id and another body, well signed all the same.
pub(super) fn forge(request: &str, secret: &Secret, id: &str, body: &str) -> Vec<u8> {
    let (head, _) = request.split_once("\r\n\r\n").unwrap_or((request, ""));
    let seconds = crate::machine::field(request, "webhook-timestamp");
    let seconds = seconds.parse().expect("seconds");
    let name = MessageId::new(id.as_bytes()).expect("a good id");
    let mut memory = [0; 64];
    let mut signature = Out::new(&mut memory);
    let signed = secret.signing_key().sign(name, seconds, body.as_bytes());
    signed.write(&mut signature);
    let signature = String::from_utf8_lossy(signature.written());
    let lines = head.split("\r\n").map(|line| match line.split_once(": ") {
        Some(("webhook-id", _)) => format!("webhook-id: {id}\r\n"),
        Some(("webhook-signature", _)) => format!("webhook-signature: {signature}\r\n"),
        Some(("content-length", _)) => format!("content-length: {}\r\n", body.len()),
        _ => format!("{line}\r\n"),
    });
    format!("{}\r\n{body}", lines.collect::<String>()).into_bytes()
}
