//! A client's output: bytes of its own, and blocks that it shares with others.
//!
//! Replies go into `tail`. A message to many subscribers, or the replication stream, is one block of
//! [`Bytes`] that each receiver's queue refers to; what was in `tail` before it moves into the queue
//! first, so the order stays.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

/// Bytes on their way to a client. See the module's essay.
#[derive(Default)]
pub struct Output {
    queue: VecDeque<Bytes>,
    queued: usize,
    /// Replies since the last shared block.
    pub tail: Vec<u8>,
    /// Bytes of the first chunk that the kernel has taken.
    sent: usize,
    /// Bytes at the front that no limit counts: a snapshot for a replica.
    unlimited: usize,
    /// Bytes of the replication stream that are kept for this client until it has got a snapshot.
    pub withheld: usize,
}

impl Output {
    /// Bytes not yet sent.
    pub fn len(&self) -> usize {
        self.queued + self.tail.len() - self.sent
    }

    /// Bytes not yet sent that the limits of a client's class count: many small blocks take more than what is in them.
    pub fn limited_len(&self) -> usize {
        (self.len() + self.queue.len() * size_of::<Bytes>()).saturating_sub(self.unlimited) + self.withheld
    }

    /// Whether a block that no limit counts is on its way.
    pub fn is_unlimited(&self) -> bool {
        self.unlimited > 0
    }

    /// Whether all is sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that it takes, shared blocks counted in full.
    pub fn memory(&self) -> usize {
        self.queued + self.tail.capacity() + self.queue.capacity() * size_of::<Bytes>()
    }

    /// Bytes in blocks that others may share.
    pub fn shared(&self) -> usize {
        self.queued
    }

    /// Blocks in the queue: what CLIENT LIST shows as `oll`.
    pub fn blocks(&self) -> usize {
        self.queue.len()
    }

    /// Appends a block that others may share.
    pub fn share(&mut self, block: Bytes) {
        if !self.tail.is_empty() {
            let tail = Bytes::from(std::mem::take(&mut self.tail));
            self.queued += tail.len();
            self.queue.push_back(tail);
        }
        self.queued += block.len();
        self.queue.push_back(block);
    }

    /// As [`Output::share`], for a block that no limit is to count. Little is before it.
    pub fn share_unlimited(&mut self, block: Bytes) {
        self.unlimited = self.len() + block.len();
        self.share(block);
    }

    /// What is to be written next, in order, into at most `slices.len()` slices; gives how many.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.sent;
        let mut count = 0;
        for chunk in self.queue.iter().map(Bytes::as_ref).chain([self.tail.as_slice()]) {
            if count == slices.len() {
                break;
            }
            let rest = &chunk[skip..];
            skip = 0;
            if !rest.is_empty() {
                slices[count] = IoSlice::new(rest);
                count += 1;
            }
        }
        count
    }

    /// The kernel took `count` bytes. Gives the emptied buffer for another use, once all is sent.
    pub fn advance(&mut self, count: usize) -> Option<Vec<u8>> {
        self.sent += count;
        self.unlimited = self.unlimited.saturating_sub(count);
        while let Some(first) = self.queue.front() {
            if self.sent < first.len() {
                return None;
            }
            self.sent -= first.len();
            self.queued -= first.len();
            self.queue.pop_front();
        }
        if self.sent < self.tail.len() {
            return None;
        }
        self.sent = 0;
        self.queue.shrink_to(4);
        let mut tail = std::mem::take(&mut self.tail);
        tail.clear();
        Some(tail)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Output::default();
    }
}
