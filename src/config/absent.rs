//! The directives that configuration files of Redis and Valkey may hold and that this server has
//! nothing to obey with.
//!
//! Two kinds. *Moot*: whatever is chosen, the outcome is the same here, so any legal value is taken
//! and shown. *Absent*: the ability is missing, so only the default and what else asks for nothing
//! are taken, and everything else is refused with the reason: a server that accepts `tls-port` and
//! opens no port would deceive its operator. A directive leaves this file on the day the ability
//! comes, by moving to the table of [`directives`](super::directives).
//!
//! Directives that only Valkey or an older Redis has are hidden: CONFIG GET shows them when asked
//! by name, and `CONFIG GET *` stays comparable with Redis 8.

use super::directives::{Change, Place, Row};
use super::shape::{INT, LONG, Shape, any_text, int, memory};
use Change::{Fixed, Hidden, Settable};

/// Starts a row whose value makes no difference.
const fn moot(name: &'static str, default: &'static str, why: &'static str) -> Row {
    Row { place: Place::Moot { why }, ..absent(name, default, why) }
}

/// Starts a row of a missing ability; a text that only CONFIG SET may not change, until the other
/// methods say otherwise.
const fn absent(name: &'static str, default: &'static str, why: &'static str) -> Row {
    Row { name, alias: None, default, shape: Shape::OptionalText, change: Fixed, place: Place::Absent { off: &[], why }, about: "" }
}

impl Row {
    /// A second name.
    const fn or(mut self, alias: &'static str) -> Row {
        self.alias = Some(alias);
        self
    }

    /// The notation and when it may change.
    const fn is(mut self, shape: Shape, change: Change) -> Row {
        self.shape = shape;
        self.change = change;
        self
    }

    /// Values besides the default that ask for nothing.
    const fn off(mut self, off: &'static [&'static str]) -> Row {
        if let Place::Absent { why, .. } = self.place {
            self.place = Place::Absent { off, why };
        }
        self
    }

    /// The sentence for the manual.
    const fn about(mut self, about: &'static str) -> Row {
        self.about = about;
        self
    }
}

const CLUSTER: &str = "this server does not form clusters";
const TLS: &str = "this server does not speak TLS";
const DEFRAG: &str = "this server does not move live data to defragment memory";
const THREADS: &str = "one thread does all the work";
const RDMA: &str = "this server speaks TCP and Unix sockets only";
const MPTCP: &str = "this server does not use multipath TCP";
const BOOL: Shape = Shape::Bool;
const PORT: Shape = int(0, 65535);

/// The rows, grouped by what is missing.
pub(super) static ROWS: &[Row] = &[
    // ---- moot
    moot("activerehashing", "yes", "tables grow in place, a segment at a time")
        .is(BOOL, Settable)
        .about("Spends idle time on moving entries of a table that grows."),
    moot("dynamic-hz", "yes", "the event loop sleeps until its next deadline")
        .is(BOOL, Settable)
        .about("Runs the housekeeping more often when many clients are connected."),
    moot("always-show-logo", "no", "there is no logo").is(BOOL, Fixed).about("Prints a logo at start."),
    moot("crash-memcheck-enabled", "yes", "a crash report tests no memory").is(BOOL, Settable).about("Tests the memory after a crash."),
    moot("jemalloc-bg-thread", "yes", "the allocator purges as it goes")
        .is(BOOL, Settable)
        .about("Lets the allocator return memory from a thread of its own."),
    moot("list-compress-depth", "0", "inner blocks of lists are not compressed")
        .is(int(0, INT), Settable)
        .about("Leaves that many blocks at both ends of a list uncompressed."),
    moot("sanitize-dump-payload", "no", "every payload is checked in full")
        .is(Shape::Word(&["no", "yes", "clients"]), Settable)
        .about("Whether RESTORE and snapshots are checked in full."),
    moot("hide-user-data-from-log", "no", "no key or value is ever written to the log")
        .is(BOOL, Settable)
        .about("Keeps keys and values out of the log."),
    moot("ignore-warnings", "", "none of the named warnings is ever raised")
        .is(Shape::Text(any_text), Settable)
        .about("Names of start-up warnings to pass over."),
    moot("io-threads-do-reads", "no", THREADS).is(BOOL, Hidden).about("Lets I/O threads read and parse as well."),
    moot("active-expire-effort", "1", "expired keys are found by their deadlines, not by search")
        .is(int(1, 10), Settable)
        .about("How much time is spent on removing expired keys that nobody touches, from 1 to 10."),
    moot("lazyfree-lazy-expire", "no", "what is slow to free always goes to the disposal thread")
        .is(BOOL, Settable)
        .about("Frees expired values in the background."),
    moot("lazyfree-lazy-user-del", "no", "what is slow to free always goes to the disposal thread")
        .is(BOOL, Settable)
        .about("Makes DEL behave as UNLINK."),
    moot("lazyfree-lazy-user-flush", "no", "what is slow to free always goes to the disposal thread")
        .is(BOOL, Settable)
        .about("Makes FLUSHALL, FLUSHDB and SCRIPT FLUSH without SYNC or ASYNC behave as with ASYNC."),
    moot("replica-lazy-flush", "no", "what is slow to free always goes to the disposal thread")
        .or("slave-lazy-flush")
        .is(BOOL, Settable)
        .about("Frees a replica's old data in the background when a snapshot replaces it."),
    // ---- threads, kernel
    absent("io-threads", "1", THREADS).is(int(1, 128), Fixed).about("Number of threads that read and write sockets."),
    absent("prefetch-batch-max-size", "16", "prefetching spans all clients and has no batch size")
        .is(int(0, 128), Hidden)
        .about("Number of commands whose keys are prefetched together."),
    absent("socket-mark-id", "0", "sockets carry no mark")
        .is(int(0, u32::MAX as i128), Fixed)
        .about("Mark that the kernel puts on packets of this server."),
    absent("mptcp", "no", MPTCP).is(BOOL, Hidden).about("Listens with multipath TCP."),
    absent("repl-mptcp", "no", MPTCP).is(BOOL, Hidden).about("Replicates over multipath TCP."),
    absent("rdma-port", "0", RDMA).is(PORT, Hidden).about("Port for RDMA."),
    absent("rdma-bind", "", RDMA).is(Shape::OptionalText, Hidden).about("Addresses for RDMA."),
    absent("rdma-rx-size", "1048576", RDMA).is(int(65536, 16777216), Hidden).about("Receive buffer of an RDMA connection."),
    absent("rdma-completion-vector", "-1", RDMA).is(int(-1, 1024), Hidden).about("Completion vector of an RDMA connection."),
    // ---- parts of abilities
    absent("replica-ignore-disk-write-errors", "no", "a failed write stops a replica's append-only file as any other server's")
        .is(BOOL, Settable)
        .about("Lets a replica go on when it cannot write its append-only file."),
    // ---- log
    absent("log-format", "legacy", "the log has one format").is(Shape::Word(&["legacy", "logfmt"]), Hidden).about("Format of log lines."),
    absent("log-timestamp-format", "legacy", "the log has one format")
        .is(Shape::Word(&["legacy", "iso8601", "milliseconds"]), Hidden)
        .about("Format of times in the log."),
    absent("locale-collate", "", "SORT compares bytes")
        .is(Shape::Text(any_text), Settable)
        .off(&["C", "POSIX"])
        .about("Locale by which SORT ALPHA compares."),
    // ---- modules
    absent("extended-redis-compatibility", "no", "this server reports its own name")
        .is(BOOL, Hidden)
        .about("Reports the name and version of Redis where clients look for it."),
    absent("import-mode", "no", "expired keys are removed at all times")
        .is(BOOL, Hidden)
        .about("Keeps expired keys while data is imported."),
    // ---- replication
    absent("replica-full-sync-buffer-limit", "0", "a replica buffers in its socket during a full sync")
        .is(memory(0, LONG), Settable)
        .about("Bytes a replica buffers of the stream while it loads a snapshot."),
    absent("dual-channel-replication-enabled", "no", "snapshot and stream share one connection")
        .is(BOOL, Hidden)
        .about("Sends snapshots over a connection of their own."),
    // ---- defragmentation
    absent("activedefrag", "no", DEFRAG).is(BOOL, Settable).about("Moves live data together to return memory."),
    absent("active-defrag-ignore-bytes", "100mb", DEFRAG).is(memory(1, LONG), Settable).about("Waste in bytes below which it rests."),
    absent("active-defrag-threshold-lower", "10", DEFRAG).is(int(0, 1000), Settable).about("Waste in percent at which it starts."),
    absent("active-defrag-threshold-upper", "100", DEFRAG)
        .is(int(0, 1000), Settable)
        .about("Waste in percent at which it does its utmost."),
    absent("active-defrag-cycle-min", "1", DEFRAG).is(int(1, 99), Settable).about("Least share of the processor in percent."),
    absent("active-defrag-cycle-max", "25", DEFRAG).is(int(1, 99), Settable).about("Largest share of the processor in percent."),
    absent("active-defrag-cycle-us", "500", DEFRAG).is(int(0, 100_000), Hidden).about("Length of one slice in microseconds."),
    absent("active-defrag-max-scan-fields", "1000", DEFRAG)
        .is(int(1, LONG), Settable)
        .about("Elements up to which a value is handled in one slice."),
    // ---- TLS
    absent("tls-port", "0", TLS).is(PORT, Settable).about("Port for TLS."),
    absent("max-new-tls-connections-per-cycle", "1", TLS)
        .is(int(1, 1000), Settable)
        .about("TLS connections accepted in one turn of the event loop."),
    absent("tls-cert-file", "", TLS).is(Shape::OptionalText, Settable).about("Certificate."),
    absent("tls-key-file", "", TLS).is(Shape::OptionalText, Settable).about("Private key."),
    absent("tls-key-file-pass", "", TLS).is(Shape::Secret, Settable).about("Password of the private key."),
    absent("tls-client-cert-file", "", TLS).is(Shape::OptionalText, Settable).about("Certificate for outgoing connections."),
    absent("tls-client-key-file", "", TLS).is(Shape::OptionalText, Settable).about("Private key for outgoing connections."),
    absent("tls-client-key-file-pass", "", TLS).is(Shape::Secret, Settable).about("Password of that key."),
    absent("tls-dh-params-file", "", TLS).is(Shape::OptionalText, Settable).about("Diffie-Hellman parameters."),
    absent("tls-ca-cert-file", "", TLS).is(Shape::OptionalText, Settable).about("Bundle of trusted authorities."),
    absent("tls-ca-cert-dir", "", TLS).is(Shape::OptionalText, Settable).about("Directory of trusted authorities."),
    absent("tls-auth-clients", "yes", TLS)
        .is(Shape::Word(&["no", "yes", "optional"]), Settable)
        .off(&["no"])
        .about("Whether clients must show a certificate."),
    absent("tls-auth-clients-user", "off", TLS)
        .is(Shape::Word(&["off", "cn", "uri"]), Hidden)
        .about("Field of a certificate that names the user."),
    absent("tls-auto-reload-interval", "0", TLS).is(int(0, INT), Hidden).about("Seconds between looks for new certificates."),
    absent("tls-replication", "no", TLS).is(BOOL, Settable).about("Replicates over TLS."),
    absent("tls-cluster", "no", TLS).is(BOOL, Settable).about("Runs the cluster bus over TLS."),
    absent("tls-protocols", "", TLS).is(Shape::OptionalText, Settable).about("Versions of TLS allowed."),
    absent("tls-ciphers", "", TLS).is(Shape::OptionalText, Settable).about("Ciphers up to TLS 1.2."),
    absent("tls-ciphersuites", "", TLS).is(Shape::OptionalText, Settable).about("Ciphers of TLS 1.3."),
    absent("tls-prefer-server-ciphers", "no", TLS).is(BOOL, Settable).about("Lets the server's order of ciphers win."),
    absent("tls-session-caching", "yes", TLS).is(BOOL, Settable).off(&["no"]).about("Lets clients resume sessions."),
    absent("tls-session-cache-size", "20480", TLS).is(int(0, INT), Settable).about("Number of sessions kept."),
    absent("tls-session-cache-timeout", "300", TLS).is(int(0, INT), Settable).about("Seconds a session is kept."),
    // ---- cluster
    absent("cluster-enabled", "no", CLUSTER).is(BOOL, Fixed).about("Runs as a node of a cluster."),
    absent("cluster-config-file", "nodes.conf", CLUSTER)
        .is(Shape::Text(any_text), Fixed)
        .about("File in which a node keeps what it knows of the others."),
    absent("cluster-node-timeout", "15000", CLUSTER)
        .is(int(0, LONG), Settable)
        .about("Milliseconds after which a silent node counts as failing."),
    absent("cluster-port", "0", CLUSTER).is(PORT, Fixed).about("Port of the cluster bus."),
    absent("cluster-replica-validity-factor", "10", CLUSTER)
        .or("cluster-slave-validity-factor")
        .is(int(0, INT), Settable)
        .about("How stale a replica may be to take over."),
    absent("cluster-migration-barrier", "1", CLUSTER).is(int(0, INT), Settable).about("Replicas a primary keeps before one may move."),
    absent("cluster-allow-replica-migration", "yes", CLUSTER)
        .is(BOOL, Settable)
        .off(&["no"])
        .about("Lets replicas move to primaries without one."),
    absent("cluster-require-full-coverage", "yes", CLUSTER)
        .is(BOOL, Settable)
        .off(&["no"])
        .about("Refuses requests while a slot has no owner."),
    absent("cluster-replica-no-failover", "no", CLUSTER)
        .or("cluster-slave-no-failover")
        .is(BOOL, Settable)
        .about("Keeps a replica from taking over by itself."),
    absent("cluster-allow-reads-when-down", "no", CLUSTER).is(BOOL, Settable).about("Serves reads while the cluster is down."),
    absent("cluster-allow-pubsubshard-when-down", "yes", CLUSTER)
        .is(BOOL, Settable)
        .off(&["no"])
        .about("Serves sharded channels while the cluster is down."),
    absent("cluster-link-sendbuf-limit", "0", CLUSTER)
        .is(memory(0, u64::MAX as i128), Settable)
        .about("Bytes of unsent output that drop a link of the bus."),
    absent("cluster-announce-ip", "", CLUSTER).is(Shape::OptionalText, Settable).about("Address told to the other nodes."),
    absent("cluster-announce-hostname", "", CLUSTER).is(Shape::OptionalText, Settable).about("Host name told to clients."),
    absent("cluster-announce-human-nodename", "", CLUSTER).is(Shape::OptionalText, Settable).about("Name of the node in logs."),
    absent("cluster-announce-port", "0", CLUSTER).is(PORT, Settable).about("Port told to the other nodes."),
    absent("cluster-announce-tls-port", "0", CLUSTER).is(PORT, Settable).about("TLS port told to the other nodes."),
    absent("cluster-announce-bus-port", "0", CLUSTER).is(PORT, Settable).about("Bus port told to the other nodes."),
    absent("cluster-preferred-endpoint-type", "ip", CLUSTER)
        .is(Shape::Word(&["ip", "hostname", "unknown-endpoint"]), Settable)
        .about("What redirections name a node by."),
    absent("cluster-compatibility-sample-ratio", "0", CLUSTER)
        .is(int(0, 100), Settable)
        .about("Percent of commands checked for use in a cluster."),
    absent("cluster-announce-client-ipv4", "", CLUSTER).is(Shape::OptionalText, Hidden).about("IPv4 address told to clients."),
    absent("cluster-announce-client-ipv6", "", CLUSTER).is(Shape::OptionalText, Hidden).about("IPv6 address told to clients."),
    absent("cluster-announce-client-port", "0", CLUSTER).is(PORT, Hidden).about("Port told to clients."),
    absent("cluster-announce-client-tls-port", "0", CLUSTER).is(PORT, Hidden).about("TLS port told to clients."),
    absent("cluster-config-save-behavior", "sync", CLUSTER)
        .is(Shape::Word(&["sync", "best-effort"]), Hidden)
        .about("Whether a failed write of the node file is fatal."),
    absent("cluster-databases", "1", CLUSTER).is(int(1, INT), Hidden).about("Number of databases of a cluster."),
    absent("cluster-manual-failover-timeout", "5000", CLUSTER)
        .is(int(1, INT), Hidden)
        .about("Milliseconds a failover on request may take."),
    absent("cluster-blacklist-ttl", "60", CLUSTER).is(int(0, LONG), Hidden).about("Seconds a forgotten node stays forgotten."),
    absent("cluster-slot-stats-enabled", "no", CLUSTER).is(BOOL, Hidden).about("Counts the use of each slot."),
    absent("cluster-slot-migration-log-max-len", "1000", CLUSTER).is(int(0, LONG), Hidden).about("Number of slot migrations remembered."),
    absent("slot-migration-max-failover-repl-bytes", "0", CLUSTER)
        .is(memory(0, LONG), Hidden)
        .about("Lag at which a slot migration may pause writes."),
];
