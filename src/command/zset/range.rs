//! Ranges by rank, score and member: reading, counting, storing, removing.
//!
//! Every bound becomes a range of ranks first ([`Range::ranks`]); direction and LIMIT then only narrow
//! or turn that.

use std::ops;

use super::{Scores, thresholds, write_members};
use crate::keyspace::effects::Event;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::Stored;
use crate::types::zset::{LexBound, ScoreBound, Zset};

const NOT_A_SCORE: Error = Error::fixed("ERR min or max is not a float");
const NOT_A_MEMBER: Error = Error::fixed("ERR min or max not valid string range item");

/// What the bounds of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// Two parsed bounds.
enum Range<'a> {
    Rank(i64, i64),
    Score(ScoreBound, ScoreBound),
    Lex(LexBound<'a>, LexBound<'a>),
}

impl<'a> Range<'a> {
    fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, Error> {
        match by {
            By::Rank => Ok(Range::Rank(integer(min)?, integer(max)?)),
            By::Score => score_bound(min).zip(score_bound(max)).map(|(min, max)| Range::Score(min, max)).ok_or(NOT_A_SCORE),
            By::Lex => lex_bound(min).zip(lex_bound(max)).map(|(min, max)| Range::Lex(min, max)).ok_or(NOT_A_MEMBER),
        }
    }

    /// The ranks of the members in the range.
    fn ranks(&self, zset: &Zset) -> ops::Range<usize> {
        match *self {
            Range::Rank(first, last) => rank_range(first, last, zset.len()),
            Range::Score(min, max) => zset.ranks_by_score(min, max),
            Range::Lex(min, max) => zset.ranks_by_lex(min, max),
        }
    }
}

/// Ranks from `first` to `last`, negative ones counted from the end.
fn rank_range(first: i64, last: i64, len: usize) -> ops::Range<usize> {
    let from_end = |rank: i64| {
        let rank = if rank < 0 { rank.saturating_add(i64::try_from(len).unwrap_or(i64::MAX)) } else { rank };
        usize::try_from(rank).ok()
    };
    let start = from_end(first).unwrap_or(0).min(len);
    let end = from_end(last).map_or(0, |last| last.saturating_add(1).min(len));
    start..end.max(start)
}

/// A score, or `(` and a score that is itself not in the range. More is taken than elsewhere: the empty
/// text is zero, and what is too large is infinite. Blanks and hexadecimal digits are not.
fn score_bound(text: &[u8]) -> Option<ScoreBound> {
    let (text, exclusive) = match text.strip_prefix(b"(") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let score: f64 = if text.is_empty() { 0.0 } else { str::from_utf8(text).ok()?.parse().ok()? };
    if score.is_nan() {
        return None;
    }
    Some(if exclusive { ScoreBound::Exclusive(score) } else { ScoreBound::Inclusive(score) })
}

/// `-`, `+`, or a member after `[` or `(`.
fn lex_bound(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        b"-" => Some(LexBound::Min),
        b"+" => Some(LexBound::Max),
        [b'[', member @ ..] => Some(LexBound::Inclusive(member)),
        [b'(', member @ ..] => Some(LexBound::Exclusive(member)),
        _ => None,
    }
}

/// A range as it is to be read.
struct Query<'a> {
    range: Range<'a>,
    reversed: bool,
    offset: i64,
    /// Most members; negative for all.
    limit: i64,
    scores: Scores,
}

/// What a command's name already says; the rest may be said by options.
#[derive(Clone, Copy)]
struct Fixed {
    by: Option<By>,
    reversed: Option<bool>,
    stores: bool,
}

impl<'a> Query<'a> {
    /// Parses bounds at `at` and `at + 1` and the options behind them.
    fn parse(args: Args<'a>, at: usize, fixed: Fixed) -> Result<Self, Error> {
        let (mut by, mut reversed) = (fixed.by, fixed.reversed);
        let (mut offset, mut limit, mut scores) = (0, -1, Scores::Without);
        let mut option = at + 2;
        while option < args.len() {
            if !fixed.stores && args.is(option, "withscores") {
                scores = Scores::With;
            } else if args.is(option, "limit") && args.len() - option > 2 {
                offset = integer(args.at(option + 1))?;
                limit = integer(args.at(option + 2))?;
                option += 2;
            } else if reversed.is_none() && args.is(option, "rev") {
                reversed = Some(true);
            } else if by.is_none() && args.is(option, "bylex") {
                by = Some(By::Lex);
            } else if by.is_none() && args.is(option, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(Error::SYNTAX);
            }
            option += 1;
        }
        let (by, reversed) = (by.unwrap_or(By::Rank), reversed.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            let text = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
            return Err(Error::fixed(text));
        }
        if scores == Scores::With && by == By::Lex {
            return Err(Error::fixed("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        let swapped = reversed && by != By::Rank;
        let (min, max) = if swapped { (args.at(at + 1), args.at(at)) } else { (args.at(at), args.at(at + 1)) };
        Ok(Query { range: Range::parse(by, min, max)?, reversed, offset, limit, scores })
    }

    /// The ranks, counted upwards, of the members that the query asks for.
    fn ranks(&self, zset: &Zset) -> ops::Range<usize> {
        let len = zset.len();
        let mut ranks = self.range.ranks(zset);
        let by_rank = matches!(self.range, Range::Rank(..));
        if by_rank && self.reversed {
            ranks = len - ranks.end..len - ranks.start;
        }
        if by_rank || self.offset == 0 && self.limit < 0 {
            return ranks;
        }
        let Some(skipped) = self.skipped(ranks.len(), zset.as_packed().is_some()) else { return 0..0 };
        let taken = usize::try_from(self.limit).unwrap_or(usize::MAX).min(ranks.len() - skipped);
        if self.reversed {
            let end = ranks.end - skipped;
            end - taken..end
        } else {
            let start = ranks.start + skipped;
            start..start + taken
        }
    }
}

impl Query<'_> {
    /// How many of `len` members the offset skips. As in Redis 8, a negative one counts from the far end
    /// of the range in a large set, and leaves nothing of a small one.
    fn skipped(&self, len: usize, small: bool) -> Option<usize> {
        match usize::try_from(self.offset) {
            Ok(offset) => Some(offset.min(len)),
            Err(_) if small => None,
            Err(_) => len.checked_sub(usize::try_from(self.offset.unsigned_abs()).ok()?),
        }
    }
}

fn read(ctx: &mut Ctx<'_>, args: Args<'_>, by: Option<By>, reversed: Option<bool>) -> Outcome {
    let query = Query::parse(args, 2, Fixed { by, reversed, stores: false })?;
    match ctx.db.read::<Zset>(args.at(1))? {
        None => ctx.reply.array(0),
        Some(zset) => {
            let ranks = query.ranks(&zset);
            let members = if query.reversed { zset.range_back(ranks) } else { zset.range(ranks) };
            write_members(&mut ctx.reply, query.scores, members);
        }
    }
    DONE
}

pub(super) fn zrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    read(ctx, args, None, None)
}

pub(super) fn zrevrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    read(ctx, args, Some(By::Rank), Some(true))
}

pub(super) fn zrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    read(ctx, args, Some(By::Score), Some(false))
}

pub(super) fn zrevrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    read(ctx, args, Some(By::Score), Some(true))
}

pub(super) fn zrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    read(ctx, args, Some(By::Lex), Some(false))
}

pub(super) fn zrevrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    read(ctx, args, Some(By::Lex), Some(true))
}

pub(super) fn zrangestore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let query = Query::parse(args, 3, Fixed { by: None, reversed: None, stores: true })?;
    let (thresholds, hasher) = (thresholds(ctx.state), ctx.db.space().hasher());
    let stored = ctx.db.read::<Zset>(args.at(2))?.map(|zset| {
        let ranks = query.ranks(&zset);
        // as in Redis the small form is skipped only where the number of members was told beforehand
        let told = if matches!(query.range, Range::Rank(..)) { ranks.len() } else { 0 };
        let mut copy = Zset::new(told, 0, thresholds, hasher);
        for (member, score) in if query.reversed { zset.range_back(ranks) } else { zset.range(ranks) } {
            copy.insert(member.text(&mut [0; 21]), score, thresholds, hasher);
        }
        copy
    });
    store(ctx, args.at(1), stored, "zrangestore");
    DONE
}

/// Ends a command that stores a sorted set: replies its length; an empty one removes the key.
pub(in crate::command) fn store(ctx: &mut Ctx<'_>, key: &[u8], zset: Option<Zset>, event: &'static str) {
    let members = zset.as_ref().map_or(0, Stored::len);
    match zset {
        Some(zset) if members > 0 => ctx.db.set_value(key, zset, Ttl::Clear, &[Event::zset(event)]),
        _ => {
            ctx.db.remove(key, Event::generic("del"));
        }
    }
    ctx.reply.count(members);
}

pub(super) fn zcount(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    count(ctx, args, By::Score)
}

pub(super) fn zlexcount(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    count(ctx, args, By::Lex)
}

fn count(ctx: &mut Ctx<'_>, args: Args<'_>, by: By) -> Outcome {
    let range = Range::parse(by, args.at(2), args.at(3))?;
    let members = ctx.db.read::<Zset>(args.at(1))?.map_or(0, |zset| range.ranks(&zset).len());
    ctx.reply.count(members);
    DONE
}

pub(super) fn zremrangebyrank(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    remove(ctx, args, By::Rank, "zremrangebyrank")
}

pub(super) fn zremrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    remove(ctx, args, By::Score, "zremrangebyscore")
}

pub(super) fn zremrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    remove(ctx, args, By::Lex, "zremrangebylex")
}

fn remove(ctx: &mut Ctx<'_>, args: Args<'_>, by: By, event: &'static str) -> Outcome {
    let range = Range::parse(by, args.at(2), args.at(3))?;
    let mut removed = 0;
    if let Some(mut guard) = ctx.db.write::<Zset>(args.at(1))? {
        let ranks = range.ranks(&guard);
        removed = guard.remove_ranks(ranks);
        if removed > 0 {
            guard.commit(Event::zset(event), removed as u64);
        }
    }
    ctx.reply.count(removed);
    DONE
}
