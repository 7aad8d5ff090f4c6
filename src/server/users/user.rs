//! A user: whether and how one may log in as it, and what it then may do.

use super::rules::{self, Rulebook};
use super::selector::{Denial, Forbidden, Selector};
use crate::resp::request::Args;
use crate::server::registry::{CommandId, Registry};

/// The SHA-256 of a password, in small hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordHash(pub [u8; 64]);

/// A hash is no secret to print, but nothing to read either.
impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "#{}", String::from_utf8_lossy(&self.0))
    }
}

impl PasswordHash {
    /// Compares in a time that tells nothing of where the two differ.
    fn is(&self, other: &PasswordHash) -> bool {
        self.0.iter().zip(other.0).fold(0, |differs, (a, b)| differs | a ^ b) == 0
    }
}

/// See the module's essay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name: any bytes but spaces and zeros.
    pub name: Box<[u8]>,
    /// Whether one may log in as it.
    pub is_on: bool,
    /// Whether any password will do.
    pub needs_no_password: bool,
    /// Whether RESTORE may trust its payloads. They are checked all the same: what is shown is what was asked for.
    pub skips_sanitizing: bool,
    /// Its passwords.
    pub passwords: Vec<PasswordHash>,
    /// What it may do.
    pub root: Selector,
    /// What it may do besides.
    pub selectors: Vec<Selector>,
}

impl User {
    /// A new user: off, without a password, allowed nothing.
    pub fn new(name: &[u8], book: Rulebook<'_>) -> User {
        User {
            name: name.into(),
            is_on: false,
            needs_no_password: false,
            skips_sanitizing: false,
            passwords: Vec::new(),
            root: Selector::new(book.registry, book.all_channels),
            selectors: Vec::new(),
        }
    }

    /// The default user as a server has it that was told nothing of users: on, without a password, allowed everything.
    pub fn unlimited(name: &[u8], book: Rulebook<'_>) -> User {
        let mut user = User::new(name, book);
        user.is_on = true;
        user.needs_no_password = true;
        user.root.set_all_keys(true);
        user.root.set_all_channels(true);
        user.root.set_all_commands(true);
        user
    }

    /// Gives it that password alone, or lets any do.
    pub fn set_only_password(&mut self, password: Option<&[u8]>) {
        self.passwords = password.into_iter().map(rules::hash).collect();
        self.needs_no_password = password.is_none();
    }

    /// Whether one who knows this password may log in.
    pub fn admits(&self, password: &[u8]) -> bool {
        self.is_on
            && (self.needs_no_password || {
                let hash = rules::hash(password);
                // all are looked at, whichever it is
                self.passwords.iter().fold(false, |found, known| found | known.is(&hash))
            })
    }

    /// Whether nobody has to log in to be this user.
    pub fn is_open(&self) -> bool {
        self.is_on && self.needs_no_password
    }

    /// All selectors.
    pub fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Whether it may do everything.
    pub fn is_unlimited(&self, registry: &Registry) -> bool {
        self.all_selectors().any(|selector| selector.is_unlimited(registry))
    }

    /// Measures a request. If no selector allows it, what is told is why the one did not that came nearest to it.
    pub fn check(&self, registry: &Registry, id: CommandId, args: Args<'_>) -> Result<(), Denial> {
        let command = registry.get(id);
        let mut nearest = Denial { what: Forbidden::Command, at: 0 };
        for selector in self.all_selectors() {
            match selector.check(id, command, args) {
                Ok(()) => return Ok(()),
                Err(denial) => nearest = nearest.max(denial),
            }
        }
        Err(nearest)
    }

    /// Whether a request that it may make may also read every key.
    pub fn may_read_all_keys(&self, registry: &Registry, id: CommandId, args: Args<'_>) -> bool {
        let command = registry.get(id);
        self.all_selectors().any(|selector| selector.may_read_all_keys() && selector.check(id, command, args).is_ok())
    }

    /// The words of ACL GETUSER for what is neither a password nor a permission.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let sanitizing = if self.skips_sanitizing { "skip-sanitize-payload" } else { "sanitize-payload" };
        [Some(if self.is_on { "on" } else { "off" }), self.needs_no_password.then_some("nopass"), Some(sanitizing)].into_iter().flatten()
    }

    /// All its rules: obeyed by a new user, they make an equal one.
    pub fn text(&self) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = self.flags().map(|flag| flag.as_bytes().to_vec()).collect();
        words.extend(self.passwords.iter().map(|password| [b"#", password.0.as_slice()].concat()));
        words.push(self.root.text());
        words.extend(self.selectors.iter().map(|selector| [b"(", selector.text().as_slice(), b")"].concat()));
        words.join(&b' ')
    }

    /// Its line in a file of users.
    pub fn line(&self) -> Vec<u8> {
        [b"user ", &*self.name, b" ", &self.text()].concat()
    }
}
