//! Stopping, what has to be done before the process may end; and going on without being able to save.
//!
//! A stop is asked for by SHUTDOWN or a signal. It saves the data if there are rules for snapshots or it is
//! told to, unless it is told not to; if that fails the server stays, unless it is forced. Only then the
//! reactor hears of it.

use super::loading::View;
use super::{Server, State, Stop};
use crate::config::ShutdownActions as Actions;
use crate::keyspace::Keyspace;
use crate::persist::aof::Phase;

/// The data could not be saved, so the server stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stays;

impl State {
    /// Refuses writes while the last snapshot has failed, if the configuration says so, or takes them again.
    pub fn heed_snapshots(&mut self) {
        let config = &self.config;
        self.gates.unsaved = !self.snapshots.last_ok && config.stop_writes_on_bgsave_error && !config.save.is_empty();
        self.gates.update();
    }

    /// Makes ready to stop, and stops.
    pub fn shut_down(&mut self, space: &mut Keyspace, actions: Actions) -> Result<(), Stays> {
        log::warn!("User requested shutdown...");
        if self.loading.is_some_and(|loading| loading.view == View::Nothing) {
            // half of the data must not take the place of all
            log::warn!("Received shutdown signal during loading, exiting now.");
            self.stop = Some(Stop::Orderly(actions));
            return Ok(());
        }
        if self.snapshots.is_running() {
            log::warn!("There is a child saving an .rdb. Killing it!");
            self.abandon_snapshot();
        }
        if self.rewrites.is_running() {
            if self.aof.phase() == Phase::Starting && !actions.contains(Actions::FORCE) {
                log::warn!("Writing initial AOF. Can't exit.");
                return Err(Stays);
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
                return Err(Stays);
            }
            if saved.is_err() {
                log::warn!("Error trying to save the DB, but will exit anyway.");
            }
        }
        self.stop = Some(Stop::Orderly(actions));
        Ok(())
    }
}

impl Server {
    /// SIGTERM or SIGINT arrived.
    pub fn signalled(&mut self, interrupt: bool) {
        let config = &self.state.config;
        let actions = if interrupt { config.shutdown_on_sigint } else { config.shutdown_on_sigterm };
        if self.state.shut_down(&mut self.keyspace, actions).is_err() {
            log::warn!("Received a signal to shut down but errors trying to save the data, check the logs for more information");
        }
    }
}
