//! Rewrites of a batch that a topic's configuration asks for; its records' bytes stay as they are.

use super::build::assemble;
use super::compression::{Compression, decompress};
use super::header::{ATTRIBUTES_AT, CRC_AT, MAX_TIMESTAMP_AT, put};
use super::{BatchHeader, ReadError, RecordBatch, TimestampType};
use crate::types::Timestamp;
use bytes::BytesMut;

impl RecordBatch {
    /// The batch with this timestamp type and max timestamp, and its CRC for that. Not copied if nothing changes, or if this is the
    /// only owner of the bytes.
    pub fn with_timestamps(self, timestamp_type: TimestampType, max_timestamp: Timestamp) -> RecordBatch {
        if self.attributes.timestamp_type() == timestamp_type && self.max_timestamp == max_timestamp {
            return self;
        }
        let attributes = self.attributes.with_timestamp_type(timestamp_type);
        let mut header = BatchHeader { attributes, max_timestamp, ..*self.header() };
        let mut bytes = self.into_bytes().try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        put(&mut bytes, ATTRIBUTES_AT, attributes.0.to_be_bytes());
        put(&mut bytes, MAX_TIMESTAMP_AT, max_timestamp.0.to_be_bytes());
        header.crc = crc32c::crc32c(&bytes[ATTRIBUTES_AT..]);
        put(&mut bytes, CRC_AT, header.crc.to_be_bytes());
        RecordBatch::from_parts(header, bytes.freeze())
    }

    /// The batch with its records in another codec; as it is if it has that codec.
    pub fn recompressed(self, compression: Compression) -> Result<RecordBatch, ReadError> {
        let codec = self.attributes.codec().ok_or(ReadError::UnknownCodec)?;
        if codec == compression.codec {
            return Ok(self);
        }
        let records = decompress(codec, &self.payload())?;
        Ok(assemble(*self.header(), compression, &records))
    }
}
