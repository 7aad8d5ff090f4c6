//! What SCAN, SSCAN, HSCAN and ZSCAN have in common: their options, and how far one call goes.

use crate::base::glob::{self, Case};
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::error::Error;

/// What is walked over; it decides which options there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walked {
    /// The keys of a database: TYPE.
    Keys,
    /// The members of a set.
    Set,
    /// The fields of a hash: NOVALUES.
    Hash,
    /// The members of a sorted set: NOSCORES.
    Zset,
}

/// The options.
pub(super) struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    /// The name of the type that keys must have.
    pub(super) type_name: Option<&'a [u8]>,
    /// Whether values or scores are shown beside what they belong to.
    pub(super) pairs: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the options, which are all of `args`.
    pub(super) fn parse(args: Args<'a>, walked: Walked) -> Result<Self, Error> {
        let mut options = ScanOptions { pattern: None, count: 10, type_name: None, pairs: true };
        let mut at = 0;
        while at < args.len() {
            let value = args.get(at + 1);
            let mut words = 2;
            match (args.at(at).to_ascii_uppercase().as_slice(), value) {
                (b"COUNT", Some(count)) => {
                    options.count = usize::try_from(integer(count)?).ok().filter(|&count| count > 0).ok_or(Error::SYNTAX)?;
                }
                (b"MATCH", Some(pattern)) => options.pattern = (pattern != b"*").then_some(pattern),
                (b"TYPE", Some(name)) if walked == Walked::Keys => options.type_name = Some(name),
                (b"NOVALUES", _) if walked == Walked::Hash => (options.pairs, words) = (false, 1),
                (b"NOVALUES", _) => return Err(Error::fixed("ERR NOVALUES option can only be used in HSCAN")),
                (b"NOSCORES", _) if walked == Walked::Zset => (options.pairs, words) = (false, 1),
                _ => return Err(Error::SYNTAX),
            }
            at += words;
        }
        Ok(options)
    }

    /// Whether a name matches the pattern, if there is one.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, Case::Sensitive))
    }

    /// Takes steps from `cursor` on until as many things as asked for were met, matching or not, or ten times as many
    /// steps: empty buckets cost time, too. `step` gives the next cursor and adds what it has met. Gives the cursor to
    /// go on with, 0 at the end.
    pub(super) fn walk(&self, mut cursor: u64, mut step: impl FnMut(u64, &mut usize) -> u64) -> u64 {
        let mut met = 0;
        for _ in 0..self.count.saturating_mul(10) {
            cursor = step(cursor, &mut met);
            if cursor == 0 || met >= self.count {
                break;
            }
        }
        cursor
    }
}
