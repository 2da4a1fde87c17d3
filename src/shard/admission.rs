//! Who may begin a transaction's records in a partition: a producer that its transaction's coordinator has said yes to (KIP-890).
//!
//! Before the coordinator is asked, the partition's core gives out a number; what is appended must show it, unless the transaction is open in the log
//! already. The transaction's marker makes the number worthless. So no record of a transaction comes behind its end, where nobody would ever end it.

use super::Shard;
use crate::config::limits;
use crate::types::{ErrorCode, ProducerEpoch, ProducerId, TopicPartitionId};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// A producer that wants to write in a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Applicant {
    pub id: TopicPartitionId,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
}

/// What the partition's core says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub error: ErrorCode,
    /// To be shown, once the coordinator has agreed; `None`: its transaction is open here.
    pub admission: Option<u64>,
}

/// Numbers given out on this core.
#[derive(Default)]
pub struct Admissions {
    given: RefCell<BTreeMap<(TopicPartitionId, ProducerId), (ProducerEpoch, u64)>>,
    by_number: RefCell<BTreeMap<u64, (TopicPartitionId, ProducerId)>>,
    next: Cell<u64>,
}

impl Admissions {
    fn give(&self, applicant: &Applicant) -> u64 {
        let key = (applicant.id, applicant.producer_id);
        if let Some((epoch, number)) = self.given.borrow().get(&key)
            && *epoch == applicant.producer_epoch
        {
            return *number;
        }
        self.forget(applicant.id, applicant.producer_id);
        let number = self.next.get();
        self.next.set(number + 1);
        self.given.borrow_mut().insert(key, (applicant.producer_epoch, number));
        self.by_number.borrow_mut().insert(number, key);
        if self.by_number.borrow().len() > limits::ADMISSIONS_PER_SHARD_MAX {
            let oldest = self.by_number.borrow().first_key_value().map(|(_, key)| *key);
            oldest.into_iter().for_each(|(id, producer)| self.forget(id, producer));
        }
        number
    }

    /// The producer's transaction ends that was in an epoch below this one, or in this one.
    pub fn forget_up_to(&self, id: TopicPartitionId, producer: ProducerId, epoch: ProducerEpoch, this_too: bool) {
        let given = self.given.borrow().get(&(id, producer)).map(|(given, _)| *given);
        if given.is_some_and(|given| given < epoch || (given == epoch && this_too)) {
            self.forget(id, producer);
        }
    }

    fn forget(&self, id: TopicPartitionId, producer: ProducerId) {
        if let Some((_, number)) = self.given.borrow_mut().remove(&(id, producer)) {
            self.by_number.borrow_mut().remove(&number);
        }
    }

    /// The partition is another core's now, or nobody's.
    pub fn forget_partition(&self, id: TopicPartitionId) {
        let producers: Vec<ProducerId> = self
            .given
            .borrow()
            .range((id, ProducerId(i64::MIN))..=(id, ProducerId(i64::MAX)))
            .map(|((_, producer), _)| *producer)
            .collect();
        producers.into_iter().for_each(|producer| self.forget(id, producer));
    }

    fn is_given(&self, applicant: &Applicant, number: u64) -> bool {
        let given = self.given.borrow().get(&(applicant.id, applicant.producer_id)).copied();
        given == Some((applicant.producer_epoch, number))
    }
}

impl Shard {
    /// On the partitions' core: how each applicant stands.
    pub fn standings(&self, applicants: &[Applicant]) -> Vec<Standing> {
        applicants.iter().map(|applicant| self.standing(applicant)).collect()
    }

    fn standing(&self, applicant: &Applicant) -> Standing {
        match self.led_partition(applicant.id) {
            Ok((log, _)) if log.has_open_transaction(applicant.producer_id, applicant.producer_epoch) => {
                Standing { error: ErrorCode::None, admission: None }
            }
            Ok(_) => Standing { error: ErrorCode::None, admission: Some(self.admissions.give(applicant)) },
            Err(error) => Standing { error, admission: None },
        }
    }

    /// On the partition's core: whether its transaction's records may be written now.
    pub fn admits(&self, applicant: &Applicant, shown: Option<u64>) -> bool {
        let is_given = shown.is_some_and(|number| self.admissions.is_given(applicant, number));
        is_given
            || self
                .led_partition(applicant.id)
                .is_ok_and(|(log, _)| log.has_open_transaction(applicant.producer_id, applicant.producer_epoch))
    }
}
