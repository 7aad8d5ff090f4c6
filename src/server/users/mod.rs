//! Users: who may log in, and what they may then do.
//!
//! - [`rules`] is the language of rules; [`user`] and [`selector`] are what rules make and what requests are measured by;
//!   [`file`] reads and writes many users at once; [`log`] keeps what was refused. None of them knows a session.
//! - [`sessions`] ties users to clients: logging in, measuring a request, and what becomes of a client whose user changes.
//!
//! **What a request costs.** A client holds the number of its user and one flag, [`ClientFlags::RESTRICTED`]: whether that user
//! may not do everything. The flag is among those that send a command the careful way anyway, so a server whose users may do
//! everything pays nothing for there being others. It is worked out again whenever a user changes, for all clients.
//!
//! **Who is above all this:** the link to a primary and what replays a file. They act as nobody, and do everything.
//!
//! Invariants: there is always the user `default`, with the number [`UserId::DEFAULT`]; no client holds the number of a user
//! that is gone, since a user's clients are sent away with it.
//!
//! [`ClientFlags::RESTRICTED`]: super::client::ClientFlags::RESTRICTED

pub mod file;
pub mod log;
pub mod rules;
pub mod selector;
pub mod sessions;
pub mod user;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use slab::Slab;

use super::registry::Registry;
use crate::config::{ChannelsDefault, Config};
use log::AccessLog;
use rules::Rulebook;
use user::User;

/// A user, as an index of [`Users`]. It is given to another only after the user and all its clients are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(u32);

impl UserId {
    /// The user that a client is before it logs in.
    pub const DEFAULT: UserId = UserId(0);

    fn slot(self) -> usize {
        self.0 as usize
    }
}

/// The name of [`UserId::DEFAULT`].
pub const DEFAULT_NAME: &[u8] = b"default";

/// A user with what is to be known of it at once.
struct Kept {
    user: User,
    /// Whether there is anything that it may not do.
    is_limited: bool,
}

/// All users. See the module's essay.
pub struct Users {
    slots: Slab<Kept>,
    /// In the order in which ACL LIST shows them.
    names: BTreeMap<Box<[u8]>, UserId>,
    /// What was refused.
    pub log: AccessLog,
    /// `requirepass` as it was when the default user's password was last set by it.
    heeded_password: Vec<u8>,
}

/// What rules mean with this configuration.
pub fn rulebook<'a>(registry: &'a Registry, config: &Config) -> Rulebook<'a> {
    Rulebook { registry, all_channels: config.acl_pubsub_default == ChannelsDefault::AllChannels }
}

impl Users {
    /// The default user alone, who may do everything.
    pub fn new(registry: &Registry) -> Users {
        let default = User::unlimited(DEFAULT_NAME, Rulebook { registry, all_channels: true });
        let mut users = Users { slots: Slab::new(), names: BTreeMap::new(), log: AccessLog::default(), heeded_password: Vec::new() };
        let id = users.put(default, registry);
        assert!(id == UserId::DEFAULT, "the first slot of a slab is 0");
        users
    }

    /// The user of that name.
    pub fn id(&self, name: &[u8]) -> Option<UserId> {
        self.names.get(name).copied()
    }

    /// The user of that name.
    pub fn by_name(&self, name: &[u8]) -> Option<&User> {
        Some(self.get(self.id(name)?))
    }

    /// The user.
    pub fn get(&self, id: UserId) -> &User {
        &self.slots[id.slot()].user
    }

    /// Whether there is anything that a user may not do.
    pub fn is_limited(&self, id: UserId) -> bool {
        self.slots[id.slot()].is_limited
    }

    /// The user that a client is before it logs in.
    pub fn default_user(&self) -> &User {
        self.get(UserId::DEFAULT)
    }

    /// All users by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &User> {
        self.names.values().map(|&id| self.get(id))
    }

    /// Puts a user in the place of that of its name, or beside the others.
    fn put(&mut self, user: User, registry: &Registry) -> UserId {
        let name = user.name.clone();
        let kept = Kept { is_limited: !user.is_unlimited(registry), user };
        if let Some(id) = self.id(&name) {
            self.slots[id.slot()] = kept;
            return id;
        }
        let id = UserId(u32::try_from(self.slots.insert(kept)).expect("users take more memory than there is long before"));
        self.names.insert(name, id);
        id
    }

    /// Takes a user out.
    fn remove(&mut self, id: UserId) {
        assert!(id != UserId::DEFAULT, "the default user stays");
        let kept = self.slots.remove(id.slot());
        self.names.remove(&kept.user.name);
    }

    /// Sets the default user's password by `requirepass`, if that has changed.
    /// Gives whether it has.
    pub(super) fn heed_password(&mut self, requirepass: &[u8]) -> bool {
        let has_changed = self.heeded_password != requirepass;
        if has_changed {
            self.heeded_password = requirepass.to_vec();
            self.slots[UserId::DEFAULT.slot()].user.set_only_password(Some(requirepass).filter(|password| !password.is_empty()));
        }
        has_changed
    }
}
