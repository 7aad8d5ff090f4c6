//! What DEBUG has switched, for tests: nothing in an ordinary server.

use std::time::Duration;

use crate::persist::rdb::dump::Sums;

/// The switches.
#[derive(Default)]
pub struct Switches {
    /// `DEBUG AOF-FLUSH-SLEEP`: how long the loop is held before the append-only file is written.
    pub aof_flush_sleep: Duration,
    /// `DEBUG SET-SKIP-CHECKSUM-VALIDATION`: whether RESTORE looks at checksums.
    pub sums: Sums,
    /// `DEBUG PAUSE-CRON`: housekeeping stands still.
    pub cron_paused: bool,
    /// `DEBUG SET-DISABLE-DENY-SCRIPTS`: scripts may call every command.
    pub scripts_unrestricted: bool,
}
