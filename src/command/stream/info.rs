//! XINFO.

use super::parse::{bad_subcommand, no_group};
use super::range::{reply_entries, reply_entry};
use super::reply_id;
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::types::stream::block::Entry;
use crate::types::stream::{Group, Log, Stream, StreamId};

fn integer_or_null(reply: &mut Reply<'_>, value: Option<i64>) {
    match value {
        Some(value) => reply.integer(value),
        None => reply.null(),
    }
}

fn entry_or_null(reply: &mut Reply<'_>, entry: Option<Entry<'_>>) {
    match entry {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
}

/// What both forms of XINFO STREAM begin with: seven pairs.
fn reply_log(reply: &mut Reply<'_>, log: &Log) {
    reply.text("length");
    reply.integer(i64::try_from(log.len()).unwrap_or(i64::MAX));
    reply.text("radix-tree-keys");
    reply.count(log.block_count());
    reply.text("radix-tree-nodes");
    reply.count(log.radix_nodes());
    reply.text("last-generated-id");
    reply_id(reply, log.last_id);
    reply.text("max-deleted-entry-id");
    reply_id(reply, log.max_deleted_id);
    reply.text("entries-added");
    reply.integer(i64::try_from(log.entries_added).unwrap_or(i64::MAX));
    reply.text("recorded-first-entry-id");
    reply_id(reply, log.first_id);
}

pub(super) fn stream(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let stream = ctx.db.read::<Stream>(args.at(2))?.ok_or(Error::NO_SUCH_KEY)?;
    let (reply, log) = (&mut ctx.reply, &stream.log);
    if args.len() > 3 {
        let count = full_count(args)?;
        reply.map(9);
        reply_log(reply, log);
        reply.text("entries");
        reply_entries(reply, log.range(StreamId::MIN, StreamId::MAX).take(count));
        reply.text("groups");
        reply.array(stream.groups.len());
        for (name, group) in &stream.groups {
            reply_group_in_full(reply, log, name, group, count);
        }
        return DONE;
    }
    reply.map(10);
    reply_log(reply, log);
    reply.text("groups");
    reply.count(stream.groups.len());
    reply.text("first-entry");
    entry_or_null(reply, log.first());
    reply.text("last-entry");
    entry_or_null(reply, log.last());
    DONE
}

/// `FULL [COUNT count]`
fn full_count(args: Args<'_>) -> Result<usize, Error> {
    if !args.is(3, "full") || args.len() != 4 && (args.len() != 6 || !args.is(4, "count")) {
        return Err(bad_subcommand("XINFO", args.at(1)));
    }
    Ok(match args.get(5) {
        None => 10,
        Some(count) => match integer(count)? {
            0 => usize::MAX,
            count => usize::try_from(count).unwrap_or(10),
        },
    })
}

fn reply_group_in_full(reply: &mut Reply<'_>, log: &Log, name: &[u8], group: &Group, count: usize) {
    reply.map(7);
    reply.text("name");
    reply.bulk(name);
    reply.text("last-delivered-id");
    reply_id(reply, group.last_id);
    reply.text("entries-read");
    integer_or_null(reply, group.entries_read);
    reply.text("lag");
    integer_or_null(reply, log.lag(group));
    reply.text("pel-count");
    reply.count(group.pending_len());
    reply.text("pending");
    reply.array(group.pending_len().min(count));
    for (id, pending) in group.pending_range(StreamId::MIN, StreamId::MAX).take(count) {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(&group.consumer(pending.consumer).name);
        reply.integer(pending.delivered.0);
        reply.integer(i64::try_from(pending.deliveries).unwrap_or(i64::MAX));
    }
    reply.text("consumers");
    reply.array(group.consumers().len());
    for (id, consumer) in group.consumers() {
        reply.map(5);
        reply.text("name");
        reply.bulk(&consumer.name);
        reply.text("seen-time");
        reply.integer(consumer.seen.0);
        reply.text("active-time");
        reply.integer(consumer.active.map_or(-1, |active| active.0));
        reply.text("pel-count");
        reply.count(consumer.pending());
        reply.text("pending");
        reply.array(consumer.pending().min(count));
        for (entry, pending) in group.pending_range_of(id, StreamId::MIN, StreamId::MAX).take(count) {
            reply.array(3);
            reply_id(reply, entry);
            reply.integer(pending.delivered.0);
            reply.integer(i64::try_from(pending.deliveries).unwrap_or(i64::MAX));
        }
    }
}

pub(super) fn groups(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let stream = ctx.db.read::<Stream>(args.at(2))?.ok_or(Error::NO_SUCH_KEY)?;
    let reply = &mut ctx.reply;
    reply.array(stream.groups.len());
    for (name, group) in &stream.groups {
        reply.map(6);
        reply.text("name");
        reply.bulk(name);
        reply.text("consumers");
        reply.count(group.consumers().len());
        reply.text("pending");
        reply.count(group.pending_len());
        reply.text("last-delivered-id");
        reply_id(reply, group.last_id);
        reply.text("entries-read");
        integer_or_null(reply, group.entries_read);
        reply.text("lag");
        integer_or_null(reply, stream.log.lag(group));
    }
    DONE
}

pub(super) fn consumers(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let now = ctx.now();
    let stream = ctx.db.read::<Stream>(args.at(2))?.ok_or(Error::NO_SUCH_KEY)?;
    let group = stream.groups.get(args.at(3)).ok_or_else(|| no_group(args.at(2), args.at(3)))?;
    let reply = &mut ctx.reply;
    reply.array(group.consumers().len());
    for (_, consumer) in group.consumers() {
        reply.map(4);
        reply.text("name");
        reply.bulk(&consumer.name);
        reply.text("pending");
        reply.count(consumer.pending());
        reply.text("idle");
        reply.integer(now.0.saturating_sub(consumer.seen.0).max(0));
        reply.text("inactive");
        reply.integer(consumer.active.map_or(-1, |active| now.0.saturating_sub(active.0).max(0)));
    }
    DONE
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(
        ctx,
        &[
            "CONSUMERS <key> <groupname>",
            "    Each consumer of a group, and what it has pending.",
            "GROUPS <key>",
            "    Each group of a stream: where it stands, and what it has pending.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    The stream itself; with FULL its first entries, groups and consumers, too.",
        ],
    )
}
