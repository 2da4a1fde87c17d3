//! Bytes to values and back: Kafka's frames, headers, messages and record batches.
//!
//! Pure: runs on any core, touches nothing, holds nothing. Never trusts a length: each is bounded by the bytes that remain.
//! Never copies records: decoding gives slices of the request, encoding lays slices and file ranges into the response.
//!
//! Start reading at [`versions`] (the one table of APIs), then an `api/` file, [`message`] (the macro they are written in),
//! [`header`] (whole frames) and [`records`] (what is inside the records fields).

pub mod api;
pub mod coordinator;
pub mod error;
pub mod header;
pub mod kraft;
pub mod message;
pub mod primitives;
pub mod reader;
pub mod record_runs;
pub mod records;
pub mod str;
pub mod versions;
pub mod writer;

#[cfg(test)]
mod tests;

pub use error::{DecodeError, DecodeProblem, EncodeError, EncodeProblem};
pub use header::{RequestHeader, decode_request, decode_response_frame, encode_request_frame, encode_response_frame};
pub use reader::Reader;
pub use record_runs::{FileRun, RecordRun, RecordsOut};
pub use str::Str;
pub use versions::{ApiKey, ApiSpec, Request, Response};
pub use writer::{Part, Writer};
