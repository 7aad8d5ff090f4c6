//! The one table of the configuration: a row a directive, and from the rows that the server obeys
//! the [`Config`] it reads.
//!
//! A row is two lines of `settings!`:
//!
//! ```text
//! "name" | "alias", field: Type = "default", shape, Change,
//!     "One sentence for the manual.";
//! ```
//!
//! From it come the field with its documentation, the parser of file and command line, CONFIG GET,
//! CONFIG SET and CONFIG REWRITE, `--help` and the manual's table. So a directive is added here and
//! nowhere else, and the server reads `config.field`.
//!
//! Invariants: a name or alias occurs once; a default parses to itself; bounds fit the field's type
//! (all tested). Aliases are full names: CONFIG GET lists both. What must not come in: behaviour. A
//! row says what is legal, never what happens; that belongs to whoever reads the field.
//!
//! Directives of abilities that this server lacks stand in [`absent`](super::absent).

use std::collections::BTreeMap;

use super::absent;
use super::shape::{
    INT, LONG, Notation, Shape, UINT, any_text, append_dir_name, append_file_name, int, memory, snapshot_name, title_template,
};
use super::values::{ClientMemory, Field, KeyspaceEvents, MaxMemory, OutputLimits, SavePoint, Value};
use super::words::{
    AppendFsync, ChannelsDefault, DisklessLoad, Guard, LogLevel, MaxmemoryPolicy, OomScoreAdj, PropagationFailure, RdbVersionCheck,
    ShutdownActions, Supervised, SyslogFacility,
};

/// Whether and how a directive may change while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// CONFIG SET changes it.
    Settable,
    /// Only the file and the command line set it.
    Fixed,
    /// CONFIG SET changes it where `enable-protected-configs` lets the client.
    Protected,
    /// CONFIG SET changes it, and CONFIG GET shows it only when asked for it by its whole name.
    Hidden,
}

/// Where the value of a directive lives, and so what becomes of it.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// In a field that the server reads.
    Field {
        /// Reads the field.
        load: fn(&Config) -> Value,
        /// Writes the field.
        store: fn(&mut Config, Value),
    },
    /// Beside the fields, because any legal value comes to the same here.
    Moot {
        /// Why there is nothing to choose.
        why: &'static str,
    },
    /// Beside the fields, because the ability is missing: only the default and `off` are taken.
    Absent {
        /// Further values that ask for nothing.
        off: &'static [&'static str],
        /// What is missing.
        why: &'static str,
    },
}

/// Everything about one directive.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name, in lower case.
    pub name: &'static str,
    /// The second name that older or related servers use.
    pub alias: Option<&'static str>,
    /// The default as it would be written in a file.
    pub default: &'static str,
    /// The notation of the value.
    pub shape: Shape,
    /// Whether it may change at run time.
    pub change: Change,
    /// Where the value lives.
    pub place: Place,
    /// One sentence for the manual.
    pub about: &'static str,
}

/// A line `rename-command`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    /// The command.
    pub from: String,
    /// What it is to be called; empty to take it away.
    pub to: String,
    /// What to tell the operator before the reason if it cannot be done: where the line stands.
    pub blame: String,
}

/// A line `user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// The user.
    pub name: Box<[u8]>,
    /// Its rules.
    pub rules: Vec<Vec<u8>>,
    /// What to tell the operator before the reason if they make no sense: where the line stands.
    pub blame: String,
}

/// Generates [`Config`] and its rows from the table below.
macro_rules! settings {
    ($($name:literal $(| $alias:literal)?, $field:ident: $type:ty = $default:expr, $shape:expr, $change:ident,
        $about:literal;)*) => {
        /// Every setting that the server obeys, typed, plus what belongs to no directive.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $(#[doc = $about] pub $field: $type,)*
            /// The file that was loaded, which CONFIG REWRITE rewrites.
            pub config_file: Option<String>,
            /// What `rename-command` asks for, in order.
            pub renamed_commands: Vec<Renaming>,
            /// The `user` lines, in order.
            pub users: Vec<UserLine>,
            /// Values other than the default of the directives that change nothing here.
            pub(super) inert: BTreeMap<&'static str, Value>,
        }

        impl Config {
            /// A configuration with every field empty: what the defaults are then written into.
            pub(super) fn blank() -> Config {
                Config {
                    $($field: Default::default(),)*
                    config_file: None,
                    renamed_commands: Vec::new(),
                    users: Vec::new(),
                    inert: BTreeMap::new(),
                }
            }
        }

        /// The directives that the server obeys.
        static SETTINGS: &[Row] = &[$(Row {
            name: $name,
            alias: settings!(@alias $($alias)?),
            default: $default,
            shape: $shape,
            change: Change::$change,
            place: Place::Field {
                load: |config| Field::load(&config.$field),
                store: |config, value| Field::store(&mut config.$field, value),
            },
            about: $about,
        }),*];
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
}

/// File modes, in octal digits.
const MODE: Shape = Shape::Number { notation: Notation::Octal, bounds: (0, 0o777), kept: (0, 0o777) };
/// Runs of the periodic work a second; Redis takes any number and pulls it into this range.
const HERTZ: Shape = Shape::Number { notation: Notation::Decimal, bounds: (0, INT), kept: (1, 500) };
/// The backlog is never smaller than one of its blocks.
const BACKLOG: Shape = Shape::Number { notation: Notation::Memory, bounds: (1, LONG), kept: (16 << 10, LONG) };

settings! {
    // ---- network
    "bind", bind: Vec<String> = "* -::*", Shape::Addresses, Settable,
        "Addresses to listen on; a leading `-` forgives an address that this machine does not have.";
    "port", port: u16 = "6379", int(0, 65535), Settable,
        "TCP port to listen on; 0 opens none.";
    "protected-mode", protected_mode: bool = "yes", Shape::Bool, Settable,
        "Refuses clients from other machines while the default user has no password.";
    "unixsocket", unixsocket: String = "", Shape::OptionalText, Fixed,
        "Path of a Unix socket to listen on besides TCP.";
    "unixsocketperm", unixsocketperm: u32 = "0", MODE, Fixed,
        "File mode of the Unix socket, in octal; 0 leaves it to the umask.";
    "unixsocketgroup", unixsocketgroup: String = "", Shape::OptionalText, Fixed,
        "Group that owns the Unix socket.";
    "tcp-backlog", tcp_backlog: u32 = "511", int(0, INT), Fixed,
        "Length of the queue of connections the kernel holds before they are accepted.";
    "tcp-keepalive", tcp_keepalive: u32 = "300", int(0, INT), Settable,
        "Seconds between keepalive probes on idle connections; 0 sends none.";
    "timeout", timeout: u32 = "0", int(0, INT), Settable,
        "Seconds after which an idle client is disconnected; 0 keeps it.";
    "bind-source-addr", bind_source_addr: String = "", Shape::OptionalText, Settable,
        "Local address from which connections to a primary are made.";
    "maxclients", maxclients: u32 = "10000", int(1, UINT), Settable,
        "Number of clients served at once; later ones are turned away with an error.";
    "max-new-connections-per-cycle", max_new_connections_per_cycle: u32 = "10", int(1, 1000), Settable,
        "Connections accepted in one turn of the event loop before clients are served again.";
    "availability-zone", availability_zone: String = "", Shape::OptionalText, Settable,
        "Name of the zone this server runs in, shown by INFO and HELLO for clients that prefer near ones.";

    // ---- process and log
    "daemonize", daemonize: bool = "no", Shape::Bool, Fixed,
        "Runs in the background, detached from the terminal.";
    "pidfile", pidfile: String = "", Shape::OptionalText, Fixed,
        "File that holds the process id while the server runs.";
    "set-proc-title", set_proc_title: bool = "yes", Shape::Bool, Fixed,
        "Changes the title of the process that `ps` shows, on Linux.";
    "proc-title-template", proc_title_template: String = "{title} {listen-addr} {server-mode}", Shape::Text(title_template), Settable,
        "Pattern of that title; besides these it may name `{port}`, `{tls-port}`, `{unixsocket}` and `{config-file}`.";
    "server-cpulist" | "server_cpulist", server_cpulist: String = "", Shape::OptionalText, Fixed,
        "Processors that the main thread runs on, as `taskset` takes them (`0,2,4-7`); empty leaves it to the system.";
    "bio-cpulist" | "bio_cpulist", bio_cpulist: String = "", Shape::OptionalText, Fixed,
        "The same for the helper threads.";
    "aof-rewrite-cpulist" | "aof_rewrite_cpulist", aof_rewrite_cpulist: String = "", Shape::OptionalText, Fixed,
        "The same for the child that rewrites the append-only file.";
    "bgsave-cpulist" | "bgsave_cpulist", bgsave_cpulist: String = "", Shape::OptionalText, Fixed,
        "The same for the child that writes a snapshot.";
    "supervised", supervised: Supervised = "no", Shape::Word(Supervised::WORDS), Fixed,
        "Init system that is told when the server is ready and when it stops.";
    "dir", dir: String = ".", Shape::Text(any_text), Protected,
        "Working directory: snapshots and append-only files live in it.";
    "logfile", logfile: String = "", Shape::Text(any_text), Fixed,
        "File that the log is appended to; empty means standard output.";
    "loglevel", loglevel: LogLevel = "notice", Shape::Word(LogLevel::WORDS), Settable,
        "Least severe message that is logged.";
    "syslog-enabled", syslog_enabled: bool = "no", Shape::Bool, Fixed,
        "Whether the log also goes to the system's.";
    "syslog-ident", syslog_ident: String = "redis", Shape::Text(any_text), Fixed,
        "Name in the system's log.";
    "syslog-facility", syslog_facility: SyslogFacility = "local0", Shape::Word(SyslogFacility::WORDS), Fixed,
        "Facility of the system's log.";
    "databases", databases: u32 = "16", int(1, INT), Fixed,
        "Number of databases that SELECT can choose from.";
    "hz", hz: u32 = "10", HERTZ, Settable,
        "Runs of the periodic housekeeping a second, from 1 to 500.";
    "crash-log-enabled", crash_log_enabled: bool = "yes", Shape::Bool, Settable,
        "Logs a report when the server crashes.";
    "use-exit-on-panic", use_exit_on_panic: bool = "no", Shape::Bool, Hidden,
        "Ends the process with status 1 after a failed assertion instead of aborting it, for tools that look for leaks.";
    "watchdog-period", watchdog_period: u32 = "0", int(0, INT), Hidden,
        "Milliseconds that one turn of the event loop may take before the log tells where it is; 0 is for ever.";
    "disable-thp", disable_thp: bool = "yes", Shape::Bool, Fixed,
        "Where the system gives transparent huge pages to every process (`always`), takes none.";
    "huge-pages", huge_pages: bool = "no", Shape::Bool, Fixed,
        "Lets data of more than 64 MB lie in huge pages if the system grants them (Linux 5.8 or later): with ten million keys, random reads took a fifth less time and forks a quarter of it, for a tenth more memory.";
    "shutdown-on-sigint", shutdown_on_sigint: ShutdownActions = "default", Shape::ShutdownActions, Settable,
        "What SIGINT does: `default`, or any of `save`, `nosave`, `now`, `force`.";
    "shutdown-on-sigterm", shutdown_on_sigterm: ShutdownActions = "default", Shape::ShutdownActions, Settable,
        "What SIGTERM does: `default`, or any of `save`, `nosave`, `now`, `force`.";
    "shutdown-timeout", shutdown_timeout: u32 = "10", int(0, INT), Settable,
        "Seconds that a shutdown waits for replicas that lag behind; 0 waits for none.";
    "hash-seed", hash_seed: String = "", Shape::OptionalText, Fixed,
        "Text from which the seed of the hash function is made; empty draws a random one at start.";
    "enable-protected-configs", enable_protected_configs: Guard = "no", Shape::Word(Guard::WORDS), Fixed,
        "Who may change `dir` and `dbfilename` with CONFIG SET: `no`, `yes` or `local` connections.";
    "enable-debug-command", enable_debug_command: Guard = "no", Shape::Word(Guard::WORDS), Fixed,
        "Who may use DEBUG: `no`, `yes` or `local` connections.";
    "enable-module-command", enable_module_command: Guard = "no", Shape::Word(Guard::WORDS), Fixed,
        "Who may ask for modules, of which this server loads none: `no`, `yes` or `local` connections.";

    // ---- access
    "requirepass", requirepass: Vec<u8> = "", Shape::Secret, Settable,
        "Password of the default user; empty lets everybody in.";
    "aclfile", aclfile: String = "", Shape::Text(any_text), Fixed,
        "File of users, a line each as ACL LIST shows them; ACL LOAD reads it, ACL SAVE writes it.";
    "acl-pubsub-default", acl_pubsub_default: ChannelsDefault = "resetchannels", Shape::Word(ChannelsDefault::WORDS), Settable,
        "Channels that a new user may use: all or none.";
    "acllog-max-len", acllog_max_len: u64 = "128", int(0, LONG), Settable,
        "Number of refused logins that ACL LOG remembers.";

    // ---- memory
    "maxmemory", maxmemory: MaxMemory = "0", Shape::MaxMemory, Settable,
        "Bytes of memory the data set may take; 0 is no limit, `auto` fits the machine or its container.";
    "maxmemory-policy", maxmemory_policy: MaxmemoryPolicy = "noeviction", Shape::Word(MaxmemoryPolicy::WORDS), Settable,
        "Which keys are evicted at the memory limit.";
    "maxmemory-samples", maxmemory_samples: u32 = "5", int(1, 64), Settable,
        "Number of keys compared to find one to evict.";
    "maxmemory-eviction-tenacity", maxmemory_eviction_tenacity: u32 = "10", int(0, 100), Settable,
        "How long one round of eviction may take, from 0 (shortest) to 100 (until the limit is met).";
    "maxmemory-clients", maxmemory_clients: ClientMemory = "0", Shape::ClientMemory, Settable,
        "Bytes, or percent of `maxmemory`, that all client buffers together may take; 0 is no limit.";
    "lfu-log-factor", lfu_log_factor: u32 = "10", int(0, INT), Settable,
        "How many more hits it takes to raise a frequency counter the higher it is.";
    "lfu-decay-time", lfu_decay_time: u32 = "1", int(0, INT), Settable,
        "Minutes after which a frequency counter is lowered; 0 lowers it at every scan.";
    "lazyfree-lazy-eviction", lazyfree_lazy_eviction: bool = "no", Shape::Bool, Settable,
        "Frees evicted values in the background.";
    "lazyfree-lazy-server-del", lazyfree_lazy_server_del: bool = "no", Shape::Bool, Settable,
        "Frees values that a command overwrites, as RENAME does, in the background.";

    "oom-score-adj", oom_score_adj: OomScoreAdj = "no", Shape::Word(OomScoreAdj::WORDS), Settable,
        "Whether and how the score with the kernel's out-of-memory killer is set: not at all, added to what it was (`yes`, `relative`), or `absolute`.";
    "oom-score-adj-values", oom_score_adj_values: String = "0 200 800", Shape::OomValues, Settable,
        "That score for a primary, a replica and a background child, each from -2000 to 2000.";

    // ---- clients
    "client-output-buffer-limit", client_output_buffer_limit: OutputLimits =
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60", Shape::OutputLimits, Settable,
        "For each class of clients: bytes of unsent output that disconnect at once, bytes that do after a while, that while in seconds.";
    "client-query-buffer-limit", client_query_buffer_limit: u64 = "1gb", memory(1 << 20, LONG), Settable,
        "Bytes of unfinished input after which a client is disconnected.";
    "proto-max-bulk-len", proto_max_bulk_len: u64 = "512mb", memory(1 << 20, LONG), Settable,
        "Bytes of the longest single argument and of the longest string value.";
    "tracking-table-max-keys", tracking_table_max_keys: u64 = "1000000", int(0, LONG), Settable,
        "Number of keys remembered for client-side caching before the oldest are invalidated; 0 is no limit.";
    "notify-keyspace-events", notify_keyspace_events: KeyspaceEvents = "", Shape::Events, Settable,
        "Classes of keyspace events that are published, a letter each; empty publishes none.";

    "busy-reply-threshold" | "lua-time-limit", busy_reply_threshold: u64 = "5000", int(0, LONG), Settable,
        "Milliseconds a script runs before other clients are answered with BUSY; 0 lets it run.";

    // ---- observing
    "slowlog-log-slower-than" | "commandlog-execution-slower-than", slowlog_log_slower_than: i64 = "10000", int(-1, LONG), Settable,
        "Microseconds from which a command enters the slow log; 0 logs all, -1 none.";
    "slowlog-max-len" | "commandlog-slow-execution-max-len", slowlog_max_len: u64 = "128", int(0, LONG), Settable,
        "Number of entries that the slow log keeps.";
    "commandlog-request-larger-than", commandlog_request_larger_than: i64 = "1048576", int(-1, LONG), Settable,
        "Bytes of a request from which it enters the log of large requests; -1 logs none.";
    "commandlog-large-request-max-len", commandlog_large_request_max_len: u64 = "128", int(0, LONG), Settable,
        "Number of entries that the log of large requests keeps.";
    "commandlog-reply-larger-than", commandlog_reply_larger_than: i64 = "1048576", int(-1, LONG), Settable,
        "Bytes of a reply from which its command enters the log of large replies; -1 logs none.";
    "commandlog-large-reply-max-len", commandlog_large_reply_max_len: u64 = "128", int(0, LONG), Settable,
        "Number of entries that the log of large replies keeps.";
    "latency-monitor-threshold", latency_monitor_threshold: i64 = "0", int(0, LONG), Settable,
        "Milliseconds from which an event is recorded for LATENCY; 0 records none.";
    "latency-tracking", latency_tracking: bool = "yes", Shape::Bool, Settable,
        "Keeps a histogram of the duration of each command.";
    "latency-tracking-info-percentiles", latency_tracking_info_percentiles: Vec<f64> = "50 99 99.9", Shape::Percentiles, Settable,
        "Percentiles of command durations that INFO shows.";
    "service-time-tracking", service_time_tracking: bool = "yes", Shape::Bool, Settable,
        "Keeps a histogram of how long each command's requests waited and ran, from the arrival of their bytes to the write of their reply.";
    "stall-threshold", stall_threshold: u32 = "10", int(0, INT), Settable,
        "Milliseconds from which a turn of the event loop is logged as a stall, with its culprit; 0 logs none.";
    "hotspot-tracking", hotspot_tracking: bool = "yes", Shape::Bool, Settable,
        "Keeps track of the keys, prefixes and clients that take the most operations, processor time and bytes, and of the largest keys.";
    "metrics-port", metrics_port: u16 = "0", int(0, 65535), Fixed,
        "TCP port that serves metrics in Prometheus's format and a status page over HTTP; 0 opens none.";
    "metrics-bind", metrics_bind: Vec<String> = "127.0.0.1 -::1", Shape::Addresses, Fixed,
        "Addresses for `metrics-port`; a leading `-` forgives an address that this machine does not have.";

    // ---- snapshots
    "save", save: Vec<SavePoint> = "3600 1 300 100 60 10000", Shape::Save, Settable,
        "Pairs of seconds and changes: a snapshot is made when that many changes are that old; `\"\"` makes none.";
    "dbfilename", dbfilename: String = "dump.rdb", Shape::Text(snapshot_name), Protected,
        "Name of the snapshot file.";
    "rdbcompression", rdbcompression: bool = "yes", Shape::Bool, Settable,
        "Compresses long strings in snapshots.";
    "rdbchecksum", rdbchecksum: bool = "yes", Shape::Bool, Fixed,
        "Ends snapshots with a checksum and verifies it at load.";
    "rdb-version", rdb_version: u32 = "0", int(0, 999), Settable,
        "Version of the snapshot format to write, from 9 (Redis 5) to 12; 0 is 10 (Redis 7.0), or 12 while fields of hashes have deadlines.";
    "rdb-version-check", rdb_version_check: RdbVersionCheck = "strict", Shape::Word(RdbVersionCheck::WORDS), Settable,
        "Whether a snapshot of a newer version than known is refused (`strict`) or tried (`relaxed`).";
    "rdb-save-incremental-fsync", rdb_save_incremental_fsync: bool = "yes", Shape::Bool, Settable,
        "Flushes a snapshot to disk every few megabytes instead of once at its end.";
    "stop-writes-on-bgsave-error", stop_writes_on_bgsave_error: bool = "yes", Shape::Bool, Settable,
        "Refuses writes while the last snapshot has failed.";
    "rdb-key-save-delay", rdb_key_save_delay: i32 = "0", int(i32::MIN as i128, INT), Hidden,
        "Microseconds to wait after each key of a snapshot, for tests; a negative number waits after that many keys.";
    "key-load-delay", key_load_delay: i32 = "0", int(i32::MIN as i128, INT), Hidden,
        "Microseconds to wait after each loaded key, for tests; a negative number waits after that many keys.";
    "rdb-del-sync-files", rdb_del_sync_files: bool = "no", Shape::Bool, Settable,
        "Removes snapshot files that were made for replication when nothing else persists data.";
    "loading-process-events-interval-bytes", loading_process_events_interval_bytes: u32 = "2097152", int(1024, INT), Hidden,
        "Bytes of a file that are loaded at most before clients have their turn; a millisecond ends it as well.";

    // ---- append-only file
    "appendonly", appendonly: bool = "no", Shape::Bool, Settable,
        "Logs every write to the append-only file.";
    "appendfilename", appendfilename: String = "appendonly.aof", Shape::Text(append_file_name), Fixed,
        "Base name of the append-only files.";
    "appenddirname", appenddirname: String = "appendonlydir", Shape::Text(append_dir_name), Fixed,
        "Directory of the append-only files, within `dir`.";
    "appendfsync", appendfsync: AppendFsync = "everysec", Shape::Word(AppendFsync::WORDS), Settable,
        "When the append-only file is forced to disk: `always` before the reply, `everysec`, or `no`, which leaves it to the kernel.";
    "no-appendfsync-on-rewrite", no_appendfsync_on_rewrite: bool = "no", Shape::Bool, Settable,
        "Forces nothing to disk while a snapshot or a rewrite runs.";
    "auto-aof-rewrite-percentage", auto_aof_rewrite_percentage: u32 = "100", int(0, INT), Settable,
        "Growth in percent since the last rewrite that starts a new one; 0 starts none.";
    "auto-aof-rewrite-min-size", auto_aof_rewrite_min_size: u64 = "64mb", memory(0, LONG), Settable,
        "Bytes below which the append-only file is not rewritten by itself.";
    "aof-disable-auto-gc", aof_disable_auto_gc: bool = "no", Shape::Bool, Hidden,
        "Keeps superseded append-only files.";
    "aof-load-truncated", aof_load_truncated: bool = "yes", Shape::Bool, Settable,
        "Loads an append-only file whose last command is cut off, without that command.";
    "aof-use-rdb-preamble", aof_use_rdb_preamble: bool = "yes", Shape::Bool, Settable,
        "Rewrites the append-only file's base as a snapshot instead of commands.";
    "aof-timestamp-enabled", aof_timestamp_enabled: bool = "no", Shape::Bool, Settable,
        "Writes times into the append-only file, so that it can be cut back to a moment.";
    "aof-rewrite-incremental-fsync", aof_rewrite_incremental_fsync: bool = "yes", Shape::Bool, Settable,
        "Flushes a rewrite to disk every few megabytes instead of once at its end.";

    // ---- replication
    "replicaof" | "slaveof", replicaof: Option<(String, u16)> = "no one", Shape::ReplicaOf, Fixed,
        "Host and port of the primary to follow.";
    "masterauth" | "primaryauth", masterauth: Vec<u8> = "", Shape::Secret, Settable,
        "Password to give to the primary.";
    "masteruser" | "primaryuser", masteruser: Vec<u8> = "", Shape::Secret, Settable,
        "User to log in as at the primary.";
    "replica-serve-stale-data" | "slave-serve-stale-data", replica_serve_stale_data: bool = "yes", Shape::Bool, Settable,
        "Lets a replica answer while it has lost its primary.";
    "replica-read-only" | "slave-read-only", replica_read_only: bool = "yes", Shape::Bool, Settable,
        "Lets a replica refuse writes of its clients.";
    "replica-ignore-maxmemory" | "slave-ignore-maxmemory", replica_ignore_maxmemory: bool = "yes", Shape::Bool, Settable,
        "Lets a replica leave eviction to its primary.";
    "replica-priority" | "slave-priority", replica_priority: u32 = "100", int(0, INT), Settable,
        "Rank of this replica when a supervisor picks a new primary; lower goes first, 0 never.";
    "replica-announced", replica_announced: bool = "yes", Shape::Bool, Settable,
        "Whether supervisors list this replica.";
    "replica-announce-ip" | "slave-announce-ip", replica_announce_ip: String = "", Shape::OptionalText, Settable,
        "Address that the primary is told this replica has.";
    "replica-announce-port" | "slave-announce-port", replica_announce_port: u16 = "0", int(0, 65535), Settable,
        "Port that the primary is told this replica has; 0 tells the real one.";
    "repl-diskless-sync", repl_diskless_sync: bool = "yes", Shape::Bool, Settable,
        "Sends snapshots straight into the replicas' sockets instead of through a file.";
    "repl-diskless-sync-delay", repl_diskless_sync_delay: u32 = "5", int(0, INT), Settable,
        "Seconds to wait for more replicas before such a snapshot starts.";
    "repl-diskless-sync-max-replicas", repl_diskless_sync_max_replicas: u32 = "0", int(0, INT), Settable,
        "Number of waiting replicas at which it starts at once; 0 always waits.";
    "repl-diskless-load", repl_diskless_load: DisklessLoad = "disabled", Shape::Word(DisklessLoad::WORDS), Settable,
        "Whether a replica loads a snapshot while it arrives: never, if it has no data, or aside from its data, which it keeps until then.";
    "repl-ping-replica-period" | "repl-ping-slave-period", repl_ping_replica_period: u32 = "10", int(1, INT), Settable,
        "Seconds between the primary's pings to its replicas.";
    "repl-timeout", repl_timeout: u32 = "60", int(1, INT), Settable,
        "Seconds of silence after which a replication link counts as broken.";
    "repl-disable-tcp-nodelay", repl_disable_tcp_nodelay: bool = "no", Shape::Bool, Settable,
        "Lets the kernel gather small packets to replicas: less traffic, more delay.";
    "repl-backlog-size", repl_backlog_size: u64 = "1mb", BACKLOG, Settable,
        "Bytes of the replication stream kept for replicas that come back.";
    "repl-backlog-ttl", repl_backlog_ttl: u64 = "3600", int(0, LONG), Settable,
        "Seconds after the last replica left that the backlog is kept; 0 keeps it for good.";
    "propagation-error-behavior", propagation_error_behavior: PropagationFailure = "ignore", Shape::Word(PropagationFailure::WORDS), Settable,
        "What becomes of this server when a command fails that its primary or its append-only file had carried out: it logs that, or it ends.";
    "min-replicas-to-write" | "min-slaves-to-write", min_replicas_to_write: u32 = "0", int(0, INT), Settable,
        "Number of replicas in good standing below which writes are refused.";
    "min-replicas-max-lag" | "min-slaves-max-lag", min_replicas_max_lag: u32 = "10", int(0, INT), Settable,
        "Seconds of silence up to which a replica is in good standing.";

    // ---- encodings
    "hash-max-listpack-entries" | "hash-max-ziplist-entries", hash_max_listpack_entries: u64 = "512", int(0, LONG), Settable,
        "Number of fields up to which a hash stays in its compact form.";
    "hash-max-listpack-value" | "hash-max-ziplist-value", hash_max_listpack_value: u64 = "64", memory(0, LONG), Settable,
        "Bytes of the longest field or value that the compact form of a hash takes.";
    "list-max-listpack-size" | "list-max-ziplist-size", list_max_listpack_size: i32 = "-2", int(i32::MIN as i128, INT), Settable,
        "Size of a list's blocks: -1 to -5 for 4 to 64 kilobytes, a positive number for that many elements.";
    "set-max-intset-entries", set_max_intset_entries: u64 = "512", int(0, LONG), Settable,
        "Number of members up to which a set of integers stays an array.";
    "set-max-listpack-entries", set_max_listpack_entries: u64 = "128", int(0, LONG), Settable,
        "Number of members up to which a set stays in its compact form.";
    "set-max-listpack-value", set_max_listpack_value: u64 = "64", int(0, LONG), Settable,
        "Bytes of the longest member that the compact form of a set takes.";
    "zset-max-listpack-entries" | "zset-max-ziplist-entries", zset_max_listpack_entries: u64 = "128", int(0, LONG), Settable,
        "Number of members up to which a sorted set stays in its compact form.";
    "zset-max-listpack-value" | "zset-max-ziplist-value", zset_max_listpack_value: u64 = "64", memory(0, LONG), Settable,
        "Bytes of the longest member that the compact form of a sorted set takes.";
    "hll-sparse-max-bytes", hll_sparse_max_bytes: u64 = "3000", memory(0, LONG), Settable,
        "Bytes up to which a HyperLogLog stays sparse.";
    "stream-node-max-bytes", stream_node_max_bytes: u64 = "4096", memory(0, LONG), Settable,
        "Bytes after which a stream starts a new block; 0 is no limit.";
    "stream-node-max-entries", stream_node_max_entries: i64 = "100", int(0, LONG), Settable,
        "Entries after which a stream starts a new block; 0 is no limit.";
}

/// Every directive, in the order in which CONFIG GET, CONFIG REWRITE and the manual show them.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    SETTINGS.iter().chain(absent::ROWS)
}

/// The directive of that name or alias, in any case of letters, and the name as the table spells it.
pub fn find(name: &[u8]) -> Option<(&'static Row, &'static str)> {
    rows().find_map(|row| {
        let is = |known: &&'static str| name.eq_ignore_ascii_case(known.as_bytes());
        row.names().find(is).map(|known| (row, known))
    })
}

impl Default for Config {
    /// Every directive at its default.
    fn default() -> Config {
        let mut config = Config::blank();
        for row in SETTINGS {
            let words = row.shape.words_of_set(row.default.as_bytes());
            let stored = row.assign(&mut config, &words, Adds::Nothing);
            stored.expect("a row's default is legal");
        }
        config
    }
}

/// Whether an assignment of snapshot rules adds to the rules that stand or replaces them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adds {
    /// Replaces: CONFIG SET, and the first line of a file.
    Nothing,
    /// Adds: every later line.
    ToEarlier,
}

impl Row {
    /// The name and, if there is one, the alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.name), self.alias].into_iter().flatten()
    }

    /// Whether the value must be kept out of logs and of the slow log.
    pub fn is_secret(&self) -> bool {
        matches!(self.shape, Shape::Secret)
    }

    /// The value that `config` has for this directive.
    pub fn value(&self, config: &Config) -> Value {
        match self.place {
            Place::Field { load, .. } => load(config),
            _ => config.inert.get(self.name).cloned().unwrap_or_else(|| self.default_value()),
        }
    }

    /// The value that the default stands for.
    pub fn default_value(&self) -> Value {
        let words = self.shape.words_of_set(self.default.as_bytes());
        let base = match self.shape {
            Shape::Save => Value::Save(Vec::new()),
            _ => Value::Limits(OutputLimits::default()),
        };
        self.shape.parse(&words, &base).expect("a row's default is legal")
    }

    /// The value as CONFIG GET shows it.
    pub fn show(&self, config: &Config) -> Vec<u8> {
        self.shape.show(&self.value(config))
    }

    /// Gives the directive a new value. On an error, whose text is the reason alone, `config` is
    /// unchanged.
    pub fn assign(&self, config: &mut Config, words: &[Vec<u8>], adds: Adds) -> Result<(), String> {
        let base = match (self.shape, adds) {
            (Shape::Save, Adds::Nothing) => Value::Save(Vec::new()),
            (Shape::Save | Shape::OutputLimits, _) => self.value(config),
            _ => Value::Bool(false),
        };
        let value = self.shape.parse(words, &base)?;
        match self.place {
            Place::Field { store, .. } => store(config, value),
            Place::Moot { .. } => self.keep_beside(config, value),
            Place::Absent { off, why } => {
                self.check_off(&value, off, why)?;
                self.keep_beside(config, value);
            }
        }
        Ok(())
    }

    /// Remembers a value that no field holds, so that CONFIG GET shows what was set.
    fn keep_beside(&self, config: &mut Config, value: Value) {
        if value == self.default_value() {
            config.inert.remove(self.name);
        } else {
            config.inert.insert(self.name, value);
        }
    }

    /// Refuses a value that asks for an ability this server does not have.
    fn check_off(&self, value: &Value, off: &[&str], why: &str) -> Result<(), String> {
        let shown = self.shape.show(value);
        let asks_nothing = *value == self.default_value() || off.iter().any(|word| word.as_bytes() == shown);
        if asks_nothing {
            return Ok(());
        }
        let default = match self.default {
            "" => "\"\"",
            word => word,
        };
        let accepted: Vec<&str> = [default].into_iter().chain(off.iter().copied()).collect();
        Err(format!("{} is not available: {why}; accepted here: {}", self.name, accepted.join(", ")))
    }
}

#[cfg(test)]
#[path = "directives_tests.rs"]
mod tests;
