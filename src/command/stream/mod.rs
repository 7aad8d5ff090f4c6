//! Streams: the rows of the family, and what its handlers share.
//!
//! - [`add`]: XADD, XTRIM, XSETID; [`range`]: XRANGE, XREVRANGE, XLEN; [`read`]: XREAD, XREADGROUP;
//! - [`delete`]: XDEL, XDELEX, XACK, XACKDEL; [`claim`]: XCLAIM, XAUTOCLAIM, XPENDING;
//! - [`group`]: XGROUP; [`info`]: XINFO; [`parse`]: IDs, options and error texts.
//!
//! Changes of consumer groups are committed aside: as in Redis they count, propagate and have events, but
//! whoever watches or has cached the key sees its entries, not its groups.

mod add;
mod claim;
mod delete;
mod group;
mod info;
mod parse;
mod range;
mod read;

use crate::resp::writer::Reply;
use crate::server::client::ClientFlags;
use crate::server::context::Ctx;
use crate::server::row::{BeginSearch, Command, FindKeys, Flags, KeySpec, RO, RO_ACCESS, RW_DELETE, RW_INSERT, RW_UPDATE};
use crate::types::stream::StreamId;
use crate::types::stream::log::BlockLimits;

const READ: Flags = Flags::READONLY;
const WRITE_FAST: Flags = Flags::WRITE.or(Flags::FAST);

/// What the rows of the family have in common.
const ROW: Command = Command { since: "5.0.0", group: "stream", acl: &["stream"], ..Command::BASE };

/// The first half of what follows STREAMS.
const fn keys_after_streams(from: i32) -> KeySpec {
    KeySpec {
        flags: RO_ACCESS,
        notes: "",
        begin: BeginSearch::Keyword("STREAMS", from),
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
    }
}

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "xack",
        summary: "Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.",
        complexity: "O(1) for each message ID processed.",
        arity: -4,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key group id...",
        handler: delete::xack,
        ..ROW
    },
    Command {
        name: "xackdel",
        summary: "Acknowledges and conditionally deletes one or multiple entries for a stream consumer group.",
        since: "8.2.0",
        complexity: "O(1) for each entry ID processed.",
        arity: -6,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, &["RW", "update", "delete"])],
        syntax: "key group [condition: KEEPREF | DELREF | ACKED] IDS {ids: numids:integer id...}",
        handler: delete::xackdel,
        ..ROW
    },
    Command {
        name: "xadd",
        summary: "Appends a new message to a stream. Creates the key if it doesn't exist.",
        complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
        arity: -5,
        flags: WRITE_FAST.or(Flags::DENYOOM),
        keys: &[KeySpec { notes: "UPDATE instead of INSERT because of the optional trimming feature", ..KeySpec::one(1, RW_UPDATE) }],
        syntax: "key [NOMKSTREAM] [condition: KEEPREF | DELREF | ACKED] [trim: <strategy: MAXLEN | MINID> [operator: equal='=' | approximately='~'] threshold [LIMIT count:integer]] <id-selector: auto-id='*' | id> {data: field value}...",
        tips: &["nondeterministic_output"],
        history: &[
            ("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."),
            ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
            ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
        ],
        handler: add::xadd,
        ..ROW
    },
    Command {
        name: "xautoclaim",
        summary: "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.",
        since: "6.2.0",
        complexity: "O(1) if COUNT is small.",
        arity: -6,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
        tips: &["nondeterministic_output"],
        history: &[("7.0.0", "Added an element to the reply array, containing deleted entries the command cleared from the PEL")],
        handler: claim::xautoclaim,
        ..ROW
    },
    Command {
        name: "xclaim",
        summary: "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.",
        complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
        arity: -6,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key group consumer min-idle-time id... [IDLE ms:integer] [TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID lastid]",
        tips: &["nondeterministic_output"],
        handler: claim::xclaim,
        ..ROW
    },
    Command {
        name: "xdel",
        summary: "Returns the number of messages after removing them from a stream.",
        complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
        arity: -3,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key id...",
        handler: delete::xdel,
        ..ROW
    },
    Command {
        name: "xdelex",
        summary: "Deletes one or multiple entries from the stream.",
        since: "8.2.0",
        complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
        arity: -5,
        flags: WRITE_FAST,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key [condition: KEEPREF | DELREF | ACKED] IDS {ids: numids:integer id...}",
        handler: delete::xdelex,
        ..ROW
    },
    Command {
        name: "xgroup",
        summary: "A container for consumer groups commands.",
        complexity: "Depends on subcommand.",
        arity: -2,
        acl: &[],
        subcommands: GROUP_COMMANDS,
        ..ROW
    },
    Command {
        name: "xinfo",
        summary: "A container for stream introspection commands.",
        complexity: "Depends on subcommand.",
        arity: -2,
        acl: &[],
        subcommands: INFO_COMMANDS,
        ..ROW
    },
    Command {
        name: "xlen",
        summary: "Return the number of messages in a stream.",
        arity: 2,
        flags: READ.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO)],
        syntax: "key",
        handler: range::xlen,
        ..ROW
    },
    Command {
        name: "xpending",
        summary: "Returns the information and entries from a stream consumer group's pending entries list.",
        complexity: "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
        arity: -3,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key group [filters: [IDLE min-idle-time:integer] start end count:integer [consumer]]",
        tips: &["nondeterministic_output"],
        history: &[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")],
        handler: claim::xpending,
        ..ROW
    },
    Command {
        name: "xrange",
        summary: "Returns the messages from a stream within a range of IDs.",
        complexity: "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
        arity: -4,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key start end [COUNT count:integer]",
        history: &[("6.2.0", "Added exclusive ranges.")],
        handler: range::xrange,
        ..ROW
    },
    Command {
        name: "xread",
        summary: "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.",
        complexity: "",
        arity: -4,
        flags: READ.or(Flags::BLOCKING).or(Flags::MOVABLE_KEYS),
        keys: &[keys_after_streams(1)],
        syntax: "[COUNT count:integer] [BLOCK milliseconds:integer] STREAMS {streams: key... id...}",
        handler: read::xread,
        ..ROW
    },
    Command {
        name: "xreadgroup",
        summary: "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.",
        complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
        arity: -7,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::MOVABLE_KEYS),
        keys: &[keys_after_streams(4)],
        syntax: "GROUP {group-block: group consumer} [COUNT count:integer] [BLOCK milliseconds:integer] [NOACK] STREAMS {streams: key... id...}",
        handler: read::xreadgroup,
        ..ROW
    },
    Command {
        name: "xrevrange",
        summary: "Returns the messages from a stream within a range of IDs in reverse order.",
        complexity: "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
        arity: -4,
        flags: READ,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key end start [COUNT count:integer]",
        history: &[("6.2.0", "Added exclusive ranges.")],
        handler: range::xrevrange,
        ..ROW
    },
    Command {
        name: "xsetid",
        summary: "An internal command for replicating stream values.",
        arity: -3,
        flags: WRITE_FAST.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key last-id [ENTRIESADDED entries-added:integer] [MAXDELETEDID max-deleted-id]",
        history: &[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")],
        handler: add::xsetid,
        ..ROW
    },
    Command {
        name: "xtrim",
        summary: "Deletes messages from the beginning of a stream.",
        complexity: "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
        arity: -4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key {trim: <strategy: MAXLEN | MINID> [operator: equal='=' | approximately='~'] threshold [LIMIT count:integer]} [condition: KEEPREF | DELREF | ACKED]",
        tips: &["nondeterministic_output"],
        history: &[
            ("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."),
            ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
        ],
        handler: add::xtrim,
        ..ROW
    },
];

const GROUP_COMMANDS: &[Command] = &[
    Command {
        name: "create",
        summary: "Creates a consumer group.",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(2, RW_INSERT)],
        syntax: "key group <id-selector: id | new-id='$'> [MKSTREAM] [ENTRIESREAD entriesread:integer/entries-read]",
        history: &[("7.0.0", "Added the `entries_read` named argument.")],
        handler: group::create,
        ..ROW
    },
    Command {
        name: "createconsumer",
        summary: "Creates a consumer in a consumer group.",
        since: "6.2.0",
        arity: 5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(2, RW_INSERT)],
        syntax: "key group consumer",
        handler: group::create_consumer,
        ..ROW
    },
    Command {
        name: "delconsumer",
        summary: "Deletes a consumer from a consumer group.",
        arity: 5,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(2, RW_DELETE)],
        syntax: "key group consumer",
        handler: group::delete_consumer,
        ..ROW
    },
    Command {
        name: "destroy",
        summary: "Destroys a consumer group.",
        complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(2, RW_DELETE)],
        syntax: "key group",
        handler: group::destroy,
        ..ROW
    },
    Command {
        name: "help",
        summary: "Returns helpful text about the different subcommands.",
        arity: 2,
        flags: Flags::LOADING.or(Flags::STALE),
        handler: group::help,
        ..ROW
    },
    Command {
        name: "setid",
        summary: "Sets the last-delivered ID of a consumer group.",
        arity: -5,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(2, RW_UPDATE)],
        syntax: "key group <id-selector: id | new-id='$'> [ENTRIESREAD entriesread:integer/entries-read]",
        history: &[("7.0.0", "Added the optional `entries_read` argument.")],
        handler: group::set_id,
        ..ROW
    },
];

const INFO_COMMANDS: &[Command] = &[
    Command {
        name: "consumers",
        summary: "Returns a list of the consumers in a consumer group.",
        arity: 4,
        flags: READ,
        keys: &[KeySpec::one(2, RO_ACCESS)],
        syntax: "key group",
        tips: &["nondeterministic_output"],
        history: &[("7.2.0", "Added the `inactive` field, and changed the meaning of `idle`.")],
        handler: info::consumers,
        ..ROW
    },
    Command {
        name: "groups",
        summary: "Returns a list of the consumer groups of a stream.",
        arity: 3,
        flags: READ,
        keys: &[KeySpec::one(2, RO_ACCESS)],
        syntax: "key",
        history: &[("7.0.0", "Added the `entries-read` and `lag` fields")],
        handler: info::groups,
        ..ROW
    },
    Command {
        name: "help",
        summary: "Returns helpful text about the different subcommands.",
        arity: 2,
        flags: Flags::LOADING.or(Flags::STALE),
        handler: info::help,
        ..ROW
    },
    Command {
        name: "stream",
        summary: "Returns information about a stream.",
        arity: -3,
        flags: READ,
        keys: &[KeySpec::one(2, RO_ACCESS)],
        syntax: "key [full-block: FULL [COUNT count:integer]]",
        history: &[
            ("6.0.0", "Added the `FULL` modifier."),
            ("7.0.0", "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields"),
            ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
        ],
        handler: info::stream,
        ..ROW
    },
];

/// An ID as a bulk string.
fn reply_id(reply: &mut Reply<'_>, id: StreamId) {
    reply.bulk(id.text(&mut [0; 41]));
}

/// When a block of a stream is full.
fn limits(ctx: &Ctx<'_>) -> BlockLimits {
    BlockLimits { bytes: ctx.state.config.stream_node_max_bytes, entries: ctx.state.config.stream_node_max_entries }
}

/// Whether the client repeats what has happened elsewhere or before: a primary, or a file that is replayed.
fn obeys(ctx: &mut Ctx<'_>) -> bool {
    ctx.client().flags.any(ClientFlags::PRIMARY.or(ClientFlags::REPLAY))
}
