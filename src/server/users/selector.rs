//! A selector: a set of commands, of keys and of channels, that a request must lie in as a whole.
//!
//! A user's rules are a selector; the parenthesised ones are further selectors, each for itself: a request is allowed if
//! one of them allows all of it. What one allows of the commands and another of the keys does not add up.
//!
//! Two things are kept of the rules about commands. A bit a command, which is what requests are measured by; and the rules
//! as they were given, less those that a later one makes pointless, which is what ACL LIST shows and ACL SAVE writes. The
//! road not taken is to make the text out of the bits: a category is more than the commands it holds today.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::glob::{self, Case};
use crate::resp::request::Args;
use crate::server::registry::{CommandId, Registered, Registry};
use crate::server::row::{Command, Deeds, Flags};

/// What of a request is not allowed, from the least to the most telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forbidden {
    /// The command.
    Command,
    /// A key of it.
    Key,
    /// A channel of it.
    Channel,
}

/// What of a request is not allowed, and the word that it is about (0 for the command).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denial {
    /// What is not allowed.
    pub what: Forbidden,
    /// The word's index.
    pub at: usize,
}

/// A pattern of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyPattern {
    pattern: Box<[u8]>,
    deeds: Deeds,
}

/// See the module's essay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// A bit for each command of the registry, by its number.
    commands: Vec<u64>,
    /// Whether commands that this server does not have would be allowed: the rules' text begins with that.
    others: bool,
    /// Commands allowed if their first argument is one of these words, which are in small letters.
    first_words: BTreeMap<u16, BTreeSet<Vec<u8>>>,
    /// The rules about commands behind the first one, in small letters, each with its sign.
    rules: Vec<Box<[u8]>>,
    all_keys: bool,
    keys: Vec<KeyPattern>,
    all_channels: bool,
    channels: Vec<Box<[u8]>>,
}

impl Selector {
    /// One that allows nothing, or nothing but all channels.
    pub fn new(registry: &Registry, all_channels: bool) -> Selector {
        Selector {
            commands: vec![0; registry.iter().count().div_ceil(64)],
            others: false,
            first_words: BTreeMap::new(),
            rules: Vec::new(),
            all_keys: false,
            keys: Vec::new(),
            all_channels,
            channels: Vec::new(),
        }
    }

    /// Whether it allows everything there is.
    pub fn is_unlimited(&self, registry: &Registry) -> bool {
        self.all_keys && self.all_channels && registry.iter().all(|(id, _)| self.has(id))
    }

    /// Allows all commands, or none, and forgets what was said of single ones.
    pub fn set_all_commands(&mut self, allowed: bool) {
        self.commands.fill(if allowed { u64::MAX } else { 0 });
        self.others = allowed;
        self.rules.clear();
        self.first_words.clear();
    }

    #[inline]
    fn has(&self, id: CommandId) -> bool {
        self.commands[usize::from(id.0 / 64)] >> (id.0 % 64) & 1 != 0
    }

    fn set(&mut self, id: CommandId, allowed: bool) {
        let word = &mut self.commands[usize::from(id.0 / 64)];
        let bit = 1 << (id.0 % 64);
        if allowed { *word |= bit } else { *word &= !bit }
    }

    /// Allows a command with all its subcommands, or forbids it.
    fn set_whole(&mut self, registry: &Registry, id: CommandId, allowed: bool) {
        self.set(id, allowed);
        self.first_words.remove(&id.0);
        for &child in &registry.get(id).children {
            self.set(child, allowed);
        }
    }

    /// Allows a command or subcommand, or forbids it. `name` is what the rule says.
    pub fn set_command(&mut self, registry: &Registry, id: CommandId, name: &[u8], allowed: bool) {
        self.set_whole(registry, id, allowed);
        self.note(name, allowed);
    }

    /// Allows a command if a certain word is its first argument. `name` is what the rule says of both.
    pub fn allow_first_word(&mut self, id: CommandId, word: &[u8], name: &[u8]) {
        self.first_words.entry(id.0).or_default().insert(word.to_ascii_lowercase());
        self.note(name, true);
    }

    /// Allows all commands of a category, or forbids them.
    pub fn set_category(&mut self, registry: &Registry, category: &str, allowed: bool) {
        let members = registry.iter().filter(|(_, command)| command.categories.contains(&category)).map(|(id, _)| id);
        members.for_each(|id| self.set_whole(registry, id, allowed));
        self.note(format!("@{category}").as_bytes(), allowed);
    }

    /// Adds a rule to the text; earlier ones about the same, or a part of it, go.
    fn note(&mut self, name: &[u8], allowed: bool) {
        let name = name.to_ascii_lowercase();
        self.rules.retain(|rule| rule[1..].strip_prefix(&*name).is_none_or(|rest| !rest.is_empty() && rest[0] != b'|'));
        let sign: &[u8] = if allowed { b"+" } else { b"-" };
        self.rules.push([sign, &name].concat().into());
    }

    /// Whether it allows all keys, so that a pattern has no meaning.
    pub fn allows_all_keys(&self) -> bool {
        self.all_keys
    }

    /// Allows all keys, or none, and forgets the patterns.
    pub fn set_all_keys(&mut self, allowed: bool) {
        self.all_keys = allowed;
        self.keys.clear();
    }

    /// Allows keys that match a pattern.
    pub fn allow_keys(&mut self, pattern: &[u8], deeds: Deeds) {
        match self.keys.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => known.deeds = Deeds { read: known.deeds.read || deeds.read, write: known.deeds.write || deeds.write },
            None => self.keys.push(KeyPattern { pattern: pattern.into(), deeds }),
        }
    }

    /// Whether it allows all channels, so that a pattern has no meaning.
    pub fn allows_all_channels(&self) -> bool {
        self.all_channels
    }

    /// Allows all channels, or none, and forgets the patterns.
    pub fn set_all_channels(&mut self, allowed: bool) {
        self.all_channels = allowed;
        self.channels.clear();
    }

    /// Allows channels that match a pattern.
    pub fn allow_channels(&mut self, pattern: &[u8]) {
        if !self.channels.iter().any(|known| **known == *pattern) {
            self.channels.push(pattern.into());
        }
    }

    /// The patterns of channels; none if all are allowed.
    pub fn channels(&self) -> &[Box<[u8]>] {
        &self.channels
    }

    /// Measures a request.
    pub fn check(&self, id: CommandId, command: &Registered, args: Args<'_>) -> Result<(), Denial> {
        let row = command.row;
        if !self.has(id) && !row.flags.any(Flags::NO_AUTH) && !self.is_allowed_by_first_word(id, args) {
            return Err(Denial { what: Forbidden::Command, at: 0 });
        }
        if !self.all_keys && (!row.keys.is_empty() || row.find_keys.is_some()) {
            self.check_keys(command, args)?;
        }
        if !self.all_channels && row.flags.any(Flags::PUBSUB) {
            self.check_channels(row, args)?;
        }
        Ok(())
    }

    #[cold]
    fn is_allowed_by_first_word(&self, id: CommandId, args: Args<'_>) -> bool {
        let (Some(words), Some(first)) = (self.first_words.get(&id.0), args.get(1)) else { return false };
        words.contains(&first.to_ascii_lowercase())
    }

    fn check_keys(&self, command: &Registered, args: Args<'_>) -> Result<(), Denial> {
        let row = command.row;
        let look = |at: usize, deeds| {
            if self.allows_key(args.at(at), deeds) { Ok(()) } else { Err(Denial { what: Forbidden::Key, at }) }
        };
        if let Some(find) = row.key_finder(args) {
            let found = find(args).into_iter().filter_map(|(at, flags)| Some((at, Deeds::of(flags)?)));
            return found.into_iter().try_for_each(|(at, deeds)| look(at, deeds));
        }
        // what makes no sense to one specification makes none to the command, which says so
        if row.keys.iter().any(|spec| row.indices(spec, args).is_none()) {
            return Ok(());
        }
        for (spec, deeds) in row.keys.iter().zip(&command.deeds) {
            if let (Some(deeds), Some(mut indices)) = (*deeds, row.indices(spec, args)) {
                indices.try_for_each(|at| look(at, deeds))?;
            }
        }
        Ok(())
    }

    fn allows_key(&self, key: &[u8], deeds: Deeds) -> bool {
        self.keys.iter().any(|allowed| allowed.deeds.cover(deeds) && glob::matches(&allowed.pattern, key, Case::Sensitive))
    }

    /// Whether every key may be read, whichever it is.
    pub fn may_read_all_keys(&self) -> bool {
        self.all_keys || self.keys.iter().any(|allowed| allowed.deeds.read && *allowed.pattern == *b"*")
    }

    fn check_channels(&self, row: &Command, args: Args<'_>) -> Result<(), Denial> {
        let (last, are_patterns) = match row.name {
            "subscribe" | "ssubscribe" => (args.len(), false),
            "psubscribe" => (args.len(), true),
            "publish" | "spublish" => (2.min(args.len()), false),
            _ => return Ok(()),
        };
        let denied = (1..last).find(|&at| !is_channel_among(&self.channels, args.at(at), are_patterns));
        denied.map_or(Ok(()), |at| Err(Denial { what: Forbidden::Channel, at }))
    }

    /// Its rules about commands, as text.
    pub fn command_text(&self) -> Vec<u8> {
        let mut text = if self.others { b"+@all".to_vec() } else { b"-@all".to_vec() };
        for rule in &self.rules {
            text.push(b' ');
            text.extend_from_slice(rule);
        }
        text
    }

    /// Its patterns of keys, as rules.
    pub fn key_text(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let rule = |key: &KeyPattern| {
            let sign: &[u8] = match key.deeds {
                Deeds { read: true, write: true } => b"~",
                Deeds { read: true, .. } => b"%R~",
                _ => b"%W~",
            };
            [sign, &*key.pattern].concat()
        };
        self.keys.iter().map(rule).collect::<Vec<_>>().join(&b' ')
    }

    /// Its patterns of channels, as rules.
    pub fn channel_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        self.channels.iter().map(|pattern| [b"&", &**pattern].concat()).collect::<Vec<_>>().join(&b' ')
    }

    /// All its rules.
    pub fn text(&self) -> Vec<u8> {
        let keys = self.key_text();
        let mut words: Vec<&[u8]> = Vec::new();
        if self.all_keys || !self.keys.is_empty() {
            words.push(&keys);
        }
        if !self.all_channels {
            words.push(b"resetchannels");
        }
        let channels = self.channel_text();
        if self.all_channels || !self.channels.is_empty() {
            words.push(&channels);
        }
        let commands = self.command_text();
        words.push(&commands);
        words.join(&b' ')
    }
}

/// Whether patterns of channels allow one. A pattern that a client subscribes to is none of the channels that it may match:
/// it is allowed if it stands there itself.
pub fn is_channel_among(allowed: &[Box<[u8]>], name: &[u8], is_pattern: bool) -> bool {
    allowed.iter().any(|pattern| if is_pattern { **pattern == *name } else { glob::matches(pattern, name, Case::Sensitive) })
}
