//! Sorted sets out of several: union, intersection, difference, and their sizes and stored forms.
//!
//! All inputs are looked at side by side; a plain set counts as a sorted set whose scores are 1. The
//! result is gathered unsorted and put in order once, at the end.

use super::range::store;
use super::{Scores, thresholds, write_members};
use crate::base::number;
use crate::keyspace::Db;
use crate::keyspace::entry::View;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::set::Set;
use crate::types::zset::{Gather, Zset};
use crate::types::{Stored, Type};

/// What is made of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// Where the result goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Reply,
    Key,
    Size,
}

/// What becomes of the scores of a member that is in several inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    /// The merged score. `b` may be NaN (zero times infinity); it then makes a sum 0 and else nothing.
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            // opposite infinities cancel out
            Aggregate::Sum => number_or_zero(a + b),
            Aggregate::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Aggregate::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A value that can be combined.
enum Members<'a> {
    None,
    Zset(View<'a, Zset>),
    Set(View<'a, Set>),
}

/// The score that a plain set's members count for.
const SCORE_IN_A_SET: f64 = 1.0;

/// One input.
struct Source<'a> {
    members: Members<'a>,
    weight: f64,
}

impl Source<'_> {
    fn len(&self) -> usize {
        match &self.members {
            Members::None => 0,
            Members::Zset(zset) => zset.len(),
            Members::Set(set) => set.len(),
        }
    }

    /// The score of a member, weighted; NaN for zero times infinity.
    fn score(&self, member: &[u8]) -> Option<f64> {
        let score = match &self.members {
            Members::None => None,
            Members::Zset(zset) => zset.score(member),
            Members::Set(set) => set.contains(member).then_some(SCORE_IN_A_SET),
        };
        score.map(|score| score * self.weight)
    }

    /// Visits each member with its weighted score, until `visit` says that it has enough.
    fn visit(&self, mut visit: impl FnMut(&[u8], f64) -> Enough) {
        let weighted = |score| number_or_zero(score * self.weight);
        match &self.members {
            Members::None => {}
            Members::Set(set) => {
                let score = weighted(SCORE_IN_A_SET);
                set.iter().any(|member| visit(member.text(&mut [0; 21]), score) == Enough::Yes);
            }
            Members::Zset(zset) => {
                zset.iter().any(|(member, score)| visit(member.text(&mut [0; 21]), weighted(score)) == Enough::Yes);
            }
        }
    }
}

/// Whether a visit may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Enough {
    Yes,
    No,
}

/// A parsed request.
struct Request<'a> {
    operation: Operation,
    keys: Args<'a>,
    weights: Vec<f64>,
    aggregate: Aggregate,
    scores: Scores,
    /// Members after which counting stops.
    limit: usize,
}

impl<'a> Request<'a> {
    /// Parses from the number of keys at argument `at` on. The types of the keys are looked at before
    /// the options, as Redis does.
    fn parse(ctx: &mut Ctx<'_>, args: Args<'a>, at: usize, operation: Operation, target: Target) -> Result<Self, Error> {
        let number = integer(args.at(at))?;
        if number < 1 {
            let name = ctx.row().name;
            return Err(Error::new(format!("ERR at least 1 input key is needed for '{name}' command")));
        }
        let number = usize::try_from(number).ok().filter(|&number| number < args.len() - at).ok_or(Error::SYNTAX)?;
        let keys = args.slice(at + 1..at + 1 + number);
        for key in keys.iter() {
            if ctx.db.entry(key).is_some_and(|entry| !matches!(entry.kind().type_of(), Type::Zset | Type::Set)) {
                return Err(Error::WRONG_TYPE);
            }
        }
        let mut request =
            Request { operation, keys, weights: vec![1.0; number], aggregate: Aggregate::Sum, scores: Scores::Without, limit: usize::MAX };
        request.parse_options(args.from(at + 1 + number), target)?;
        Ok(request)
    }

    fn parse_options(&mut self, options: Args<'_>, target: Target) -> Result<(), Error> {
        const NO_WEIGHT: Error = Error::fixed("ERR weight value is not a float");
        const NEGATIVE_LIMIT: Error = Error::fixed("ERR LIMIT can't be negative");
        let merges = self.operation != Operation::Diff && target != Target::Size;
        let mut at = 0;
        while at < options.len() {
            let left = options.len() - at;
            if merges && left > self.keys.len() && options.is(at, "weights") {
                for (weight, arg) in self.weights.iter_mut().zip(options.from(at + 1).iter()) {
                    *weight = number::parse_f64(arg).ok_or(NO_WEIGHT)?;
                }
                at += self.keys.len();
            } else if merges && left > 1 && options.is(at, "aggregate") {
                at += 1;
                self.aggregate = match options.at(at).to_ascii_lowercase().as_slice() {
                    b"sum" => Aggregate::Sum,
                    b"min" => Aggregate::Min,
                    b"max" => Aggregate::Max,
                    _ => return Err(Error::SYNTAX),
                };
            } else if target == Target::Reply && options.is(at, "withscores") {
                self.scores = Scores::With;
            } else if target == Target::Size && left > 1 && options.is(at, "limit") {
                at += 1;
                let limit = number::parse_i64(options.at(at)).filter(|&limit| limit >= 0).ok_or(NEGATIVE_LIMIT)?;
                self.limit = usize::try_from(limit).ok().filter(|&limit| limit > 0).unwrap_or(usize::MAX);
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        Ok(())
    }

    /// The inputs, side by side.
    fn sources<'d>(&self, db: &'d Db<'_>) -> Vec<Source<'d>> {
        let members = |key| {
            let Some(entry) = db.resident(key) else { return Members::None };
            let zset = entry.view::<Zset>().map(Members::Zset);
            zset.or_else(|| entry.view::<Set>().map(Members::Set)).unwrap_or(Members::None)
        };
        let mut sources: Vec<Source<'d>> =
            self.keys.iter().zip(&self.weights).map(|(key, &weight)| Source { members: members(key), weight }).collect();
        if self.operation != Operation::Diff {
            sources.sort_by_key(Source::len);
        }
        sources
    }

    /// The result, unsorted.
    fn gather(&self, ctx: &mut Ctx<'_>) -> Gather {
        let mut gather = Gather::new(ctx.db.space().hasher());
        let sources = self.sources(&ctx.db);
        match self.operation {
            Operation::Union => {
                for source in &sources {
                    source.visit(|member, score| {
                        gather.put(member, |old| old.map_or(score, |old| self.aggregate.of(old, score)));
                        Enough::No
                    });
                }
            }
            Operation::Inter => self.intersect(&sources, |member, score| {
                gather.put(member, |_| score);
                Enough::No
            }),
            Operation::Diff => subtract(&sources, &mut gather),
        }
        gather
    }

    /// Visits the members that all inputs have; the first input is the smallest.
    fn intersect(&self, sources: &[Source<'_>], mut visit: impl FnMut(&[u8], f64) -> Enough) {
        let (first, rest) = sources.split_first().expect("at least one key");
        first.visit(|member, score| {
            let merged = rest.iter().try_fold(score, |score, source| Some(self.aggregate.of(score, source.score(member)?)));
            merged.map_or(Enough::No, |score| visit(member, score))
        });
    }
}

/// The members of the first input that no other has. Either each of them is looked up in the others, or
/// each of the others' is taken away, whichever is less work.
fn subtract(sources: &[Source<'_>], gather: &mut Gather) {
    let (first, rest) = sources.split_first().expect("at least one key");
    let others: usize = rest.iter().map(Source::len).sum();
    if first.len() == 0 {
        return;
    }
    let look_up = first.len().saturating_mul(rest.len()) <= first.len() + others;
    first.visit(|member, score| {
        if !look_up || rest.iter().all(|source| source.score(member).is_none()) {
            gather.put(member, |_| score);
        }
        Enough::No
    });
    if !look_up {
        for source in rest {
            source.visit(|member, _| {
                gather.remove(member);
                if gather.is_empty() { Enough::Yes } else { Enough::No }
            });
        }
    }
}

fn reply(ctx: &mut Ctx<'_>, args: Args<'_>, operation: Operation) -> Outcome {
    let request = Request::parse(ctx, args, 1, operation, Target::Reply)?;
    let zset = request.gather(ctx).finish();
    write_members(&mut ctx.reply, request.scores, zset.iter());
    DONE
}

fn keep(ctx: &mut Ctx<'_>, args: Args<'_>, operation: Operation, event: &'static str) -> Outcome {
    let request = Request::parse(ctx, args, 2, operation, Target::Key)?;
    let zset = request.gather(ctx).finish().compact(thresholds(ctx.state));
    store(ctx, args.at(1), Some(zset), event);
    DONE
}

pub(super) fn zunion(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Operation::Union)
}

pub(super) fn zinter(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Operation::Inter)
}

pub(super) fn zdiff(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Operation::Diff)
}

pub(super) fn zunionstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    keep(ctx, args, Operation::Union, "zunionstore")
}

pub(super) fn zinterstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    keep(ctx, args, Operation::Inter, "zinterstore")
}

pub(super) fn zdiffstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    keep(ctx, args, Operation::Diff, "zdiffstore")
}

pub(super) fn zintercard(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let request = Request::parse(ctx, args, 1, Operation::Inter, Target::Size)?;
    let mut members = 0;
    request.intersect(&request.sources(&ctx.db), |_, _| {
        members += 1;
        if members == request.limit { Enough::Yes } else { Enough::No }
    });
    ctx.reply.count(members);
    DONE
}
