//! The simulator's own stories: what it promises to the code that runs on it.

mod files;
mod network;
mod schedule;

use super::{Machine, Options, World};
use std::cell::RefCell;
use std::rc::Rc;

pub fn world(seed: u64) -> (World, Machine) {
    let world = World::new(seed, Options::default());
    let machine = world.add_machine();
    (world, machine)
}

/// A list that tasks append to and the test reads.
pub type Log<T> = Rc<RefCell<Vec<T>>>;

pub fn log<T>() -> Log<T> {
    Rc::default()
}
