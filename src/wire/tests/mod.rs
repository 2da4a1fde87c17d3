//! Properties of every message in every version: round trips, truncation, hostile bytes, agreement with an independent codec.

mod entropy;
mod golden;
mod hostile;
mod oracle;
mod round_trip;

pub use entropy::{Entropy, Sample};

use crate::wire::message::Codec;
use crate::wire::primitives::Field;
use crate::wire::versions::{ApiKey, Request, visit_all};
use crate::wire::{EncodeError, Writer};
use bytes::Bytes;

/// Something to do for every API in the table, with its types at hand.
pub trait ApiVisitor {
    fn visit<Q: Request<Response: Sample> + Sample>(&mut self);
}

/// A request or a response of one API, in one version.
struct Subject {
    key: ApiKey,
    is_request: bool,
    codec: Codec,
}

/// What is done for every message in every version.
trait Check {
    fn check<M: Field + Sample + Default + Clone + PartialEq + std::fmt::Debug>(&mut self, subject: &Subject);
}

fn check_all(check: &mut impl Check) {
    struct Visitor<'a, C>(&'a mut C);

    impl<C: Check> ApiVisitor for Visitor<'_, C> {
        fn visit<Q: Request<Response: Sample> + Sample>(&mut self) {
            let versions = Q::KEY.spec().versions;
            for version in versions.min..=versions.max {
                let codec = Q::KEY.codec(version);
                self.0.check::<Q>(&Subject { key: Q::KEY, is_request: true, codec });
                self.0.check::<Q::Response>(&Subject { key: Q::KEY, is_request: false, codec });
            }
        }
    }

    visit_all(&mut Visitor(check));
}

fn encode<M: Field>(message: &M, codec: Codec) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    message.write(&mut writer, codec)?;
    let (size, bytes) = (writer.size(), writer.into_bytes());
    assert_eq!(size, bytes.len());
    Ok(bytes)
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{} v{}", self.key, if self.is_request { "Request" } else { "Response" }, self.codec.version)
    }
}
