//! Single members: adding, scores, ranks, removing, drawing, scanning.

use super::{Scores, thresholds, write_member, write_members, write_pair};
use crate::base::number;
use crate::command::scanning::{ScanOptions, Walked};
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, draws, float};
use crate::server::error::Error;
use crate::types::Stored;
use crate::types::zset::Zset;

const NAN: Error = Error::fixed("ERR resulting score is not a number (NaN)");

/// The options of ZADD.
#[derive(Default)]
pub(in crate::command) struct AddOptions {
    pub(in crate::command) only_new: bool,
    pub(in crate::command) only_existing: bool,
    greater: bool,
    less: bool,
    pub(in crate::command) count_changed: bool,
    increment: bool,
}

impl AddOptions {
    /// Reads the options from argument 2 on; gives the index of the first score.
    fn parse(&mut self, args: Args<'_>) -> Result<usize, Error> {
        let mut at = 2;
        while let Some(word) = args.get(at) {
            match word.to_ascii_lowercase().as_slice() {
                b"nx" => self.only_new = true,
                b"xx" => self.only_existing = true,
                b"gt" => self.greater = true,
                b"lt" => self.less = true,
                b"ch" => self.count_changed = true,
                b"incr" => self.increment = true,
                _ => break,
            }
            at += 1;
        }
        let words = args.len() - at;
        if words == 0 || !words.is_multiple_of(2) {
            return Err(Error::SYNTAX);
        }
        if self.only_new && self.only_existing {
            return Err(Error::fixed("ERR XX and NX options at the same time are not compatible"));
        }
        if [self.greater, self.less, self.only_new].into_iter().filter(|&set| set).count() > 1 {
            return Err(Error::fixed("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.increment && words > 2 {
            return Err(Error::fixed("ERR INCR option supports a single increment-element pair"));
        }
        Ok(at)
    }

    /// The score that a member gets, if it gets one.
    fn decide(&self, old: Option<f64>, score: f64) -> Result<Option<f64>, Error> {
        let Some(old) = old else { return Ok((!self.only_existing).then_some(score)) };
        if self.only_new {
            return Ok(None);
        }
        let score = if self.increment { old + score } else { score };
        if score.is_nan() {
            return Err(NAN);
        }
        let passes = (!self.greater || score > old) && (!self.less || score < old);
        Ok(passes.then_some(score))
    }
}

pub(super) fn zadd(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args, AddOptions::default())
}

pub(super) fn zincrby(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args, AddOptions { increment: true, ..AddOptions::default() })
}

fn add(ctx: &mut Ctx<'_>, args: Args<'_>, mut options: AddOptions) -> Outcome {
    let first = options.parse(args)?;
    let pairs = args.from(first);
    let pair = |at: usize| Ok::<_, Error>((float(pairs.at(at))?, pairs.at(at + 1)));
    if pairs.len() == 2 {
        add_pairs(ctx, args.at(1), &options, &[pair(0)?])?;
        return DONE;
    }
    let pairs = (0..pairs.len()).step_by(2).map(pair).collect::<Result<Vec<_>, _>>()?;
    add_pairs(ctx, args.at(1), &options, &pairs)?;
    DONE
}

/// Adds members or changes their scores, and replies; gives how many it added or changed.
pub(in crate::command) fn add_pairs(ctx: &mut Ctx<'_>, key: &[u8], options: &AddOptions, pairs: &[(f64, &[u8])]) -> Result<u64, Error> {
    let (thresholds, hasher) = (thresholds(ctx.state), ctx.db.space().hasher());
    let mut guard = if options.only_existing {
        match ctx.db.write::<Zset>(key)? {
            Some(guard) => guard,
            None => {
                if options.increment {
                    ctx.reply.null();
                } else {
                    ctx.reply.integer(0);
                }
                return Ok(0);
            }
        }
    } else {
        ctx.db.write_or_create(key, || Zset::new(pairs.len(), pairs[0].1.len(), thresholds, hasher))?
    };
    if pairs.len() > thresholds.members {
        // as in Redis, so many pairs make a set large even if they name few members
        guard.enlarge(hasher);
    }
    let (mut added, mut updated) = (0, 0);
    let mut last = None;
    for &(score, member) in pairs {
        let change = guard.update(member, thresholds, hasher, |old| options.decide(old, score))?;
        match (change.old, change.new) {
            (None, Some(_)) => added += 1,
            (Some(old), Some(new)) if old != new => updated += 1,
            _ => {}
        }
        last = change.new;
    }
    if added + updated > 0 {
        guard.commit(Event::zset(if options.increment { "zincr" } else { "zadd" }), added + updated);
    } else {
        drop(guard);
    }
    match last {
        Some(score) if options.increment => ctx.reply.double(score),
        None if options.increment => ctx.reply.null(),
        _ => ctx.reply.integer((added + if options.count_changed { updated } else { 0 }).cast_signed()),
    }
    Ok(added + updated)
}

pub(super) fn zrem(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut removed = 0;
    if let Some(mut guard) = ctx.db.write::<Zset>(args.at(1))? {
        for member in args.from(2).iter() {
            removed += u32::from(guard.remove(member).is_some());
        }
        if removed > 0 {
            guard.commit(Event::zset("zrem"), u64::from(removed));
        }
    }
    ctx.reply.integer(i64::from(removed));
    DONE
}

pub(super) fn zcard(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let members = ctx.db.read::<Zset>(args.at(1))?.map_or(0, |zset| zset.len());
    ctx.reply.count(members);
    DONE
}

pub(super) fn zscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let score = ctx.db.read::<Zset>(args.at(1))?.and_then(|zset| zset.score(args.at(2)));
    match score {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    }
    DONE
}

pub(super) fn zmscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let zset = ctx.db.read::<Zset>(args.at(1))?;
    ctx.reply.array(args.len() - 2);
    for member in args.from(2).iter() {
        match zset.as_ref().and_then(|zset| zset.score(member)) {
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.null(),
        }
    }
    DONE
}

pub(super) fn zrank(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    rank(ctx, args, |rank, _| rank)
}

pub(super) fn zrevrank(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    rank(ctx, args, |rank, len| len - 1 - rank)
}

fn rank(ctx: &mut Ctx<'_>, args: Args<'_>, shown: fn(usize, usize) -> usize) -> Outcome {
    if args.len() > 4 {
        return Err(Error::arity(ctx.row().name));
    }
    let with_score = args.len() == 4;
    if with_score && !args.is(3, "withscore") {
        return Err(Error::SYNTAX);
    }
    let zset = ctx.db.read::<Zset>(args.at(1))?;
    match zset.and_then(|zset| zset.rank(args.at(2)).map(|(rank, score)| (shown(rank, zset.len()), score))) {
        Some((rank, score)) if with_score => {
            ctx.reply.array(2);
            ctx.reply.count(rank);
            ctx.reply.double(score);
        }
        Some((rank, _)) => ctx.reply.count(rank),
        None if with_score => ctx.reply.null_array(),
        None => ctx.reply.null(),
    }
    DONE
}

pub(super) fn zrandmember(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some(count) = args.get(2) else {
        match ctx.db.read::<Zset>(args.at(1))? {
            Some(zset) => {
                let rank = ctx.state.random.index(zset.len());
                write_member(&mut ctx.reply, zset.get(rank).expect("a rank below the length").0);
            }
            None => ctx.reply.null(),
        }
        return DONE;
    };
    let count = draws(count)?;
    let scores = if args.len() == 3 { Scores::Without } else { Scores::With };
    if args.len() > 4 || scores == Scores::With && !args.is(3, "withscores") {
        return Err(Error::SYNTAX);
    }
    if scores == Scores::With && count > i64::MAX / 2 {
        return Err(Error::fixed("ERR value is out of range"));
    }
    let Some(zset) = ctx.db.read::<Zset>(args.at(1))? else {
        ctx.reply.array(0);
        return DONE;
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        let random = &mut ctx.state.random;
        let flat = scores == Scores::With && !ctx.reply.is_resp3();
        ctx.reply.array(if flat { wanted * 2 } else { wanted });
        for _ in 0..wanted {
            let (member, score) = zset.get(random.index(zset.len())).expect("a rank below the length");
            match scores {
                Scores::With => write_pair(&mut ctx.reply, member, score),
                Scores::Without => write_member(&mut ctx.reply, member),
            }
        }
    } else if wanted >= zset.len() {
        write_members(&mut ctx.reply, scores, zset.range_back(0..zset.len()));
    } else {
        let ranks = distinct_ranks(zset.len(), wanted, &mut ctx.state.random);
        let members = ranks.into_iter().map(|rank| zset.get(rank).expect("a rank below the length"));
        write_members(&mut ctx.reply, scores, members);
    }
    DONE
}

/// So many different ranks below `len`, any set of them with equal chance (Floyd's algorithm), in
/// random order.
fn distinct_ranks(len: usize, count: usize, random: &mut crate::base::random::Random) -> Vec<usize> {
    let mut chosen = std::collections::HashSet::with_capacity(count);
    let mut ranks = Vec::with_capacity(count);
    for last in len - count..len {
        let drawn = random.index(last + 1);
        let rank = if chosen.insert(drawn) { drawn } else { last };
        chosen.insert(rank);
        ranks.push(rank);
    }
    for at in (1..ranks.len()).rev() {
        ranks.swap(at, random.index(at + 1));
    }
    ranks
}

pub(super) fn zscan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let cursor = number::parse_u64_lenient(args.at(2)).ok_or(Error::BAD_CURSOR)?;
    let mark = ctx.reply.mark();
    let Some(zset) = ctx.db.read::<Zset>(args.at(1))? else {
        ctx.reply.wrap_scan(mark, 0, 0);
        return DONE;
    };
    let options = ScanOptions::parse(args.from(3), Walked::Zset)?;
    let (reply, small) = (&mut ctx.reply, zset.as_packed().is_some());
    let (mut written, mut text) = (0, Vec::new());
    let cursor = options.walk(cursor, |cursor, met| {
        zset.scan(cursor, |member, score| {
            *met += 1;
            let mut buffer = [0; 21];
            let member = member.text(&mut buffer);
            if !options.matches(member) {
                return;
            }
            reply.bulk(member);
            written += 1;
            if options.pairs {
                text.clear();
                if small {
                    number::write_f64(&mut text, score)
                } else {
                    number::write_f64_17_digits(&mut text, score)
                }
                reply.bulk(&text);
                written += 1;
            }
        })
    });
    reply.wrap_scan(mark, cursor, written);
    DONE
}
