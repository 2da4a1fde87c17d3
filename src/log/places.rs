//! Which log directory each partition's directory is in, by name, as one shard knows it. Bookkeeping only, no I/O.

use std::cell::RefCell;
use std::collections::BTreeMap;

pub struct Places {
    /// Indexes of log directories; more than one where a topic was made again while one of them was offline.
    by_name: RefCell<BTreeMap<String, Vec<usize>>>,
    /// How many each directory has.
    counts: RefCell<Vec<usize>>,
    /// With which directory this shard begins where several have equally few, so that shards do not all begin with the same.
    first: usize,
}

impl Places {
    pub fn new(dir_count: usize, first: usize) -> Places {
        Places { by_name: RefCell::default(), counts: RefCell::new(vec![0; dir_count]), first }
    }

    pub fn found(&self, name: String, index: usize) {
        self.by_name.borrow_mut().entry(name).or_default().push(index);
        self.counts.borrow_mut()[index] += 1;
    }

    /// Every directory that has the name.
    pub fn of(&self, name: &str) -> Vec<usize> {
        self.by_name.borrow().get(name).cloned().unwrap_or_default()
    }

    pub fn set(&self, name: &str, index: usize) {
        self.forget(name);
        self.found(name.to_owned(), index);
    }

    pub fn forget(&self, name: &str) {
        for index in self.by_name.borrow_mut().remove(name).into_iter().flatten() {
            self.counts.borrow_mut()[index] -= 1;
        }
    }

    pub fn names(&self) -> Vec<(String, usize)> {
        self.by_name.borrow().iter().flat_map(|(name, places)| places.iter().map(|index| (name.clone(), *index))).collect()
    }

    /// Where a new partition goes: of those that `may` have it, the directory with the fewest.
    pub fn choose(&self, may: impl Fn(usize) -> bool) -> Option<usize> {
        let counts = self.counts.borrow();
        let order = (0..counts.len()).map(|step| (self.first + step) % counts.len());
        order.filter(|index| may(*index)).min_by_key(|index| counts[*index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_partition_goes_where_the_fewest_are_and_never_where_it_may_not() {
        let places = Places::new(3, 1);
        let mut chosen = Vec::new();
        for name in ["a-0", "b-0", "c-0", "d-0"] {
            let index = places.choose(|_| true).unwrap();
            places.set(name, index);
            chosen.push(index);
        }
        assert_eq!(chosen, [1, 2, 0, 1]);
        assert_eq!(places.choose(|index| index == 1), Some(1));
        assert_eq!(places.choose(|_| false), None);
    }
}
