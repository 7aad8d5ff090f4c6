//! Streams: a log of entries and the groups of consumers that read it.
//!
//! - [`id`]: the names of entries;
//! - [`block`]: some entries, each written as its difference to the one before; [`code`]: numbers and elements there;
//! - [`log`]: the entries, as an index of blocks;
//! - [`group`]: consumer groups and what they have not acknowledged;
//! - [`lag`]: how far a group is behind, as far as that can be told.
//!
//! An empty stream is a value: its key stays, with its last ID and its groups.
#![allow(unsafe_code)]

pub mod block;
mod code;
pub mod group;
pub mod id;
pub mod lag;
pub mod log;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use super::{Kind, Stored, Type};

pub use group::Group;
pub use id::StreamId;
pub use log::Log;

/// What becomes of pending entries whose entry in the log is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum References {
    /// They stay.
    Keep,
    /// They go with the entry.
    Delete,
    /// The entry is deleted only if no group needs it any more.
    Acked,
}

/// How a deletion by name went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// There is no such entry.
    Absent,
    /// It is gone.
    Deleted,
    /// A group needs it.
    Needed,
}

/// The parts of a stream.
#[derive(Clone, Default)]
pub struct Parts {
    /// The entries.
    pub log: Log,
    /// The consumer groups by name.
    pub groups: BTreeMap<Box<[u8]>, Group>,
}

/// A stream, behind one pointer.
#[derive(Clone, Default)]
pub struct Stream(Box<Parts>);

impl Stream {
    /// A stream without entries.
    pub fn new() -> Stream {
        Stream::default()
    }

    /// How much there is to free: blocks, consumers, pending entries.
    pub fn weight(&self) -> usize {
        1 + self.log.block_count() + self.groups.values().map(Group::weight).sum::<usize>()
    }

    /// Bytes of all parts; groups are estimated, and blocks beyond the first `samples` (0: none) too.
    pub fn allocated(&self, samples: usize) -> usize {
        let groups = self.groups.iter().map(|(name, group)| name.len() + size_of::<Group>() + group.allocated());
        size_of::<Parts>() + self.log.allocated(samples) + groups.sum::<usize>()
    }
}

impl Parts {
    /// Whether a group still needs an entry.
    fn is_needed(&self, id: StreamId) -> bool {
        self.groups.values().any(|group| group.needs(id))
    }

    /// Makes an entry pending in no group. Gives whether it was in any.
    pub fn forget(&mut self, id: StreamId) -> bool {
        let forgotten = self.groups.values_mut().filter_map(|group| group.acknowledge(id));
        forgotten.count() > 0
    }

    /// Deletes an entry by name; see [`References`].
    pub fn delete(&mut self, id: StreamId, references: References) -> Deletion {
        match references {
            References::Keep => {}
            References::Delete => {
                self.forget(id);
            }
            References::Acked if self.is_needed(id) => {
                return if self.log.contains(id) { Deletion::Needed } else { Deletion::Absent };
            }
            References::Acked => {}
        }
        if self.log.delete(id) { Deletion::Deleted } else { Deletion::Absent }
    }

    /// Removes entries from the front; see [`Log::trim`] and [`References`].
    pub fn trim(&mut self, trim: log::Trim, references: References) -> u64 {
        let Parts { log, groups } = self;
        match references {
            References::Keep => log.trim(trim),
            References::Delete => log.trim_if(trim, |id| {
                groups.values_mut().for_each(|group| {
                    group.acknowledge(id);
                });
                true
            }),
            References::Acked => log.trim_if(trim, |id| !groups.values().any(|group| group.needs(id))),
        }
    }
}

impl Deref for Stream {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for Stream {
    fn deref_mut(&mut self) -> &mut Parts {
        &mut self.0
    }
}

// SAFETY: a box is rebuilt from its own pointer.
unsafe impl Stored for Stream {
    const TYPE: Type = Type::Stream;
    #[inline]
    fn into_raw(self) -> (Kind, u64) {
        (Kind::Stream, Box::into_raw(self.0) as u64)
    }
    #[inline]
    unsafe fn from_raw(kind: Kind, payload: u64) -> Self {
        debug_assert_eq!(kind, Kind::Stream);
        // SAFETY: the caller's promise.
        Stream(unsafe { Box::from_raw(payload as *mut Parts) })
    }
    fn len(&self) -> usize {
        usize::try_from(self.log.len()).unwrap_or(usize::MAX)
    }
    /// A stream without entries is a value.
    fn is_empty(&self) -> bool {
        false
    }
}
