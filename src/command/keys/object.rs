//! OBJECT: what a value is made of. Asking is no access.

use crate::keyspace::entry::EntryRef;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::types::string::StringRef;

/// Integers below this are shared among keys in Redis, which shows in the number of references.
const SHARED_INTEGERS: i64 = 10_000;

/// The key's block; counts a hit or miss, but is no access and no event.
fn inspect<'s>(ctx: &'s mut Ctx<'_>, key: &[u8]) -> Option<EntryRef<'s>> {
    let found = ctx.db.exists(key);
    let stats = &mut ctx.db.space().stats;
    if found {
        stats.hits += 1;
    } else {
        stats.misses += 1;
    }
    ctx.db.peek(key)
}

pub(super) fn encoding(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    match inspect(ctx, args.at(2)).map(|entry| entry.encoding()) {
        Some(name) => ctx.reply.text(name),
        None => ctx.reply.null(),
    }
    DONE
}

pub(super) fn refcount(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let policy = ctx.state.config.maxmemory_policy.word();
    // each key needs a clock or counter of its own where eviction goes by them
    let own = ctx.state.config.maxmemory.bytes > 0 && (policy.ends_with("lru") || policy.ends_with("lfu"));
    let Some(entry) = inspect(ctx, args.at(2)) else {
        ctx.reply.null();
        return DONE;
    };
    let shared = matches!(entry.string(), Some(StringRef::Integer(value)) if (0..SHARED_INTEGERS).contains(&value));
    ctx.reply.integer(if shared && !own { i64::from(i32::MAX) } else { 1 });
    DONE
}

pub(super) fn idletime(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let heat = inspect(ctx, args.at(2)).map(|entry| entry.heat());
    let policy = ctx.db.space().heat;
    match heat {
        None => ctx.reply.null(),
        Some(_) if policy.counts => {
            return Err(Error::fixed(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        Some(heat) => ctx.reply.integer(i64::from(policy.idle_seconds(heat))),
    }
    DONE
}

pub(super) fn freq(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let heat = inspect(ctx, args.at(2)).map(|entry| entry.heat());
    let policy = ctx.db.space().heat;
    match heat {
        None => ctx.reply.null(),
        Some(_) if !policy.counts => {
            return Err(Error::fixed(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        Some(heat) => ctx.reply.integer(i64::from(policy.frequency(heat))),
    }
    DONE
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(
        ctx,
        &[
            "ENCODING <key>",
            "    How the value is laid out in memory.",
            "FREQ <key>",
            "    About how often the key is used, on a scale where each step takes more hits than",
            "    the one before. Only with an LFU policy.",
            "IDLETIME <key>",
            "    For how many seconds nobody has used the key.",
            "REFCOUNT <key>",
            "    How many places share the value.",
        ],
    )
}
