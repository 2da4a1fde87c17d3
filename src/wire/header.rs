//! Headers, and whole frames of them and a body.
//!
//! ```text
//! request:  int32 size | int16 key | int16 version | int32 correlation id | nullable string client id | [tagged fields] | body
//! response: int32 size | int32 correlation id | [tagged fields] | body
//! ```
//! The client id has an int16 length in all versions, so that a broker can read the header of an ApiVersions newer than it knows.

use super::error::{DecodeError, DecodeProblem, EncodeError, EncodeProblem};
use super::message::Codec;
use super::primitives::{Field, Nullable};
use super::reader::Reader;
use super::str::Str;
use super::versions::{ApiKey, Request, Response};
use super::writer::{Part, Writer};
use bytes::Bytes;
use std::collections::VecDeque;

/// What stands in front of a request's body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestHeader {
    pub api_key: ApiKey,
    /// Of the API, not of the header; perhaps one we do not speak.
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<Str>,
}

const CLIENT_ID: Codec = Codec { version: 1, flexible: false, nullable: true, tagged: false };

impl RequestHeader {
    /// Reads a header off the front of a request. The version may be one that we do not speak: ask [`RequestHeader::is_supported`].
    pub fn decode(reader: &mut Reader) -> Result<RequestHeader, DecodeError> {
        let key = reader.i16().map_err(|e| e.at("api_key"))?;
        let api_version = reader.i16().map_err(|e| e.at("api_version"))?;
        let correlation_id = reader.i32().map_err(|e| e.at("correlation_id"))?;
        let api_key = ApiKey::from_code(key).ok_or(DecodeError::new(DecodeProblem::UnknownApi(key)))?;
        let client_id = Str::read_nullable(reader, CLIENT_ID).map_err(|e| e.at("client_id"))?;
        if api_key.has_flexible_request_header(api_version) {
            reader.tagged_fields(|_, _| Ok(false)).map_err(|e| e.at("header"))?;
        }
        Ok(RequestHeader { api_key, api_version, correlation_id, client_id })
    }

    /// Whether we speak this version.
    pub fn is_supported(&self) -> bool {
        self.api_key.spec().versions.contains(self.api_version)
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.i16(self.api_key.code());
        writer.i16(self.api_version);
        writer.i32(self.correlation_id);
        self.client_id.write(writer, CLIENT_ID).map_err(|e| e.at("client_id"))?;
        if self.api_key.has_flexible_request_header(self.api_version) {
            writer.uvarint(0);
        }
        Ok(())
    }
}

/// Reads a request's body. Bytes behind it are left over, as in Kafka: clients have sent them by mistake.
pub fn decode_request<Q: Request>(reader: &mut Reader, version: i16) -> Result<Q, DecodeError> {
    decode_body(Q::KEY, reader, version)
}

/// Reads a response's body.
pub fn decode_response<P: Response>(reader: &mut Reader, version: i16) -> Result<P, DecodeError> {
    decode_body(P::KEY, reader, version)
}

/// Reads the response to a `Q` from a whole frame (without its size) and gives its correlation id, too.
pub fn decode_response_frame<Q: Request>(frame: Bytes, version: i16) -> Result<(i32, Q::Response), DecodeError> {
    let mut reader = Reader::new(frame);
    let correlation_id = reader.i32().map_err(|e| e.at("correlation_id"))?;
    if Q::KEY.has_flexible_response_header(version) {
        reader.tagged_fields(|_, _| Ok(false)).map_err(|e| e.at("header"))?;
    }
    Ok((correlation_id, decode_response(&mut reader, version)?))
}

/// A whole request frame, its size in front.
pub fn encode_request_frame<Q: Request>(
    body: &Q,
    version: i16,
    correlation_id: i32,
    client_id: Option<Str>,
) -> Result<VecDeque<Part>, EncodeError> {
    let mut writer = Writer::with_capacity(FRAME_CAPACITY);
    writer.begin_frame();
    RequestHeader { api_key: Q::KEY, api_version: version, correlation_id, client_id }.encode(&mut writer)?;
    encode_body(Q::KEY, body, &mut writer, version)?;
    writer.end_frame()?;
    Ok(writer.finish())
}

/// A whole response frame, its size in front.
pub fn encode_response_frame<P: Response>(body: &P, version: i16, correlation_id: i32) -> Result<VecDeque<Part>, EncodeError> {
    let mut writer = Writer::with_capacity(FRAME_CAPACITY);
    writer.begin_frame();
    writer.i32(correlation_id);
    if P::KEY.has_flexible_response_header(version) {
        writer.uvarint(0);
    }
    encode_body(P::KEY, body, &mut writer, version)?;
    writer.end_frame()?;
    Ok(writer.finish())
}

/// Holds most requests and responses, records aside, without growing.
const FRAME_CAPACITY: usize = 256;

fn decode_body<M: Field>(key: ApiKey, reader: &mut Reader, version: i16) -> Result<M, DecodeError> {
    if !key.spec().versions.contains(version) {
        return Err(DecodeError::new(DecodeProblem::UnknownVersion(version)));
    }
    M::read(reader, key.codec(version))
}

fn encode_body<M: Field>(key: ApiKey, body: &M, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
    if !key.spec().versions.contains(version) {
        return Err(EncodeError::new(EncodeProblem::UnknownVersion(version)));
    }
    body.write(writer, key.codec(version))
}
