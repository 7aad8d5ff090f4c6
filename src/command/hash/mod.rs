//! Hashes: the rows. Fields and values are in `fields`, what walks or draws in `walk`, deadlines of fields
//! in `deadlines`, and what does several of these at once in `together`.

mod deadlines;
mod fields;
mod together;
mod walk;

use crate::base::clock::Millis;
use crate::server::context::Ctx;
use crate::server::row::{Command, Flags, KeySpec, RO, RO_ACCESS, RW_ACCESS_DELETE, RW_ACCESS_UPDATE, RW_DELETE, RW_INSERT, RW_UPDATE};
use crate::types::hash::Bounds;

const READ: Flags = Flags::READONLY.or(Flags::FAST);
const CHANGE: Flags = Flags::WRITE.or(Flags::FAST);
const CREATE: Flags = CHANGE.or(Flags::DENYOOM);

/// Up to where hashes stay packed, and the time at which fields have expired.
fn frame(ctx: &mut Ctx<'_>) -> (Bounds, Millis) {
    let config = &ctx.state.config;
    let bounds = Bounds {
        entries: usize::try_from(config.hash_max_listpack_entries).unwrap_or(usize::MAX),
        value: usize::try_from(config.hash_max_listpack_value).unwrap_or(usize::MAX),
        hasher: ctx.db.space().hasher(),
    };
    (bounds, ctx.db.horizon())
}

/// What the rows of the family have in common.
const ROW: Command = Command { group: "hash", acl: &["hash"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "hset",
        summary: "Creates or modifies the value of a field in a hash.",
        since: "2.0.0",
        complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
        arity: -4,
        flags: CREATE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        element: 2,
        syntax: "key {data: field value}...",
        history: &[("4.0.0", "Accepts multiple `field` and `value` arguments.")],
        handler: fields::hset,
        ..ROW
    },
    Command {
        name: "hsetnx",
        summary: "Sets the value of a field in a hash only when the field doesn't exist.",
        since: "2.0.0",
        arity: 4,
        flags: CREATE,
        keys: &[KeySpec::one(1, RW_INSERT)],
        element: 2,
        syntax: "key field value",
        handler: fields::hsetnx,
        ..ROW
    },
    Command {
        name: "hmset",
        summary: "Sets the values of multiple fields.",
        since: "2.0.0",
        complexity: "O(N) where N is the number of fields being set.",
        arity: -4,
        flags: CREATE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        element: 2,
        syntax: "key {data: field value}...",
        deprecated: Some(("4.0.0", "`HSET` with multiple field-value pairs")),
        handler: fields::hmset,
        ..ROW
    },
    Command {
        name: "hget",
        summary: "Returns the value of a field in a hash.",
        since: "2.0.0",
        arity: 3,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        element: 2,
        syntax: "key field",
        handler: fields::hget,
        ..ROW
    },
    Command {
        name: "hmget",
        summary: "Returns the values of all fields in a hash.",
        since: "2.0.0",
        complexity: "O(N) where N is the number of fields being requested.",
        arity: -3,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        element: 2,
        syntax: "key field...",
        handler: fields::hmget,
        ..ROW
    },
    Command {
        name: "hgetall",
        summary: "Returns all fields and values in a hash.",
        since: "2.0.0",
        complexity: "O(N) where N is the size of the hash.",
        arity: 2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key",
        tips: &["nondeterministic_output_order"],
        handler: fields::hgetall,
        ..ROW
    },
    Command {
        name: "hdel",
        summary: "Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.",
        since: "2.0.0",
        complexity: "O(N) where N is the number of fields to be removed.",
        arity: -3,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_DELETE)],
        element: 2,
        syntax: "key field...",
        history: &[("2.4.0", "Accepts multiple `field` arguments.")],
        handler: fields::hdel,
        ..ROW
    },
    Command {
        name: "hlen",
        summary: "Returns the number of fields in a hash.",
        since: "2.0.0",
        arity: 2,
        flags: READ,
        keys: &[KeySpec::one(1, RO)],
        syntax: "key",
        handler: fields::hlen,
        ..ROW
    },
    Command {
        name: "hstrlen",
        summary: "Returns the length of the value of a field.",
        since: "3.2.0",
        arity: 3,
        flags: READ,
        keys: &[KeySpec::one(1, RO)],
        element: 2,
        syntax: "key field",
        handler: fields::hstrlen,
        ..ROW
    },
    Command {
        name: "hexists",
        summary: "Determines whether a field exists in a hash.",
        since: "2.0.0",
        arity: 3,
        flags: READ,
        keys: &[KeySpec::one(1, RO)],
        element: 2,
        syntax: "key field",
        handler: fields::hexists,
        ..ROW
    },
    Command {
        name: "hkeys",
        summary: "Returns all fields in a hash.",
        since: "2.0.0",
        complexity: "O(N) where N is the size of the hash.",
        arity: 2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key",
        tips: &["nondeterministic_output_order"],
        handler: fields::hkeys,
        ..ROW
    },
    Command {
        name: "hvals",
        summary: "Returns all values in a hash.",
        since: "2.0.0",
        complexity: "O(N) where N is the size of the hash.",
        arity: 2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key",
        tips: &["nondeterministic_output_order"],
        handler: fields::hvals,
        ..ROW
    },
    Command {
        name: "hincrby",
        summary: "Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field doesn't exist.",
        since: "2.0.0",
        arity: 4,
        flags: CREATE,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        element: 2,
        syntax: "key field increment:integer",
        handler: fields::hincrby,
        ..ROW
    },
    Command {
        name: "hincrbyfloat",
        summary: "Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't exist.",
        since: "2.6.0",
        arity: 4,
        flags: CREATE,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        element: 2,
        syntax: "key field increment:double",
        handler: fields::hincrbyfloat,
        ..ROW
    },
    Command {
        name: "hrandfield",
        summary: "Returns one or more random fields from a hash.",
        since: "6.2.0",
        complexity: "O(N) where N is the number of fields returned",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key [options: count:integer [WITHVALUES]]",
        tips: &["nondeterministic_output"],
        handler: walk::hrandfield,
        ..ROW
    },
    Command {
        name: "hscan",
        summary: "Iterates over fields and values of a hash.",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [NOVALUES]",
        tips: &["nondeterministic_output"],
        handler: walk::hscan,
        ..ROW
    },
    Command {
        name: "hexpire",
        summary: "Set expiry for hash field using relative time to expire (seconds)",
        since: "7.4.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -6,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key seconds:integer [condition: NX | XX | GT | LT] FIELDS {fields: numfields:integer field...}",
        handler: deadlines::hexpire,
        ..ROW
    },
    Command {
        name: "hpexpire",
        summary: "Set expiry for hash field using relative time to expire (milliseconds)",
        since: "7.4.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -6,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key milliseconds:integer [condition: NX | XX | GT | LT] FIELDS {fields: numfields:integer field...}",
        handler: deadlines::hpexpire,
        ..ROW
    },
    Command {
        name: "hexpireat",
        summary: "Set expiry for hash field using an absolute Unix timestamp (seconds)",
        since: "7.4.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -6,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key unix-time-seconds:unix-time [condition: NX | XX | GT | LT] FIELDS {fields: numfields:integer field...}",
        handler: deadlines::hexpireat,
        ..ROW
    },
    Command {
        name: "hpexpireat",
        summary: "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
        since: "7.4.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -6,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key unix-time-milliseconds:unix-time [condition: NX | XX | GT | LT] FIELDS {fields: numfields:integer field...}",
        handler: deadlines::hpexpireat,
        ..ROW
    },
    Command {
        name: "httl",
        summary: "Returns the TTL in seconds of a hash field.",
        since: "7.4.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -5,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key FIELDS {fields: numfields:integer field...}",
        tips: &["nondeterministic_output"],
        handler: deadlines::httl,
        ..ROW
    },
    Command {
        name: "hpttl",
        summary: "Returns the TTL in milliseconds of a hash field.",
        since: "7.4.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -5,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key FIELDS {fields: numfields:integer field...}",
        tips: &["nondeterministic_output"],
        handler: deadlines::hpttl,
        ..ROW
    },
    Command {
        name: "hexpiretime",
        summary: "Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
        since: "7.4.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -5,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key FIELDS {fields: numfields:integer field...}",
        handler: deadlines::hexpiretime,
        ..ROW
    },
    Command {
        name: "hpexpiretime",
        summary: "Returns the expiration time of a hash field as a Unix timestamp, in msec.",
        since: "7.4.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -5,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key FIELDS {fields: numfields:integer field...}",
        handler: deadlines::hpexpiretime,
        ..ROW
    },
    Command {
        name: "hpersist",
        summary: "Removes the expiration time for each specified field",
        since: "7.4.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -5,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key FIELDS {fields: numfields:integer field...}",
        handler: deadlines::hpersist,
        ..ROW
    },
    Command {
        name: "hgetex",
        summary: "Get the value of one or more fields of a given hash key, and optionally set their expiration.",
        since: "8.0.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -5,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key [expiration: EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | PERSIST] FIELDS {fields: numfields:integer field...}",
        handler: together::hgetex,
        ..ROW
    },
    Command {
        name: "hsetex",
        summary: "Set the value of one or more fields of a given hash key, and optionally set their expiration.",
        since: "8.0.0",
        complexity: "O(N) where N is the number of fields being set.",
        arity: -6,
        flags: CREATE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key [condition: FNX | FXX] [expiration: EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL] FIELDS {fields: numfields:integer {data: field value}...}",
        handler: together::hsetex,
        ..ROW
    },
    Command {
        name: "hgetdel",
        summary: "Returns the value of a field and deletes it from the hash.",
        since: "8.0.0",
        complexity: "O(N) where N is the number of specified fields",
        arity: -5,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
        syntax: "key FIELDS {fields: numfields:integer field...}",
        handler: together::hgetdel,
        ..ROW
    },
];
