//! XADD, XTRIM and XSETID: the log's two ends.

use super::parse::{AddOptions, NewId, OptionsOf, TrimOption, strict_id};
use super::{limits, obeys, reply_id};
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::stream::log::{Threshold, Trim};
use crate::types::stream::{Log, References, Stream, StreamId};

const NOT_ABOVE_TOP: Error = Error::fixed("ERR The ID specified in XADD is equal or smaller than the target stream top item");

/// The ID of a new entry; `None` if it would not be above the last one.
fn choose(last: StreamId, id: NewId, now: u64) -> Option<StreamId> {
    let id = match id {
        NewId::Given(id) => id,
        NewId::AutoSequence(ms) if ms == last.ms => StreamId::new(ms, last.seq.checked_add(1)?),
        NewId::AutoSequence(ms) => StreamId::new(ms, 0),
        NewId::Auto if now > last.ms => StreamId::new(now, 0),
        NewId::Auto => last.next()?,
    };
    (id > last).then_some(id)
}

pub(super) fn xadd(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = AddOptions::parse(args, OptionsOf::Add)?;
    let block_limits = limits(ctx);
    let limit = options.trim_limit(obeys(ctx), block_limits)?;
    let (id, id_at) = options.id.unwrap_or((NewId::Auto, args.len()));
    let words = args.from(id_at + 1);
    if words.len() < 2 || words.len() % 2 == 1 {
        return Err(Error::arity("xadd"));
    }
    if matches!(id, NewId::Given(StreamId::MIN)) {
        return Err(Error::fixed("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let now = u64::try_from(ctx.now().0).unwrap_or(0);
    let key = args.at(1);
    let mut stream = if options.must_exist {
        match ctx.db.write::<Stream>(key)? {
            Some(stream) => stream,
            None => {
                ctx.reply.null();
                return DONE;
            }
        }
    } else {
        ctx.db.write_or_create(key, Stream::new)?
    };
    if stream.log.last_id == StreamId::MAX {
        return Err(Error::fixed("ERR The stream has exhausted the last possible ID, unable to add more items"));
    }
    let new = choose(stream.log.last_id, id, now).ok_or(NOT_ABOVE_TOP)?;
    let appended = stream.log.append(new, words.iter(), block_limits);
    appended.map_err(|_| Error::fixed("ERR Elements are too large to be stored"))?;
    let mut trimmed = 0;
    if let Some(trim) = options.trim {
        let trim = Trim { threshold: trim.threshold, whole_blocks: trim.approximate, limit };
        trimmed = stream.trim(trim, options.references.unwrap_or(References::Keep));
    }
    let exact = options.trim.filter(|trim| trim.approximate).map(|trim| exact_threshold(trim, options.references, &stream.log));
    let events = [Event::stream("xadd"), Event::stream("xtrim")];
    stream.commit_with(if trimmed > 0 { &events } else { &events[..1] }, 1);
    reply_id(&mut ctx.reply, new);
    if exact.is_some() || !matches!(id, NewId::Given(_)) {
        propagate_exactly(ctx, args, exact.as_ref(), Some((id_at, new)));
    }
    DONE
}

pub(super) fn xtrim(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = AddOptions::parse(args, OptionsOf::Trim)?;
    let limit = options.trim_limit(obeys(ctx), limits(ctx))?;
    let option = options.trim.expect("XTRIM has a threshold");
    let Some(mut stream) = ctx.db.write::<Stream>(args.at(1))? else {
        ctx.reply.integer(0);
        return DONE;
    };
    let trim = Trim { threshold: option.threshold, whole_blocks: option.approximate, limit };
    let trimmed = stream.trim(trim, options.references.unwrap_or(References::Keep));
    if trimmed > 0 {
        let exact = option.approximate.then(|| exact_threshold(option, options.references, &stream.log));
        stream.commit(Event::stream("xtrim"), trimmed);
        if exact.is_some() {
            propagate_exactly(ctx, args, exact.as_ref(), None);
        }
    }
    ctx.reply.integer(i64::try_from(trimmed).unwrap_or(i64::MAX));
    DONE
}

/// A threshold in words, and where they go among the arguments.
struct ExactThreshold {
    at: usize,
    strategy: &'static [u8],
    text: Vec<u8>,
}

/// The exact threshold that removes what an approximate one has removed. Where entries that somebody
/// needs were passed over, no ID tells how far the trim came; the length it left always does.
fn exact_threshold(trim: TrimOption, references: Option<References>, log: &Log) -> ExactThreshold {
    let by_length = matches!(trim.threshold, Threshold::Length(_)) || references == Some(References::Acked);
    let first = if log.is_empty() { StreamId::MAX } else { log.first_id };
    let text = if by_length { log.len().to_string().into_bytes() } else { first.to_vec() };
    ExactThreshold { at: trim.at, strategy: if by_length { b"MAXLEN" } else { b"MINID" }, text }
}

/// Propagates the command as sent, but with the threshold and the ID that came of it.
fn propagate_exactly(ctx: &mut Ctx<'_>, args: Args<'_>, exact: Option<&ExactThreshold>, id: Option<(usize, StreamId)>) {
    ctx.propagate_nothing();
    if !ctx.db.space().effects.recording {
        return;
    }
    let mut words: Vec<&[u8]> = args.iter().collect();
    if let Some(exact) = exact {
        if exact.strategy.eq_ignore_ascii_case(b"maxlen") != args.is(exact.at - 2, "maxlen") {
            words[exact.at - 2] = exact.strategy;
        }
        words[exact.at - 1] = b"=";
        words[exact.at] = &exact.text;
    }
    let mut buffer = [0; 41];
    if let Some((at, id)) = id {
        words[at] = id.text(&mut buffer);
    }
    ctx.propagate(&words);
}

pub(super) fn xsetid(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let id = strict_id(args.at(2), 0)?;
    let (mut added, mut deleted) = (None, None);
    let mut at = 3;
    while at < args.len() {
        let more = at + 1 < args.len();
        if more && args.is(at, "entriesadded") {
            let count = integer(args.at(at + 1))?;
            added = Some(u64::try_from(count).map_err(|_| Error::fixed("ERR entries_added must be positive"))?);
        } else if more && args.is(at, "maxdeletedid") {
            let max = strict_id(args.at(at + 1), 0)?;
            if id < max {
                return Err(Error::fixed("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"));
            }
            deleted = Some(max);
        } else {
            return Err(Error::SYNTAX);
        }
        at += 2;
    }
    let mut stream = ctx.db.write::<Stream>(args.at(1))?.ok_or(Error::NO_SUCH_KEY)?;
    let log = &mut stream.log;
    if id < log.max_deleted_id {
        return Err(Error::fixed("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"));
    }
    if log.last().is_some_and(|last| id < last.id) {
        return Err(Error::fixed("ERR The ID specified in XSETID is smaller than the target stream top item"));
    }
    if added.is_some_and(|added| added < log.len()) {
        return Err(Error::fixed("ERR The entries_added specified in XSETID is smaller than the target stream length"));
    }
    log.last_id = id;
    if let Some(added) = added {
        log.entries_added = added;
    }
    if let Some(deleted) = deleted.filter(|deleted| !deleted.is_zero()) {
        log.max_deleted_id = deleted;
    }
    stream.commit_aside(&[Event::stream("xsetid")], 1);
    ctx.reply.ok();
    DONE
}
