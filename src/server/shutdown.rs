//! Stopping, what has to be done before the process may end; and going on without being able to save.
//!
//! ```text
//! SHUTDOWN ──────────────▶ shut_down ──a replica lacks something: writes are held──▶ waits
//! a signal ─noted─ cron ─▶    │                                    ABORT: goes on ◀──┤
//!                             ▼      all have it, or shutdown-timeout is over        │
//!                          finish_stop ◀─────────────────────────────────────────────┘
//!                             ├─▶ State::stop, and the reactor hears of it
//!                             └─▶ the data could not be saved: the server stays
//! ```
//!
//! A stop saves the data if there are rules for snapshots or it is told to, unless it is told not to. Who asked
//! by SHUTDOWN is parked until the end, which it hears of only if there is none.

use super::error::Error;
use super::gates::Why;
use super::loading::View;
use super::{Later, Server, State, Stop};
use crate::base::clock::Millis;
use crate::config::ShutdownActions as Actions;
use crate::keyspace::Keyspace;
use crate::persist::aof::Phase;
use crate::repl::primary::Stage;

/// How a stop that was asked for has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The server stops at the end of the turn.
    Stops,
    /// It waits for replicas.
    Waits,
    /// The data could not be saved, so the server stays.
    Stays,
}

/// A stop that waits for replicas.
#[derive(Clone, Copy, Debug)]
pub struct Stopping {
    actions: Actions,
    until: Millis,
}

/// What a parked SHUTDOWN is told when the server stays.
pub const STAYS: Error = Error::fixed("ERR Errors trying to SHUTDOWN. Check logs.");

impl State {
    /// Refuses writes while the last snapshot has failed, if the configuration says so, or takes them again.
    pub fn heed_snapshots(&mut self) {
        let config = &self.config;
        self.gates.unsaved = !self.snapshots.last_ok && config.stop_writes_on_bgsave_error && !config.save.is_empty();
        self.gates.update();
    }

    /// Makes ready to stop; stops, or waits for the replicas.
    pub fn shut_down(&mut self, space: &mut Keyspace, actions: Actions) -> Begun {
        if self.stopping.is_some() {
            return Begun::Waits;
        }
        log::warn!("User requested shutdown...");
        if self.loading.is_some_and(|loading| loading.view == View::Nothing) {
            // half of the data must not take the place of all
            log::warn!("Received shutdown signal during loading, exiting now.");
            self.stop = Some(Stop::Orderly(actions));
            return Begun::Stops;
        }
        self.settle_stream();
        if actions.contains(Actions::NOW) || self.config.shutdown_timeout == 0 || self.replicas_have_all() {
            return self.finish_stop(space, actions);
        }
        self.pause(space, Why::Shutdown, Millis(i64::MAX), true);
        log::info!("Waiting for replicas before shutting down.");
        let until = space.now.saturating_add(Millis::from_seconds(self.config.shutdown_timeout.into()));
        self.stopping = Some(Stopping { actions, until });
        self.ask_replicas();
        Begun::Waits
    }

    /// Milliseconds for which a stop still waits for replicas; `None` if it does not.
    pub fn stops_in_ms(&self) -> Option<i64> {
        let now = self.now.unix.to_millis();
        self.stopping.map(|stopping| stopping.until.saturating_sub(now).0.max(0))
    }

    /// Whether every replica has all that there is.
    fn replicas_have_all(&self) -> bool {
        let offset = self.position().offset + self.feed.len() as u64;
        self.replication.attached().all(|(_, replica)| replica.acknowledged == offset)
    }

    /// Looks after a stop that waits, or that a signal has asked for.
    pub(super) fn attend_stop(&mut self, space: &mut Keyspace) {
        let signalled = self.signalled.take();
        if let Some(stopping) = self.stopping {
            if space.now >= stopping.until || self.replicas_have_all() {
                self.finish_stop(space, stopping.actions);
            }
            return;
        }
        let Some(actions) = signalled.filter(|_| self.stop.is_none()) else { return };
        if self.shut_down(space, actions) == Begun::Stays {
            log::warn!("Received a signal to shut down but errors trying to save the data, check the logs for more information");
        }
    }

    /// SHUTDOWN ABORT. Gives whether there was anything to give up.
    pub fn abort_stop(&mut self, space: &mut Keyspace) -> bool {
        let (waited, signalled) = (self.stopping.is_some(), self.signalled.take().is_some());
        if waited {
            self.stay(space);
        }
        if waited || signalled {
            log::info!("Shutdown manually aborted.");
        }
        waited || signalled
    }

    /// The stop is off: writes go on, and who asked for it is told.
    fn stay(&mut self, space: &mut Keyspace) {
        self.stopping = None;
        self.unpause(space, Why::Shutdown);
        let asked: Vec<_> = self.clients.iter().filter(|(_, client)| self.waits_for_stop(client)).map(|(key, _)| key).collect();
        for key in asked {
            self.later.push(Later::Unblock(key, Some(STAYS)));
        }
    }

    /// Whether a client is parked in SHUTDOWN.
    pub(super) fn waits_for_stop(&self, client: &super::client::Client) -> bool {
        client.blocked.as_ref().is_some_and(|blocked| self.registry.get(blocked.command).row.name == "shutdown")
    }

    /// Tells the log which replicas lack something.
    fn report_replicas(&self) {
        let offset = self.position().offset;
        let (mut count, mut lagging) = (0, 0);
        for (key, replica) in self.replication.attached() {
            count += 1;
            if replica.acknowledged != offset {
                lagging += 1;
                let (address, port) = self.address_of(key, replica);
                let lag = if replica.stage == Stage::Online { replica.lag_seconds(self.now.unix) } else { 0 };
                let behind = offset.saturating_sub(replica.acknowledged);
                let state = replica.stage.word();
                log::info!("Lagging replica {address}:{port} reported offset {behind} behind master, lag={lag}, state={state}.");
            }
        }
        if count > 0 {
            log::info!("{} of {count} replicas are in sync when shutting down.", count - lagging);
        }
    }

    /// Does what is to be done before the process ends.
    fn finish_stop(&mut self, space: &mut Keyspace, actions: Actions) -> Begun {
        self.settle_stream();
        self.report_replicas();
        let begun = self.save_and_stop(space, actions);
        if begun == Begun::Stays {
            log::warn!("Errors trying to shut down the server. Check the logs for more information.");
            self.stay(space);
        }
        begun
    }

    fn save_and_stop(&mut self, space: &mut Keyspace, actions: Actions) -> Begun {
        if self.snapshots.is_running() {
            log::warn!("There is a child saving an .rdb. Killing it!");
            self.abandon_snapshot();
        }
        if self.rewrites.is_running() {
            if self.aof.phase() == Phase::Starting && !actions.contains(Actions::FORCE) {
                log::warn!("Writing initial AOF, can't exit");
                return Begun::Stays;
            }
            if self.aof.phase() == Phase::Starting {
                log::warn!("Writing initial AOF. Exit anyway.");
            }
            log::warn!("There is a child rewriting the AOF. Killing it!");
            self.stop_rewrite();
        }
        let wanted = actions.contains(Actions::SAVE) || !self.config.save.is_empty() && !actions.contains(Actions::NOSAVE);
        if wanted {
            log::info!("Saving the final RDB snapshot before exiting.");
            self.place_snapshots();
            let saved = self.snapshots.save(space, &self.config, super::REDIS_VERSION, self.now);
            self.heed_snapshots();
            if saved.is_err() && !actions.contains(Actions::FORCE) {
                log::warn!("Error trying to save the DB, can't exit.");
                return Begun::Stays;
            }
            if saved.is_err() {
                log::warn!("Error trying to save the DB, but will exit anyway.");
            }
        }
        self.stop = Some(Stop::Orderly(actions));
        Begun::Stops
    }
}

impl Server {
    /// SIGTERM or SIGINT arrived: the next housekeeping sees to it.
    pub fn signalled(&mut self, interrupt: bool) {
        let config = &self.state.config;
        self.state.signalled = Some(if interrupt { config.shutdown_on_sigint } else { config.shutdown_on_sigterm });
    }
}
