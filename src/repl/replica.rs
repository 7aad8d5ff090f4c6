//! The link to a primary: a state machine that is fed bytes and times and says what to send.
//!
//! ```text
//!            ┌──────────────────────── fail: wait, then again ◀─────────────────────┐
//!            ▼                                                                      │
//! Waiting ─tick─▶ Dialing ─connected─▶ Ping ─pong─▶ Auth ─▶ Introduction ─▶ Psync ──┤
//!            (take_dial)                     greet        introduce       answer    │
//!                                                                          │  │     │
//!                                                  CONTINUE: resume ◀──────┘  │     │
//!                                                     │   FULLRESYNC: Size ◀──┘     │
//!                                                     │                 │           │
//!                                                     ▼                 ▼           │
//!                                   Up ◀─loaded── Loading ◀─end── Snapshot ────────┘
//! ```
//!
//! - [`Link::read`] takes what belongs to the current step and not a byte more: behind CONTINUE or the
//!   snapshot follows the stream of commands, which the server runs as a session's requests.
//! - A link that fails waits a second before it dials again; one that was up dials at once. Whatever the
//!   peer says, there is one attempt at a time.
//! - The snapshot is passed on as it comes and not kept here. When its last byte has been, the link waits for
//!   the server to be done with it ([`Link::loaded`]).

use crate::base::clock::Millis;
use crate::base::number;
use crate::persist::place::{HistoryId, history};
use crate::resp::writer::write_command;

/// Bytes of a line that a primary may say at most in a handshake.
const LINE_MAX: usize = 8 * 1024;
/// The marks of snapshots whose length is not known in advance are as long as names of histories.
const MARK: usize = 40;
/// Attempts in a row after which it is said that servers may follow each other in a circle.
const ORPHANED: u32 = 30;
/// Milliseconds from a failure to the next attempt.
const RETRY_MS: i64 = 1000;

/// A wish for a socket to the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Tells this attempt from others.
    pub attempt: u64,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// What this server says of itself.
#[derive(Clone, Debug, Default)]
pub struct Introduction {
    /// User and password, if the primary wants any; an empty user is the default one.
    pub login: Option<(Vec<u8>, Vec<u8>)>,
    /// The port that this server listens on.
    pub port: u16,
    /// The address that it is to be listed under, if not that of the socket.
    pub address: String,
    /// The history that it has a beginning of, and the byte that it wants next.
    pub claim: Option<(HistoryId, u64)>,
    /// Whether the primary is one only once it is asked: a failover hands the lead over.
    pub promotes: bool,
    /// The version of Redis that it stands for.
    pub version: &'static str,
}

/// Where the link stands.
#[derive(Debug)]
enum Phase {
    Waiting { until: Millis },
    Dialing,
    Ping,
    Auth,
    Introduction { answers: u8 },
    Psync,
    Size { id: HistoryId, offset: u64 },
    Snapshot { end: End, received: u64, held: Vec<u8> },
    Loading { received: u64, total: Option<u64> },
    Up,
}

/// Where a snapshot ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    After(u64),
    Mark([u8; MARK]),
}

/// What the primary has said that the server must act on.
#[derive(Debug)]
pub enum Event {
    /// The stream goes on where it was; perhaps under another name.
    Resumed(Option<HistoryId>),
    /// A snapshot is about to come, of the history up to that offset.
    Snapshot {
        /// The name of the history.
        id: HistoryId,
        /// Bytes of it that the snapshot holds.
        offset: u64,
        /// How long it is, if that is known before.
        total: Option<u64>,
    },
    /// A piece of it: what was held back of earlier ones, then a part of the input.
    Piece {
        /// What might have been the mark at the end, and was not.
        held: Vec<u8>,
        /// The part of the input.
        range: std::ops::Range<usize>,
        /// Whether it is the last.
        last: bool,
    },
}

/// How [`Link::read`] went.
#[derive(Debug, Default)]
pub struct Read {
    /// Bytes that it took.
    pub consumed: usize,
    /// What there is to act on; what follows is read after that.
    pub event: Option<Event>,
}

/// The link. See the module's essay.
#[derive(Debug)]
pub struct Link {
    /// The primary.
    pub host: String,
    /// Its port.
    pub port: u16,
    phase: Phase,
    attempt: u64,
    dial: Option<Dial>,
    /// When the primary was last heard of.
    heard_at: Millis,
    /// Since when the link is not up; `None` while it is.
    down_since: Option<Millis>,
    /// Attempts in a row that found the primary without one of its own.
    orphaned: u32,
}

fn say(out: &mut Vec<u8>, words: &[&[u8]]) {
    write_command(out, words.len(), words.iter().copied());
}

impl Link {
    /// A link to be made at once.
    pub fn new(host: String, port: u16, now: Millis) -> Link {
        Link {
            host,
            port,
            phase: Phase::Waiting { until: now },
            attempt: 0,
            dial: None,
            heard_at: Millis(0),
            down_since: Some(Millis(0)),
            orphaned: 0,
        }
    }

    /// Whether commands flow.
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up)
    }

    /// Whether the next attempt is still to be made.
    pub fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    /// Whether the primary is about to say how it goes on.
    pub fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Psync)
    }

    /// Whether a snapshot is on its way.
    pub fn is_syncing(&self) -> bool {
        matches!(self.phase, Phase::Size { .. } | Phase::Snapshot { .. } | Phase::Loading { .. })
    }

    /// Bytes of the snapshot that have come, and how many there will be, if that is known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        match &self.phase {
            Phase::Snapshot { received, end: End::After(total), .. } => (*received, Some(*total)),
            Phase::Snapshot { received, .. } => (*received, None),
            Phase::Loading { received, total } => (*received, *total),
            _ => (0, None),
        }
    }

    /// The word that ROLE shows.
    pub fn word(&self) -> &'static str {
        match self.phase {
            Phase::Waiting { .. } => "connect",
            Phase::Dialing => "connecting",
            Phase::Ping | Phase::Auth | Phase::Introduction { .. } | Phase::Psync => "handshake",
            Phase::Size { .. } | Phase::Snapshot { .. } | Phase::Loading { .. } => "sync",
            Phase::Up => "connected",
        }
    }

    /// Seconds since the primary was heard of.
    pub fn silent_seconds(&self, now: Millis) -> i64 {
        now.saturating_sub(self.heard_at).0.max(0) / 1000
    }

    /// Seconds since the link was up; `None` while it is, -1 if it never was.
    pub fn down_seconds(&self, now: Millis) -> Option<i64> {
        let since = self.down_since?;
        Some(if since == Millis(0) { -1 } else { now.saturating_sub(since).0.max(0) / 1000 })
    }

    /// Number of the current attempt, if it is to be made or under way.
    pub fn is_dialing(&self, attempt: u64) -> bool {
        matches!(self.phase, Phase::Dialing) && self.attempt == attempt
    }

    /// The socket that is wanted, once.
    pub fn take_dial(&mut self) -> Option<Dial> {
        self.dial.take()
    }

    /// Lets time pass. `Err` says why the link is to be cut.
    pub fn tick(&mut self, now: Millis, timeout: Millis) -> Result<(), String> {
        match self.phase {
            Phase::Waiting { until } if until <= now => {
                self.attempt += 1;
                self.phase = Phase::Dialing;
                self.heard_at = now;
                self.dial = Some(Dial { attempt: self.attempt, host: self.host.clone(), port: self.port });
                log::info!("Connecting to MASTER {}:{}", self.host, self.port);
                Ok(())
            }
            // silence is the server's own while it loads
            Phase::Waiting { .. } | Phase::Loading { .. } => Ok(()),
            _ if now.saturating_sub(self.heard_at) <= timeout => Ok(()),
            Phase::Up => Err("MASTER timeout: no data nor PING received...".into()),
            Phase::Size { .. } | Phase::Snapshot { .. } => {
                Err("Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' parameter in redis.conf to a larger value.".into())
            }
            _ => Err("Timeout connecting to the MASTER...".into()),
        }
    }

    /// The attempt failed or the connection is gone: another follows, at once if the link was up.
    pub fn fail(&mut self, now: Millis) {
        let was_up = self.is_up();
        if was_up {
            self.down_since = Some(now);
        }
        self.dial = None;
        let pause = if was_up { 0 } else { RETRY_MS };
        self.phase = Phase::Waiting { until: now.saturating_add(Millis(pause)) };
    }

    /// The socket is there: the first words to it.
    pub fn connected(&mut self, now: Millis, out: &mut Vec<u8>) {
        log::info!("MASTER <-> REPLICA sync started");
        self.heard_at = now;
        self.phase = Phase::Ping;
        say(out, &[b"PING"]);
    }

    /// Something came over a link that is up.
    pub fn heard(&mut self, now: Millis) {
        self.heard_at = now;
    }

    /// The snapshot is loaded: commands follow.
    pub fn loaded(&mut self, now: Millis) {
        self.heard_at = now;
        (self.down_since, self.orphaned) = (None, 0);
        self.phase = Phase::Up;
    }

    /// Takes what belongs to the current step. `Err` says why the link is to be cut.
    pub fn read(&mut self, bytes: &[u8], now: Millis, me: &Introduction, out: &mut Vec<u8>) -> Result<Read, String> {
        self.heard_at = now;
        let mut read = Read::default();
        let takes = |link: &Link| !matches!(link.phase, Phase::Up | Phase::Loading { .. });
        while read.event.is_none() && read.consumed < bytes.len() && takes(self) {
            let rest = &bytes[read.consumed..];
            let taken = match &mut self.phase {
                Phase::Snapshot { .. } => self.take_piece(rest, read.consumed, &mut read.event),
                _ => match rest.iter().position(|&byte| byte == b'\n') {
                    Some(end) => {
                        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
                        self.line(line, me, out, &mut read.event)?;
                        end + 1
                    }
                    None if rest.len() > LINE_MAX => return Err("MASTER sent a line without an end".into()),
                    None => break,
                },
            };
            read.consumed += taken;
        }
        if matches!(read.event, Some(Event::Resumed(_))) {
            self.loaded(now);
        }
        Ok(read)
    }

    /// One line of the handshake. Empty lines are signs of life.
    fn line(&mut self, line: &[u8], me: &Introduction, out: &mut Vec<u8>, event: &mut Option<Event>) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        let shown = || String::from_utf8_lossy(&line[..line.len().min(256)]).into_owned();
        match self.phase {
            Phase::Ping => {
                let fine = [b"+".as_slice(), b"-NOAUTH", b"-NOPERM", b"-ERR operation not permitted"];
                if !fine.iter().any(|fine| line.starts_with(fine)) {
                    return Err(format!("Error reply to PING from master: '{}'", shown()));
                }
                log::info!("Master replied to PING, replication can continue...");
                self.greet(me, out);
            }
            Phase::Auth => {
                if line.starts_with(b"-") {
                    return Err(format!("Unable to AUTH to MASTER: {}", shown()));
                }
                self.introduce(me, out);
            }
            Phase::Introduction { answers } => {
                if line.starts_with(b"-") {
                    log::info!("(Non critical) Master does not understand a REPLCONF: {}", shown());
                }
                self.phase = Phase::Introduction { answers: answers - 1 };
                if answers == 1 {
                    self.ask(me, out);
                }
            }
            Phase::Psync => self.answer(line, event)?,
            Phase::Size { .. } if line.starts_with(b"-") => {
                return Err(format!("MASTER aborted replication with an error: {}", shown()));
            }
            Phase::Size { id, offset } => {
                let end = snapshot_end(line).ok_or_else(|| {
                    format!(
                        "Bad protocol from MASTER, the first byte is not '$' (we received '{}'), are you sure the host and port are right?",
                        shown()
                    )
                })?;
                let total = if let End::After(total) = end { Some(total) } else { None };
                self.phase = Phase::Snapshot { end, received: 0, held: Vec::new() };
                *event = Some(Event::Snapshot { id, offset, total });
            }
            _ => return Err(format!("Unexpected words from MASTER: '{}'", shown())),
        }
        Ok(())
    }

    fn greet(&mut self, me: &Introduction, out: &mut Vec<u8>) {
        match &me.login {
            Some((user, password)) if user.is_empty() => say(out, &[b"AUTH", password]),
            Some((user, password)) => say(out, &[b"AUTH", user, password]),
            None => return self.introduce(me, out),
        }
        self.phase = Phase::Auth;
    }

    fn introduce(&mut self, me: &Introduction, out: &mut Vec<u8>) {
        say(out, &[b"REPLCONF", b"listening-port", me.port.to_string().as_bytes()]);
        let mut answers = 3;
        if !me.address.is_empty() {
            say(out, &[b"REPLCONF", b"ip-address", me.address.as_bytes()]);
            answers += 1;
        }
        say(out, &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]);
        say(out, &[b"REPLCONF", b"version", me.version.as_bytes()]);
        self.phase = Phase::Introduction { answers };
    }

    fn ask(&mut self, me: &Introduction, out: &mut Vec<u8>) {
        match &me.claim {
            Some((id, next)) => {
                log::info!("Trying a partial resynchronization (request {}:{next}).", String::from_utf8_lossy(id));
                let next = next.to_string();
                let words: [&[u8]; 4] = [b"PSYNC", id, next.as_bytes(), b"FAILOVER"];
                say(out, if me.promotes { &words } else { &words[..3] });
            }
            None => {
                log::info!("Partial resynchronization not possible (no cached master)");
                say(out, &[b"PSYNC", b"?", b"-1"]);
            }
        }
        self.phase = Phase::Psync;
    }

    /// The answer to PSYNC.
    fn answer(&mut self, line: &[u8], event: &mut Option<Event>) -> Result<(), String> {
        let text = String::from_utf8_lossy(&line[..line.len().min(256)]);
        let mut words = line.split(|&byte| byte == b' ');
        match words.next().unwrap_or_default() {
            b"+FULLRESYNC" => {
                let id = words.next().and_then(history);
                let offset = words.next().and_then(number::parse_i64).and_then(|offset| u64::try_from(offset).ok());
                let (Some(id), Some(offset)) = (id, offset) else {
                    return Err(format!("Master replied with wrong +FULLRESYNC syntax: {text}"));
                };
                log::info!("Full resync from master: {}:{offset}", String::from_utf8_lossy(&id));
                self.phase = Phase::Size { id, offset };
                Ok(())
            }
            b"+CONTINUE" => {
                let id = match words.next().filter(|word| !word.is_empty()) {
                    Some(word) => Some(history(word).ok_or_else(|| format!("Master replied with wrong +CONTINUE syntax: {text}"))?),
                    None => None,
                };
                log::info!("Successful partial resynchronization with master.");
                *event = Some(Event::Resumed(id));
                Ok(())
            }
            b"-NOMASTERLINK" => {
                self.orphaned += 1;
                if self.orphaned.is_multiple_of(ORPHANED) {
                    log::warn!(
                        "The primary {}:{} follows another and has not reached it for {} attempts in a row. If servers follow each other in a circle, none of them leads: REPLICAOF NO ONE at one of them ends that.",
                        self.host,
                        self.port,
                        self.orphaned
                    );
                }
                Err(format!("Master is currently unable to PSYNC but should be in the future: {text}"))
            }
            b"-LOADING" => Err(format!("Master is currently unable to PSYNC but should be in the future: {text}")),
            _ => Err(format!("Unexpected reply to PSYNC from master: {text}")),
        }
    }

    /// Takes what belongs to the snapshot of the input from `at` on; what lies behind its end is left.
    fn take_piece(&mut self, rest: &[u8], at: usize, event: &mut Option<Event>) -> usize {
        let Phase::Snapshot { end, received, held } = &mut self.phase else { unreachable!("the caller has looked") };
        let (held_now, data, taken, last) = match end {
            End::After(total) => {
                let missing = usize::try_from(*total - *received).unwrap_or(usize::MAX);
                let data = rest.len().min(missing);
                (Vec::new(), data, data, data == missing)
            }
            End::Mark(mark) => look_for_mark(mark, held, rest),
        };
        *received += (held_now.len() + data) as u64;
        let (received, total) = (*received, if let End::After(total) = end { Some(*total) } else { None });
        if last {
            self.phase = Phase::Loading { received, total };
        }
        *event = Some(Event::Piece { held: held_now, range: at..at + data, last });
        taken
    }
}

/// Looks for the mark in what was `held` back and `rest`. Gives what of the former is data, how many bytes of the latter
/// are, how many of them are done with, and whether the mark was there. What may be the beginning of the mark is held back.
fn look_for_mark(mark: &[u8; MARK], held: &mut Vec<u8>, rest: &[u8]) -> (Vec<u8>, usize, usize, bool) {
    if held.is_empty() {
        if let Some(at) = memchr::memmem::find(rest, mark) {
            return (Vec::new(), at, at + MARK, true);
        }
        let kept = beginning_of(mark, rest);
        *held = rest[rest.len() - kept..].to_vec();
        return (Vec::new(), rest.len() - kept, rest.len(), false);
    }
    // as much as decides whether the mark begins in what was held back
    let before = held.len();
    let taken = rest.len().min(MARK - 1);
    held.extend_from_slice(&rest[..taken]);
    if let Some(at) = memchr::memmem::find(held, mark) {
        held.truncate(at + MARK);
        let taken = held.len() - before;
        held.truncate(at);
        return (std::mem::take(held), 0, taken, true);
    }
    let kept = beginning_of(mark, held);
    let data = held.len() - kept;
    let rest_of_held = held.split_off(data);
    (std::mem::replace(held, rest_of_held), 0, taken, false)
}

/// How many bytes at the end of `bytes` are how the mark begins.
fn beginning_of(mark: &[u8; MARK], bytes: &[u8]) -> usize {
    (1..MARK.min(bytes.len() + 1)).rev().find(|&count| bytes.ends_with(&mark[..count])).unwrap_or(0)
}

/// Reads the line before a snapshot: `$length` or `$EOF:mark`.
fn snapshot_end(line: &[u8]) -> Option<End> {
    let size = line.strip_prefix(b"$")?;
    if let Some(mark) = size.strip_prefix(b"EOF:") {
        return mark.try_into().ok().map(End::Mark);
    }
    number::parse_i64(size).and_then(|size| u64::try_from(size).ok()).filter(|&size| size > 0).map(End::After)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Introduction {
        Introduction { login: None, port: 6380, promotes: false, address: String::new(), claim: Some(([b'c'; 40], 8)), version: "8.0.0" }
    }

    fn dialled() -> (Link, Vec<u8>) {
        let mut link = Link::new("host".into(), 1, Millis(5));
        link.tick(Millis(5), Millis(60_000)).expect("nothing to time out");
        let dial = link.take_dial().expect("a wish");
        assert!(link.is_dialing(dial.attempt) && link.take_dial().is_none());
        let mut out = Vec::new();
        link.connected(Millis(6), &mut out);
        (link, out)
    }

    /// Feeds a conversation in pieces of `size`; gives events, what was said, and what was left.
    fn converse(input: &[u8], size: usize) -> Result<(Vec<String>, Vec<u8>), String> {
        let (mut link, mut out) = dialled();
        let (mut events, mut waiting, mut snapshot) = (Vec::new(), Vec::new(), Vec::new());
        for piece in input.chunks(size) {
            waiting.extend_from_slice(piece);
            loop {
                let read = link.read(&waiting, Millis(7), &me(), &mut out)?;
                let input: Vec<u8> = waiting.drain(..read.consumed).collect();
                match read.event {
                    None => break,
                    Some(Event::Snapshot { offset, total, .. }) => events.push(format!("{offset} {total:?}")),
                    Some(Event::Piece { held, range, last }) => {
                        snapshot.extend(held);
                        snapshot.extend_from_slice(&input[range]);
                        if last {
                            events.push(format!("snapshot {}", String::from_utf8_lossy(&snapshot)));
                            link.loaded(Millis(8));
                        }
                    }
                    Some(event) => events.push(format!("{event:?}").chars().take(8).collect()),
                }
            }
        }
        events.push(format!("{} {}", link.word(), String::from_utf8_lossy(&waiting)));
        Ok((events, out))
    }

    const GREETING: &[u8] = b"+PONG\r\n+OK\r\n+OK\r\n-ERR Unrecognized REPLCONF option\r\n";

    #[test]
    fn the_handshake_may_be_cut_anywhere_and_takes_no_byte_of_the_stream() {
        let id = "d".repeat(40);
        let cases = [
            ("+CONTINUE\r\n*1\r\nSTREAM".to_string(), vec!["Resumed(", "connected *1\r\nSTREAM"]),
            (format!("+CONTINUE {id}\r\nSTREAM"), vec!["Resumed(", "connected STREAM"]),
            (format!("+FULLRESYNC {id} 7\r\n\n\n$3\r\nabcSTREAM"), vec!["7 Some(3)", "snapshot abc", "connected STREAM"]),
            (
                format!("+FULLRESYNC {id} 7\r\n$EOF:{id}\r\nab{}{id}STREAM", "d".repeat(3).replace('d', "x")),
                vec!["7 None", "snapshot abxxx", "connected STREAM"],
            ),
        ];
        for (text, expected) in cases {
            let input = [GREETING, text.as_bytes()].concat();
            for size in 1..input.len() {
                let (events, out) = converse(&input, size).expect("a fine primary");
                assert_eq!(events, expected, "{size}");
                let said = String::from_utf8_lossy(&out).replace("\r\n", " ");
                assert!(said.starts_with("*1 $4 PING *3 $8 REPLCONF $14 listening-port $4 6380 *5 $8 REPLCONF $4 capa $3 eof"), "{said}");
                assert!(said.ends_with(&format!("*3 $5 PSYNC $40 {} $1 8 ", "c".repeat(40))), "{said}");
            }
        }
    }

    #[test]
    fn what_no_primary_says_cuts_the_link() {
        for text in [
            "-ERR no PSYNC here\r\n".to_string(),
            "-LOADING later\r\n".into(),
            "+FULLRESYNC x 1\r\n".into(),
            format!("+FULLRESYNC {} -1\r\n", "d".repeat(40)),
            format!("+FULLRESYNC {} 1\r\n$-1\r\n", "d".repeat(40)),
            format!("+FULLRESYNC {} 1\r\n$99999999999999999999\r\n", "d".repeat(40)),
            format!("+FULLRESYNC {} 1\r\n*1\r\n", "d".repeat(40)),
            "+CONTINUE short\r\n".into(),
            "x".repeat(10_000),
        ] {
            assert!(converse(&[GREETING, text.as_bytes()].concat(), 100_000).is_err(), "{text}");
        }
        assert!(converse(b"-ERR who are you\r\n", 3).is_err());
        assert!(converse(b"HTTP/1.1 400 Bad Request\r\n", 3).is_err());
    }

    #[test]
    fn silence_and_failure_lead_to_one_attempt_after_the_other() {
        let (mut link, _) = dialled();
        assert!(link.tick(Millis(60_006), Millis(60_000)).is_ok());
        assert!(link.tick(Millis(60_007), Millis(60_000)).is_err());
        link.fail(Millis(60_007));
        assert!(link.tick(Millis(61_006), Millis(60_000)).is_ok() && link.take_dial().is_none());
        assert!(link.tick(Millis(61_007), Millis(60_000)).is_ok());
        assert_eq!(link.take_dial().expect("a wish").attempt, 2);
        assert!(!link.is_dialing(1));
    }
}
