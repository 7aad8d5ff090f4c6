//! XREAD and XREADGROUP.
//!
//! What they propagate is its effect: a claim for each entry that was handed out, and the group's place.

use super::claim::{Claim, propagate_claims, propagate_place};
use super::parse::{count, no_key_or_group_to_read, strict_id};
use super::range::{reply_entries, reply_entry};
use super::reply_id;
use crate::base::clock::Millis;
use crate::base::number;
use crate::keyspace::effects::Event;
use crate::resp::request::{Args, OwnedRequest};
use crate::server::context::{Block, Ctx, DONE, Flow, OnTimeout, Outcome, timeout_millis};
use crate::server::error::Error;
use crate::types::Type;
use crate::types::stream::group::{ConsumerId, Pending};
use crate::types::stream::{Group, Log, Stream, StreamId};

/// Which of the two commands is parsed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Anyone,
    Group,
}

/// What was asked for.
struct Request<'a> {
    keys: Args<'a>,
    ids: Args<'a>,
    /// Index of the first ID among all arguments.
    ids_at: usize,
    count: usize,
    /// With BLOCK: until when.
    wait: Option<Option<Millis>>,
    /// Group and consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    noack: bool,
}

/// From where a stream is read.
#[derive(Clone, Copy)]
enum From {
    /// Behind this ID.
    Behind(StreamId),
    /// What the group has not delivered yet (`>`).
    New,
}

impl<'a> Request<'a> {
    fn parse(args: Args<'a>, reader: Reader, now: Millis) -> Result<Request<'a>, Error> {
        let mut request =
            Request { keys: args.slice(0..0), ids: args.slice(0..0), ids_at: 0, count: 0, wait: None, group: None, noack: false };
        let mut at = 1;
        while at < args.len() {
            let more = args.len() - 1 - at;
            if more >= 1 && args.is(at, "block") {
                at += 1;
                let millis = number::parse_i64(args.at(at)).ok_or(Error::fixed("ERR timeout is not an integer or out of range"))?;
                request.wait = Some(timeout_millis(millis, now)?);
            } else if more >= 1 && args.is(at, "count") {
                at += 1;
                request.count = count(args.at(at))?;
            } else if more >= 1 && args.is(at, "streams") {
                request.split(args, at + 1, reader)?;
                break;
            } else if more >= 2 && args.is(at, "group") {
                if reader == Reader::Anyone {
                    return Err(Error::fixed("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."));
                }
                request.group = Some((args.at(at + 1), args.at(at + 2)));
                at += 2;
            } else if args.is(at, "noack") {
                if reader == Reader::Anyone {
                    return Err(Error::fixed("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."));
                }
                request.noack = true;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        if request.keys.is_empty() {
            return Err(Error::SYNTAX);
        }
        if reader == Reader::Group && request.group.is_none() {
            return Err(Error::fixed("ERR Missing GROUP option for XREADGROUP"));
        }
        if request.count == 0 {
            request.count = usize::MAX;
        }
        Ok(request)
    }

    /// Splits `key ... id ...`.
    fn split(&mut self, args: Args<'a>, at: usize, reader: Reader) -> Result<(), Error> {
        let words = args.len() - at;
        if !words.is_multiple_of(2) {
            return Err(match reader {
                Reader::Anyone => {
                    Error::fixed("ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.")
                }
                Reader::Group => {
                    Error::fixed("ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.")
                }
            });
        }
        self.ids_at = at + words / 2;
        self.keys = args.slice(at..self.ids_at);
        self.ids = args.from(self.ids_at);
        Ok(())
    }

    /// Waits, or answers as if the time were up.
    fn wait(&self, ctx: &mut Ctx<'_>, again: Option<OwnedRequest>) -> Outcome {
        match self.wait {
            None => {
                ctx.reply.null_array();
                DONE
            }
            Some(deadline) => Ok(Flow::Block(Box::new(Block {
                keys: self.keys.iter().map(Box::from).collect(),
                wants: Some(Type::Stream),
                wants_loss: self.group.is_some(),
                deadline,
                on_timeout: OnTimeout::NullArray,
                request: again,
            }))),
        }
    }

    /// The request with its IDs resolved, for when it runs again.
    fn resolved(&self, args: Args<'_>, from: &[StreamId]) -> OwnedRequest {
        let ids: Vec<Vec<u8>> = from.iter().map(|id| id.to_vec()).collect();
        OwnedRequest::from_words(args.slice(0..self.ids_at).iter().chain(ids.iter().map(Vec::as_slice)))
    }
}

/// What precedes a stream's entries in the reply: RESP3 has a map by key.
fn reply_key(ctx: &mut Ctx<'_>, key: &[u8]) {
    if !ctx.reply.is_resp3() {
        ctx.reply.array(2);
    }
    ctx.reply.bulk(key);
}

pub(super) fn xread(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let request = Request::parse(args, Reader::Anyone, ctx.now())?;
    let mut from = Vec::with_capacity(request.keys.len());
    for (key, id) in request.keys.iter().zip(request.ids.iter()) {
        let stream = ctx.db.read::<Stream>(key)?;
        from.push(match id {
            b"$" => stream.map_or(StreamId::MIN, |stream| stream.log.last_id),
            b"+" => stream.map_or(StreamId::MIN, |stream| before_last(&stream.log)),
            b">" => {
                return Err(Error::fixed(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                ));
            }
            _ => strict_id(id, 0)?,
        });
    }
    let mark = ctx.reply.mark();
    let mut served = 0;
    for (key, &from) in request.keys.iter().zip(&from) {
        let Some(start) = from.next() else { continue };
        let found = ctx.db.read::<Stream>(key)?.is_some_and(|stream| stream.log.last().is_some_and(|last| last.id >= start));
        if !found {
            continue;
        }
        reply_key(ctx, key);
        let stream = ctx.db.read::<Stream>(key)?.expect("the stream was just found");
        reply_entries(&mut ctx.reply, stream.log.range(start, StreamId::MAX).take(request.count));
        served += 1;
    }
    if served == 0 {
        let again = request.resolved(args, &from);
        return request.wait(ctx, Some(again));
    }
    if ctx.reply.is_resp3() {
        ctx.reply.wrap_map(mark, served)
    } else {
        ctx.reply.wrap_array(mark, served)
    }
    DONE
}

/// The ID behind which only the last entry lies.
fn before_last(log: &Log) -> StreamId {
    log.last().map_or(log.last_id, |last| last.id.prev().unwrap_or(StreamId::MIN))
}

pub(super) fn xreadgroup(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let request = Request::parse(args, Reader::Group, ctx.now())?;
    let (group, consumer) = request.group.expect("XREADGROUP has a group");
    ctx.propagate_nothing();
    let mut from = Vec::with_capacity(request.keys.len());
    for (key, id) in request.keys.iter().zip(request.ids.iter()) {
        let stream = ctx.db.read::<Stream>(key)?;
        if !stream.is_some_and(|stream| stream.groups.contains_key(group)) {
            return Err(no_key_or_group_to_read(key, group));
        }
        from.push(start_in_group(id)?);
    }
    let mark = ctx.reply.mark();
    let mut served = 0;
    for (key, &from) in request.keys.iter().zip(&from) {
        served += usize::from(serve(ctx, &request, key, group, consumer, from)?);
    }
    if served == 0 {
        return request.wait(ctx, None);
    }
    if ctx.reply.is_resp3() {
        ctx.reply.wrap_map(mark, served)
    } else {
        ctx.reply.wrap_array(mark, served)
    }
    DONE
}

fn start_in_group(id: &[u8]) -> Result<From, Error> {
    Ok(match id {
        b">" => From::New,
        b"$" => {
            return Err(Error::fixed(
                "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
            ));
        }
        b"+" => {
            return Err(Error::fixed(
                "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.",
            ));
        }
        _ => match strict_id(id, 0)? {
            StreamId::MAX => From::New,
            id => From::Behind(id),
        },
    })
}

/// Serves one stream to a consumer. Gives whether there was anything to reply.
fn serve(ctx: &mut Ctx<'_>, request: &Request<'_>, key: &[u8], group_name: &[u8], name: &[u8], from: From) -> Result<bool, Error> {
    let now = ctx.now();
    let has_new = match from {
        From::Behind(_) => true,
        From::New => ctx.db.read::<Stream>(key)?.is_some_and(|stream| {
            let place = stream.groups.get(group_name).map_or(StreamId::MAX, |group| group.last_id);
            stream.log.last().is_some_and(|last| last.id > place)
        }),
    };
    if has_new {
        reply_key(ctx, key);
    }
    let recording = ctx.db.space().effects.recording;
    let mut stream = ctx.db.write::<Stream>(key)?.expect("the stream was just found");
    let parts = &mut **stream;
    let group = parts.groups.get_mut(group_name).expect("the group was just found");
    let (consumer, created) = group.consumer_or_new(name, now);
    group.consumer_mut(consumer).seen = now;
    let mut claims = Vec::new();
    let mut moved = None;
    match from {
        From::Behind(id) => reply_history(&mut ctx.reply, &parts.log, group, consumer, id, request.count, now),
        From::New if has_new => {
            let delivery = Delivery { consumer, now, noack: request.noack, count: request.count };
            claims = reply_new(&mut ctx.reply, &parts.log, group, delivery, recording);
            moved = Some((group.last_id, group.entries_read));
        }
        From::New => {}
    }
    let changes = u64::from(created) + u64::from(moved.is_some());
    let event = [Event::stream("xgroup-createconsumer")];
    stream.commit_aside(if created { &event } else { &[] }, changes);
    if recording {
        if created && request.noack {
            ctx.propagate(&[b"XGROUP", b"CREATECONSUMER", key, group_name, name]);
        }
        propagate_claims(ctx, key, group_name, &claims);
        if let Some((last_id, entries_read)) = moved {
            propagate_place(ctx, key, group_name, last_id, entries_read);
        }
    }
    Ok(has_new)
}

/// To whom and how new entries go.
struct Delivery {
    consumer: ConsumerId,
    now: Millis,
    noack: bool,
    count: usize,
}

/// Replies with the entries behind a group's place and moves the group on. Gives what to propagate, if
/// that is `wanted`.
fn reply_new(reply: &mut crate::resp::writer::Reply<'_>, log: &Log, group: &mut Group, delivery: Delivery, wanted: bool) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mark = reply.mark();
    let mut shown = 0;
    let start = group.last_id.next().unwrap_or(StreamId::MAX);
    for entry in log.range(start, StreamId::MAX).take(delivery.count) {
        let id = entry.id;
        log.advance(group, id);
        reply_entry(reply, entry);
        shown += 1;
        if delivery.noack {
            continue;
        }
        let pending = Pending { delivered: delivery.now, deliveries: 1, consumer: delivery.consumer };
        group.deliver(id, pending);
        group.consumer_mut(delivery.consumer).active = Some(delivery.now);
        if wanted {
            claims.push(Claim::of(group, id, pending));
        }
    }
    reply.wrap_array(mark, shown);
    claims
}

/// Replies with what a consumer has not acknowledged, behind an ID, and counts that as another delivery.
fn reply_history(
    reply: &mut crate::resp::writer::Reply<'_>,
    log: &Log,
    group: &mut Group,
    consumer: ConsumerId,
    behind: StreamId,
    count: usize,
    now: Millis,
) {
    let ids: Vec<StreamId> = match behind.next() {
        Some(start) => group.pending_range_of(consumer, start, StreamId::MAX).take(count).map(|(id, _)| id).collect(),
        None => Vec::new(),
    };
    reply.array(ids.len());
    for id in ids {
        match log.range(id, id).next() {
            Some(entry) => {
                reply_entry(reply, entry);
                let pending = group.pending_mut(id).expect("a consumer's pending entry is the group's");
                pending.delivered = now;
                pending.deliveries = pending.deliveries.saturating_add(1);
            }
            None => {
                reply.array(2);
                reply_id(reply, id);
                reply.null_array();
            }
        }
    }
}
