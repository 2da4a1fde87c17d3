//! Who may commit and fetch a consumer group's offsets.
//!
//! Pure.

use super::ConsumerGroup;
use crate::types::ErrorCode;

/// Members of consumer groups commit in this version or above.
const VERSION_OF_CONSUMER_GROUPS: i16 = 9;

impl ConsumerGroup {
    pub fn check_commit(&self, member: &str, epoch: i32, version: i16, is_transactional: bool) -> Result<(), ErrorCode> {
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let found = self.members.get(member).ok_or(ErrorCode::UnknownMemberId)?;
        if !is_transactional && version < VERSION_OF_CONSUMER_GROUPS {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if epoch != found.epoch { Err(ErrorCode::StaleMemberEpoch) } else { Ok(()) }
    }

    pub fn check_fetch(&self, member: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        if member.is_none() && epoch < 0 {
            return Ok(());
        }
        let found = self.members.get(member.unwrap_or_default()).ok_or(ErrorCode::UnknownMemberId)?;
        if epoch != found.epoch { Err(ErrorCode::StaleMemberEpoch) } else { Ok(()) }
    }
}
