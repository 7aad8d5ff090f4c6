//! A command as one row: everything that anybody wants to know of it.
//!
//! Lookup, arity errors, COMMAND INFO/DOCS/GETKEYS, access control, transactions, prefetch,
//! `docs/commands.md` and the tests' generator of random work all read these rows; each family's file
//! holds its own.

use std::iter::StepBy;
use std::ops::Range;

use super::context::{Ctx, Outcome};
use crate::resp::request::Args;

/// Executes a command. On an error what it replied is cut back and the error written instead.
pub type Handler = fn(&mut Ctx<'_>, Args<'_>) -> Outcome;

/// Tells the keys among a request's words, each with what becomes of it, where the specifications cannot.
pub type KeyFinder = fn(Args<'_>) -> Vec<(usize, &'static [&'static str])>;

/// A set of facts about a command, as COMMAND INFO lists them, and a few of our own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal $(, $shown:literal)?;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Flags = Flags(1 << $bit);)*
            /// The flags that COMMAND INFO shows, with their words, in its order.
            pub const SHOWN: &'static [(Flags, &'static str)] = &[$($((Flags::$name, $shown),)?)*];
        }
    };
}

flags! {
    /// May change data.
    WRITE = 0, "write";
    /// Only reads data.
    READONLY = 1, "readonly";
    /// Refused when memory is short.
    DENYOOM = 2, "denyoom";
    /// An administrator's command.
    ADMIN = 3, "admin";
    /// Publish or subscribe.
    PUBSUB = 4, "pubsub";
    /// Not from scripts.
    NOSCRIPT = 5, "noscript";
    /// May wait.
    BLOCKING = 6, "blocking";
    /// While data is loaded, too.
    LOADING = 7, "loading";
    /// From a replica that has lost its primary, too.
    STALE = 8, "stale";
    /// Not shown by MONITOR.
    SKIP_MONITOR = 9, "skip_monitor";
    /// Not in the slow log.
    SKIP_SLOWLOG = 10, "skip_slowlog";
    /// A replica's command to its primary.
    ASKING = 19, "asking";
    /// Constant or logarithmic time.
    FAST = 11, "fast";
    /// Before authentication, too.
    NO_AUTH = 12, "no_auth";
    /// May replicate although it is no write (PUBLISH, scripts).
    MAY_REPLICATE = 16;
    /// Wants to know of a missing key (COMMAND shows it for keyless too).
    NO_MANDATORY_KEYS = 18, "no_mandatory_keys";
    /// Not while a replica loads a data set beside the one it serves.
    NO_ASYNC_LOADING = 17, "no_async_loading";
    /// Not within MULTI.
    NO_MULTI = 14, "no_multi";
    /// Its keys are not at fixed places.
    MOVABLE_KEYS = 13, "movablekeys";
    /// While a script runs too long, too.
    ALLOW_BUSY = 15, "allow_busy";
    /// For servers and tests, not for applications: COMMAND DOCS says so.
    SYSTEM = 20;
    /// Touches keys that it was not asked for: if it finds some expired, they do not belong together.
    ARBITRARY_KEYS = 21;
}

impl Flags {
    /// None.
    pub const NONE: Flags = Flags(0);

    /// These and those.
    pub const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// These but not those.
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Whether any of `other` is among them.
    #[inline]
    pub const fn any(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }
}

/// Where a search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this argument.
    Index(usize),
    /// After this word, looked for from this argument on (negative: backwards from the end).
    Keyword(&'static str, i32),
    /// Cannot be told from the arguments alone.
    Unknown,
}

/// Which arguments are keys from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// Up to `last` (relative to the beginning; negative: from the end), every `step`-th; `limit` 2 means
    /// half of the rest, and so on.
    Range {
        /// Relative index of the last key, or from the end if negative.
        last: i32,
        /// Distance from key to key.
        step: usize,
        /// Divisor of what is left, for commands whose keys are followed by as many other words.
        limit: usize,
    },
    /// A number at `number` says how many keys start at `first`, every `step`-th.
    Number {
        /// Relative index of the number.
        number: usize,
        /// Relative index of the first key.
        first: usize,
        /// Distance from key to key.
        step: usize,
    },
    /// Cannot be told.
    Unknown,
}

/// One group of key arguments.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// What the command does with them: `RO`, `RW`, `OW`, `RM`, then `access`, `update`, `insert`, `delete`, and so on.
    pub flags: &'static [&'static str],
    /// A remark that COMMAND DOCS shows.
    pub notes: &'static str,
    /// Where they begin.
    pub begin: BeginSearch,
    /// Which they are.
    pub find: FindKeys,
}

impl KeySpec {
    /// One key at argument `at`.
    pub const fn one(at: usize, flags: &'static [&'static str]) -> KeySpec {
        KeySpec::range(at, 0, 1, flags)
    }

    /// Keys from argument `at` to the relative index `last`, every `step`-th.
    pub const fn range(at: usize, last: i32, step: usize, flags: &'static [&'static str]) -> KeySpec {
        KeySpec { flags, notes: "", begin: BeginSearch::Index(at), find: FindKeys::Range { last, step, limit: 0 } }
    }

    /// `numkeys` at argument `at`, then that many keys.
    pub const fn counted(at: usize, flags: &'static [&'static str]) -> KeySpec {
        KeySpec { flags, notes: "", begin: BeginSearch::Index(at), find: FindKeys::Number { number: 0, first: 1, step: 1 } }
    }

    /// One key after a word.
    pub const fn after(word: &'static str, from: i32, flags: &'static [&'static str]) -> KeySpec {
        KeySpec { flags, notes: "", begin: BeginSearch::Keyword(word, from), find: FindKeys::Range { last: 0, step: 1, limit: 0 } }
    }
}

/// What is done to a key, or may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// Its value is read.
    pub read: bool,
    /// Its value is changed.
    pub write: bool,
}

impl Deeds {
    /// Both.
    pub const ALL: Deeds = Deeds { read: true, write: true };

    /// What a key specification's flags say; `None` if what it finds are no keys (but channels).
    pub fn of(flags: &[&str]) -> Option<Deeds> {
        let any = |words: &[&str]| flags.iter().any(|flag| words.contains(flag));
        (!any(&["not_key"])).then(|| Deeds { read: any(&["access"]), write: any(&["insert", "delete", "update"]) })
    }

    /// Whether who may do this may do that.
    pub fn cover(self, that: Deeds) -> bool {
        (self.read || !that.read) && (self.write || !that.write)
    }
}

/// Read and returned.
pub const RO_ACCESS: &[&str] = &["RO", "access"];
/// Read, not returned.
pub const RO: &[&str] = &["RO"];
/// Overwritten.
pub const OW_UPDATE: &[&str] = &["OW", "update"];
/// Overwritten, not from what it was.
pub const OW_INSERT: &[&str] = &["OW", "insert"];
/// Changed by what it was.
pub const RW_UPDATE: &[&str] = &["RW", "update"];
/// Changed and returned.
pub const RW_ACCESS_UPDATE: &[&str] = &["RW", "access", "update"];
/// Elements added.
pub const RW_INSERT: &[&str] = &["RW", "insert"];
/// Elements removed.
pub const RW_DELETE: &[&str] = &["RW", "delete"];
/// Elements removed and returned.
pub const RW_ACCESS_DELETE: &[&str] = &["RW", "access", "delete"];
/// Removed.
pub const RM_DELETE: &[&str] = &["RM", "delete"];

/// One command or subcommand.
pub struct Command {
    /// Its name in lower case; for a subcommand, the second word alone.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The first version that had it.
    pub since: &'static str,
    /// The group in the documentation: `string`, `list`, `connection`.
    pub group: &'static str,
    /// Time complexity.
    pub complexity: &'static str,
    /// Number of words, the name included; negative for "at least".
    pub arity: i32,
    /// Facts.
    pub flags: Flags,
    /// Categories of access control beyond those that flags imply: `string`, `list`, `dangerous`.
    pub acl: &'static [&'static str],
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// The word that names an element of the first key's value in the command's plainest form, 0 for none: where the element is in
    /// a table, it is prefetched as keys are.
    pub element: u8,
    /// Finds them where `keys` alone cannot tell them or what becomes of them.
    pub find_keys: Option<KeyFinder>,
    /// Its arguments, in the notation of `server::syntax`.
    pub syntax: &'static str,
    /// Hints for proxies: `nondeterministic_output`, `request_policy:all_shards`.
    pub tips: &'static [&'static str],
    /// Version and what changed in it.
    pub history: &'static [(&'static str, &'static str)],
    /// Version since which it is deprecated, and what replaces it.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// What runs it.
    pub handler: Handler,
    /// The subcommands of a container.
    pub subcommands: &'static [Command],
}

impl Command {
    /// What a row need not say.
    pub const BASE: Command = Command {
        name: "",
        summary: "",
        since: "1.0.0",
        group: "generic",
        complexity: "O(1)",
        arity: 1,
        flags: Flags::NONE,
        acl: &[],
        keys: &[],
        element: 0,
        find_keys: None,
        syntax: "",
        tips: &[],
        history: &[],
        deprecated: None,
        handler: super::dispatch::container,
        subcommands: &[],
    };

    /// Whether `words`, the name included, are as many as the command takes.
    #[inline]
    pub fn takes(&self, words: usize) -> bool {
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        let arity = i64::from(self.arity);
        if arity >= 0 { words == arity } else { words >= -arity }
    }

    /// The index of the first key, if it has a fixed place: what to fetch while the request is parsed.
    pub fn first_key(&self) -> Option<usize> {
        match self.keys.first()? {
            KeySpec { begin: BeginSearch::Index(at), find: FindKeys::Range { .. }, .. } => Some(*at),
            // if there are none, another word is taken for one, which only costs a look at the wrong place
            KeySpec { begin: BeginSearch::Index(at), find: FindKeys::Number { first, .. }, .. } => Some(at + first),
            _ => None,
        }
    }

    /// What finds the keys of these arguments better than the specifications do. It counts on as many words as the command takes,
    /// which scripts do not promise when they ask what they may do.
    pub fn key_finder(&self, args: Args) -> Option<KeyFinder> {
        self.find_keys.filter(|_| self.takes(args.len()))
    }

    /// The indices of the arguments that are keys, each with the flags of its specification; `None` if the
    /// arguments make no sense to the row.
    pub fn keys_with_flags(&self, args: Args) -> Option<Vec<(usize, &'static [&'static str])>> {
        if let Some(find) = self.key_finder(args) {
            return Some(find(args));
        }
        let mut found = Vec::new();
        for spec in self.keys {
            found.extend(self.indices(spec, args)?.map(|index| (index, spec.flags)));
        }
        Some(found)
    }

    /// The indices of the arguments that one of the specifications finds; `None` if they make no sense to it.
    pub fn indices(&self, spec: &KeySpec, args: Args) -> Option<Indices> {
        let indices = spec.indices(args)?;
        let must_have_some = matches!(spec.find, FindKeys::Number { .. }) && !self.flags.any(Flags::NO_MANDATORY_KEYS);
        if indices.len() == 0 && must_have_some { None } else { Some(indices) }
    }

    /// The indices of the arguments that are keys; `None` if the arguments make no sense to the row.
    pub fn key_indices(&self, args: Args) -> Option<Vec<usize>> {
        Some(self.keys_with_flags(args)?.into_iter().map(|(index, _)| index).collect())
    }
}

/// The indices of keys among arguments.
pub type Indices = StepBy<Range<usize>>;

impl KeySpec {
    /// The indices of its keys among `args`; `None` if they point outside.
    fn indices(&self, args: Args) -> Option<Indices> {
        let none = || Some((0..0).step_by(1));
        let first = match self.begin {
            BeginSearch::Index(at) => at,
            BeginSearch::Keyword(word, from) => match find_keyword(args, word, from) {
                Some(at) => at,
                None => return none(),
            },
            BeginSearch::Unknown => return none(),
        };
        let (first, last, step) = match self.find {
            FindKeys::Unknown => return none(),
            FindKeys::Range { last, step, limit } => {
                let last = if last >= 0 {
                    first + last.unsigned_abs() as usize
                } else if limit > 1 {
                    first + (args.len().checked_sub(first)? / limit).checked_sub(1)?
                } else {
                    args.len().checked_sub(last.unsigned_abs() as usize)?
                };
                (first, last, step)
            }
            FindKeys::Number { number, first: offset, step } => {
                let count = crate::base::number::parse_i64(args.get(first + number)?)?;
                let count = usize::try_from(count).ok()?;
                if count == 0 {
                    return none();
                }
                let from = first + offset;
                (from, from.checked_add((count - 1).checked_mul(step)?)?, step)
            }
        };
        if last >= args.len() || last < first {
            return None;
        }
        Some((first..last + 1).step_by(step))
    }
}

/// The index after a word; a negative `from` searches backwards from the end.
fn find_keyword(args: Args, word: &str, from: i32) -> Option<usize> {
    let distance = from.unsigned_abs() as usize;
    let found = if from >= 0 {
        (distance..args.len()).find(|&at| args.is(at, word))
    } else {
        (1..=args.len().checked_sub(distance)?).rev().find(|&at| args.is(at, word))
    };
    found.map(|at| at + 1).filter(|&at| at < args.len())
}
