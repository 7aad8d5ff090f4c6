//! What a server knows of its replicas: how far each is, and who of them counts.
//!
//! ```text
//!  REPLCONF.. ─▶ (a session) ─PSYNC: cannot go on─▶ Waiting ─a save has begun─▶ Saving
//!                    │                                                   file │   │ sent as it is made
//!                    │                                              Sending ◀─┘   │
//!                    │                                             all sent │     ▼ all sent
//!                    ├────PSYNC: may go on──────────────────────────────────┴▶ Online
//!                    └────PSYNC: may go on, far behind────▶ Past ─caught up───▶ Online
//! ```
//!
//! From `Saving` on a replica has a place in the stream, [`Replica::next`]: what follows it is kept in the history
//! until the replica has got the snapshot, and is then sent as its socket takes it. From then on each block of the
//! stream is put into its output as it is made; the blocks are shared, so a slow replica costs what it retains and
//! no copy. One that was sent a snapshot with a mark behind it looks for the mark at the end of what it reads: it gets
//! nothing of the stream before it has said that it is ready. When what is kept for it meanwhile passes the limit of its
//! class, it is kept in the append-only file alone, if there is one, and the replica reads the `Past` before it is
//! `Online`: a link that is slower than the writers does not end in one snapshot after the other.

use crate::base::clock::{Micros, Millis};

/// How far a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It introduces itself.
    Handshake,
    /// It waits for a save to begin.
    Waiting,
    /// It is sent what the append-only file holds of the stream, until it is near enough.
    Past,
    /// The save is under way.
    Saving,
    /// It is sent the file.
    Sending,
    /// It is sent the stream.
    Online,
}

impl Stage {
    /// The word that INFO shows.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Handshake => "handshake",
            Stage::Waiting | Stage::Saving => "wait_bgsave",
            Stage::Sending => "send_bulk",
            Stage::Past | Stage::Online => "online",
        }
    }
}

/// One replica, as it has told of itself.
#[derive(Clone, Debug)]
pub struct Replica {
    /// How far it is.
    pub stage: Stage,
    /// The port that it listens on; 0 if it did not say.
    pub port: u16,
    /// The address that it wants to be listed under; empty for that of its socket.
    pub address: String,
    /// It wants a snapshot and nothing else.
    pub snapshot_only: bool,
    /// It wants no keys in the snapshot.
    pub without_keys: bool,
    /// It asked by SYNC, so it never acknowledges.
    pub is_old: bool,
    /// It reads a snapshot that ends with a mark.
    pub reads_marks: bool,
    /// It understands that a history may have two names.
    pub reads_names: bool,
    /// Whether it has said how far it is since it was given its place in the stream. Before, its data may be any.
    pub has_data: bool,
    /// Bytes of the stream that it has processed.
    pub acknowledged: u64,
    /// Bytes of the stream that it has on disk.
    pub on_disk: u64,
    /// When it last said so.
    pub acknowledged_at: Micros,
    /// Since when it waits.
    pub waits_since: Millis,
    /// The number of the byte of the stream that it is sent next, while the history is ahead of it; `None` for one that
    /// gets what comes as it comes, and for one that wants no stream.
    pub next: Option<u64>,
    /// Whether the append-only file keeps what follows, as it is too much for memory.
    pub reads_past: bool,
    /// Whether nothing stands between it and the stream any more.
    pub reads_stream: bool,
    /// What of a snapshot was still before it when it was last looked at, and since when it is that much.
    pub stalled: (usize, Millis),
}

impl Replica {
    /// One that has said nothing yet.
    pub fn new(now: Micros) -> Replica {
        Replica {
            stage: Stage::Handshake,
            port: 0,
            address: String::new(),
            snapshot_only: false,
            without_keys: false,
            is_old: false,
            reads_marks: false,
            reads_names: false,
            has_data: false,
            acknowledged: 0,
            on_disk: 0,
            acknowledged_at: now,
            waits_since: Millis(0),
            next: None,
            reads_past: false,
            reads_stream: false,
            stalled: (0, Millis(0)),
        }
    }

    /// Whether it has processed that much of the stream.
    pub fn has(&self, offset: u64) -> bool {
        self.has_data && self.acknowledged >= offset
    }

    /// Whether it has that much of the stream on disk.
    pub fn has_on_disk(&self, offset: u64) -> bool {
        self.has_data && self.on_disk >= offset
    }

    /// Whether blocks of the stream go to it as they are made.
    pub fn is_streaming(&self) -> bool {
        self.stage == Stage::Online && self.next.is_none() && !self.reads_past
    }

    /// Whether it can be given the snapshot that is made for another: it reads whatever that one reads, and
    /// wants the same.
    pub fn may_share(&self, other: &Replica) -> bool {
        (self.reads_marks || !other.reads_marks)
            && (self.reads_names || !other.reads_names)
            && self.without_keys == other.without_keys
            && (!other.snapshot_only || self.snapshot_only)
    }

    /// Whole seconds since it last acknowledged.
    pub fn lag_seconds(&self, now: Micros) -> i64 {
        now.saturating_sub(self.acknowledged_at).0.max(0) / 1_000_000
    }
}

/// Counters of synchronisations.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncStats {
    /// With a snapshot.
    pub full: u64,
    /// Without.
    pub partial: u64,
    /// Without was asked for, and could not be.
    pub refused: u64,
}
