//! Strings: the rows. The handlers are in the files beside this one, by what they do.
//!
//! SET, its older forms and what else writes a whole value are in `set`; reading is in `read`; changing
//! bytes in place in `change`; counting in `number`; several keys at once in `many`. `expiration` and
//! `condition` read the options that these share.
//!
//! From Redis 8.4 come DIGEST, DELEX and the conditions of SET, from Valkey DELIFEQ; both have MSETEX.

mod change;
mod condition;
mod expiration;
mod lcs;
mod many;
mod number;
mod read;
mod set;

use crate::server::row::{
    BeginSearch, Command, FindKeys, Flags, KeySpec, OW_INSERT, OW_UPDATE, RM_DELETE, RO, RO_ACCESS, RW_ACCESS_DELETE, RW_ACCESS_UPDATE,
    RW_DELETE, RW_INSERT, RW_UPDATE,
};

const READ: Flags = Flags::READONLY.or(Flags::FAST);
const READ_SLOW: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.or(Flags::FAST);
const REMOVE: Flags = Flags::WRITE.or(Flags::FAST);

/// What the rows of the family have in common.
const ROW: Command = Command { group: "string", acl: &["string"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "append",
        summary: "Appends a string to the value of a key. Creates the key if it doesn't exist.",
        since: "2.0.0",
        complexity: "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.",
        arity: 3,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_INSERT)],
        syntax: "key value",
        handler: change::append,
        ..ROW
    },
    Command {
        name: "decr",
        summary: "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
        arity: 2,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key",
        handler: number::decr,
        ..ROW
    },
    Command {
        name: "decrby",
        summary: "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.",
        arity: 3,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key decrement:integer",
        handler: number::decrby,
        ..ROW
    },
    Command {
        name: "delex",
        summary: "Conditionally removes the specified key based on value or digest comparison.",
        since: "8.4.0",
        complexity: "O(1) for IFEQ/IFNE, O(N) for IFDEQ/IFDNE where N is the length of the string value.",
        arity: -2,
        flags: REMOVE,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key [condition: IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest:integer | IFDNE ifdne-digest:integer]",
        handler: condition::delex,
        ..ROW
    },
    Command {
        name: "delifeq",
        summary: "Delete key if value matches string.",
        since: "9.0.0",
        arity: 3,
        flags: REMOVE,
        keys: &[KeySpec::one(1, RM_DELETE)],
        syntax: "key value",
        handler: condition::delifeq,
        ..ROW
    },
    Command {
        name: "digest",
        summary: "Returns the XXH3 hash of a string value.",
        since: "8.4.0",
        complexity: "O(N) where N is the length of the string value.",
        arity: 2,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key",
        handler: condition::digest,
        ..ROW
    },
    Command {
        name: "get",
        summary: "Returns the string value of a key.",
        arity: 2,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key",
        handler: read::get,
        ..ROW
    },
    Command {
        name: "getdel",
        summary: "Returns the string value of a key after deleting the key.",
        since: "6.2.0",
        arity: 2,
        flags: REMOVE,
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
        syntax: "key",
        handler: set::getdel,
        ..ROW
    },
    Command {
        name: "getex",
        summary: "Returns the string value of a key after setting its expiration time.",
        since: "6.2.0",
        arity: -2,
        flags: REMOVE,
        keys: &[KeySpec { notes: "RW and UPDATE because it changes the TTL", ..KeySpec::one(1, RW_ACCESS_UPDATE) }],
        syntax: "key [expiration: EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | PERSIST]",
        handler: set::getex,
        ..ROW
    },
    Command {
        name: "getrange",
        summary: "Returns a substring of the string stored at a key.",
        since: "2.4.0",
        complexity: GETRANGE_COMPLEXITY,
        arity: 4,
        flags: READ_SLOW,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key start:integer end:integer",
        handler: read::getrange,
        ..ROW
    },
    Command {
        name: "getset",
        summary: "Returns the previous string value of a key after setting it to a new value.",
        arity: 3,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key value",
        deprecated: Some(("6.2.0", "`SET` with the `!GET` argument")),
        handler: set::getset,
        ..ROW
    },
    Command {
        name: "incr",
        summary: "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
        arity: 2,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key",
        handler: number::incr,
        ..ROW
    },
    Command {
        name: "incrby",
        summary: "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
        arity: 3,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key increment:integer",
        handler: number::incrby,
        ..ROW
    },
    Command {
        name: "incrbyfloat",
        summary: "Increment the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
        since: "2.6.0",
        arity: 3,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key increment:double",
        handler: number::incrbyfloat,
        ..ROW
    },
    Command {
        name: "lcs",
        summary: "Finds the longest common substring.",
        since: "7.0.0",
        complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        arity: -3,
        flags: READ_SLOW,
        keys: &[KeySpec::range(1, 1, 1, RO_ACCESS)],
        syntax: "key1:key key2:key#0 [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]",
        handler: lcs::lcs,
        ..ROW
    },
    Command {
        name: "mget",
        summary: "Atomically returns the string values of one or more keys.",
        complexity: "O(N) where N is the number of keys to retrieve.",
        arity: -2,
        flags: READ,
        keys: &[KeySpec::range(1, -1, 1, RO_ACCESS)],
        syntax: "key...",
        tips: &["request_policy:multi_shard"],
        handler: many::mget,
        ..ROW
    },
    Command {
        name: "mset",
        summary: "Atomically creates or modifies the string values of one or more keys.",
        since: "1.0.1",
        complexity: SET_MANY_COMPLEXITY,
        arity: -3,
        flags: WRITE,
        keys: &[KeySpec::range(1, -1, 2, OW_UPDATE)],
        syntax: "{data: key value}...",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        handler: many::mset,
        ..ROW
    },
    Command {
        name: "msetex",
        summary: "Atomically sets multiple string keys with a shared expiration in a single operation.",
        since: "8.4.0",
        complexity: SET_MANY_COMPLEXITY,
        arity: -4,
        flags: WRITE.or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec {
            flags: OW_UPDATE,
            notes: "",
            begin: BeginSearch::Index(1),
            find: FindKeys::Number { number: 0, first: 1, step: 2 },
        }],
        syntax: "numkeys:integer {data: key value}... [condition: NX | XX] [expiration: EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL]",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        handler: many::msetex,
        ..ROW
    },
    Command {
        name: "msetnx",
        summary: "Atomically modifies the string values of one or more keys only when all keys don't exist.",
        since: "1.0.1",
        complexity: SET_MANY_COMPLEXITY,
        arity: -3,
        flags: WRITE,
        keys: &[KeySpec::range(1, -1, 2, OW_INSERT)],
        syntax: "{data: key value}...",
        handler: many::msetnx,
        ..ROW
    },
    Command {
        name: "psetex",
        summary: "Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't exist.",
        since: "2.6.0",
        arity: 4,
        flags: WRITE,
        keys: &[KeySpec::one(1, OW_UPDATE)],
        syntax: "key milliseconds:integer value",
        deprecated: Some(("2.6.12", "`SET` with the `PX` argument")),
        handler: set::psetex,
        ..ROW
    },
    Command {
        name: "set",
        summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
        arity: -3,
        flags: WRITE,
        keys: &[KeySpec {
            notes: "RW and ACCESS due to the optional `GET` argument",
            ..KeySpec::one(1, &["RW", "access", "update", "variable_flags"])
        }],
        find_keys: Some(|args| {
            let answers = args.from(3).iter().any(|word| word.eq_ignore_ascii_case(b"GET"));
            vec![(1, if answers { RW_ACCESS_UPDATE } else { OW_UPDATE })]
        }),
        syntax: "key value [condition: NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest:integer | IFDNE ifdne-digest:integer] [GET] [expiration: EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL]",
        history: &[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
            ("8.4.0", "Added the `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE` options."),
        ],
        handler: set::set,
        ..ROW
    },
    Command {
        name: "setex",
        summary: "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
        since: "2.0.0",
        arity: 4,
        flags: WRITE,
        keys: &[KeySpec::one(1, OW_UPDATE)],
        syntax: "key seconds:integer value",
        deprecated: Some(("2.6.12", "`SET` with the `EX` argument")),
        handler: set::setex,
        ..ROW
    },
    Command {
        name: "setnx",
        summary: "Set the string value of a key only when the key doesn't exist.",
        arity: 3,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, OW_INSERT)],
        syntax: "key value",
        deprecated: Some(("2.6.12", "`SET` with the `NX` argument")),
        handler: set::setnx,
        ..ROW
    },
    Command {
        name: "setrange",
        summary: "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.",
        since: "2.2.0",
        complexity: "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.",
        arity: 4,
        flags: WRITE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key offset:integer value",
        handler: change::setrange,
        ..ROW
    },
    Command {
        name: "strlen",
        summary: "Returns the length of a string value.",
        since: "2.2.0",
        arity: 2,
        flags: READ,
        keys: &[KeySpec::one(1, RO)],
        syntax: "key",
        handler: read::strlen,
        ..ROW
    },
    Command {
        name: "substr",
        summary: "Returns a substring from a string value.",
        complexity: GETRANGE_COMPLEXITY,
        arity: 4,
        flags: READ_SLOW,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key start:integer end:integer",
        deprecated: Some(("2.0.0", "`GETRANGE`")),
        handler: read::getrange,
        ..ROW
    },
];

const SET_MANY_COMPLEXITY: &str = "O(N) where N is the number of keys to set.";
const GETRANGE_COMPLEXITY: &str = "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.";
