//! The slow log: the last commands that took longer than a threshold.

use std::collections::VecDeque;

use super::context::Ctx;
use super::redact;
use super::row::{Command, Flags};
use crate::resp::request::Args;

/// Words of a request that an entry keeps.
const WORDS_MAX: usize = 32;
/// Bytes of a word that an entry keeps.
const WORD_MAX: usize = 128;

/// One slow command.
pub struct SlowEntry {
    /// Its number.
    pub id: u64,
    /// When it ran, Unix seconds.
    pub at: i64,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// Its words, shortened.
    pub words: Vec<Vec<u8>>,
    /// Whose it was.
    pub address: String,
    /// That client's name.
    pub name: Box<[u8]>,
}

/// The log, newest first.
pub struct SlowLog {
    /// Entries.
    pub entries: VecDeque<SlowEntry>,
    /// From how long on a command is logged; the largest number for never.
    pub threshold_nanos: u64,
    /// How many entries are kept.
    pub max_len: usize,
    next_id: u64,
}

impl SlowLog {
    /// An empty log for a threshold in microseconds (negative: off).
    pub fn new(threshold_micros: i64, max_len: u64) -> Self {
        let mut log = SlowLog { entries: VecDeque::new(), threshold_nanos: 0, max_len: 0, next_id: 0 };
        log.configure(threshold_micros, max_len);
        log
    }

    /// Takes new settings.
    pub fn configure(&mut self, threshold_micros: i64, max_len: u64) {
        self.threshold_nanos = u64::try_from(threshold_micros).map_or(u64::MAX, |micros| micros.saturating_mul(1000));
        self.max_len = usize::try_from(max_len).unwrap_or(usize::MAX);
        self.entries.truncate(self.max_len);
    }
}

/// Logs the command of `ctx`.
#[cold]
pub fn record(ctx: &mut Ctx<'_>, args: Args<'_>, nanos: u64) {
    if ctx.row().flags.any(Flags::SKIP_SLOWLOG) || ctx.state.slowlog.max_len == 0 {
        return;
    }
    let words = shorten(ctx.row(), args);
    let client = &ctx.state.clients[ctx.client];
    let (address, name) = (client.peer.address.clone(), client.name.clone());
    let at = ctx.state.now.unix.0.div_euclid(1_000_000);
    let log = &mut ctx.state.slowlog;
    log.entries.push_front(SlowEntry { id: log.next_id, at, micros: nanos / 1000, words, address, name });
    log.next_id += 1;
    log.entries.truncate(log.max_len);
}

fn shorten(row: &Command, args: Args<'_>) -> Vec<Vec<u8>> {
    let shown = if args.len() > WORDS_MAX { WORDS_MAX - 1 } else { args.len() };
    let mut words: Vec<Vec<u8>> = args
        .iter()
        .take(shown)
        .enumerate()
        .map(|(index, word)| {
            let word = if redact::is_secret(row, args, index) { redact::REDACTED } else { word };
            let mut kept = word[..word.len().min(WORD_MAX)].to_vec();
            if word.len() > WORD_MAX {
                kept.extend_from_slice(format!("... ({} more bytes)", word.len() - WORD_MAX).as_bytes());
            }
            kept
        })
        .collect();
    if args.len() > WORDS_MAX {
        words.push(format!("... ({} more arguments)", args.len() - shown).into_bytes());
    }
    words
}
