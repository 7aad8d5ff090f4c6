//! CLUSTER and its kin on a server that is no node of a cluster: known, and refused as Redis refuses them there.
//!
//! Libraries and tools that can talk to clusters ask every server for one at their start; what they look for is this
//! very refusal. The rows say what the commands would take, so that COMMAND tells the same as Redis.

use crate::resp::request::Args;
use crate::server::context::{Ctx, Outcome};
use crate::server::error::Error;
use crate::server::row::{Command, Flags};

const STALE: Flags = Flags::STALE;
const LOADING: Flags = Flags::LOADING.or(Flags::STALE);
const ADMIN: Flags = Flags::ADMIN.or(Flags::STALE);
const CHANGES: Flags = ADMIN.or(Flags::NO_ASYNC_LOADING);
const VARIES: &[&str] = &["nondeterministic_output"];

/// What the rows have in common.
const ROW: Command = Command { since: "3.0.0", group: "cluster", handler: disabled, ..Command::BASE };

/// A subcommand: its name, number of words, flags and arguments, and what it is for.
const fn sub(name: &'static str, arity: i32, flags: Flags, syntax: &'static str, summary: &'static str) -> Command {
    Command { name, arity, flags, syntax, summary, ..ROW }
}

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "asking",
        summary: "Says that the next command follows an ASK redirection.",
        flags: Flags::FAST,
        acl: &["connection"],
        ..ROW
    },
    Command {
        name: "cluster",
        summary: "Holds the commands about the cluster.",
        complexity: "Depends on subcommand.",
        arity: -2,
        handler: Command::BASE.handler,
        subcommands: SUBCOMMANDS,
        ..ROW
    },
    Command {
        name: "readonly",
        summary: "Lets the connection read from a replica of the cluster.",
        flags: LOADING.or(Flags::FAST),
        acl: &["connection"],
        ..ROW
    },
    Command { name: "readwrite", summary: "Ends READONLY.", flags: LOADING.or(Flags::FAST), acl: &["connection"], ..ROW },
];

const SUBCOMMANDS: &[Command] = &[
    Command {
        complexity: "O(N) where N is the total number of hash slot arguments",
        ..sub("addslots", -3, CHANGES, "slot:integer...", "Assigns slots to the node.")
    },
    Command {
        since: "7.0.0",
        complexity: "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
        ..sub("addslotsrange", -4, CHANGES, "{range: start-slot:integer end-slot:integer}...", "Assigns ranges of slots to the node.")
    },
    Command { tips: VARIES, ..sub("bumpepoch", 2, CHANGES, "", "Advances the epoch of the node's configuration.") },
    Command {
        complexity: "O(N) where N is the number of failure reports",
        tips: VARIES,
        ..sub("count-failure-reports", 3, ADMIN, "node-id", "Counts the reports that a node has failed.")
    },
    sub("countkeysinslot", 3, STALE, "slot:integer", "Counts the keys of a slot."),
    Command {
        complexity: "O(N) where N is the total number of hash slot arguments",
        ..sub("delslots", -3, CHANGES, "slot:integer...", "Takes slots from the node.")
    },
    Command {
        since: "7.0.0",
        complexity: "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
        ..sub("delslotsrange", -4, CHANGES, "{range: start-slot:integer end-slot:integer}...", "Takes ranges of slots from the node.")
    },
    sub("failover", -2, CHANGES, "[options: FORCE | TAKEOVER]", "Makes a replica take over from its primary."),
    sub("flushslots", 2, CHANGES, "", "Takes all slots from the node."),
    sub("forget", 3, CHANGES, "node-id", "Removes a node from the table of nodes."),
    Command {
        complexity: "O(N) where N is the number of requested keys",
        tips: VARIES,
        ..sub("getkeysinslot", 4, STALE, "slot:integer count:integer", "Returns keys of a slot.")
    },
    Command { since: "5.0.0", ..sub("help", 2, LOADING, "", "Lists the subcommands.") },
    Command { tips: VARIES, ..sub("info", 2, STALE, "", "Tells how the node sees the cluster.") },
    Command {
        complexity: "O(N) where N is the number of bytes in the key",
        ..sub("keyslot", 3, STALE, "key", "Returns the slot of a key.")
    },
    Command {
        since: "7.0.0",
        complexity: "O(N) where N is the total number of Cluster nodes",
        tips: VARIES,
        ..sub("links", 2, STALE, "", "Lists the connections to and from other nodes.")
    },
    sub("meet", -4, CHANGES, "ip port:integer [cluster-bus-port:integer]", "Joins the node with another."),
    sub("myid", 2, STALE, "", "Returns the node's name."),
    Command { since: "7.2.0", tips: VARIES, ..sub("myshardid", 2, STALE, "", "Returns the name of the node's shard.") },
    Command {
        complexity: "O(N) where N is the total number of Cluster nodes",
        tips: VARIES,
        ..sub("nodes", 2, STALE, "", "Lists the nodes.")
    },
    Command {
        since: "5.0.0",
        complexity: "O(N) where N is the number of replicas.",
        tips: VARIES,
        ..sub("replicas", 3, ADMIN, "node-id", "Lists the replicas of a node.")
    },
    sub("replicate", 3, CHANGES, "node-id", "Makes the node a replica of another."),
    Command {
        complexity: "O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect.",
        ..sub("reset", -2, ADMIN.or(Flags::NOSCRIPT), "[reset-type: HARD | SOFT]", "Makes the node forget the cluster.")
    },
    sub("saveconfig", 2, CHANGES, "", "Writes the node's configuration to disk."),
    sub("set-config-epoch", 3, CHANGES, "config-epoch:integer", "Sets the epoch of a new node's configuration."),
    sub(
        "setslot",
        -4,
        CHANGES,
        "slot:integer <subcommand: IMPORTING importing/node-id | MIGRATING migrating/node-id | NODE node/node-id | STABLE>",
        "Binds a slot to a node.",
    ),
    Command {
        since: "7.0.0",
        complexity: "O(N) where N is the total number of cluster nodes",
        tips: VARIES,
        ..sub("shards", 2, LOADING, "", "Lists the shards with their slots and nodes.")
    },
    Command {
        complexity: "O(N) where N is the number of replicas.",
        tips: VARIES,
        deprecated: Some(("5.0.0", "`CLUSTER REPLICAS`")),
        ..sub("slaves", 3, ADMIN, "node-id", "Lists the replicas of a node.")
    },
    Command {
        complexity: "O(N) where N is the total number of Cluster nodes",
        tips: VARIES,
        deprecated: Some(("7.0.0", "`CLUSTER SHARDS`")),
        ..sub("slots", 2, LOADING, "", "Lists ranges of slots with their nodes.")
    },
];

fn disabled(_: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    Err(Error::fixed("ERR This instance has cluster support disabled"))
}
