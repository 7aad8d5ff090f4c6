//! What may stand between any client and a command: loading, memory, a replica's duties, a pause.

use super::busy;
use super::client::ClientFlags;
use super::client::ClientKey;
use super::error::Error;
use super::loading::View;
use super::row::Flags;
use crate::base::clock::Millis;
use crate::script::World;

/// The gates. All open on an ordinary server, so a command looks at one bool.
#[derive(Debug, Default)]
pub struct Gates {
    /// Whether any gate may be closed.
    pub careful: bool,
    /// Whether a client runs MONITOR.
    pub monitored: bool,
    /// Whether there is a limit on memory, or on that of clients.
    pub limited: bool,
    /// Whether memory is over its limit and could not be brought below it.
    pub out_of_memory: bool,
    /// Whether this server follows a primary and takes no writes but its.
    pub read_only: bool,
    /// Whether writes are paused or all commands are.
    pub paused: bool,
    /// Whether keys are on their way to another server and must not be written.
    pub migrating: bool,
    /// Whether this server has lost its primary and shows nobody data that may be old.
    pub stale: bool,
    /// Whether too few replicas keep up for writes to be taken.
    pub too_few_replicas: bool,
    /// Whether the last snapshot failed and writes are refused until one succeeds.
    pub unsaved: bool,
    /// What clients see of the data while other data is loaded.
    pub loading: Option<View>,
    /// What runs too long and is not to be disturbed.
    pub busy: Option<World>,
    /// Why data cannot be written to disk: writes are refused with it.
    pub file_trouble: Option<Error>,
}

impl Gates {
    /// Works out anew whether to be careful.
    pub fn update(&mut self) {
        self.careful = self.out_of_memory
            || self.read_only
            || self.paused
            || self.migrating
            || self.unsaved
            || self.file_trouble.is_some()
            || self.stale
            || self.loading.is_some()
            || self.busy.is_some()
            || self.too_few_replicas;
    }

    /// Lets a command through or says why not.
    pub fn check(&self, name: &str, flags: Flags, client: ClientFlags) -> Result<(), Error> {
        let replayed = client.any(ClientFlags::REPLAY.or(ClientFlags::PRIMARY));
        if self.out_of_memory && flags.any(Flags::DENYOOM) && !replayed {
            return Err(Error::OOM);
        }
        let needs_disk = (flags.any(Flags::WRITE) || name == "ping") && !self.read_only && !replayed;
        if needs_disk && self.unsaved {
            return Err(Error::MISCONF);
        }
        if needs_disk && let Some(error) = &self.file_trouble {
            return Err(error.clone());
        }
        if self.too_few_replicas && flags.any(Flags::WRITE) && !replayed {
            return Err(Error::NO_REPLICAS);
        }
        if self.read_only && flags.any(Flags::WRITE) && !replayed {
            return Err(Error::READONLY);
        }
        if self.stale && !flags.any(Flags::STALE) && !replayed {
            return Err(Error::MASTER_DOWN);
        }
        let denied = match self.loading {
            None => false,
            Some(View::Nothing) => !flags.any(Flags::LOADING),
            Some(View::OldData) => flags.any(Flags::NO_ASYNC_LOADING),
        };
        if denied && !replayed {
            return Err(Error::LOADING);
        }
        if let Some(world) = self.busy.filter(|_| !flags.any(Flags::ALLOW_BUSY) && !replayed) {
            return Err(busy::refusal(world));
        }
        Ok(())
    }
}

/// Who holds clients back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// CLIENT PAUSE.
    Client,
    /// A stop that waits for replicas.
    Shutdown,
    /// A failover.
    Failover,
}

/// One pause.
#[derive(Clone, Copy, Debug)]
struct Hold {
    until: Millis,
    /// Whether reads go on.
    writes_only: bool,
}

/// The pauses, one of a kind at most.
#[derive(Debug, Default)]
pub struct Pause {
    holds: [Option<Hold>; 3],
    /// Clients with a command that waits for the end.
    pub waiting: Vec<ClientKey>,
}

impl Pause {
    /// Begins one, or makes it longer or stricter.
    pub fn hold(&mut self, why: Why, until: Millis, writes_only: bool) {
        let hold = &mut self.holds[why as usize];
        let before = *hold;
        *hold = Some(Hold {
            until: before.map_or(until, |before| before.until.max(until)),
            writes_only: writes_only && before.is_none_or(|before| before.writes_only),
        });
    }

    /// Ends one.
    pub fn release(&mut self, why: Why) {
        self.holds[why as usize] = None;
    }

    /// Ends those whose time is up. Gives whether there were any.
    pub fn expire(&mut self, now: Millis) -> bool {
        let mut expired = false;
        for hold in &mut self.holds {
            expired |= hold.take_if(|hold| hold.until <= now).is_some();
        }
        expired
    }

    /// Whether there is any.
    pub fn stands(&self) -> bool {
        self.holds.iter().any(Option::is_some)
    }

    /// Whether a command has to wait.
    pub fn holds(&self, may_write: bool) -> bool {
        self.holds.iter().flatten().any(|hold| !hold.writes_only || may_write)
    }
}
