//! One member of a classic group.
//!
//! Pure.

use crate::coordinator::machine::Token;
use crate::wire::Str;
use bytes::Bytes;

/// A way to assign partitions that a member offers, with what its assignor needs to know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Protocol {
    pub name: Str,
    pub metadata: Bytes,
}

/// What a member takes beside its own fields and texts: its places in maps and timers, the allocator's share of a dozen small pieces.
const BESIDE_BYTES: usize = 640;

/// See the module. Everything in it is its own memory, not a slice of the request it came in.
#[derive(Clone, Debug)]
pub struct Member {
    pub instance_id: Option<Str>,
    pub client_id: Str,
    pub client_host: Str,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// In the order of the member's preference.
    pub protocols: Vec<Protocol>,
    pub assignment: Bytes,
    /// Its first JoinGroup has not been answered.
    pub is_new: bool,
    pub join_waiter: Option<Token>,
    pub sync_waiter: Option<Token>,
}

impl Member {
    /// What its assignor said for `protocol`; nothing if it does not offer it.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|offered| &*offered.name == protocol).map(|offered| offered.metadata.clone()).unwrap_or_default()
    }

    /// Need not be heard of: the broker lets it wait. A member that is new may have gone before it was let in.
    pub fn is_excused(&self) -> bool {
        !self.is_new && (self.join_waiter.is_some() || self.sync_waiter.is_some())
    }

    /// Memory it takes, about.
    pub fn bytes(&self) -> u64 {
        let texts = self.instance_id.as_ref().map_or(0, |id| id.len()) + self.client_id.len() + self.client_host.len();
        let protocols: usize =
            self.protocols.iter().map(|offered| offered.name.len() + offered.metadata.len() + size_of::<Protocol>()).sum();
        (size_of::<Member>() + BESIDE_BYTES + texts + protocols + self.assignment.len()) as u64
    }
}
