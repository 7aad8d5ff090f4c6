//! Bitmaps: bits and small integers inside a string.
//!
//! The string is lengthened with zeros up to the last bit that is written, and stays a string. DIFF, DIFF1,
//! ANDOR and ONE of BITOP come from Redis 8.2.

use std::borrow::Cow;

use crate::keyspace::effects::Event;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::server::row::{Command, Flags, KeySpec, OW_UPDATE, RO_ACCESS, RW_ACCESS_UPDATE};
use crate::types::bitmap::combine::{Operation, SourceCount, combine};
use crate::types::bitmap::field::{FieldType, Overflow};
use crate::types::bitmap::{self, Bit, RangeUnit};
use crate::types::string::{RawString, StringRef};

/// What the rows of the family have in common.
const ROW: Command = Command { group: "bitmap", acl: &["bitmap"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "bitcount",
        summary: "Counts the number of set bits (population counting) in a string.",
        since: "2.6.0",
        complexity: "O(N)",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key [range: start:integer end:integer [unit: BYTE | BIT]]",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        handler: bitcount,
        ..ROW
    },
    Command {
        name: "bitfield",
        summary: "Performs arbitrary bitfield integer operations on strings.",
        since: "3.2.0",
        complexity: "O(1) for each subcommand specified",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec {
            notes: "This command allows both access and modification of the key",
            ..KeySpec::one(1, &["RW", "access", "update", "variable_flags"])
        }],
        find_keys: Some(|args| vec![(1, if only_gets(args.from(2)) { RO_ACCESS } else { RW_ACCESS_UPDATE })]),
        syntax: "key [<operation: GET {get-block: encoding offset:integer} | {write: [OVERFLOW <overflow-block: WRAP | SAT | FAIL>] <write-operation: SET {set-block: encoding offset:integer value:integer} | INCRBY {incrby-block: encoding offset:integer increment:integer}>}>...]",
        handler: bitfield,
        ..ROW
    },
    Command {
        name: "bitfield_ro",
        summary: "Performs arbitrary read-only bitfield integer operations on strings.",
        since: "6.0.0",
        complexity: "O(1) for each subcommand specified",
        arity: -2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key [GET {get-block: encoding offset:integer}...+GET]",
        handler: bitfield_ro,
        ..ROW
    },
    Command {
        name: "bitop",
        summary: "Performs bitwise operations on multiple strings, and stores the result.",
        since: "2.6.0",
        complexity: "O(N)",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(2, OW_UPDATE), KeySpec::range(3, -1, 1, RO_ACCESS)],
        syntax: "<operation: AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey:key key...",
        history: &[("8.2.0", "Added the `DIFF`, `DIFF1`, `ANDOR` and `ONE` operations.")],
        handler: bitop,
        ..ROW
    },
    Command {
        name: "bitpos",
        summary: "Finds the first set (1) or clear (0) bit in a string.",
        since: "2.8.7",
        complexity: "O(N)",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key bit:integer [range: start:integer [end-unit-block: end:integer [unit: BYTE | BIT]]]",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        handler: bitpos,
        ..ROW
    },
    Command {
        name: "getbit",
        summary: "Returns a bit value by offset.",
        since: "2.2.0",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key offset:integer",
        handler: getbit,
        ..ROW
    },
    Command {
        name: "setbit",
        summary: "Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.",
        since: "2.2.0",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key offset:integer value:integer",
        handler: setbit,
        ..ROW
    },
];

const BAD_OFFSET: Error = Error::fixed("ERR bit offset is not an integer or out of range");
const BAD_BIT: Error = Error::fixed("ERR bit is not an integer or out of range");

/// A bit's offset within the longest string there may be.
fn offset(ctx: &Ctx<'_>, text: &[u8]) -> Result<u64, Error> {
    let offset = integer(text).ok().and_then(|offset| u64::try_from(offset).ok()).ok_or(BAD_OFFSET)?;
    within_string(ctx, offset)
}

fn within_string(ctx: &Ctx<'_>, offset: u64) -> Result<u64, Error> {
    if offset / 8 < ctx.state.config.proto_max_bulk_len { Ok(offset) } else { Err(BAD_OFFSET) }
}

/// Lengthens the bytes with zeros to hold all bits before `end`; says whether they were too short.
fn lengthen(bytes: &mut Vec<u8>, end: u64) -> bool {
    let length = usize::try_from(bitmap::bytes_for(end)).expect("an offset is within a string");
    let short = bytes.len() < length;
    if short {
        bytes.resize(length, 0);
    }
    short
}

fn setbit(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let offset = offset(ctx, args.at(2))?;
    let bit = integer(args.at(3)).ok().and_then(Bit::from_number).ok_or(BAD_BIT)?;
    let mut text = ctx.db.write_or_create(args.at(1), || RawString::new(Vec::new()))?;
    let longer = lengthen(&mut text, offset + 1);
    let old = bitmap::set(&mut text, offset, bit);
    if longer || old != bit {
        text.commit(Event::string("setbit"), 1);
    }
    ctx.reply.integer(old.number());
    DONE
}

fn getbit(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let offset = offset(ctx, args.at(2))?;
    let bit = ctx.db.read_text(args.at(1))?.map_or(Bit::Zero, |text| bitmap::get(&text, offset));
    ctx.reply.integer(bit.number());
    DONE
}

fn unit(args: Args<'_>, at: usize) -> Result<RangeUnit, Error> {
    args.get(at).map_or(Some(RangeUnit::Byte), RangeUnit::from_name).ok_or(Error::SYNTAX)
}

fn bitcount(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let range = match args.len() {
        2 => None,
        4 | 5 => Some((integer(args.at(2))?, integer(args.at(3))?, unit(args, 4)?)),
        _ => return Err(Error::SYNTAX),
    };
    let count = ctx.db.read_text(args.at(1))?.map_or(0, |text| match range {
        None => bitmap::count_all(&text),
        Some((start, end, unit)) => bitmap::count(&text, start, end, unit),
    });
    ctx.reply.integer(i64::try_from(count).expect("the bits of a string are below 2^63"));
    DONE
}

fn bitpos(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let bit = Bit::from_number(integer(args.at(2))?).ok_or(Error::fixed("ERR The bit argument must be 1 or 0."))?;
    if args.len() > 6 {
        return Err(Error::SYNTAX);
    }
    let start = args.get(3).map_or(Ok(0), integer)?;
    let unit = unit(args, 5)?;
    let end = args.get(4).map(integer).transpose()?;
    let found = match ctx.db.read_text(args.at(1))? {
        Some(text) => bitmap::position(&text, bit, start, end, unit),
        // zeros without end
        None => (bit == Bit::Zero).then_some(0),
    };
    ctx.reply.integer(found.map_or(-1, |at| i64::try_from(at).expect("the bits of a string are below 2^63")));
    DONE
}

fn bitop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    const ONE_SOURCE: Error = Error::fixed("ERR BITOP NOT must be called with a single source key.");
    let operation = Operation::from_name(args.at(1)).ok_or(Error::SYNTAX)?;
    let (target, keys) = (args.at(2), args.from(3));
    match operation.source_count() {
        SourceCount::One if keys.len() != 1 => return Err(ONE_SOURCE),
        SourceCount::TwoOrMore if keys.len() < 2 => {
            let name = String::from_utf8_lossy(args.at(1)).to_ascii_uppercase();
            return Err(Error::new(format!("ERR BITOP {name} must be called with at least two source keys.")));
        }
        _ => {}
    }
    for key in keys.iter() {
        ctx.db.read_string(key)?;
    }
    let db = &ctx.db;
    let texts: Vec<Cow<'_, [u8]>> =
        keys.iter().map(|key| db.resident(key).and_then(|entry| entry.string()).map_or(Cow::Borrowed(&[][..]), StringRef::text)).collect();
    let sources: Vec<&[u8]> = texts.iter().map(|text| &**text).collect();
    let result = combine(operation, &sources);
    drop(texts);
    let length = result.len();
    if length > 0 {
        ctx.db.set_value(target, RawString::new(result), Ttl::Clear, &[Event::string("set")]);
    } else {
        ctx.db.remove(target, Event::generic("del"));
    }
    ctx.reply.count(length);
    DONE
}

/// What BITFIELD does with one field.
enum Action {
    Get,
    Set(i64, Overflow),
    Increment(i64, Overflow),
}

/// One field and what is done with it.
struct FieldAction {
    field: FieldType,
    offset: u64,
    action: Action,
}

impl FieldAction {
    /// Parses all subcommands from argument 2 on.
    fn parse_all(ctx: &Ctx<'_>, args: Args<'_>) -> Result<Vec<FieldAction>, Error> {
        let (mut actions, mut overflow, mut at) = (Vec::new(), Overflow::Wrap, 2);
        while at < args.len() {
            let ahead = args.len() - at - 1;
            if args.is(at, "overflow") && ahead >= 1 {
                overflow = Overflow::from_name(args.at(at + 1)).ok_or(Error::fixed("ERR Invalid OVERFLOW type specified"))?;
                at += 2;
                continue;
            }
            let make: fn(i64, Overflow) -> Action = match () {
                () if args.is(at, "get") && ahead >= 2 => |_, _| Action::Get,
                () if args.is(at, "set") && ahead >= 3 => Action::Set,
                () if args.is(at, "incrby") && ahead >= 3 => Action::Increment,
                () => return Err(Error::SYNTAX),
            };
            let field = FieldType::parse(args.at(at + 1))
                .ok_or(Error::fixed("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."))?;
            let offset = field_offset(ctx, args.at(at + 2), field)?;
            let reads = args.is(at, "get");
            let number = if reads { 0 } else { integer(args.at(at + 3))? };
            actions.push(FieldAction { field, offset, action: make(number, overflow) });
            at += if reads { 3 } else { 4 };
        }
        Ok(actions)
    }

    fn end(&self) -> u64 {
        self.offset + u64::from(self.field.bits())
    }

    fn writes(&self) -> bool {
        !matches!(self.action, Action::Get)
    }

    /// Does it; gives what is replied and whether a bit changed. The bytes reach to the field's end if it writes.
    fn run(&self, bytes: &mut [u8]) -> (Option<i64>, bool) {
        let old = self.field.get(bytes, self.offset);
        let (new, shown) = match self.action {
            Action::Get => return (Some(old), false),
            Action::Set(value, overflow) => (self.field.fit(value, overflow), Some(old)),
            Action::Increment(by, overflow) => {
                let new = self.field.increment(old, by, overflow);
                (new, new)
            }
        };
        let Some(new) = new else { return (None, false) };
        self.field.set(bytes, self.offset, new);
        (shown, new != old)
    }
}

/// A field's offset in bits, or with `#` in fields.
fn field_offset(ctx: &Ctx<'_>, text: &[u8], field: FieldType) -> Result<u64, Error> {
    match text.strip_prefix(b"#") {
        None => offset(ctx, text),
        Some(number) => {
            let number = integer(number).ok().and_then(|number| u64::try_from(number).ok()).ok_or(BAD_OFFSET)?;
            within_string(ctx, number.checked_mul(u64::from(field.bits())).ok_or(BAD_OFFSET)?)
        }
    }
}

/// Whether these operations of a BITFIELD are whole and change nothing.
fn only_gets(operations: Args<'_>) -> bool {
    let mut at = 0;
    while at < operations.len() {
        let left = operations.len() - at;
        at += match () {
            () if operations.is(at, "get") && left >= 3 => 3,
            () if operations.is(at, "overflow") && left >= 2 => 2,
            () => return false,
        };
    }
    true
}

fn bitfield(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let actions = FieldAction::parse_all(ctx, args)?;
    match actions.iter().filter(|action| action.writes()).map(FieldAction::end).max() {
        None => read_fields(ctx, args.at(1), &actions),
        Some(end) => write_fields(ctx, args.at(1), &actions, end),
    }
}

fn bitfield_ro(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let actions = FieldAction::parse_all(ctx, args)?;
    if actions.iter().any(FieldAction::writes) {
        return Err(Error::fixed("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read_fields(ctx, args.at(1), &actions)
}

fn read_fields(ctx: &mut Ctx<'_>, key: &[u8], actions: &[FieldAction]) -> Outcome {
    let text = ctx.db.read_text(key)?.unwrap_or_default();
    ctx.reply.array(actions.len());
    for action in actions {
        ctx.reply.integer(action.field.get(&text, action.offset));
    }
    DONE
}

/// The string reaches to `end` afterwards, even when nothing fitted and all it got is zeros: that is a change, too.
fn write_fields(ctx: &mut Ctx<'_>, key: &[u8], actions: &[FieldAction], end: u64) -> Outcome {
    let mut text = ctx.db.write_or_create(key, || RawString::new(Vec::new()))?;
    let longer = lengthen(&mut text, end);
    let mut changes = 0;
    ctx.reply.array(actions.len());
    for action in actions {
        let (shown, changed) = action.run(&mut text);
        changes += u64::from(action.writes() && shown.is_some() && (changed || longer));
        match shown {
            Some(number) => ctx.reply.integer(number),
            None => ctx.reply.null(),
        }
    }
    if longer || changes > 0 {
        text.commit(Event::string("setbit"), changes.max(1));
    }
    DONE
}
