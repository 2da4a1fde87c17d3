//! Who may commit and fetch a consumer group's offsets.
//!
//! Pure.

use super::ConsumerGroup;
use crate::types::ErrorCode;

/// Members of consumer groups commit in this version or above.
const VERSION_OF_CONSUMER_GROUPS: i16 = 9;

impl ConsumerGroup {
    pub fn check_commit(&self, member: &str, epoch: i32, version: i16, is_transactional: bool) -> Result<(), ErrorCode> {
        // Producers that say nothing of a member may always; everybody may in a group without members.
        if epoch < 0 && (self.members.is_empty() || is_transactional && member.is_empty()) {
            return Ok(());
        }
        let found = self.members.get(member).ok_or(ErrorCode::UnknownMemberId)?;
        if !is_transactional && !found.is_classic() && version < VERSION_OF_CONSUMER_GROUPS {
            return Err(ErrorCode::UnsupportedVersion);
        }
        match epoch == found.epoch {
            true => Ok(()),
            false if is_transactional || found.is_classic() => Err(ErrorCode::IllegalGeneration),
            false => Err(ErrorCode::StaleMemberEpoch),
        }
    }

    pub fn check_fetch(&self, member: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        if member.is_none() && epoch < 0 {
            return Ok(());
        }
        let found = self.members.get(member.unwrap_or_default()).ok_or(ErrorCode::UnknownMemberId)?;
        match epoch == found.epoch {
            true => Ok(()),
            false if found.is_classic() => Err(ErrorCode::IllegalGeneration),
            false => Err(ErrorCode::StaleMemberEpoch),
        }
    }
}
