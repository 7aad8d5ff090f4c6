//! The language of rules: what ACL SETUSER, a `user` line of the configuration and a line of a file of users say of a user.
//!
//! ```text
//! on off  nopass resetpass >password <password #hash !hash  sanitize-payload skip-sanitize-payload  reset clearselectors
//! +command -command +command|word +@category -@category allcommands nocommands
//! ~keys %R~keys %W~keys %RW~keys allkeys resetkeys   &channels allchannels resetchannels   (rules of a further selector)
//! ```
//!
//! Rules are obeyed one by one, in order. The words are those of Redis, letter for letter, its errors too; where Redis takes
//! a rule for a C string, what follows a zero byte is left out here as well.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::selector::Selector;
use super::user::{PasswordHash, User};
use crate::base::text::{split_arguments, until_zero};
use crate::server::registry::{CATEGORIES, Registry};
use crate::server::row::Deeds;

/// What the meaning of a rule depends on.
#[derive(Clone, Copy)]
pub struct Rulebook<'a> {
    /// The commands.
    pub registry: &'a Registry,
    /// Whether a selector allows all channels from its beginning on: `acl-pubsub-default`.
    pub all_channels: bool,
}

/// Why a rule cannot be obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// It names a command or category that there is not.
    Unknown,
    /// It is no rule.
    Syntax,
    /// A pattern of keys where all keys are allowed.
    KeysAfterAll,
    /// A pattern of channels where all channels are allowed.
    ChannelsAfterAll,
    /// What should be the hash of a password is none.
    BadHash,
    /// It names an argument of a subcommand.
    WordOfSubcommand,
    /// The user does not have the password that it takes away.
    NoSuchPassword,
}

impl RuleError {
    /// The reason in words.
    pub fn text(self) -> &'static str {
        match self {
            RuleError::Unknown => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::KeysAfterAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::ChannelsAfterAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::BadHash => "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
            RuleError::WordOfSubcommand => "Allowing first-arg of a subcommand is not supported",
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
        }
    }
}

/// Puts a selector that stands in several words into one. `Err` is the index of the word that opens a parenthesis which no
/// word closes.
pub fn join_selectors<'a>(words: &[&'a [u8]]) -> Result<Vec<Cow<'a, [u8]>>, usize> {
    let mut joined: Vec<Cow<'a, [u8]>> = Vec::with_capacity(words.len());
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (at, &word) in words.iter().enumerate() {
        match &mut open {
            None if word.starts_with(b"(") && !word.ends_with(b")") => open = Some((at, word.to_vec())),
            None => joined.push(Cow::Borrowed(word)),
            Some((_, selector)) => {
                selector.push(b' ');
                selector.extend_from_slice(until_zero(word));
                if word.ends_with(b")") {
                    joined.extend(open.take().map(|(_, selector)| Cow::Owned(selector)));
                }
            }
        }
    }
    match open {
        Some((at, _)) => Err(at),
        None => Ok(joined),
    }
}

/// Whether a name cannot stand in a line of rules.
pub fn has_spaces(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b' ' | b'\t'..=b'\r' | 0))
}

/// The hash of a password, in hex digits.
pub fn hash(password: &[u8]) -> PasswordHash {
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
    let mut hash = [0; 64];
    for (place, byte) in hash.chunks_exact_mut(2).zip(Sha256::digest(password)) {
        place.copy_from_slice(&digits(byte));
    }
    PasswordHash(hash)
}

/// The hash that a rule gives in hex digits.
fn given_hash(digits: &[u8]) -> Result<PasswordHash, RuleError> {
    let hash: [u8; 64] = digits.try_into().map_err(|_| RuleError::BadHash)?;
    let is_hash = hash.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if is_hash { Ok(PasswordHash(hash)) } else { Err(RuleError::BadHash) }
}

impl User {
    /// Obeys a rule.
    pub fn apply(&mut self, rule: &[u8], book: Rulebook<'_>) -> Result<(), RuleError> {
        let Some((&sign, rest)) = rule.split_first() else { return Ok(()) };
        match until_zero(rule).to_ascii_lowercase().as_slice() {
            b"on" => self.is_on = true,
            b"off" => self.is_on = false,
            b"nopass" => {
                self.needs_no_password = true;
                self.passwords.clear();
            }
            b"resetpass" => {
                self.needs_no_password = false;
                self.passwords.clear();
            }
            b"sanitize-payload" => self.skips_sanitizing = false,
            b"skip-sanitize-payload" => self.skips_sanitizing = true,
            b"clearselectors" => self.selectors.clear(),
            b"reset" => *self = User { name: std::mem::take(&mut self.name), ..User::new(b"", book) },
            _ => match sign {
                b'>' => self.add_password(hash(rest)),
                b'#' => self.add_password(given_hash(rest)?),
                b'<' => self.remove_password(hash(rest))?,
                b'!' => self.remove_password(given_hash(rest)?)?,
                b'(' if rest.ends_with(b")") => self.selectors.push(further_selector(&rest[..rest.len() - 1], book)?),
                _ => self.root.apply(rule, book)?,
            },
        }
        Ok(())
    }

    fn add_password(&mut self, password: PasswordHash) {
        if !self.passwords.contains(&password) {
            self.passwords.push(password);
        }
        self.needs_no_password = false;
    }

    fn remove_password(&mut self, password: PasswordHash) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| *known == password).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }
}

/// The selector whose rules stand between parentheses. As in Redis quotes that are not closed leave it empty.
fn further_selector(rules: &[u8], book: Rulebook<'_>) -> Result<Selector, RuleError> {
    let mut selector = Selector::new(book.registry, book.all_channels);
    for rule in split_arguments(until_zero(rules)).unwrap_or_default() {
        selector.apply(&rule, book)?;
    }
    Ok(selector)
}

impl Selector {
    /// Obeys a rule about commands, keys or channels.
    fn apply(&mut self, rule: &[u8], book: Rulebook<'_>) -> Result<(), RuleError> {
        match until_zero(rule).to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => self.set_all_keys(true),
            b"resetkeys" => self.set_all_keys(false),
            b"allchannels" | b"&*" => self.set_all_channels(true),
            b"resetchannels" => self.set_all_channels(false),
            b"allcommands" | b"+@all" => self.set_all_commands(true),
            b"nocommands" | b"-@all" => self.set_all_commands(false),
            _ => match rule {
                [b'~', pattern @ ..] => self.apply_keys(pattern, Deeds::ALL)?,
                [b'%', rest @ ..] => self.apply_deeds(rest)?,
                [b'&', pattern @ ..] => self.apply_channels(pattern)?,
                [sign @ (b'+' | b'-'), b'@', category @ ..] => self.apply_category(until_zero(category), *sign == b'+', book)?,
                [b'+', name @ ..] => self.apply_command(until_zero(name), book)?,
                [b'-', name @ ..] => {
                    let id = book.registry.by_own_name(until_zero(name)).ok_or(RuleError::Unknown)?;
                    self.set_command(book.registry, id, book.registry.get(id).full_name.as_bytes(), false);
                }
                _ => return Err(RuleError::Syntax),
            },
        }
        Ok(())
    }

    fn apply_keys(&mut self, pattern: &[u8], deeds: Deeds) -> Result<(), RuleError> {
        if self.allows_all_keys() {
            return Err(RuleError::KeysAfterAll);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        self.allow_keys(pattern, deeds);
        Ok(())
    }

    /// The letters of what is allowed, then a tilde and the pattern.
    fn apply_deeds(&mut self, rest: &[u8]) -> Result<(), RuleError> {
        if self.allows_all_keys() {
            return Err(RuleError::KeysAfterAll);
        }
        let end = rest.iter().position(|&byte| byte == b'~').unwrap_or(rest.len());
        let mut deeds = Deeds::default();
        for letter in &rest[..end] {
            match letter.to_ascii_uppercase() {
                b'R' if !deeds.read => deeds.read = true,
                b'W' if !deeds.write => deeds.write = true,
                _ => return Err(RuleError::Syntax),
            }
        }
        if deeds == Deeds::default() {
            return Err(RuleError::Syntax);
        }
        self.apply_keys(rest.get(end + 1..).unwrap_or_default(), deeds)
    }

    fn apply_channels(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.allows_all_channels() {
            return Err(RuleError::ChannelsAfterAll);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        self.allow_channels(pattern);
        Ok(())
    }

    fn apply_category(&mut self, name: &[u8], allowed: bool, book: Rulebook<'_>) -> Result<(), RuleError> {
        let category = CATEGORIES.iter().find(|category| name.eq_ignore_ascii_case(category.as_bytes()));
        self.set_category(book.registry, category.ok_or(RuleError::Unknown)?, allowed);
        Ok(())
    }

    fn apply_command(&mut self, name: &[u8], book: Rulebook<'_>) -> Result<(), RuleError> {
        let registry = book.registry;
        let find = |name: &[u8]| registry.by_own_name(name).ok_or(RuleError::Unknown);
        let Some(bar) = name.iter().rposition(|&byte| byte == b'|') else {
            let id = find(name)?;
            self.set_command(registry, id, registry.get(id).full_name.as_bytes(), true);
            return Ok(());
        };
        let (command, word) = (find(&name[..bar])?, &name[bar + 1..]);
        if registry.get(command).parent.is_some() {
            return Err(RuleError::WordOfSubcommand);
        }
        if word.is_empty() {
            return Err(RuleError::Syntax);
        }
        if registry.get(command).children.is_empty() {
            log::warn!(
                "Allowing a command for one first argument only may not be possible in later versions: '+{}'.",
                String::from_utf8_lossy(name)
            );
            self.allow_first_word(command, word, name);
        } else {
            self.set_command(registry, find(name)?, name, true);
        }
        Ok(())
    }
}
