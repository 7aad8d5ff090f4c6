//! The command log: the last commands that took long, that were long to send, or whose replies were long.
//!
//! Three logs of one make, as in Valkey: *slow* (microseconds; SLOWLOG shows this one alone, as in Redis),
//! *large request* and *large reply* (bytes on the wire). Each has a threshold and a length of its own. The
//! commands of a transaction are logged one by one: as request each counts what EXEC was, as reply what EXEC has
//! replied so far, which is how Valkey counts.

use std::collections::VecDeque;

use super::client::ClientFlags;
use super::context::Ctx;
use super::redact;
use super::row::{Command, Flags};
use crate::config::Config;
use crate::resp::request::Args;

/// Words of a request that an entry keeps.
const WORDS_MAX: usize = 32;
/// Bytes of a word that an entry keeps.
const WORD_MAX: usize = 128;

/// Which of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Commands that took long, in microseconds.
    Slow,
    /// Requests that were long, in bytes.
    LargeRequest,
    /// Replies that were long, in bytes.
    LargeReply,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Slow, Kind::LargeRequest, Kind::LargeReply];

    /// As COMMANDLOG calls it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Slow => "slow",
            Kind::LargeRequest => "large-request",
            Kind::LargeReply => "large-reply",
        }
    }

    /// The kind that a word names, in any case of letters.
    pub fn from_word(word: &[u8]) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| word.eq_ignore_ascii_case(kind.word().as_bytes()))
    }
}

/// One logged command.
pub struct Entry {
    /// Its number.
    pub id: u64,
    /// When it ran, Unix seconds.
    pub at: i64,
    /// Microseconds or bytes, by the kind of the log.
    pub value: u64,
    /// Its words, shortened.
    pub words: Vec<Vec<u8>>,
    /// Whose it was.
    pub address: String,
    /// That client's name.
    pub name: Box<[u8]>,
}

/// One log, newest first.
#[derive(Default)]
pub struct Log {
    /// Entries.
    pub entries: VecDeque<Entry>,
    /// From what on a command is logged; the largest number for never.
    threshold: u64,
    /// How many entries are kept.
    max_len: usize,
    next_id: u64,
}

impl Log {
    fn configure(&mut self, threshold: i64, max_len: u64) {
        self.threshold = u64::try_from(threshold).unwrap_or(u64::MAX);
        self.max_len = usize::try_from(max_len).unwrap_or(usize::MAX);
        self.entries.truncate(self.max_len);
    }

    fn wants(&self, value: u64) -> bool {
        value >= self.threshold && self.threshold != u64::MAX && self.max_len > 0
    }

    /// The number of the last entry that was made.
    pub fn last_id(&self) -> u64 {
        self.next_id.saturating_sub(1)
    }
}

/// The three logs.
#[derive(Default)]
pub struct CommandLogs([Log; 3]);

impl CommandLogs {
    /// The log of a kind.
    pub fn of(&self, kind: Kind) -> &Log {
        &self.0[kind as usize]
    }

    /// The same, for emptying it.
    pub fn of_mut(&mut self, kind: Kind) -> &mut Log {
        &mut self.0[kind as usize]
    }

    /// Obeys the configuration.
    pub fn configure(&mut self, config: &Config) {
        let settings = [
            (config.slowlog_log_slower_than, config.slowlog_max_len),
            (config.commandlog_request_larger_than, config.commandlog_large_request_max_len),
            (config.commandlog_reply_larger_than, config.commandlog_large_reply_max_len),
        ];
        for (log, (threshold, max_len)) in self.0.iter_mut().zip(settings) {
            log.configure(threshold, max_len);
        }
    }

    /// From how many nanoseconds on a command is slow; the greatest number for never.
    pub fn slow_nanos(&self) -> u64 {
        self.of(Kind::Slow).threshold.saturating_mul(1000)
    }

    /// From how many bytes on a request or a reply is large; the greatest number for never.
    pub fn large_bytes(&self, kind: Kind) -> u64 {
        self.of(kind).threshold
    }
}

/// Logs the command of `ctx` where it belongs: it took so many nanoseconds, and its reply so many bytes.
#[cold]
pub fn record(ctx: &mut Ctx<'_>, args: Args<'_>, nanos: u64, replied: u64) {
    if ctx.row().flags.any(Flags::SKIP_SLOWLOG) {
        return;
    }
    let silent = ctx.client().flags.any(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP));
    let values = [nanos / 1000, ctx.state.request_bytes, if silent { 0 } else { replied }];
    for (kind, value) in Kind::ALL.into_iter().zip(values) {
        if !ctx.state.command_logs.of(kind).wants(value) {
            continue;
        }
        let words = shorten(ctx.row(), args);
        let client = &ctx.state.clients[ctx.client];
        let (address, name) = (client.peer.address.clone(), client.name.clone());
        let at = ctx.state.now.unix.to_millis().seconds();
        let log = ctx.state.command_logs.of_mut(kind);
        log.entries.push_front(Entry { id: log.next_id, at, value, words, address, name });
        log.next_id += 1;
        log.entries.truncate(log.max_len);
    }
}

/// The first words of a request, cut short, without its secrets.
#[cold]
pub fn beginning(row: &Command, args: Args<'_>) -> Vec<u8> {
    let word = |(index, word): (usize, &[u8])| {
        if redact::is_secret(row, args, index) { redact::REDACTED.to_vec() } else { word[..word.len().min(64)].to_vec() }
    };
    args.iter().enumerate().take(3).map(word).collect::<Vec<_>>().join(&b' ')
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
