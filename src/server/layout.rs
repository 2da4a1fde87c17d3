//! Which cores a broker runs, and on which CPUs.

use crate::rt::host;

/// One entry a shard: the CPU to pin it to, if any; and the controller's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    pub shards: Vec<Option<usize>>,
    pub controller: Option<usize>,
}

/// From this many CPUs on the controller has one of its own, and shards are pinned. With fewer, whatever else runs on the machine needs a CPU
/// that a shard is bound to, and the kernel places all of them better than we: docs/decisions/0017-pinning.md.
const CPUS_TO_PIN: usize = 4;

/// The layout for the CPUs this process may use.
pub fn of_this_process(shards: Option<u16>) -> Layout {
    of(&host::allowed_cpus(), shards)
}

/// `shards`: as many as configured, or one for each CPU less the controller's. More shards than CPUs are not pinned.
fn of(cpus: &[usize], shards: Option<u16>) -> Layout {
    let (controller, cpus) = match cpus {
        [rest @ .., last] if cpus.len() >= CPUS_TO_PIN => (Some(*last), rest),
        _ => (None, cpus),
    };
    let count = shards.map_or(cpus.len(), usize::from).max(1);
    let pinned = controller.is_some() && count <= cpus.len();
    Layout { shards: (0..count).map(|shard| pinned.then(|| cpus[shard])).collect(), controller }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cpus_are_shared_by_all() {
        assert_eq!(of(&[0, 1], None), Layout { shards: vec![None, None], controller: None });
    }

    #[test]
    fn four_cpus_give_the_controller_its_own() {
        assert_eq!(of(&[2, 3, 6, 7], None), Layout { shards: vec![Some(2), Some(3), Some(6)], controller: Some(7) });
    }

    #[test]
    fn more_shards_than_cpus_float() {
        assert_eq!(of(&[0, 1, 2, 3], Some(4)), Layout { shards: vec![None; 4], controller: Some(3) });
    }
}
