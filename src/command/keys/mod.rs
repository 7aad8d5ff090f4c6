//! Keys of any type: the rows. The handlers are in the files beside this one, by what they do.
//!
//! `presence` tells whether keys are there and removes them; `expire` is about deadlines; `scan` walks over
//! all keys; `whole` renames, moves and copies keys and empties and swaps databases; `object` shows what a
//! value is made of.

mod expire;
mod object;
mod presence;
mod scan;
mod whole;

use crate::server::row::{
    Command, Flags, KeySpec, OW_INSERT, OW_UPDATE, RM_DELETE, RO, RO_ACCESS, RW_ACCESS_DELETE, RW_ACCESS_UPDATE, RW_UPDATE,
};

const READ: Flags = Flags::READONLY.or(Flags::FAST);
const READ_SLOW: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE.or(Flags::FAST);
const WRITE_SLOW: Flags = Flags::WRITE;

/// What the rows of the family have in common.
const ROW: Command = Command { group: "generic", acl: &["keyspace"], ..Command::BASE };

/// What the rows of EXPIRE and its like have in common.
const EXPIRE_ROW: Command = Command {
    arity: -3,
    flags: WRITE,
    keys: &[KeySpec::one(1, RW_UPDATE)],
    history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
    ..ROW
};

/// What the rows of TTL and its like have in common.
const TTL_ROW: Command = Command { arity: 2, flags: READ, keys: &[KeySpec::one(1, RO_ACCESS)], syntax: "key", ..ROW };

/// What the rows of commands that count or remove the keys named have in common.
const COUNT_ROW: Command = Command {
    arity: -2,
    flags: READ,
    keys: &[KeySpec::range(1, -1, 1, RO)],
    syntax: "key...",
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    ..ROW
};

/// What the rows of FLUSHDB and FLUSHALL have in common.
const FLUSH_ROW: Command = Command {
    group: "server",
    arity: -1,
    flags: WRITE_SLOW,
    acl: &["keyspace", "dangerous"],
    syntax: "[flush-type: ASYNC | SYNC]",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    history: &[("4.0.0", "Added the `ASYNC` flushing mode modifier."), ("6.2.0", "Added the `SYNC` flushing mode modifier.")],
    ..ROW
};

/// What the rows of OBJECT's subcommands have in common.
const OBJECT_ROW: Command = Command {
    since: "2.2.3",
    arity: 3,
    flags: READ_SLOW,
    keys: &[KeySpec::one(2, RO)],
    syntax: "key",
    tips: &["nondeterministic_output"],
    ..ROW
};

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "copy",
        summary: "Copies the value of a key to a new key.",
        since: "6.2.0",
        complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        arity: -3,
        flags: WRITE_SLOW.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, RO_ACCESS), KeySpec::one(2, OW_UPDATE)],
        syntax: "source:key destination:key [DB destination-db:integer] [REPLACE]",
        handler: whole::copy,
        ..ROW
    },
    Command {
        name: "dbsize",
        summary: "Returns the number of keys in the database.",
        group: "server",
        flags: READ,
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        handler: whole::dbsize,
        ..ROW
    },
    Command {
        name: "del",
        summary: "Deletes one or more keys.",
        complexity: "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
        flags: WRITE_SLOW,
        keys: &[KeySpec::range(1, -1, 1, RM_DELETE)],
        handler: presence::del,
        ..COUNT_ROW
    },
    Command {
        name: "exists",
        summary: "Determines whether one or more keys exist.",
        complexity: "O(N) where N is the number of keys to check.",
        history: &[("3.0.3", "Accepts multiple `key` arguments.")],
        handler: presence::exists,
        ..COUNT_ROW
    },
    Command {
        name: "expire",
        summary: "Sets the expiration time of a key in seconds.",
        syntax: "key seconds:integer [condition: NX | XX | GT | LT]",
        handler: expire::expire,
        ..EXPIRE_ROW
    },
    Command {
        name: "expireat",
        summary: "Sets the expiration time of a key to a Unix timestamp.",
        since: "1.2.0",
        syntax: "key unix-time-seconds:unix-time [condition: NX | XX | GT | LT]",
        handler: expire::expireat,
        ..EXPIRE_ROW
    },
    Command {
        name: "expiretime",
        summary: "Returns the expiration time of a key as a Unix timestamp.",
        since: "7.0.0",
        handler: expire::expiretime,
        ..TTL_ROW
    },
    Command {
        name: "flushall",
        summary: "Removes all keys from all databases.",
        complexity: "O(N) where N is the total number of keys in all databases",
        handler: whole::flushall,
        ..FLUSH_ROW
    },
    Command {
        name: "flushdb",
        summary: "Remove all keys from the current database.",
        complexity: "O(N) where N is the number of keys in the selected database",
        handler: whole::flushdb,
        ..FLUSH_ROW
    },
    Command {
        name: "keys",
        summary: "Returns all key names that match a pattern.",
        complexity: "O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.",
        arity: 2,
        flags: READ_SLOW,
        acl: &["keyspace", "dangerous"],
        syntax: "pattern:pattern",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        handler: scan::keys,
        ..ROW
    },
    Command {
        name: "move",
        summary: "Moves a key to another database.",
        arity: 3,
        flags: WRITE,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key db:integer",
        handler: whole::move_key,
        ..ROW
    },
    Command {
        name: "object",
        summary: "A container for object introspection commands.",
        since: "2.2.3",
        group: "generic",
        complexity: "Depends on subcommand.",
        arity: -2,
        subcommands: &[
            Command {
                name: "encoding",
                summary: "Returns the internal encoding of a Redis object.",
                handler: object::encoding,
                ..OBJECT_ROW
            },
            Command {
                name: "freq",
                summary: "Returns the logarithmic access frequency counter of a Redis object.",
                since: "4.0.0",
                handler: object::freq,
                ..OBJECT_ROW
            },
            Command {
                name: "help",
                summary: "Returns helpful text about the different subcommands.",
                since: "6.2.0",
                arity: 2,
                flags: Flags::LOADING.or(Flags::STALE),
                handler: object::help,
                ..ROW
            },
            Command {
                name: "idletime",
                summary: "Returns the time since the last access to a Redis object.",
                handler: object::idletime,
                ..OBJECT_ROW
            },
            Command {
                name: "refcount",
                summary: "Returns the reference count of a value of a key.",
                handler: object::refcount,
                ..OBJECT_ROW
            },
        ],
        ..Command::BASE
    },
    Command {
        name: "persist",
        summary: "Removes the expiration time of a key.",
        since: "2.2.0",
        arity: 2,
        flags: WRITE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key",
        handler: expire::persist,
        ..ROW
    },
    Command {
        name: "pexpire",
        summary: "Sets the expiration time of a key in milliseconds.",
        since: "2.6.0",
        syntax: "key milliseconds:integer [condition: NX | XX | GT | LT]",
        handler: expire::pexpire,
        ..EXPIRE_ROW
    },
    Command {
        name: "pexpireat",
        summary: "Sets the expiration time of a key to a Unix milliseconds timestamp.",
        since: "2.6.0",
        syntax: "key unix-time-milliseconds:unix-time [condition: NX | XX | GT | LT]",
        handler: expire::pexpireat,
        ..EXPIRE_ROW
    },
    Command {
        name: "pexpiretime",
        summary: "Returns the expiration time of a key as a Unix milliseconds timestamp.",
        since: "7.0.0",
        handler: expire::pexpiretime,
        ..TTL_ROW
    },
    Command {
        name: "pttl",
        summary: "Returns the expiration time in milliseconds of a key.",
        since: "2.6.0",
        tips: &["nondeterministic_output"],
        history: &[("2.8.0", "Added the -2 reply.")],
        handler: expire::pttl,
        ..TTL_ROW
    },
    Command {
        name: "randomkey",
        summary: "Returns a random key name from the database.",
        flags: READ_SLOW.or(Flags::ARBITRARY_KEYS),
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        handler: scan::randomkey,
        ..ROW
    },
    Command {
        name: "rename",
        summary: "Renames a key and overwrites the destination.",
        arity: 3,
        flags: WRITE_SLOW,
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE), KeySpec::one(2, OW_UPDATE)],
        syntax: "key newkey:key",
        handler: whole::rename,
        ..ROW
    },
    Command {
        name: "renamenx",
        summary: "Renames a key only when the target key name doesn't exist.",
        arity: 3,
        flags: WRITE,
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE), KeySpec::one(2, OW_INSERT)],
        syntax: "key newkey:key",
        history: &[("3.2.0", "The command no longer returns an error when source and destination names are the same.")],
        handler: whole::renamenx,
        ..ROW
    },
    Command {
        name: "scan",
        summary: "Iterates over the key names in the database.",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
        arity: -2,
        flags: READ_SLOW.or(Flags::ARBITRARY_KEYS),
        syntax: "cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type]",
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        history: &[("6.0.0", "Added the `TYPE` subcommand.")],
        handler: scan::scan,
        ..ROW
    },
    Command {
        name: "swapdb",
        summary: "Swaps two Redis databases.",
        since: "4.0.0",
        group: "server",
        complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
        arity: 3,
        flags: WRITE,
        acl: &["keyspace", "dangerous"],
        syntax: "index1:integer index2:integer",
        handler: whole::swapdb,
        ..ROW
    },
    Command {
        name: "touch",
        summary: "Returns the number of existing keys out of those specified after updating the time they were last accessed.",
        since: "3.2.1",
        complexity: "O(N) where N is the number of keys that will be touched.",
        handler: presence::touch,
        ..COUNT_ROW
    },
    Command {
        name: "ttl",
        summary: "Returns the expiration time in seconds of a key.",
        tips: &["nondeterministic_output"],
        history: &[("2.8.0", "Added the -2 reply.")],
        handler: expire::ttl,
        ..TTL_ROW
    },
    Command {
        name: "type",
        summary: "Determines the type of value stored at a key.",
        arity: 2,
        flags: READ,
        keys: &[KeySpec::one(1, RO)],
        syntax: "key",
        handler: presence::type_of,
        ..ROW
    },
    Command {
        name: "unlink",
        summary: "Asynchronously deletes one or more keys.",
        since: "4.0.0",
        complexity: "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.",
        flags: WRITE,
        keys: &[KeySpec::range(1, -1, 1, RM_DELETE)],
        handler: presence::del,
        ..COUNT_ROW
    },
];
