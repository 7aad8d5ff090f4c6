//! FAILOVER: a primary hands the lead over to one of its replicas, and no write is lost on the way.
//!
//! ```text
//!              FAILOVER: writes wait        a replica has all        PSYNC .. FAILOVER answered
//! no-failover ─────────▶ waiting-for-sync ───────────────▶ failover-in-progress ──────▶ no-failover,
//!      ▲                   │      TIMEOUT with FORCE ──────▶        │                   a replica
//!      └── ABORT, TIMEOUT ─┘                                        │
//!      └──────────────── ABORT, the target refuses ─────────────────┘ leads again
//! ```
//!
//! - Writes are held back from the command to the end, so what a replica has acknowledged stays all there is.
//! - The old primary follows first, and its PSYNC is what promotes the target: there are never two who lead.

use super::State;
use crate::base::clock::Millis;
use crate::keyspace::Keyspace;

use super::gates::Why;

/// How far a failover is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// There is none.
    #[default]
    None,
    /// A replica is to have all that there is.
    Waiting,
    /// This server follows its replica, which is to be told that it leads.
    Following,
}

impl Stage {
    /// The word that INFO shows.
    pub fn word(self) -> &'static str {
        match self {
            Stage::None => "no-failover",
            Stage::Waiting => "waiting-for-sync",
            Stage::Following => "failover-in-progress",
        }
    }
}

/// What FAILOVER asks for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Address and port of the replica that is to lead; none: the first that has everything.
    pub target: Option<(String, u16)>,
    /// When the wait for it ends.
    pub deadline: Option<Millis>,
    /// Whether it leads then, even if it lacks something.
    pub forced: bool,
}

/// A failover. See the module's essay.
#[derive(Clone, Debug, Default)]
pub struct Failover {
    /// How far it is.
    pub stage: Stage,
    wish: Wish,
}

impl Failover {
    /// The target for the log.
    fn named(&self) -> String {
        self.wish.target.as_ref().map(|(host, port)| format!(" to {host}:{port}")).unwrap_or_default()
    }
}

impl State {
    /// Begins a failover, of which all is checked.
    pub fn begin_failover(&mut self, space: &mut Keyspace, wish: Wish) {
        self.replication.failover = Failover { stage: Stage::Waiting, wish };
        log::info!("FAILOVER requested{}.", self.replication.failover.named());
        self.pause(space, Why::Failover, Millis(i64::MAX), true);
        self.ask_replicas();
    }

    /// Gives a failover up, if there is one.
    pub fn abort_failover(&mut self, space: &mut Keyspace, why: &str) {
        let stage = self.replication.failover.stage;
        if stage == Stage::None {
            return;
        }
        log::info!("Aborting failover{} while {}: {why}", self.replication.failover.named(), stage.word());
        if stage == Stage::Following {
            self.lead(space);
        }
        self.end_failover(space);
    }

    /// The failover is over, one way or the other.
    pub(super) fn end_failover(&mut self, space: &mut Keyspace) {
        if self.replication.failover.stage != Stage::None {
            self.replication.failover = Failover::default();
            self.unpause(space, Why::Failover);
        }
    }

    /// Goes on with a failover, if it is time.
    pub(super) fn attend_failover(&mut self, space: &mut Keyspace) {
        if self.replication.failover.stage != Stage::Waiting {
            return;
        }
        let wish = self.replication.failover.wish.clone();
        if wish.deadline.is_some_and(|deadline| space.now >= deadline) {
            match wish.target.filter(|_| wish.forced) {
                Some((host, port)) => {
                    log::info!("Failover to {host}:{port} time out exceeded, failing over.");
                    self.follow_target(space, host, port);
                }
                None => self.abort_failover(space, "Replica never caught up before timeout"),
            }
            return;
        }
        let offset = self.position().offset + self.feed.len() as u64;
        let ready = self.replication.online().filter(|(_, replica)| replica.has(offset));
        let found = ready
            .map(|(key, replica)| self.address_of(key, replica))
            .find(|(address, port)| wish.target.as_ref().is_none_or(|(host, target)| host == address && target == port));
        if let Some((host, port)) = found {
            log::info!("Failover target {host}:{port} is synced, failing over.");
            self.follow_target(space, host, port);
        }
    }

    fn follow_target(&mut self, space: &mut Keyspace, host: String, port: u16) {
        self.replication.failover.stage = Stage::Following;
        self.replication.failover.wish.target = Some((host.clone(), port));
        self.follow(space, host, port);
    }

    /// The stage of a replica that is known under this address; `None` if there is none.
    pub fn replica_at(&self, host: &str, port: u16) -> Option<crate::repl::primary::Stage> {
        let mut attached = self.replication.attached();
        attached.find(|(key, replica)| self.address_of(*key, replica) == (host.to_string(), port)).map(|(_, replica)| replica.stage)
    }
}
