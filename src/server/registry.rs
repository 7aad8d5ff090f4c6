//! All commands by name, each with its number and statistics.

use super::row::{Command, Deeds, Flags};
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
    /// The word of an element of its value, 0 for none: prefetched, too.
    pub element: u8,
    /// What is done to the keys of each specification; `None` where they are none.
    pub deeds: Box<[Option<Deeds>]>,
    /// The categories of access control, those that flags imply included, in Redis's order.
    pub categories: Box<[&'static str]>,
    /// Counts and times.
    pub stats: CommandStats,
}

/// The commands. Lookup is by name in any case, through a table of the names' [fingerprints](Fingerprint).
pub struct Registry {
    commands: Vec<Registered>,
    table: Vec<(Fingerprint, u16)>,
}

const EMPTY: u16 = u16::MAX;
const SLOTS: usize = 1024;

/// Length, first eight and last eight bytes of a name in small letters: all there is of a name of up to sixteen
/// bytes, so that equal ones need no look at the name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    len: usize,
    ends: [u64; 2],
}

impl Fingerprint {
    const NONE: Fingerprint = Fingerprint { len: 0, ends: [0; 2] };

    #[inline]
    fn of(name: &[u8]) -> Fingerprint {
        let word = |at: usize| name.get(at..at + 8).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk));
        let half = |at: usize| name.get(at..at + 4).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u32::from_le_bytes(*chunk));
        let len = name.len();
        let ends = match *name {
            [] => [0; 2],
            [a] => [u64::from(a), 0],
            [a, b] => [u64::from(a) | u64::from(b) << 8, 0],
            [a, b, c] => [u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16, 0],
            _ if len < 8 => [u64::from(half(0)) | u64::from(half(len - 4)) << 32, 0],
            _ => [word(0), word(len - 8)],
        };
        Fingerprint { len, ends: ends.map(small_letters) }
    }

    #[inline]
    fn slot(self) -> usize {
        let [first, last] = self.ends;
        let mixed = (first ^ last.rotate_left(29) ^ self.len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 48) as usize % SLOTS
    }
}

/// Eight bytes with their capital letters made small.
#[inline]
fn small_letters(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * ONES);
    // the high bit of each byte says whether it is one of A to Z
    let from_a = low + u64::from(0x80 - b'A') * ONES;
    let above_z = low + u64::from(0x7f - b'Z') * ONES;
    let capital = !word & (from_a ^ above_z) & (0x80 * ONES);
    word | capital >> 2
}

impl Registry {
    /// The registry of the families' tables.
    ///
    /// # Panics
    /// If two commands have one name.
    pub fn new(families: &[&'static [Command]]) -> Self {
        let mut registry = Registry { commands: Vec::new(), table: vec![(Fingerprint::NONE, EMPTY); SLOTS] };
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
        let print = Fingerprint::of(self.get(id).called.as_bytes());
        let mut slot = print.slot();
        while self.table[slot].1 != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        self.table[slot] = (print, id.0);
    }

    /// Lets a command be called by another name alone, or by none if that is empty. The error is Redis's.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), &'static str> {
        let id = self.lookup(from.as_bytes()).ok_or("No such command in rename-command")?;
        if !to.is_empty() && self.lookup(to.as_bytes()).is_some_and(|other| other != id) {
            return Err("Target command name already exists");
        }
        self.get_mut(id).called = to.to_string();
        self.table.fill((Fingerprint::NONE, EMPTY));
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
        self.commands.push(Registered {
            row,
            called,
            full_name,
            parent,
            children: Vec::new(),
            first_key,
            element: row.element,
            deeds: row.keys.iter().map(|spec| Deeds::of(spec.flags)).collect(),
            categories: categories(row),
            stats: CommandStats::default(),
        });
        id
    }

    /// The command of that name.
    #[inline]
    pub fn lookup(&self, name: &[u8]) -> Option<CommandId> {
        let print = Fingerprint::of(name);
        let mut slot = print.slot();
        loop {
            let (found, id) = self.table[slot];
            if id == EMPTY {
                return None;
            }
            if found == print && (print.len <= 16 || self.commands[usize::from(id)].called.as_bytes().eq_ignore_ascii_case(name)) {
                return Some(CommandId(id));
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The command of that name for what was written before or elsewhere: a file or a primary may hold, beside
    /// the name that a client used, the row's own, which the server itself writes.
    pub fn lookup_recorded(&self, name: &[u8]) -> Option<CommandId> {
        self.lookup(name).or_else(|| self.by_own_name(name).filter(|&id| self.get(id).parent.is_none()))
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

    /// The command or, as `container|name`, subcommand that has that name of its own, whatever clients call it: users' rules
    /// hold through every renaming.
    pub fn by_own_name(&self, name: &[u8]) -> Option<CommandId> {
        let (name, subcommand) = match name.iter().position(|&b| b == b'|') {
            None => (name, None),
            Some(bar) => (&name[..bar], Some(&name[bar + 1..])),
        };
        let own = |command: &Registered| command.parent.is_none() && command.row.name.as_bytes().eq_ignore_ascii_case(name);
        let (id, _) = self.iter().find(|(_, command)| own(command))?;
        subcommand.map_or(Some(id), |subcommand| self.subcommand(id, subcommand))
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

/// A row's categories, those that its flags imply included.
fn categories(row: &Command) -> Box<[&'static str]> {
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
    let belongs = |name: &&str| row.acl.contains(name) || implied.iter().any(|(implied, on)| implied == name && *on);
    CATEGORIES.iter().copied().filter(belongs).collect()
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
    use super::{Registered, small_letters};

    #[test]
    fn only_letters_have_two_cases() {
        for byte in 0..=u8::MAX {
            for neighbour in [0, b'A', b'Z', 0x7f, 0xff] {
                let bytes = [byte, neighbour, byte, byte, neighbour, neighbour, byte, byte];
                assert_eq!(small_letters(u64::from_le_bytes(bytes)).to_le_bytes(), bytes.map(|byte| byte.to_ascii_lowercase()));
            }
        }
        let registry = crate::command::registry();
        for (id, command) in registry.top_level() {
            assert_eq!(registry.lookup(command.called.to_ascii_uppercase().as_bytes()), Some(id));
            let mut other = command.called.clone().into_bytes();
            for at in 0..other.len() {
                other[at] ^= 0x80;
                assert_eq!(registry.lookup(&other), None);
                other[at] ^= 0x80;
            }
            assert_eq!(registry.lookup(&other[..other.len() - 1]).filter(|&found| found == id), None);
        }
    }

    #[test]
    fn an_element_is_named_behind_its_key_in_the_shortest_request() {
        let registry = crate::command::registry();
        let named: Vec<&Registered> = registry.commands.iter().filter(|command| command.element != 0).collect();
        assert!(named.len() > 20);
        for Registered { element, first_key, row, .. } in named {
            assert!(*first_key != 0 && first_key < element && i32::from(*element) <= row.arity.abs(), "{}", row.name);
        }
    }

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
