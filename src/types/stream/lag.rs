//! How far a consumer group is behind its stream.
//!
//! The stream counts the entries it was ever given, and a group counts those it has passed. The second
//! number is lost when the group jumps to an arbitrary ID, or when entries vanish between its place and the
//! end; it is found again where a place's number can be told for certain: at either end of the stream.
//! The rules, and what counts as certain, are Redis's.

use super::{Group, Log, StreamId};

impl Log {
    /// Whether an entry at or after `from` may have been deleted by name.
    fn has_gap_from(&self, from: StreamId) -> bool {
        let deleted = self.max_deleted_id;
        !self.is_empty() && !deleted.is_zero() && self.first_id <= deleted && from <= deleted
    }

    fn added(&self) -> i64 {
        i64::try_from(self.entries_added).unwrap_or(i64::MAX)
    }

    fn length_signed(&self) -> i64 {
        i64::try_from(self.len()).unwrap_or(i64::MAX)
    }

    /// The number of the entry `id`, or of the last one before it, counted from the first there ever was;
    /// `None` if it cannot be told.
    pub fn number_of(&self, id: StreamId) -> Option<i64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.is_empty() && id <= self.last_id {
            return Some(self.added());
        }
        if !id.is_zero() && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then(|| self.added());
        }
        if self.max_deleted_id.is_zero() || self.max_deleted_id < self.first_id {
            if id < self.first_id {
                return Some(self.added().saturating_sub(self.length_signed()));
            }
            if id == self.first_id {
                return Some(self.added().saturating_sub(self.length_signed()).saturating_add(1));
            }
        }
        None
    }

    /// Entries that a group has still to deliver; `None` if it cannot be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.entries_added == 0 || self.is_empty() {
            return Some(0);
        }
        if self.first_id > group.last_id && self.max_deleted_id < self.first_id {
            return Some(self.length_signed());
        }
        let read = match group.entries_read {
            Some(read) if !self.has_gap_from(group.last_id) => Some(read),
            _ => self.number_of(group.last_id),
        };
        read.map(|read| self.added().saturating_sub(read))
    }

    /// Moves a group on to an entry that it delivers, which lies behind its place.
    pub fn advance(&self, group: &mut Group, id: StreamId) {
        match group.entries_read {
            Some(read) if group.last_id >= self.first_id && !self.has_gap_from(group.last_id) => {
                group.entries_read = Some(read.saturating_add(1));
            }
            _ if self.entries_added > 0 => group.entries_read = self.number_of(id),
            _ => {}
        }
        group.last_id = id;
    }
}
