//! What can be wrong with an upload, an output or a link to one.

use super::{super::Field, Parts, Problem};

/// What is wrong with what is asked for of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum MediaProblem {
    /// No such upload.
    NoSuchUpload,
    /// The translation has no output that is kept here.
    NoOutput,
    /// `bytes` is no number of bytes that an upload can have.
    Bytes,
    /// `sha256` is none.
    Sha256,
    /// A member names no upload that is whole.
    Upload(Field),
    /// `subtitles` are none that can be kept.
    Subtitles,
    /// The translation has no subtitles that are kept here.
    NoSubtitles,
    /// `filename` is none.
    Filename,
    /// `content_type` is none.
    ContentType,
    /// An upload's bytes come without their number.
    LengthRequired,
    /// `Upload-Offset` is none.
    OffsetMissing,
    /// `Upload-Offset` is not where the upload goes on.
    Offset,
    /// These bytes are more or fewer than the upload has.
    UploadLength,
    /// The upload is larger than uploads may be.
    UploadTooLarge,
    /// Another request is filling the upload.
    UploadBusy,
    /// All bytes of the upload are here already.
    UploadDone,
    /// The bytes are not those that were announced.
    Checksum,
    /// There is no room for so many bytes.
    MediaFull,
    /// The media cannot be read or written.
    MediaBroken,
    /// What is asked for is not what a client wants alone.
    Precondition,
    /// The range that is asked for lies beyond the end.
    Range,
    /// The upload that a job is about is not there, or not all of it.
    UploadNotReady,
    /// The bytes of an upload are to go elsewhere.
    UploadElsewhere,
    /// `Upload-Metadata` is none.
    UploadMetadata,
    /// Another version of the protocol by which uploads go on.
    TusVersion,
    /// What is sent of an upload says that it is something else.
    NotOffset,
    /// The signature of a link is not that of this link.
    LinkWrong,
    /// A link was good until before now.
    LinkExpired,
}

impl From<MediaProblem> for Problem {
    fn from(problem: MediaProblem) -> Self {
        Self::Media(problem)
    }
}

impl MediaProblem {
    /// Whether it is told to clients that upload, who are answered after tus.
    pub(crate) const fn is_of_uploads(&self) -> bool {
        matches!(
            self,
            Self::NoSuchUpload
                | Self::Bytes
                | Self::Filename
                | Self::ContentType
                | Self::LengthRequired
                | Self::OffsetMissing
                | Self::Offset
                | Self::UploadLength
                | Self::UploadTooLarge
                | Self::UploadBusy
                | Self::UploadDone
                | Self::UploadElsewhere
                | Self::UploadMetadata
                | Self::TusVersion
                | Self::NotOffset
                | Self::Checksum
                | Self::MediaFull
                | Self::MediaBroken
        )
    }

    /// A table: each arm is a constant.
    pub(super) const fn parts(&self) -> &'static Parts {
        match self {
            Self::NoSuchUpload => parts!(
                404,
                "upload_not_found",
                "There is no upload with this id, or it is no longer kept.",
            ),
            Self::NoOutput => parts!(
                404,
                "output_not_found",
                "The translation has no output that is kept here.",
            ),
            Self::Bytes => parts!(Bytes, "It must be a number of bytes, 1 at least."),
            Self::Sha256 => parts!(Sha256, "It must be 64 hexadecimal digits."),
            Self::Upload(_) => parts!("It must be the id of an upload that is all there."),
            Self::Subtitles => parts!(
                Subtitles,
                "It must be an upload with WebVTT or SubRip of 4 MiB at most, in UTF-8.",
            ),
            Self::NoSubtitles => parts!(
                404,
                "subtitles_not_found",
                "The translation has no subtitles that are kept here.",
            ),
            Self::Filename => parts!(
                Filename,
                "It must be a name of 1 to 255 bytes, without control characters."
            ),
            Self::ContentType => parts!(ContentType, "It must be a media type, such as video/mp4."),
            Self::LengthRequired => parts!(
                411,
                "length_required",
                "Send the bytes with content-length, not in chunks.",
            ),
            Self::OffsetMissing => parts!(
                400,
                "invalid_upload_offset",
                "Say where the bytes belong: Upload-Offset, a number, once.",
            ),
            Self::Offset => parts!(
                409,
                "upload_offset",
                "The upload does not go on there; HEAD says where it does.",
            ),
            Self::UploadLength => parts!(
                413,
                "upload_length",
                "These are not as many bytes as the upload has.",
            ),
            Self::UploadTooLarge => parts!(
                413,
                "upload_too_large",
                "The upload is larger than uploads may be here.",
            ),
            Self::UploadBusy => parts!(
                409,
                "upload_busy",
                "Another request is filling this upload.",
            ),
            Self::UploadDone => parts!(
                409,
                "upload_done",
                "All bytes of this upload are here already.",
            ),
            Self::Checksum => parts!(
                422,
                "checksum_mismatch",
                "The bytes are not those whose SHA-256 was announced; send them again.",
            ),
            Self::MediaFull => parts!(
                507,
                "media_full",
                "There is no room for so many bytes at the moment.",
            ),
            Self::Precondition => parts!(
                412,
                "precondition_failed",
                "There are other bytes now than those that If-Match names.",
            ),
            Self::Range => parts!(
                416,
                "range_not_satisfiable",
                "The output has no such bytes; Content-Range says how many it has.",
            ),
            Self::UploadNotReady => parts!(
                422,
                "upload_not_ready",
                "The upload that it names is not there, or not all of it.",
                Some(Field::VideoUrl)
            ),
            Self::UploadElsewhere => parts!(
                409,
                "upload_elsewhere",
                "Send the bytes to where the member upload says, which is not here.",
            ),
            Self::UploadMetadata => parts!(
                400,
                "invalid_upload_metadata",
                "Upload-Metadata must be names and values in Base64, each name once.",
            ),
            Self::TusVersion => parts!(
                412,
                "tus_version",
                "This server speaks the version of tus that Tus-Version says.",
            ),
            Self::NotOffset => parts!(
                415,
                "unsupported_media_type",
                "Send the bytes as content-type: application/offset+octet-stream.",
            ),
            Self::LinkWrong => parts!(
                403,
                "link_wrong",
                "The signature is not that of this link: take all of the URL as it was given, or send an API key.",
            ),
            Self::LinkExpired => parts!(
                403,
                "link_expired",
                "This link was good for a time that is over. Send an API key.",
            ),
            Self::MediaBroken => parts!(
                500,
                "media_broken",
                "The server could not read or write the bytes.",
            ),
        }
    }
}
