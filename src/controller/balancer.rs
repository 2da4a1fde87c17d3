//! Which partition should move to which shard, by what each core measured: time it was busy, and bytes that each partition took in
//! and gave out. Counts of partitions play no part.
//!
//! Pure; on the controller's core, asked once a round. Moving costs a pause of the partition's producers, so it waits until one core has been
//! clearly busier than another for several rounds, moves one partition a round, none that would only swap the roles, and leaves a
//! moved one alone for a while. A core's busy time is shared out among its partitions by their bytes.

use crate::types::{ShardId, TopicPartitionId};
use std::collections::BTreeMap;
use std::time::Duration;

/// The busiest core is busy for at least this share of the time: below, nobody waits for it.
const BUSY_SHARE_MIN: f64 = 0.5;
/// It is busier than the least busy one by at least this.
const GAP_MIN: f64 = 0.2;
/// For so many rounds in a row.
const ROUNDS: u32 = 3;
/// A move takes away at most this part of the gap: half of it levels the two, all of it swaps them.
const GAP_PART_MAX: f64 = 0.75;
/// And at least this part: else it is not worth the pause.
const GAP_PART_MIN: f64 = 0.05;
/// Rounds for which a moved partition stays.
const REST_ROUNDS: u32 = 30;

/// What one shard did in a round.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ShardLoad {
    pub busy: Duration,
    /// Bytes in and out of all partitions.
    pub bytes: u64,
    /// Its partitions with the most bytes.
    pub hottest: Vec<(TopicPartitionId, u64)>,
}

/// A move to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proposal {
    pub id: TopicPartitionId,
    pub from: ShardId,
    pub to: ShardId,
}

/// See the module.
#[derive(Default)]
pub struct Balancer {
    /// The shard that was too busy in the last rounds, and for how many.
    busiest: Option<(usize, u32)>,
    resting: BTreeMap<TopicPartitionId, u32>,
}

impl Balancer {
    /// Takes what all shards, in order, did in the last `round`.
    pub fn decide(&mut self, round: Duration, loads: &[ShardLoad]) -> Option<Proposal> {
        self.resting.retain(|_, rounds| {
            *rounds -= 1;
            *rounds > 0
        });
        let share = |shard: usize| (loads[shard].busy.as_secs_f64() / round.as_secs_f64()).min(1.0);
        let hot = (0..loads.len()).max_by(|a, b| share(*a).total_cmp(&share(*b)).then(b.cmp(a)))?;
        let cool = (0..loads.len()).min_by(|a, b| share(*a).total_cmp(&share(*b)).then(a.cmp(b)))?;
        let gap = share(hot) - share(cool);
        if share(hot) < BUSY_SHARE_MIN || gap < GAP_MIN {
            self.busiest = None;
            return None;
        }
        let rounds = self.busiest.filter(|(shard, _)| *shard == hot).map_or(0, |(_, rounds)| rounds) + 1;
        self.busiest = Some((hot, rounds));
        if rounds < ROUNDS {
            return None;
        }
        let id = self.pick(&loads[hot], share(hot), gap)?;
        self.busiest = None;
        self.resting.insert(id, REST_ROUNDS);
        Some(Proposal { id, from: ShardId(hot as u16), to: ShardId(cool as u16) })
    }

    /// The partition whose move comes closest to levelling the two shards.
    fn pick(&self, load: &ShardLoad, share: f64, gap: f64) -> Option<TopicPartitionId> {
        let cost = |bytes: u64| share * bytes as f64 / load.bytes.max(1) as f64;
        let fits = |bytes: u64| (GAP_PART_MIN * gap..=GAP_PART_MAX * gap).contains(&cost(bytes));
        let candidates = load.hottest.iter().filter(|(id, bytes)| fits(*bytes) && !self.resting.contains_key(id));
        let left = |bytes: u64| (gap - 2.0 * cost(bytes)).abs();
        let best = candidates.min_by(|a, b| left(a.1).total_cmp(&left(b.1)).then(a.0.cmp(&b.0)));
        best.map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{PartitionIndex, TopicId};

    const ROUND: Duration = Duration::from_secs(10);

    fn id(partition: i32) -> TopicPartitionId {
        TopicPartitionId { topic_id: TopicId([1; 16]), partition: PartitionIndex(partition) }
    }

    /// A shard that was busy for this part of the round, in percent, for these partitions' bytes.
    fn load(busy: u64, partitions: &[(i32, u64)]) -> ShardLoad {
        ShardLoad {
            busy: ROUND * busy as u32 / 100,
            bytes: partitions.iter().map(|(_, bytes)| bytes).sum(),
            hottest: partitions.iter().map(|(partition, bytes)| (id(*partition), *bytes)).collect(),
        }
    }

    fn proposals(balancer: &mut Balancer, rounds: usize, loads: &[ShardLoad]) -> Vec<(usize, Proposal)> {
        (1..=rounds).filter_map(|round| Some((round, balancer.decide(ROUND, loads)?))).collect()
    }

    #[test]
    fn a_core_that_stays_busier_gives_away_what_levels_it() {
        let loads = [load(10, &[(9, 5)]), load(90, &[(0, 50), (1, 25), (2, 15), (3, 10)])];
        let moved = proposals(&mut Balancer::default(), 3, &loads);
        // The gap is 80 points: partition 0 stands for 45 of shard 1's 90.
        assert_eq!(moved, [(3, Proposal { id: id(0), from: ShardId(1), to: ShardId(0) })]);
    }

    #[test]
    fn one_hot_partition_alone_stays_since_the_other_core_would_be_the_busy_one_then() {
        let loads = [load(95, &[(0, 1_000)]), load(10, &[(1, 10)])];
        assert_eq!(proposals(&mut Balancer::default(), 20, &loads), []);
    }

    #[test]
    fn cores_that_are_idle_or_alike_are_left_alone() {
        for loads in [[load(45, &[(0, 9), (1, 9)]), load(1, &[])], [load(95, &[(0, 9), (1, 9)]), load(80, &[(2, 1)])]] {
            assert_eq!(proposals(&mut Balancer::default(), 20, &loads), []);
        }
    }

    #[test]
    fn a_moment_of_calm_starts_the_count_anew() {
        let (hot, calm) = ([load(90, &[(0, 5), (1, 5)]), load(5, &[])], [load(20, &[(0, 5), (1, 5)]), load(5, &[])]);
        let mut balancer = Balancer::default();
        assert_eq!(proposals(&mut balancer, 2, &hot), []);
        assert_eq!(proposals(&mut balancer, 1, &calm), []);
        assert_eq!(proposals(&mut balancer, 3, &hot).len(), 1, "in the third round from here");
    }

    #[test]
    fn what_was_moved_is_left_alone_for_a_while() {
        let mut balancer = Balancer::default();
        let (there, back) = ([load(90, &[(0, 5), (1, 5)]), load(5, &[])], [load(5, &[]), load(90, &[(0, 5), (1, 5)])]);
        assert_eq!(proposals(&mut balancer, 3, &there)[0].1.id, id(0));
        assert_eq!(proposals(&mut balancer, 3, &back)[0].1.id, id(1), "not the one that has just come");
        assert_eq!(proposals(&mut balancer, 20, &back), []);
    }

    #[test]
    fn few_bytes_are_not_worth_a_pause() {
        let loads = [load(90, &[(0, 980), (1, 10), (2, 10)]), load(5, &[])];
        assert_eq!(proposals(&mut Balancer::default(), 20, &loads), []);
    }

    #[test]
    fn a_broker_of_one_core_or_without_traffic_is_fine() {
        assert_eq!(proposals(&mut Balancer::default(), 5, &[load(99, &[(0, 1)])]), []);
        assert_eq!(proposals(&mut Balancer::default(), 5, &[load(99, &[]), load(0, &[])]), []);
    }
}
