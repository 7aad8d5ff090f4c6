//! All commands by name, each with its number and statistics.

use super::row::{Command, Flags};
use super::stats::CommandStats;

/// A command or subcommand, as an index of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandId(pub u16);

impl CommandId {
    /// No command: what a request calls that is not known.
    pub const NONE: CommandId = CommandId(u16::MAX);
}

/// A row with what this server knows of it.
pub struct Registered {
    /// The row.
    pub row: &'static Command,
    /// What clients call it: the row's name, unless it was renamed; nothing if it was taken away.
    pub called: String,
    /// `config|set` for a subcommand, else the row's name.
    pub full_name: String,
    /// The container of a subcommand.
    pub parent: Option<CommandId>,
    /// The subcommands of a container.
    pub children: Vec<CommandId>,
    /// The first key's argument, 0 for none: what is prefetched.
    pub first_key: u8,
    /// Counts and times.
    pub stats: CommandStats,
}

/// The commands. Lookup is by name in any case, through a table of the names' hashes.
pub struct Registry {
    commands: Vec<Registered>,
    table: Vec<u16>,
}

const EMPTY: u16 = u16::MAX;
const SLOTS: usize = 2048;

/// A hash of a name that does not depend on its case.
#[inline]
fn hash(name: &[u8]) -> usize {
    let mut hash = name.len() as u64;
    for chunk in name.chunks(8) {
        let mut word = [0u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word) | 0x2020_2020_2020_2020).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
    }
    (hash >> 32) as usize % SLOTS
}

impl Registry {
    /// The registry of the families' tables.
    ///
    /// # Panics
    /// If two commands have one name.
    pub fn new(families: &[&'static [Command]]) -> Self {
        let mut registry = Registry { commands: Vec::new(), table: vec![EMPTY; SLOTS] };
        for row in families.iter().copied().flatten() {
            assert!(registry.lookup(row.name.as_bytes()).is_none(), "two commands named {}", row.name);
            let id = registry.add(row, None);
            registry.enter(id);
            for sub in row.subcommands {
                let child = registry.add(sub, Some(id));
                registry.commands[usize::from(id.0)].children.push(child);
            }
        }
        assert!(registry.commands.len() < SLOTS / 2, "the table of names stays sparse");
        registry
    }

    /// Enters a command under what it is called.
    fn enter(&mut self, id: CommandId) {
        let mut slot = hash(self.get(id).called.as_bytes());
        while self.table[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        self.table[slot] = id.0;
    }

    /// Lets a command be called by another name alone, or by none if that is empty. The error is Redis's.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), &'static str> {
        let id = self.lookup(from.as_bytes()).ok_or("No such command in rename-command")?;
        if !to.is_empty() && self.lookup(to.as_bytes()).is_some_and(|other| other != id) {
            return Err("Target command name already exists");
        }
        self.get_mut(id).called = to.to_string();
        self.table.fill(EMPTY);
        let callable: Vec<CommandId> = self.top_level().map(|(id, _)| id).collect();
        callable.into_iter().for_each(|id| self.enter(id));
        Ok(())
    }

    fn add(&mut self, row: &'static Command, parent: Option<CommandId>) -> CommandId {
        let id = CommandId(u16::try_from(self.commands.len()).expect("few commands"));
        let full_name = match parent {
            Some(parent) => format!("{}|{}", self.get(parent).row.name, row.name),
            None => row.name.to_string(),
        };
        let first_key = row.first_key().and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
        let called = row.name.to_string();
        self.commands.push(Registered { row, called, full_name, parent, children: Vec::new(), first_key, stats: CommandStats::default() });
        id
    }

    /// The command of that name.
    #[inline]
    pub fn lookup(&self, name: &[u8]) -> Option<CommandId> {
        let mut slot = hash(name);
        loop {
            let id = self.table[slot];
            if id == EMPTY {
                return None;
            }
            if self.commands[usize::from(id)].called.as_bytes().eq_ignore_ascii_case(name) {
                return Some(CommandId(id));
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The command of that name for what was written before or elsewhere: a file or a primary may hold, beside
    /// the name that a client used, the row's own, which the server itself writes.
    pub fn lookup_recorded(&self, name: &[u8]) -> Option<CommandId> {
        let own =
            |(_, command): &(CommandId, &Registered)| command.parent.is_none() && command.row.name.as_bytes().eq_ignore_ascii_case(name);
        self.lookup(name).or_else(|| Some(self.iter().find(own)?.0))
    }

    /// The subcommand of that name.
    pub fn subcommand(&self, container: CommandId, name: &[u8]) -> Option<CommandId> {
        self.get(container).children.iter().copied().find(|&id| self.get(id).row.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The command or, as `container|name`, subcommand of that full name.
    pub fn by_full_name(&self, name: &[u8]) -> Option<CommandId> {
        match name.iter().position(|&b| b == b'|') {
            None => self.lookup(name),
            Some(bar) => self.subcommand(self.lookup(&name[..bar])?, &name[bar + 1..]),
        }
    }

    /// The command that words call, subcommands resolved.
    pub fn resolve(&self, name: &[u8], second: Option<&[u8]>) -> Option<CommandId> {
        let id = self.lookup(name)?;
        if self.get(id).children.is_empty() {
            return Some(id);
        }
        match second {
            Some(second) => self.subcommand(id, second),
            None => Some(id),
        }
    }

    /// What is known of a command.
    #[inline]
    pub fn get(&self, id: CommandId) -> &Registered {
        &self.commands[usize::from(id.0)]
    }

    /// The same, for changing.
    #[inline]
    pub fn get_mut(&mut self, id: CommandId) -> &mut Registered {
        &mut self.commands[usize::from(id.0)]
    }

    /// All commands and subcommands.
    pub fn iter(&self) -> impl Iterator<Item = (CommandId, &Registered)> {
        self.commands.iter().zip(0u16..).map(|(command, id)| (CommandId(id), command))
    }

    /// All commands, for changing.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Registered> {
        self.commands.iter_mut()
    }

    /// The commands proper, without subcommands, that can be called.
    pub fn top_level(&self) -> impl Iterator<Item = (CommandId, &Registered)> {
        self.iter().filter(|(_, command)| command.parent.is_none() && !command.called.is_empty())
    }
}

impl Registered {
    /// The categories of access control, those that flags imply included, in Redis's order.
    pub fn categories(&self) -> Vec<&'static str> {
        let row = self.row;
        let has = |flag| row.flags.any(flag);
        let implied = [
            ("write", has(Flags::WRITE)),
            ("read", has(Flags::READONLY) && !row.acl.contains(&"scripting")),
            ("admin", has(Flags::ADMIN)),
            ("dangerous", has(Flags::ADMIN)),
            ("pubsub", has(Flags::PUBSUB)),
            ("fast", has(Flags::FAST)),
            ("blocking", has(Flags::BLOCKING)),
            ("slow", !has(Flags::FAST)),
        ];
        CATEGORIES
            .iter()
            .copied()
            .filter(|name| row.acl.contains(name) || implied.iter().any(|(implied, on)| implied == name && *on))
            .collect()
    }
}

/// The categories of access control, in Redis's order.
pub const CATEGORIES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

#[cfg(test)]
mod tests {
    #[test]
    fn a_renamed_command_is_found_by_its_new_name_alone() {
        let mut registry = crate::command::registry();
        let get = registry.lookup(b"get").expect("a command");
        registry.rename("GET", "fetch").expect("free");
        assert_eq!((registry.lookup(b"Fetch"), registry.lookup(b"get")), (Some(get), None));
        assert_eq!(registry.lookup_recorded(b"GET"), Some(get), "a file may hold what the server itself wrote");
        registry.rename("fetch", "Fetch").expect("its own name is free for it");
        assert_eq!(registry.rename("get", "x"), Err("No such command in rename-command"));
        assert_eq!(registry.rename("fetch", "SET"), Err("Target command name already exists"));
        registry.rename("FETCH", "").expect("taken away");
        assert_eq!((registry.lookup(b"fetch"), registry.lookup(b"")), (None, None));
        assert!(registry.top_level().all(|(id, _)| id != get));
    }
}
