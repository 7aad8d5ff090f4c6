//! HyperLogLog: approximate counts of distinct elements, kept in a string.

use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::error::Error;
use crate::server::row::{Command, Flags, KeySpec, RO_ACCESS, RW_INSERT};
use crate::types::hyperloglog::{self, Encoding, REGISTERS, Registers, Sketch, SketchMut, self_test};
use crate::types::string::RawString;

/// What the rows of the family have in common.
const ROW: Command = Command { group: "hyperloglog", acl: &["hyperloglog"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "pfadd",
        summary: "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
        since: "2.8.9",
        complexity: "O(1) to add every element.",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, RW_INSERT)],
        syntax: "key [element...]",
        handler: pfadd,
        ..ROW
    },
    Command {
        name: "pfcount",
        summary: "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).",
        since: "2.8.9",
        complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
        arity: -2,
        flags: Flags::READONLY.or(Flags::MAY_REPLICATE),
        keys: &[KeySpec {
            notes: "RW because it may change the internal representation of the key, and propagate to replicas",
            ..KeySpec::range(1, -1, 1, &["RW", "access"])
        }],
        syntax: "key...",
        handler: pfcount,
        ..ROW
    },
    Command {
        name: "pfdebug",
        summary: "Internal commands for debugging HyperLogLog values.",
        since: "2.8.9",
        complexity: "N/A",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::ADMIN).or(Flags::SYSTEM),
        keys: &[KeySpec::one(2, &["RW", "access"])],
        syntax: "subcommand key",
        handler: pfdebug,
        ..ROW
    },
    Command {
        name: "pfmerge",
        summary: "Merges one or more HyperLogLog values into a single key.",
        since: "2.8.9",
        complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, &["RW", "access", "insert"]), KeySpec::range(2, -1, 1, RO_ACCESS)],
        syntax: "destkey:key [sourcekey:key...]",
        handler: pfmerge,
        ..ROW
    },
    Command {
        name: "pfselftest",
        summary: "An internal command for testing HyperLogLog values.",
        since: "2.8.9",
        complexity: "N/A",
        arity: 1,
        flags: Flags::ADMIN.or(Flags::SYSTEM),
        handler: pfselftest,
        ..ROW
    },
];

impl From<hyperloglog::Error> for Error {
    fn from(error: hyperloglog::Error) -> Error {
        Error::fixed(error.text())
    }
}

fn sparse_limit(ctx: &Ctx<'_>) -> usize {
    usize::try_from(ctx.state.config.hll_sparse_max_bytes).unwrap_or(usize::MAX)
}

fn new_sketch() -> RawString {
    RawString::new(hyperloglog::empty())
}

fn pfadd(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let limit = sparse_limit(ctx);
    // a string that is no sketch is left as it is stored
    if let Some(text) = ctx.db.peek(args.at(1)).and_then(|entry| entry.string()) {
        Sketch::open(&text.text())?;
    }
    let mut text = ctx.db.write_or_create(args.at(1), new_sketch)?;
    let mut changes = u64::from(text.is_new());
    let mut sketch = SketchMut::open(&mut text)?;
    for element in args.from(2).iter() {
        changes += u64::from(sketch.add(element, limit)?);
    }
    if changes > 0 {
        sketch.forget_count();
        text.commit(Event::string("pfadd"), changes);
    }
    ctx.reply.integer(i64::from(changes > 0));
    DONE
}

/// Adds the sketch of a key, if there is one, to the registers; gives how it is kept.
fn merge(ctx: &mut Ctx<'_>, key: &[u8], registers: &mut Registers) -> Result<Option<Encoding>, Error> {
    let Some(text) = ctx.db.read_text(key)? else { return Ok(None) };
    let sketch = Sketch::open(&text)?;
    registers.merge(sketch)?;
    Ok(Some(sketch.encoding()))
}

fn pfcount(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let keys = args.from(1);
    let count = if keys.len() == 1 {
        count_one(ctx, keys.at(0))?
    } else {
        let mut registers = Registers::default();
        for key in keys.iter() {
            merge(ctx, key, &mut registers)?;
        }
        registers.count()
    };
    ctx.reply.integer(i64::try_from(count).expect("a cardinality of 14 bits of registers is below 2^63"));
    DONE
}

/// The count of one key. It is kept in the key's header until an element changes it; to put it there is a
/// change of the value without an event, which replicas get, too.
fn count_one(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<u64, Error> {
    let Some(text) = ctx.db.read_text(key)? else { return Ok(0) };
    if let Some(count) = Sketch::open(&text)?.cached_count() {
        return Ok(count);
    }
    let mut text = ctx.db.write::<RawString>(key)?.expect("the key was just read");
    let mut sketch = SketchMut::open(&mut text)?;
    let count = sketch.as_sketch().count()?;
    sketch.store_count(count);
    text.commit_with(&[], 1);
    Ok(count)
}

fn pfmerge(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (mut registers, mut encoding) = (Registers::default(), Encoding::Sparse);
    for key in args.from(1).iter() {
        if merge(ctx, key, &mut registers)? == Some(Encoding::Dense) {
            encoding = Encoding::Dense;
        }
    }
    let limit = sparse_limit(ctx);
    let mut text = ctx.db.write_or_create(args.at(1), new_sketch)?;
    SketchMut::open(&mut text)?.store_union(&registers, encoding, limit)?;
    text.commit(Event::string("pfadd"), 1);
    ctx.reply.ok();
    DONE
}

fn pfdebug(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (subcommand, key) = (args.at(1), args.at(2));
    let Some(mut text) = ctx.db.write::<RawString>(key)? else {
        return Err(Error::fixed("ERR The specified key does not exist"));
    };
    let mut sketch = SketchMut::open(&mut text)?;
    match subcommand.to_ascii_lowercase().as_slice() {
        b"getreg" => {
            let registers = sketch.as_sketch().registers()?;
            if sketch.make_dense()? {
                text.commit_with(&[], 1);
            }
            ctx.reply.array(REGISTERS);
            registers.iter().for_each(|value| ctx.reply.integer(i64::from(value)));
        }
        b"decode" => {
            let mut shown = Vec::new();
            if !sketch.as_sketch().decode(&mut shown) {
                return Err(Error::fixed("ERR HLL encoding is not sparse"));
            }
            ctx.reply.bulk(&shown);
        }
        b"encoding" => ctx.reply.simple(sketch.as_sketch().encoding().name()),
        b"todense" => {
            let converted = sketch.make_dense()?;
            if converted {
                text.commit_with(&[], 1);
            }
            ctx.reply.integer(i64::from(converted));
        }
        _ => {
            return Err(Error::quoting("ERR Unknown PFDEBUG subcommand '{}'", &[subcommand]));
        }
    }
    DONE
}

fn pfselftest(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    self_test(&mut ctx.state.random).map_err(|failure| Error::new(failure.to_string()))?;
    ctx.reply.ok();
    DONE
}
