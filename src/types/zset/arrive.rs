//! A large sorted set that comes member by member, a bounded piece of work each, as a snapshot is loaded.
//!
//! Snapshots hold sorted sets in order, from the greatest (Redis) or from the least (this server). What ascends goes
//! to the end of the tree at once. What descends is kept aside, in arrival order, and goes to the end of the tree
//! from the last one back, so that the tree's leaves are as full as those of a set that ascends. What does neither is
//! inserted where it belongs. (`Gather` sorts at its end instead, which is faster for a set that is in no order, and
//! holds the loop for as long as that takes.)
#![allow(unsafe_code)]

use std::cmp::Ordering;

use super::large::Large;
use super::member::Handle;
use super::{Zset, compare};
use crate::ds::table::KeyHasher;

/// Members kept aside together.
const CHUNK: usize = 4096;

/// The set. See the module's essay.
pub struct Arriving {
    set: Large,
    /// The member that came last.
    last: Option<(f64, Handle)>,
    order: Order,
    /// Members of the set that are not in the tree yet.
    aside: Vec<Vec<(f64, Handle)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// One member at most.
    Unknown,
    Ascending,
    Descending,
    None,
}

impl Arriving {
    /// Nothing yet.
    pub fn new(hasher: KeyHasher) -> Arriving {
        Arriving { set: Large::new(hasher), last: None, order: Order::Unknown, aside: Vec::new() }
    }

    /// Adds a member with a score that is a number; `false` if it is there already.
    pub fn add(&mut self, member: &[u8], score: f64) -> bool {
        let Some(handle) = self.set.add_aside(member, score) else { return false };
        let new = (score, handle);
        let Some(last) = self.last.replace(new) else {
            self.keep(new);
            return true;
        };
        // SAFETY: the set's table owns both blocks.
        let order = unsafe { compare((last.0, last.1.text()), (score, handle.text())) };
        match (self.order, order) {
            (Order::Unknown, Ordering::Less) => {
                self.order = Order::Ascending;
                while !self.settle(1) {}
            }
            (Order::Unknown, _) => self.order = Order::Descending,
            (Order::Ascending, Ordering::Less) | (Order::Descending, Ordering::Greater) | (Order::None, _) => {}
            _ => self.order = Order::None,
        }
        match self.order {
            Order::Descending => self.keep(new),
            Order::Ascending => self.set.tree.push(score, handle),
            Order::Unknown | Order::None => self.set.tree.insert(score, handle),
        }
        true
    }

    fn keep(&mut self, member: (f64, Handle)) {
        match self.aside.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(member),
            _ => {
                let mut chunk = Vec::with_capacity(if self.aside.is_empty() { 1 } else { CHUNK });
                chunk.push(member);
                self.aside.push(chunk);
            }
        }
    }

    /// Puts up to `count` members in their place that are still aside; `true` if there is none left.
    pub fn settle(&mut self, count: usize) -> bool {
        for _ in 0..count {
            let Some(chunk) = self.aside.last_mut() else { return true };
            if let Some((score, handle)) = chunk.pop() {
                self.set.tree.push(score, handle);
            }
            if chunk.is_empty() {
                self.aside.pop();
            }
        }
        self.aside.is_empty()
    }

    /// The sorted set, in its large form.
    pub fn finish(mut self) -> Zset {
        while !self.settle(CHUNK) {}
        Zset::Large(Box::new(self.set))
    }
}
