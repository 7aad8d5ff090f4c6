//! XCLAIM, XAUTOCLAIM and XPENDING: deliveries that were not acknowledged.
//!
//! Each claimed entry is propagated as a claim that says everything: owner, time, count. An entry that is
//! gone from the log is propagated as a claim, too, which finds the same and forgets the delivery.

use super::parse::{self, interval_end, interval_start, no_key_or_group, strict_id, unknown_claim_option};
use super::range::reply_entry;
use super::reply_id;
use crate::base::clock::Millis;
use crate::base::number;
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::stream::group::{ConsumerId, Pending};
use crate::types::stream::{Group, Parts, Stream, StreamId};

/// A delivery to be propagated.
pub(super) struct Claim {
    id: StreamId,
    consumer: Box<[u8]>,
    delivered: Millis,
    deliveries: u64,
    last_id: StreamId,
}

impl Claim {
    /// What is known of a delivery.
    pub(super) fn of(group: &Group, id: StreamId, pending: Pending) -> Claim {
        let consumer = group.consumer(pending.consumer).name.clone();
        Claim { id, consumer, delivered: pending.delivered, deliveries: pending.deliveries, last_id: group.last_id }
    }
}

/// Propagates deliveries.
pub(super) fn propagate_claims(ctx: &mut Ctx<'_>, key: &[u8], group: &[u8], claims: &[Claim]) {
    for claim in claims {
        let (id, last) = (claim.id.to_vec(), claim.last_id.to_vec());
        let (time, count) = (claim.delivered.0.to_string(), claim.deliveries.to_string());
        ctx.propagate(&[
            b"XCLAIM",
            key,
            group,
            &claim.consumer,
            b"0",
            &id,
            b"TIME",
            time.as_bytes(),
            b"RETRYCOUNT",
            count.as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            &last,
        ]);
    }
}

/// Propagates how far a group has read.
pub(super) fn propagate_place(ctx: &mut Ctx<'_>, key: &[u8], group: &[u8], last_id: StreamId, entries_read: Option<i64>) {
    let read = entries_read.unwrap_or(-1).to_string();
    ctx.propagate(&[b"XGROUP", b"SETID", key, group, &last_id.to_vec(), b"ENTRIESREAD", read.as_bytes()]);
}

/// Shows the consumer's claims only by ID, or with their entries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Ids,
    Entries,
}

/// A natural number of milliseconds; what is below zero is zero.
fn min_idle(arg: &[u8], command: &str) -> Result<i64, Error> {
    let idle = number::parse_i64(arg).ok_or_else(|| Error::new(format!("ERR Invalid min-idle-time argument for {command}")))?;
    Ok(idle.max(0))
}

/// XCLAIM's options.
struct ClaimOptions {
    ids: Vec<StreamId>,
    /// When the entries count as delivered; now if `None`.
    delivered: Option<i64>,
    deliveries: Option<u64>,
    force: bool,
    shown: Shown,
    last_id: StreamId,
}

impl ClaimOptions {
    fn parse(args: Args<'_>, now: Millis) -> Result<ClaimOptions, Error> {
        let ids: Vec<StreamId> = args.from(5).iter().map_while(|arg| StreamId::parse(arg, 0)).collect();
        let mut at = 5 + ids.len();
        let mut options =
            ClaimOptions { ids, delivered: None, deliveries: None, force: false, shown: Shown::Entries, last_id: StreamId::MIN };
        let invalid = |name: &str| Error::new(format!("ERR Invalid {name} option argument for XCLAIM"));
        while at < args.len() {
            let value = args.get(at + 1);
            let mut words = 2;
            match value {
                _ if args.is(at, "force") => (options.force, words) = (true, 1),
                _ if args.is(at, "justid") => (options.shown, words) = (Shown::Ids, 1),
                Some(value) if args.is(at, "idle") => {
                    let idle = number::parse_i64(value).ok_or_else(|| invalid("IDLE"))?;
                    options.delivered = Some(now.0.saturating_sub(idle));
                }
                Some(value) if args.is(at, "time") => {
                    options.delivered = Some(number::parse_i64(value).ok_or_else(|| invalid("TIME"))?);
                }
                Some(value) if args.is(at, "retrycount") => {
                    let count = number::parse_i64(value).ok_or_else(|| invalid("RETRYCOUNT"))?;
                    options.deliveries = u64::try_from(count).ok();
                }
                Some(value) if args.is(at, "lastid") => options.last_id = strict_id(value, 0)?,
                _ => return Err(unknown_claim_option(args.at(at))),
            }
            at += words;
        }
        // a time that is none, or to come, is now
        options.delivered = options.delivered.filter(|&time| time >= 0 && time <= now.0);
        Ok(options)
    }
}

/// Whether a key has a group; the guard's borrow ends with the answer.
fn has_group(ctx: &mut Ctx<'_>, key: &[u8], group: &[u8]) -> Result<bool, Error> {
    Ok(ctx.db.read::<Stream>(key)?.is_some_and(|stream| stream.groups.contains_key(group)))
}

/// Finishes a claim: stores, tells, propagates.
fn finish(ctx: &mut Ctx<'_>, (key, group): (&[u8], &[u8]), created: bool, claims: &[Claim], place: Option<(StreamId, Option<i64>)>) {
    ctx.propagate_nothing();
    let changes = u64::from(created) + claims.len() as u64 + u64::from(place.is_some());
    if let Ok(Some(stream)) = ctx.db.write::<Stream>(key) {
        let event = [Event::stream("xgroup-createconsumer")];
        stream.commit_aside(if created { &event } else { &[] }, changes);
    }
    propagate_claims(ctx, key, group, claims);
    if let Some((last_id, entries_read)) = place {
        propagate_place(ctx, key, group, last_id, entries_read);
    }
}

pub(super) fn xclaim(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (key, group_name) = (args.at(1), args.at(2));
    if !has_group(ctx, key, group_name)? {
        return Err(no_key_or_group(key, group_name));
    }
    let now = ctx.now();
    let idle = min_idle(args.at(4), "XCLAIM")?;
    let options = ClaimOptions::parse(args, now)?;
    let mut stream = ctx.db.write::<Stream>(key)?.expect("the stream was just found");
    let Parts { log, groups } = &mut **stream;
    let group = groups.get_mut(group_name).expect("the group was just found");
    let mut place = None;
    if options.last_id > group.last_id {
        group.last_id = options.last_id;
        place = Some((group.last_id, group.entries_read));
    }
    let (consumer, created) = group.consumer_or_new(args.at(3), now);
    group.consumer_mut(consumer).seen = now;
    let mut claims = Vec::new();
    let mark = ctx.reply.mark();
    let mut shown = 0;
    for &id in &options.ids {
        let Some(entry) = log.range(id, id).next() else {
            if let Some(gone) = group.acknowledge(id) {
                claims.push(Claim::of(group, id, gone));
            }
            continue;
        };
        match group.pending(id) {
            None if !options.force => continue,
            None => group.deliver(id, Pending { delivered: now, deliveries: 1, consumer }),
            Some(pending) if idle > 0 && now.0.saturating_sub(pending.delivered.0) < idle => continue,
            Some(_) => {}
        }
        let delivered = Millis(options.delivered.unwrap_or(now.0));
        let pending = take_over(group, id, consumer, delivered, options.deliveries, options.shown);
        match options.shown {
            Shown::Ids => reply_id(&mut ctx.reply, id),
            Shown::Entries => reply_entry(&mut ctx.reply, entry),
        }
        shown += 1;
        group.consumer_mut(consumer).active = Some(now);
        claims.push(Claim::of(group, id, pending));
    }
    drop(stream);
    ctx.reply.wrap_array(mark, shown);
    finish(ctx, (key, group_name), created, &claims, place.filter(|_| claims.is_empty()));
    DONE
}

/// Notes a delivery and hands the entry to a consumer. Without a count of deliveries, one is added unless
/// only IDs are shown.
fn take_over(group: &mut Group, id: StreamId, consumer: ConsumerId, delivered: Millis, deliveries: Option<u64>, shown: Shown) -> Pending {
    group.assign(id, consumer);
    let pending = group.pending_mut(id).expect("the entry is pending");
    pending.delivered = delivered;
    pending.deliveries = match deliveries {
        Some(count) => count,
        None => pending.deliveries.saturating_add(u64::from(shown == Shown::Entries)),
    };
    *pending
}

pub(super) fn xautoclaim(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (key, group_name) = (args.at(1), args.at(2));
    let idle = min_idle(args.at(4), "XAUTOCLAIM")?;
    let mut cursor = interval_start(args.at(5))?;
    let (mut count, mut shown) = (100, Shown::Entries);
    let mut at = 6;
    while at < args.len() {
        if args.is(at, "count") && at + 1 < args.len() {
            let most = i64::MAX / 16;
            let bad = Error::fixed("ERR COUNT must be > 0");
            count = number::parse_i64(args.at(at + 1)).filter(|count| (1..=most).contains(count)).ok_or(bad)?;
            at += 1;
        } else if args.is(at, "justid") {
            shown = Shown::Ids;
        } else {
            return Err(Error::SYNTAX);
        }
        at += 1;
    }
    if !has_group(ctx, key, group_name)? {
        return Err(no_key_or_group(key, group_name));
    }
    let now = ctx.now();
    let mut stream = ctx.db.write::<Stream>(key)?.expect("the stream was just found");
    let Parts { log, groups } = &mut **stream;
    let group = groups.get_mut(group_name).expect("the group was just found");
    let (consumer, created) = group.consumer_or_new(args.at(3), now);
    group.consumer_mut(consumer).seen = now;
    let (mut attempts, mut claims, mut gone, mut claimed) = (count.saturating_mul(10), Vec::new(), Vec::new(), 0);
    let start = ctx.reply.mark();
    let mut next = group.next_pending(cursor);
    while let Some(id) = next.filter(|_| attempts > 0 && count > 0) {
        attempts -= 1;
        cursor = id;
        let pending = *group.pending(id).expect("the entry is pending");
        if let Some(entry) = log.range(id, id).next() {
            if idle == 0 || now.0.saturating_sub(pending.delivered.0) >= idle {
                let pending = take_over(group, id, consumer, now, None, shown);
                match shown {
                    Shown::Ids => reply_id(&mut ctx.reply, id),
                    Shown::Entries => reply_entry(&mut ctx.reply, entry),
                }
                claimed += 1;
                count -= 1;
                group.consumer_mut(consumer).active = Some(now);
                claims.push(Claim::of(group, id, pending));
            }
        } else {
            group.acknowledge(id);
            claims.push(Claim::of(group, id, pending));
            gone.push(id);
            count -= 1;
        }
        next = cursor.next().and_then(|from| group.next_pending(from));
    }
    drop(stream);
    reply_claimed(ctx, start, claimed, next.unwrap_or(StreamId::MIN), &gone);
    finish(ctx, (key, group_name), created, &claims, None);
    DONE
}

/// Puts the cursor and the header before the claimed entries, and the deleted ones behind.
fn reply_claimed(ctx: &mut Ctx<'_>, start: crate::resp::writer::Mark, claimed: usize, next: StreamId, gone: &[StreamId]) {
    ctx.reply.wrap_array(start, claimed);
    let entries = ctx.reply.since(start).to_vec();
    ctx.reply.cut_back(start);
    ctx.reply.array(3);
    reply_id(&mut ctx.reply, next);
    ctx.reply.raw(&entries);
    ctx.reply.array(gone.len());
    for &id in gone {
        reply_id(&mut ctx.reply, id);
    }
}

pub(super) fn xpending(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 3 {
        return summary(ctx, args);
    }
    let with_idle = args.is(3, "idle");
    let at = if with_idle { 5 } else { 3 };
    // as in Redis, a word or two behind the consumer of a range without IDLE are not looked at
    if !(6..=9).contains(&args.len()) {
        return Err(Error::SYNTAX);
    }
    let idle = if with_idle { integer(args.at(4))? } else { 0 };
    if with_idle && args.len() < 8 {
        return Err(Error::SYNTAX);
    }
    let count = parse::count(args.at(at + 2))?;
    let (start, end) = (interval_start(args.at(at))?, interval_end(args.at(at + 1))?);
    let now = ctx.now();
    let stream = ctx.db.read::<Stream>(args.at(1))?;
    let group = stream.as_ref().and_then(|stream| stream.groups.get(args.at(2)));
    let group = group.ok_or_else(|| no_key_or_group(args.at(1), args.at(2)))?;
    let reply = &mut ctx.reply;
    let mark = reply.mark();
    let mut shown = 0;
    let mut show = |(id, pending): (StreamId, &Pending)| {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(&group.consumer(pending.consumer).name);
        reply.integer(now.0.saturating_sub(pending.delivered.0).max(0));
        reply.integer(i64::try_from(pending.deliveries).unwrap_or(i64::MAX));
        shown += 1;
    };
    let old_enough = |entry: &(StreamId, &Pending)| idle <= 0 || now.0.saturating_sub(entry.1.delivered.0) >= idle;
    match args.get(at + 3) {
        None => group.pending_range(start, end).filter(old_enough).take(count).for_each(&mut show),
        Some(name) => {
            if let Some(consumer) = group.consumer_id(name) {
                group.pending_range_of(consumer, start, end).filter(old_enough).take(count).for_each(&mut show);
            }
        }
    }
    ctx.reply.wrap_array(mark, shown);
    DONE
}

/// XPENDING without a range: how many, from where to where, and whose.
fn summary(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let stream = ctx.db.read::<Stream>(args.at(1))?;
    let group = stream.as_ref().and_then(|stream| stream.groups.get(args.at(2)));
    let group = group.ok_or_else(|| no_key_or_group(args.at(1), args.at(2)))?;
    let reply = &mut ctx.reply;
    reply.array(4);
    reply.count(group.pending_len());
    let mut all = group.pending_range(StreamId::MIN, StreamId::MAX);
    let Some((first, _)) = all.next() else {
        reply.null();
        reply.null();
        reply.null_array();
        return DONE;
    };
    let last = all.next_back().map_or(first, |(last, _)| last);
    reply_id(reply, first);
    reply_id(reply, last);
    let busy = || group.consumers().filter(|(_, consumer)| consumer.pending() > 0);
    reply.array(busy().count());
    for (_, consumer) in busy() {
        reply.array(2);
        reply.bulk(&consumer.name);
        reply.bulk_integer(i64::try_from(consumer.pending()).unwrap_or(i64::MAX));
    }
    DONE
}
