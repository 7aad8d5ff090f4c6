//! Lists: pushing, popping, reading and editing. The commands that may wait are in [`blocking`].
//!
//! OBJECT ENCODING of a list follows from its history, as in Redis: whoever adds several elements asks
//! for room for all of them first (`prepare`), whoever removes some lets the list turn small again at
//! the end (`settle_after_removal`). What is cut off a long list in one piece is freed elsewhere.

mod blocking;

use crate::ds::deque::{Deque, End, Fill, Side};
use crate::keyspace::effects::Event;
use crate::keyspace::write::Write;
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome, integer, negatable, number_in};
use crate::server::error::Error;
use crate::server::row::{Command, Flags, KeySpec, RO, RO_ACCESS, RW_ACCESS_DELETE, RW_DELETE, RW_INSERT, RW_UPDATE};
use crate::types::Value;
use crate::types::list::List;

const CHANGE: Flags = Flags::WRITE.or(Flags::DENYOOM);
const PUSH: Flags = CHANGE.or(Flags::FAST);
const POP: Flags = Flags::WRITE.or(Flags::FAST);
const WAIT: Flags = Flags::WRITE.or(Flags::BLOCKING);
const MOVE_KEYS: &[KeySpec] = &[KeySpec::one(1, RW_ACCESS_DELETE), KeySpec::one(2, RW_INSERT)];

/// What the rows of the family have in common.
const ROW: Command = Command { group: "list", acl: &["list"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "lpush",
        summary: "Prepends one or more elements to a list. Creates the key if it doesn't exist.",
        complexity: "O(1) for each element added.",
        arity: -3,
        flags: PUSH,
        keys: &[KeySpec::one(1, RW_INSERT)],
        syntax: "key element...",
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        handler: lpush,
        ..ROW
    },
    Command {
        name: "rpush",
        summary: "Appends one or more elements to a list. Creates the key if it doesn't exist.",
        complexity: "O(1) for each element added.",
        arity: -3,
        flags: PUSH,
        keys: &[KeySpec::one(1, RW_INSERT)],
        syntax: "key element...",
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        handler: rpush,
        ..ROW
    },
    Command {
        name: "lpushx",
        summary: "Prepends one or more elements to a list only when the list exists.",
        since: "2.2.0",
        complexity: "O(1) for each element added.",
        arity: -3,
        flags: PUSH,
        keys: &[KeySpec::one(1, RW_INSERT)],
        syntax: "key element...",
        history: &[("4.0.0", "Accepts multiple `element` arguments.")],
        handler: lpushx,
        ..ROW
    },
    Command {
        name: "rpushx",
        summary: "Appends one or more elements to a list only when the list exists.",
        since: "2.2.0",
        complexity: "O(1) for each element added.",
        arity: -3,
        flags: PUSH,
        keys: &[KeySpec::one(1, RW_INSERT)],
        syntax: "key element...",
        history: &[("4.0.0", "Accepts multiple `element` arguments.")],
        handler: rpushx,
        ..ROW
    },
    Command {
        name: "lpop",
        summary: "Removes and returns the first elements of a list. Deletes the key with the last element.",
        complexity: "O(N), N being the number of elements returned.",
        arity: -2,
        flags: POP,
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
        syntax: "key [count:integer]",
        history: &[("6.2.0", "Added the `count` argument.")],
        handler: lpop,
        ..ROW
    },
    Command {
        name: "rpop",
        summary: "Removes and returns the last elements of a list. Deletes the key with the last element.",
        complexity: "O(N), N being the number of elements returned.",
        arity: -2,
        flags: POP,
        keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
        syntax: "key [count:integer]",
        history: &[("6.2.0", "Added the `count` argument.")],
        handler: rpop,
        ..ROW
    },
    Command {
        name: "llen",
        summary: "Returns the length of a list.",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO)],
        syntax: "key",
        handler: llen,
        ..ROW
    },
    Command {
        name: "lindex",
        summary: "Returns an element from a list by its index.",
        complexity: "O(N), N being the blocks of elements between the element and the nearer end.",
        arity: 3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key index:integer",
        handler: lindex,
        ..ROW
    },
    Command {
        name: "lset",
        summary: "Sets the value of an element in a list by its index.",
        complexity: "O(N), N being the blocks of elements between the element and the nearer end.",
        arity: 4,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_UPDATE)],
        syntax: "key index:integer element",
        handler: lset,
        ..ROW
    },
    Command {
        name: "linsert",
        summary: "Inserts an element before or after another element in a list.",
        since: "2.2.0",
        complexity: "O(N), N being the number of elements in front of the pivot.",
        arity: 5,
        flags: CHANGE,
        keys: &[KeySpec::one(1, RW_INSERT)],
        syntax: "key <where: BEFORE | AFTER> pivot element",
        handler: linsert,
        ..ROW
    },
    Command {
        name: "lrange",
        summary: "Returns a range of elements from a list.",
        complexity: "O(S+N), S being the blocks of elements between the start and the nearer end, N the number of elements returned.",
        arity: 4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key start:integer stop:integer",
        handler: lrange,
        ..ROW
    },
    Command {
        name: "ltrim",
        summary: "Removes elements from both ends of a list. Deletes the key if no element is left.",
        complexity: "O(N), N being the blocks of elements removed.",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key start:integer stop:integer",
        handler: ltrim,
        ..ROW
    },
    Command {
        name: "lrem",
        summary: "Removes elements from a list by value. Deletes the key with the last element.",
        complexity: "O(N), N being the length of the list.",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, RW_DELETE)],
        syntax: "key count:integer element",
        handler: lrem,
        ..ROW
    },
    Command {
        name: "lpos",
        summary: "Returns the index of matching elements in a list.",
        since: "6.0.6",
        complexity: "O(N), N being the number of elements looked at.",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
        handler: lpos,
        ..ROW
    },
    Command {
        name: "lmove",
        summary: "Pops an element from one list, pushes it to another and returns it. Deletes the source with its last element.",
        since: "6.2.0",
        arity: 5,
        flags: CHANGE,
        keys: MOVE_KEYS,
        syntax: "source:key destination:key <wherefrom: LEFT | RIGHT> <whereto: LEFT | RIGHT>",
        handler: lmove,
        ..ROW
    },
    Command {
        name: "rpoplpush",
        summary: "Pops the last element of a list, pushes it to the front of another and returns it. Deletes the source with its last element.",
        since: "1.2.0",
        arity: 3,
        flags: CHANGE,
        keys: MOVE_KEYS,
        syntax: "source:key destination:key",
        deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
        handler: rpoplpush,
        ..ROW
    },
    Command {
        name: "lmpop",
        summary: "Removes and returns elements of the first list that exists. Deletes the key with the last element.",
        since: "7.0.0",
        complexity: "O(N+M), N being the number of keys and M the number of elements returned.",
        arity: -4,
        flags: Flags::WRITE.or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(1, RW_ACCESS_DELETE)],
        syntax: "numkeys:integer key... <where: LEFT | RIGHT> [COUNT count:integer]",
        handler: lmpop,
        ..ROW
    },
    Command {
        name: "blpop",
        summary: "Removes and returns the first element of the first list that exists. Blocks until there is one.",
        since: "2.0.0",
        complexity: "O(N), N being the number of keys.",
        arity: -3,
        flags: WAIT,
        keys: &[KeySpec::range(1, -2, 1, RW_ACCESS_DELETE)],
        syntax: "key... timeout:double",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        handler: blocking::blpop,
        ..ROW
    },
    Command {
        name: "brpop",
        summary: "Removes and returns the last element of the first list that exists. Blocks until there is one.",
        since: "2.0.0",
        complexity: "O(N), N being the number of keys.",
        arity: -3,
        flags: WAIT,
        keys: &[KeySpec::range(1, -2, 1, RW_ACCESS_DELETE)],
        syntax: "key... timeout:double",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        handler: blocking::brpop,
        ..ROW
    },
    Command {
        name: "blmove",
        summary: "Pops an element from a list, pushes it to another and returns it. Blocks until there is one.",
        since: "6.2.0",
        arity: 6,
        flags: WAIT.or(Flags::DENYOOM),
        keys: MOVE_KEYS,
        syntax: "source:key destination:key <wherefrom: LEFT | RIGHT> <whereto: LEFT | RIGHT> timeout:double",
        handler: blocking::blmove,
        ..ROW
    },
    Command {
        name: "brpoplpush",
        summary: "Pops the last element of a list, pushes it to the front of another and returns it. Blocks until there is one.",
        since: "2.2.0",
        arity: 4,
        flags: WAIT.or(Flags::DENYOOM),
        keys: MOVE_KEYS,
        syntax: "source:key destination:key timeout:double",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        deprecated: Some(("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")),
        handler: blocking::brpoplpush,
        ..ROW
    },
    Command {
        name: "blmpop",
        summary: "Removes and returns elements of the first list that exists. Blocks until there is one.",
        since: "7.0.0",
        complexity: "O(N+M), N being the number of keys and M the number of elements returned.",
        arity: -5,
        flags: WAIT.or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(2, RW_ACCESS_DELETE)],
        syntax: "timeout:double numkeys:integer key... <where: LEFT | RIGHT> [COUNT count:integer]",
        handler: blocking::blmpop,
        ..ROW
    },
];

fn fill(ctx: &Ctx<'_>) -> Fill {
    Fill::from_directive(i64::from(ctx.state.config.list_max_listpack_size))
}

fn push_event(end: End) -> Event {
    Event::list(match end {
        End::Front => "lpush",
        End::Back => "rpush",
    })
}

fn pop_event(end: End) -> Event {
    Event::list(match end {
        End::Front => "lpop",
        End::Back => "rpop",
    })
}

/// What is propagated for an element taken from an end.
fn pop_name(end: End) -> &'static [u8] {
    match end {
        End::Front => b"LPOP",
        End::Back => b"RPOP",
    }
}

fn push_at(list: &mut Deque, end: End, text: &[u8], fill: Fill) {
    match end {
        End::Front => list.push_front(text, fill),
        End::Back => list.push_back(text, fill),
    }
}

/// The argument as an end: `LEFT` or `RIGHT`.
fn end(arg: &[u8]) -> Result<End, Error> {
    if arg.eq_ignore_ascii_case(b"left") {
        Ok(End::Front)
    } else if arg.eq_ignore_ascii_case(b"right") {
        Ok(End::Back)
    } else {
        Err(Error::SYNTAX)
    }
}

fn clamp(value: i64) -> usize {
    usize::try_from(value).unwrap_or(if value < 0 { 0 } else { usize::MAX })
}

/// First and number of the elements from `start` to `stop`, negative ones counting from the end.
/// If there are none, the first is beyond the end.
fn range(len: usize, start: i64, stop: i64) -> (usize, usize) {
    let end = i64::try_from(len).expect("a length fits in memory");
    let from_front = |index: i64| if index < 0 { index.saturating_add(end) } else { index };
    let (start, stop) = (from_front(start).max(0), from_front(stop).min(end - 1));
    if start <= stop { (clamp(start), clamp(stop - start + 1)) } else { (len, 0) }
}

fn lpush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let fill = fill(ctx);
    let list = ctx.db.write_or_create(args.at(1), List::new)?;
    let len = push_all(list, args.from(2), End::Front, fill);
    ctx.reply.count(len);
    DONE
}

fn rpush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let fill = fill(ctx);
    let list = ctx.db.write_or_create(args.at(1), List::new)?;
    let len = push_all(list, args.from(2), End::Back, fill);
    ctx.reply.count(len);
    DONE
}

fn lpushx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    push_to_existing(ctx, args, End::Front)
}

fn rpushx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    push_to_existing(ctx, args, End::Back)
}

fn push_to_existing(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    let fill = fill(ctx);
    let len = match ctx.db.write::<List>(args.at(1))? {
        Some(list) => push_all(list, args.from(2), end, fill),
        None => 0,
    };
    ctx.reply.count(len);
    DONE
}

/// Adds elements at an end; gives the new length.
fn push_all(mut list: Write<'_, List>, elements: Args<'_>, end: End, fill: Fill) -> usize {
    list.prepare(elements.len(), elements.iter().map(<[u8]>::len).sum(), fill);
    for element in elements.iter() {
        push_at(&mut list, end, element, fill);
    }
    let len = list.len();
    list.commit(push_event(end), elements.len() as u64);
    len
}

fn lpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, End::Front)
}

fn rpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, End::Back)
}

fn pop(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    if args.len() > 3 {
        return Err(Error::arity(ctx.row().name));
    }
    let count = args.get(2).map(|arg| number_in(arg, 0..=i64::MAX, Error::NOT_POSITIVE)).transpose()?;
    let fill = fill(ctx);
    let Some(list) = ctx.db.write::<List>(args.at(1))? else {
        match count {
            None => ctx.reply.null(),
            Some(_) => ctx.reply.null_array(),
        }
        return DONE;
    };
    match count {
        None => pop_one(list, &mut ctx.reply, end, fill),
        Some(0) => ctx.reply.array(0),
        Some(count) => {
            let cut = pop_range(list, &mut ctx.reply, end, clamp(count), fill);
            discard(ctx, cut);
        }
    }
    DONE
}

/// Takes an element from an end and replies it.
fn pop_one(mut list: Write<'_, List>, reply: &mut Reply<'_>, end: End, fill: Fill) {
    let popped = match end {
        End::Front => list.pop_front(|element| reply.element(&element)),
        End::Back => list.pop_back(|element| reply.element(&element)),
    };
    popped.expect("a stored list has elements");
    list.settle_after_removal(fill);
    list.commit(pop_event(end), 1);
}

/// Takes up to `count` elements from an end and replies them as an array; gives what was cut off.
fn pop_range(mut list: Write<'_, List>, reply: &mut Reply<'_>, end: End, count: usize, fill: Fill) -> Deque {
    let count = count.min(list.len());
    reply.array(count);
    let cut = match end {
        End::Front => {
            list.iter().take(count).for_each(|element| reply.element(&element));
            list.cut(0, count)
        }
        End::Back => {
            list.iter_back().take(count).for_each(|element| reply.element(&element));
            let first = list.len() - count;
            list.cut(first, count)
        }
    };
    list.settle_after_removal(fill);
    list.commit(pop_event(end), count as u64);
    cut
}

/// Frees what was cut off a list: elsewhere, if it is much.
fn discard(ctx: &mut Ctx<'_>, cut: Deque) {
    if !cut.is_empty() {
        ctx.db.space().dispose_value(Value::List(List::from(cut)));
    }
}

fn llen(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let len = ctx.db.read::<List>(args.at(1))?.map_or(0, |list| list.len());
    ctx.reply.count(len);
    DONE
}

fn lindex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some(list) = ctx.db.read::<List>(args.at(1))? else {
        ctx.reply.null();
        return DONE;
    };
    match list.get(integer(args.at(2))?) {
        Some(element) => ctx.reply.element(&element),
        None => ctx.reply.null(),
    }
    DONE
}

fn lset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let fill = fill(ctx);
    let Some(mut list) = ctx.db.write::<List>(args.at(1))? else { return Err(Error::NO_SUCH_KEY) };
    let index = list.resolve(integer(args.at(2))?).unwrap_or(usize::MAX);
    if !list.set(index, args.at(3), fill) {
        return Err(Error::OUT_OF_RANGE);
    }
    list.settle_after_removal(fill);
    list.commit(Event::list("lset"), 1);
    ctx.reply.ok();
    DONE
}

fn linsert(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let side = if args.is(2, "before") {
        Side::Before
    } else if args.is(2, "after") {
        Side::After
    } else {
        return Err(Error::SYNTAX);
    };
    let (pivot, element, fill) = (args.at(3), args.at(4), fill(ctx));
    let Some(mut list) = ctx.db.write::<List>(args.at(1))? else {
        ctx.reply.integer(0);
        return DONE;
    };
    // before it is known whether the pivot is there: the encoding shows it
    list.prepare(1, element.len(), fill);
    let Some(at) = list.positions(pivot, End::Front, usize::MAX).next() else {
        ctx.reply.integer(-1);
        return DONE;
    };
    list.insert(at, side, element, fill);
    let len = list.len();
    list.commit(Event::list("linsert"), 1);
    ctx.reply.count(len);
    DONE
}

fn lrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (start, stop) = (integer(args.at(2))?, integer(args.at(3))?);
    let Some(list) = ctx.db.read::<List>(args.at(1))? else {
        ctx.reply.array(0);
        return DONE;
    };
    let (first, count) = range(list.len(), start, stop);
    ctx.reply.array(count);
    for element in list.iter_from(first).take(count) {
        ctx.reply.element(&element);
    }
    DONE
}

fn ltrim(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (start, stop, fill) = (integer(args.at(2))?, integer(args.at(3))?, fill(ctx));
    let Some(mut list) = ctx.db.write::<List>(args.at(1))? else {
        ctx.reply.ok();
        return DONE;
    };
    let len = list.len();
    let (first, count) = range(len, start, stop);
    let head = list.cut(0, first);
    let tail = list.cut(count, len);
    list.settle_after_removal(fill);
    list.commit(Event::list("ltrim"), (len - count) as u64);
    discard(ctx, head);
    discard(ctx, tail);
    ctx.reply.ok();
    DONE
}

fn lrem(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (count, fill) = (negatable(args.at(2))?, fill(ctx));
    let Some(mut list) = ctx.db.write::<List>(args.at(1))? else {
        ctx.reply.integer(0);
        return DONE;
    };
    let removed = match count {
        0 => list.remove_matching(args.at(3), usize::MAX, End::Front),
        1.. => list.remove_matching(args.at(3), clamp(count), End::Front),
        _ => list.remove_matching(args.at(3), clamp(-count), End::Back),
    };
    if removed > 0 {
        list.settle_after_removal(fill);
        list.commit(Event::list("lrem"), removed as u64);
    }
    ctx.reply.count(removed);
    DONE
}

/// What LPOS looks for beside the text.
struct Search {
    rank: i64,
    /// How many matches, 0 for all; without it the reply is one number instead of an array.
    count: Option<i64>,
    most: usize,
}

fn search(args: Args<'_>) -> Result<Search, Error> {
    const ZERO_RANK: Error = Error::fixed(
        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
    );
    const NEGATIVE_COUNT: Error = Error::fixed("ERR COUNT can't be negative");
    const NEGATIVE_MAXLEN: Error = Error::fixed("ERR MAXLEN can't be negative");
    let mut search = Search { rank: 1, count: None, most: usize::MAX };
    for at in (0..args.len()).step_by(2) {
        let Some(value) = args.get(at + 1) else { return Err(Error::SYNTAX) };
        if args.is(at, "rank") {
            search.rank = negatable(value)?;
            if search.rank == 0 {
                return Err(ZERO_RANK);
            }
        } else if args.is(at, "count") {
            search.count = Some(number_in(value, 0..=i64::MAX, NEGATIVE_COUNT)?);
        } else if args.is(at, "maxlen") {
            search.most = match number_in(value, 0..=i64::MAX, NEGATIVE_MAXLEN)? {
                0 => usize::MAX,
                most => clamp(most),
            };
        } else {
            return Err(Error::SYNTAX);
        }
    }
    Ok(search)
}

fn lpos(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let search = search(args.from(3))?;
    let list = ctx.db.read::<List>(args.at(1))?;
    let from = if search.rank > 0 { End::Front } else { End::Back };
    let skipped = clamp(search.rank.abs() - 1);
    let mut matches = list.iter().flat_map(|list| list.positions(args.at(2), from, search.most)).skip(skipped);
    let Some(count) = search.count else {
        match matches.next() {
            Some(index) => ctx.reply.count(index),
            None => ctx.reply.null(),
        }
        return DONE;
    };
    let most = if count == 0 { usize::MAX } else { clamp(count) };
    let mark = ctx.reply.mark();
    let mut found = 0;
    for index in matches.take(most) {
        ctx.reply.count(index);
        found += 1;
    }
    ctx.reply.wrap_array(mark, found);
    DONE
}

fn lmove(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (end(args.at(3))?, end(args.at(4))?);
    move_or_null(ctx, args, from, to)
}

fn rpoplpush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    move_or_null(ctx, args, End::Back, End::Front)
}

fn move_or_null(ctx: &mut Ctx<'_>, args: Args<'_>, from: End, to: End) -> Outcome {
    if move_one(ctx, args.at(1), args.at(2), from, to)? == Moved::Nothing {
        ctx.reply.null();
    }
    DONE
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    One,
    Nothing,
}

/// Moves an element from an end of one list to an end of another, which may be the same, and replies it.
fn move_one(ctx: &mut Ctx<'_>, source: &[u8], target: &[u8], from: End, to: End) -> Result<Moved, Error> {
    let fill = fill(ctx);
    let Some(mut list) = ctx.db.write::<List>(source)? else { return Ok(Moved::Nothing) };
    if source == target {
        let text = take(&mut list, from);
        push_at(&mut list, to, &text, fill);
        list.settle_after_removal(fill);
        list.commit_with(&[push_event(to), pop_event(from)], 1);
        ctx.reply.bulk(&text);
        return Ok(Moved::One);
    }
    // the push comes first, and its event; the pop may end the source
    let last = match from {
        End::Front => 0,
        End::Back => -1,
    };
    let text = list.get(last).expect("a stored list has elements").to_vec();
    drop(list);
    let mut list = ctx.db.write_or_create(target, List::new)?;
    push_at(&mut list, to, &text, fill);
    list.commit(push_event(to), 0);
    let mut list = ctx.db.write::<List>(source)?.expect("the source is another key than the target");
    take(&mut list, from);
    list.settle_after_removal(fill);
    list.commit(pop_event(from), 1);
    ctx.reply.bulk(&text);
    Ok(Moved::One)
}

fn take(list: &mut Deque, end: End) -> Vec<u8> {
    let taken = match end {
        End::Front => list.pop_front(|element| element.to_vec()),
        End::Back => list.pop_back(|element| element.to_vec()),
    };
    taken.expect("a stored list has elements")
}

/// What LMPOP and BLMPOP take, and of which keys.
struct MultiPop<'a> {
    keys: Args<'a>,
    end: End,
    count: usize,
}

/// `numkeys key [key ...] LEFT | RIGHT [COUNT count]`
fn multi_pop(args: Args<'_>) -> Result<MultiPop<'_>, Error> {
    const BAD_NUMKEYS: Error = Error::fixed("ERR numkeys should be greater than 0");
    const BAD_COUNT: Error = Error::fixed("ERR count should be greater than 0");
    let keys = clamp(number_in(args.at(0), 1..=i64::MAX, BAD_NUMKEYS)?);
    let Some(word) = args.get(keys.saturating_add(1)) else { return Err(Error::SYNTAX) };
    let end = end(word)?;
    let options = args.from(keys + 2);
    let count = match options.len() {
        0 => 1,
        1 => return Err(Error::SYNTAX),
        _ if !options.is(0, "count") => return Err(Error::SYNTAX),
        more => {
            let count = clamp(number_in(options.at(1), 1..=i64::MAX, BAD_COUNT)?);
            if more > 2 {
                return Err(Error::SYNTAX);
            }
            count
        }
    };
    Ok(MultiPop { keys: args.slice(1..keys + 1), end, count })
}

fn lmpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if pop_first(ctx, &multi_pop(args.from(1))?)? == Moved::Nothing {
        ctx.reply.null_array();
    }
    DONE
}

/// Takes elements from the first of some lists that exists, and replies its key and them.
fn pop_first(ctx: &mut Ctx<'_>, wanted: &MultiPop<'_>) -> Result<Moved, Error> {
    let fill = fill(ctx);
    for key in wanted.keys.iter() {
        let Some(list) = ctx.db.write::<List>(key)? else { continue };
        let count = wanted.count.min(list.len());
        ctx.reply.array(2);
        ctx.reply.bulk(key);
        let cut = pop_range(list, &mut ctx.reply, wanted.end, count, fill);
        discard(ctx, cut);
        ctx.propagate(&[pop_name(wanted.end), key, count.to_string().as_bytes()]);
        return Ok(Moved::One);
    }
    Ok(Moved::Nothing)
}
