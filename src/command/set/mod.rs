//! Sets: the rows. The handlers are in the files beside this one, by what they do.
//!
//! Single members are in `basic`, drawing at random in `draw`, several sets together in `combine`.

mod basic;
mod combine;
mod draw;

use crate::resp::writer::Reply;
use crate::server::context::Ctx;
use crate::server::row::{Command, Flags, KeySpec, OW_UPDATE, RO, RO_ACCESS, RW_ACCESS_DELETE, RW_DELETE, RW_INSERT};
use crate::types::set::{Bounds, Element};

/// What the rows of the family have in common.
const ROW: Command = Command { group: "set", acl: &["set"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "sadd",
        summary: "Adds one or more members to a set. Creates the key if it doesn't exist.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_INSERT)],
        element: 2,
        syntax: "key member...",
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        handler: basic::sadd,
        ..ROW
    },
    Command {
        name: "scard",
        summary: "Returns the number of members in a set.",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO)],
        syntax: "key",
        handler: basic::scard,
        ..ROW
    },
    Command {
        name: "sdiff",
        summary: "Returns the difference of multiple sets.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::range(1, -1, 1, RO_ACCESS)],
        syntax: "key...",
        tips: &["nondeterministic_output_order"],
        handler: combine::sdiff,
        ..ROW
    },
    Command {
        name: "sdiffstore",
        summary: "Stores the difference of multiple sets in a key.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::range(2, -1, 1, RO_ACCESS)],
        syntax: "destination:key key...",
        handler: combine::sdiffstore,
        ..ROW
    },
    Command {
        name: "sinter",
        summary: "Returns the intersect of multiple sets.",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::range(1, -1, 1, RO_ACCESS)],
        syntax: "key...",
        tips: &["nondeterministic_output_order"],
        handler: combine::sinter,
        ..ROW
    },
    Command {
        name: "sintercard",
        summary: "Returns the number of members of the intersect of multiple sets.",
        since: "7.0.0",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(1, RO_ACCESS)],
        syntax: "numkeys:integer key... [LIMIT limit:integer]",
        handler: combine::sintercard,
        ..ROW
    },
    Command {
        name: "sinterstore",
        summary: "Stores the intersect of multiple sets in a key.",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::range(2, -1, 1, RO_ACCESS)],
        syntax: "destination:key key...",
        handler: combine::sinterstore,
        ..ROW
    },
    Command {
        name: "sismember",
        summary: "Determines whether a member belongs to a set.",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO)],
        element: 2,
        syntax: "key member",
        handler: basic::sismember,
        ..ROW
    },
    Command {
        name: "smembers",
        summary: "Returns all members of a set.",
        complexity: "O(N) where N is the set cardinality.",
        arity: 2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key",
        tips: &["nondeterministic_output_order"],
        handler: combine::smembers,
        ..ROW
    },
    Command {
        name: "smismember",
        summary: "Determines whether multiple members belong to a set.",
        since: "6.2.0",
        complexity: "O(N) where N is the number of elements being checked for membership",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO_ACCESS)],
        element: 2,
        syntax: "key member...",
        handler: basic::smismember,
        ..ROW
    },
    Command {
        name: "smove",
        summary: "Moves a member from one set to another.",
        arity: 4,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE), KeySpec::one(2, RW_INSERT)],
        syntax: "source:key destination:key member",
        handler: basic::smove,
        ..ROW
    },
    Command {
        name: "spop",
        summary: "Returns one or more random members from a set after removing them. Deletes the set if the last member was popped.",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
        syntax: "key [count:integer]",
        tips: &["nondeterministic_output"],
        history: &[("3.2.0", "Added the `count` argument.")],
        handler: draw::spop,
        ..ROW
    },
    Command {
        name: "srandmember",
        summary: "Get one or multiple random members from a set.",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key [count:integer]",
        tips: &["nondeterministic_output"],
        history: &[("2.6.0", "Added the optional `count` argument.")],
        handler: draw::srandmember,
        ..ROW
    },
    Command {
        name: "srem",
        summary: "Removes one or more members from a set. Deletes the set if the last member was removed.",
        complexity: "O(N) where N is the number of members to be removed.",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_DELETE)],
        element: 2,
        syntax: "key member...",
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        handler: basic::srem,
        ..ROW
    },
    Command {
        name: "sscan",
        summary: "Iterates over members of a set.",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
        tips: &["nondeterministic_output"],
        handler: basic::sscan,
        ..ROW
    },
    Command {
        name: "sunion",
        summary: "Returns the union of multiple sets.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::range(1, -1, 1, RO_ACCESS)],
        syntax: "key...",
        tips: &["nondeterministic_output_order"],
        handler: combine::sunion,
        ..ROW
    },
    Command {
        name: "sunionstore",
        summary: "Stores the union of multiple sets in a key.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::range(2, -1, 1, RO_ACCESS)],
        syntax: "destination:key key...",
        handler: combine::sunionstore,
        ..ROW
    },
];

/// Up to where sets keep their forms.
fn bounds(ctx: &mut Ctx<'_>) -> Bounds {
    let hasher = ctx.db.space().hasher();
    let config = &ctx.state.config;
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Bounds {
        ints: size(config.set_max_intset_entries),
        packed: size(config.set_max_listpack_entries),
        member: size(config.set_max_listpack_value),
        hasher,
    }
}

/// A member as a bulk string.
#[inline]
fn write_member(reply: &mut Reply<'_>, member: Element) {
    match member {
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Int(value) => reply.bulk_integer(value),
    }
}
