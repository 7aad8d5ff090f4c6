//! Sorted sets.
//!
//! Handlers are split by what they do: single members ([`basic`]), ranges by rank, score and member
//! ([`range`]), popping with and without waiting ([`pop`]), and sets out of several ([`combine`]).

pub(super) mod basic;
mod combine;
mod pop;
pub(super) mod range;

use crate::resp::writer::Reply;
use crate::server::State;
use crate::server::row::{Command, Flags, KeySpec, OW_UPDATE, RO, RO_ACCESS, RW_ACCESS_DELETE, RW_ACCESS_UPDATE, RW_DELETE, RW_UPDATE};
use crate::types::zset::{Element, Thresholds};

/// What the rows of the family have in common.
const ROW: Command = Command { group: "sorted-set", acl: &["sortedset"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "zadd",
        summary: "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.",
        since: "1.2.0",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_UPDATE)],
        element: 3,
        syntax: "key [condition: NX | XX] [comparison: GT | LT] [change=CH] [increment=INCR] {data: score:double member}...",
        history: &[
            ("2.4.0", "Accepts multiple elements."),
            ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
            ("6.2.0", "Added the `GT` and `LT` options."),
        ],
        handler: basic::zadd,
        ..ROW
    },
    Command {
        name: "zincrby",
        summary: "Increments the score of a member in a sorted set.",
        since: "1.2.0",
        complexity: "O(log(N)) where N is the number of elements in the sorted set.",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        element: 3,
        syntax: "key increment:integer member",
        handler: basic::zincrby,
        ..ROW
    },
    Command {
        name: "zrem",
        summary: "Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.",
        since: "1.2.0",
        complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_DELETE)],
        element: 2,
        syntax: "key member...",
        history: &[("2.4.0", "Accepts multiple elements.")],
        handler: basic::zrem,
        ..ROW
    },
    Command {
        name: "zcard",
        summary: "Returns the number of members in a sorted set.",
        since: "1.2.0",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO)],
        syntax: "key",
        handler: basic::zcard,
        ..ROW
    },
    Command {
        name: "zscore",
        summary: "Returns the score of a member in a sorted set.",
        since: "1.2.0",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO_ACCESS)],
        element: 2,
        syntax: "key member",
        handler: basic::zscore,
        ..ROW
    },
    Command {
        name: "zmscore",
        summary: "Returns the score of one or more members in a sorted set.",
        since: "6.2.0",
        complexity: "O(N) where N is the number of members being requested.",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO_ACCESS)],
        element: 2,
        syntax: "key member...",
        handler: basic::zmscore,
        ..ROW
    },
    Command {
        name: "zrank",
        summary: "Returns the index of a member in a sorted set ordered by ascending scores.",
        since: "2.0.0",
        complexity: "O(log(N))",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO_ACCESS)],
        element: 2,
        syntax: "key member [WITHSCORE]",
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
        handler: basic::zrank,
        ..ROW
    },
    Command {
        name: "zrevrank",
        summary: "Returns the index of a member in a sorted set ordered by descending scores.",
        since: "2.0.0",
        complexity: "O(log(N))",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO_ACCESS)],
        element: 2,
        syntax: "key member [WITHSCORE]",
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
        handler: basic::zrevrank,
        ..ROW
    },
    Command {
        name: "zcount",
        summary: "Returns the count of members in a sorted set that have scores within a range.",
        since: "2.0.0",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        arity: 4,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key min:double max:double",
        handler: range::zcount,
        ..ROW
    },
    Command {
        name: "zlexcount",
        summary: "Returns the number of members in a sorted set within a lexicographical range.",
        since: "2.8.9",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        arity: 4,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key min max",
        handler: range::zlexcount,
        ..ROW
    },
    Command {
        name: "zrange",
        summary: "Returns members in a sorted set within a range of indexes.",
        since: "1.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key start stop [sortby: BYSCORE | BYLEX] [REV] [LIMIT {limit: offset:integer count:integer}] [WITHSCORES]",
        history: &[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")],
        handler: range::zrange,
        ..ROW
    },
    Command {
        name: "zrangestore",
        summary: "Stores a range of members from sorted set in a key.",
        since: "6.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::one(2, RO_ACCESS)],
        syntax: "dst:key src:key min max [sortby: BYSCORE | BYLEX] [REV] [LIMIT {limit: offset:integer count:integer}]",
        handler: range::zrangestore,
        ..ROW
    },
    Command {
        name: "zrangebyscore",
        summary: "Returns members in a sorted set within a range of scores.",
        since: "1.0.5",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key min:double max:double [WITHSCORES] [LIMIT {limit: offset:integer count:integer}]",
        history: &[("2.0.0", "Added the `WITHSCORES` modifier.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")),
        handler: range::zrangebyscore,
        ..ROW
    },
    Command {
        name: "zrevrangebyscore",
        summary: "Returns members in a sorted set within a range of scores in reverse order.",
        since: "2.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key max:double min:double [WITHSCORES] [LIMIT {limit: offset:integer count:integer}]",
        history: &[("2.1.6", "`min` and `max` can be exclusive.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
        handler: range::zrevrangebyscore,
        ..ROW
    },
    Command {
        name: "zrangebylex",
        summary: "Returns members in a sorted set within a lexicographical range.",
        since: "2.8.9",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key min max [LIMIT {limit: offset:integer count:integer}]",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
        handler: range::zrangebylex,
        ..ROW
    },
    Command {
        name: "zrevrangebylex",
        summary: "Returns members in a sorted set within a lexicographical range in reverse order.",
        since: "2.8.9",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key max min [LIMIT {limit: offset:integer count:integer}]",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")),
        handler: range::zrevrangebylex,
        ..ROW
    },
    Command {
        name: "zrevrange",
        summary: "Returns members in a sorted set within a range of indexes in reverse order.",
        since: "1.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key start:integer stop:integer [WITHSCORES]",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
        handler: range::zrevrange,
        ..ROW
    },
    Command {
        name: "zremrangebyrank",
        summary: "Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed.",
        since: "2.0.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key start:integer stop:integer",
        handler: range::zremrangebyrank,
        ..ROW
    },
    Command {
        name: "zremrangebyscore",
        summary: "Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed.",
        since: "1.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key min:double max:double",
        handler: range::zremrangebyscore,
        ..ROW
    },
    Command {
        name: "zremrangebylex",
        summary: "Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were removed.",
        since: "2.8.9",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key min max",
        handler: range::zremrangebylex,
        ..ROW
    },
    Command {
        name: "zpopmin",
        summary: "Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.",
        since: "5.0.0",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
        syntax: "key [count:integer]",
        handler: pop::zpopmin,
        ..ROW
    },
    Command {
        name: "zpopmax",
        summary: "Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.",
        since: "5.0.0",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
        syntax: "key [count:integer]",
        handler: pop::zpopmax,
        ..ROW
    },
    Command {
        name: "zmpop",
        summary: "Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the sorted set if the last member was popped.",
        since: "7.0.0",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        arity: -4,
        flags: Flags::WRITE.or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(1, RW_ACCESS_DELETE)],
        syntax: "numkeys:integer key... <where: MIN | MAX> [COUNT count:integer]",
        handler: pop::zmpop,
        ..ROW
    },
    Command {
        name: "bzpopmin",
        summary: "Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.",
        since: "5.0.0",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        arity: -3,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::FAST),
        keys: &[KeySpec::range(1, -2, 1, RW_ACCESS_DELETE)],
        syntax: "key... timeout:double",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        handler: pop::bzpopmin,
        ..ROW
    },
    Command {
        name: "bzpopmax",
        summary: "Removes and returns the member with the highest score from one or more sorted sets. Blocks until a member available otherwise.  Deletes the sorted set if the last element was popped.",
        since: "5.0.0",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        arity: -3,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::FAST),
        keys: &[KeySpec::range(1, -2, 1, RW_ACCESS_DELETE)],
        syntax: "key... timeout:double",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        handler: pop::bzpopmax,
        ..ROW
    },
    Command {
        name: "bzmpop",
        summary: "Removes and returns a member by score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.",
        since: "7.0.0",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        arity: -5,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(2, RW_ACCESS_DELETE)],
        syntax: "timeout:double numkeys:integer key... <where: MIN | MAX> [COUNT count:integer]",
        handler: pop::bzmpop,
        ..ROW
    },
    Command {
        name: "zrandmember",
        summary: "Returns one or more random members from a sorted set.",
        since: "6.2.0",
        complexity: "O(N) where N is the number of members returned",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key [{options: count:integer [WITHSCORES]}]",
        tips: &["nondeterministic_output"],
        handler: basic::zrandmember,
        ..ROW
    },
    Command {
        name: "zunion",
        summary: "Returns the union of multiple sorted sets.",
        since: "6.2.0",
        complexity: "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(1, RO_ACCESS)],
        syntax: "numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE <aggregate: SUM | MIN | MAX>] [WITHSCORES]",
        handler: combine::zunion,
        ..ROW
    },
    Command {
        name: "zinter",
        summary: "Returns the intersect of multiple sorted sets.",
        since: "6.2.0",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(1, RO_ACCESS)],
        syntax: "numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE <aggregate: SUM | MIN | MAX>] [WITHSCORES]",
        handler: combine::zinter,
        ..ROW
    },
    Command {
        name: "zdiff",
        summary: "Returns the difference between multiple sorted sets.",
        since: "6.2.0",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(1, RO_ACCESS)],
        syntax: "numkeys:integer key... [WITHSCORES]",
        handler: combine::zdiff,
        ..ROW
    },
    Command {
        name: "zunionstore",
        summary: "Stores the union of multiple sorted sets in a key.",
        since: "2.0.0",
        complexity: "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::counted(2, RO_ACCESS)],
        syntax: "destination:key numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE <aggregate: SUM | MIN | MAX>]",
        handler: combine::zunionstore,
        ..ROW
    },
    Command {
        name: "zinterstore",
        summary: "Stores the intersect of multiple sorted sets in a key.",
        since: "2.0.0",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::counted(2, RO_ACCESS)],
        syntax: "destination:key numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE <aggregate: SUM | MIN | MAX>]",
        handler: combine::zinterstore,
        ..ROW
    },
    Command {
        name: "zdiffstore",
        summary: "Stores the difference of multiple sorted sets in a key.",
        since: "6.2.0",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::counted(2, RO_ACCESS)],
        syntax: "destination:key numkeys:integer key...",
        handler: combine::zdiffstore,
        ..ROW
    },
    Command {
        name: "zintercard",
        summary: "Returns the number of members of the intersect of multiple sorted sets.",
        since: "7.0.0",
        complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(1, RO_ACCESS)],
        syntax: "numkeys:integer key... [LIMIT limit:integer]",
        handler: combine::zintercard,
        ..ROW
    },
    Command {
        name: "zscan",
        summary: "Iterates over members and scores of a sorted set.",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [NOSCORES]",
        tips: &["nondeterministic_output"],
        handler: basic::zscan,
        ..ROW
    },
];

/// Up to where sorted sets stay small.
pub(super) fn thresholds(state: &State) -> Thresholds {
    let config = &state.config;
    Thresholds {
        members: usize::try_from(config.zset_max_listpack_entries).unwrap_or(usize::MAX),
        bytes: usize::try_from(config.zset_max_listpack_value).unwrap_or(usize::MAX),
    }
}

/// A member as a bulk string.
#[inline]
pub(super) fn write_member(reply: &mut Reply<'_>, member: Element) {
    match member {
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Int(value) => reply.bulk_integer(value),
    }
}

/// Whether a list of members carries their scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scores {
    With,
    Without,
}

/// Members as an array; scores follow their members in RESP2 and make pairs with them in RESP3.
fn write_members<'m>(reply: &mut Reply<'_>, scores: Scores, members: impl ExactSizeIterator<Item = (Element<'m>, f64)>) {
    let flat = scores == Scores::With && !reply.is_resp3();
    reply.array(if flat { members.len() * 2 } else { members.len() });
    for (member, score) in members {
        if scores == Scores::With {
            write_pair(reply, member, score);
        } else {
            write_member(reply, member);
        }
    }
}

/// A member and its score: a pair in RESP3, two elements of the array around them in RESP2.
fn write_pair(reply: &mut Reply<'_>, member: Element, score: f64) {
    if reply.is_resp3() {
        reply.array(2);
    }
    write_member(reply, member);
    reply.double(score);
}
