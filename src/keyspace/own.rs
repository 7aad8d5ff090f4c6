//! Keys that expire on a replica by its own word.
//!
//! A replica removes no key whose deadline has passed: its primary does, and says so. But a replica that takes writes
//! (`replica-read-only no`) may be given keys, or deadlines for keys, that the primary knows nothing of, and nobody would
//! ever remove those. So each database remembers the names of keys that got their deadline from the replica's own
//! clients, and these are removed when they are due, as Redis does it. Every such key is filed once, at its deadline or
//! before.
//!
//! What the primary says of such a key later is not told apart: if it has a deadline then, it is still this server that
//! acts on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::expiry::Expiry;
use super::{DbIndex, Keyspace};
use crate::base::clock::Millis;

/// The names, by deadline.
#[derive(Default)]
pub(crate) struct OwnKeys {
    due: BTreeSet<(Millis, Arc<[u8]>)>,
    filed: BTreeMap<Arc<[u8]>, Millis>,
}

impl OwnKeys {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.filed.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filed.is_empty()
    }

    /// When to look at the first of them.
    pub(super) fn next(&self) -> Option<Millis> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    /// A key has got a deadline.
    pub(super) fn note(&mut self, key: &[u8], deadline: Millis) {
        let name = match self.filed.get_key_value(key) {
            Some((_, filed)) if *filed <= deadline => return,
            Some((name, filed)) => {
                let old = (*filed, name.clone());
                self.due.remove(&old);
                old.1
            }
            None => key.into(),
        };
        self.due.insert((deadline, name.clone()));
        self.filed.insert(name, deadline);
    }

    /// A key is gone.
    pub(super) fn forget(&mut self, key: &[u8]) {
        if let Some((name, filed)) = self.filed.remove_entry(key) {
            self.due.remove(&(filed, name));
        }
    }

    /// Takes a name out that is to be looked at by now.
    fn take_due(&mut self, now: Millis) -> Option<Arc<[u8]>> {
        self.next().filter(|deadline| *deadline <= now)?;
        let (_, name) = self.due.pop_first()?;
        self.filed.remove(&name);
        Some(name)
    }
}

impl Keyspace {
    /// A client of this server, not its primary, has given a key a deadline.
    #[inline]
    pub(super) fn note_own(&mut self, db: DbIndex, key: &[u8], deadline: Option<Millis>) {
        if self.expiry == Expiry::Hide
            && let Some(deadline) = deadline
        {
            self.databases[db.at()].own.note(key, deadline);
        }
    }

    /// Removes a replica's own keys that are due, looking at no more than `budget` of them; gives whether some may be left.
    pub(super) fn expire_own(&mut self, mut budget: usize) -> bool {
        for at in 0..self.databases.len() {
            let db = DbIndex(u32::try_from(at).expect("few databases"));
            while self.databases[at].own.next().is_some_and(|deadline| deadline <= self.now) {
                if budget == 0 {
                    return true;
                }
                budget -= 1;
                let Some(name) = self.databases[at].own.take_due(self.now) else { break };
                self.expire_named(db, &name);
            }
        }
        false
    }

    /// Follows nobody any more: all keys expire by this server's word.
    pub fn disown(&mut self) {
        for database in &mut self.databases {
            database.own = OwnKeys::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_filed_once_at_its_earliest_deadline() {
        let mut own = OwnKeys::default();
        for (key, deadline) in [("a", 50), ("b", 20), ("a", 10), ("a", 70), ("c", 30)] {
            own.note(key.as_bytes(), Millis(deadline));
        }
        assert_eq!((own.len(), own.next()), (3, Some(Millis(10))));
        own.forget(b"c");
        own.forget(b"nobody");
        assert_eq!(own.take_due(Millis(9)), None);
        assert_eq!((own.len(), own.due.len()), (2, 2));
        assert_eq!(own.take_due(Millis(60)).as_deref(), Some(b"a".as_slice()));
        assert_eq!(own.take_due(Millis(60)).as_deref(), Some(b"b".as_slice()));
        assert!(own.is_empty() && own.next().is_none());
    }
}
