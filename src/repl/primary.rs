//! What a server knows of its replicas: how far each is, and who of them counts.
//!
//! ```text
//!  REPLCONF.. ─▶ (a session) ─PSYNC: cannot go on─▶ Waiting ─snapshot made─▶ Online
//!                    └────────PSYNC: may go on───────────────────────────────▶ │
//!                    └────────rdb-only───────────▶ Waiting ─snapshot made─▶ Snapshot only
//! ```
//!
//! A replica that waits gets nothing of the stream: the snapshot will hold it. From `Online` on each block
//! of the stream is put into its output as it is made, behind the snapshot, which the socket may take its
//! time for; the blocks are shared, so a slow replica costs what it retains and no copy.

use crate::base::clock::{Micros, Millis};

/// How far a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It introduces itself.
    Handshake,
    /// It waits for a snapshot to be made.
    Waiting,
    /// It is sent the stream.
    Online,
    /// It wanted a snapshot and nothing else.
    SnapshotOnly,
}

impl Stage {
    /// The word that INFO shows.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Handshake => "handshake",
            Stage::Waiting => "wait_bgsave",
            Stage::Online => "online",
            Stage::SnapshotOnly => "send_bulk",
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
    /// Bytes of the stream that it has processed.
    pub acknowledged: u64,
    /// Bytes of the stream that it has on disk.
    pub on_disk: u64,
    /// When it last said so.
    pub acknowledged_at: Micros,
    /// Since when it waits.
    pub waits_since: Millis,
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
            acknowledged: 0,
            on_disk: 0,
            acknowledged_at: now,
            waits_since: Millis(0),
        }
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
