//! XDEL, XDELEX, XACK and XACKDEL: entries and deliveries by name.

use super::parse::{ids, references, strict_id};
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::stream::{Deletion, References, Stream, StreamId};

pub(super) fn xdel(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some(mut stream) = ctx.db.write::<Stream>(args.at(1))? else {
        ctx.reply.integer(0);
        return DONE;
    };
    let deleted = ids(args.from(2))?.into_iter().filter(|&id| stream.log.delete(id)).count();
    if deleted > 0 {
        stream.commit(Event::stream("xdel"), deleted as u64);
    }
    ctx.reply.count(deleted);
    DONE
}

pub(super) fn xack(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut acknowledged = 0;
    if let Some(mut stream) = ctx.db.write::<Stream>(args.at(1))? {
        if let Some(group) = stream.groups.get_mut(args.at(2)) {
            acknowledged = ids(args.from(3))?.into_iter().filter(|&id| group.acknowledge(id).is_some()).count();
        }
        if acknowledged > 0 {
            stream.commit_aside(&[], acknowledged as u64);
        }
    }
    ctx.reply.count(acknowledged);
    DONE
}

/// `[KEEPREF | DELREF | ACKED] IDS numids id ...` from argument `at` on, in any order.
fn named(args: Args<'_>, mut at: usize) -> Result<(References, Vec<StreamId>), Error> {
    let (mut policy, mut named) = (None, None);
    while at < args.len() {
        if args.is(at, "ids") && at + 1 < args.len() && named.is_none() {
            let count = integer(args.at(at + 1)).ok().and_then(|count| usize::try_from(count).ok()).filter(|&count| count > 0);
            let count = count.ok_or(Error::fixed("ERR Number of IDs must be a positive integer"))?;
            if count > args.len() - at - 2 {
                return Err(Error::fixed("ERR The `numids` parameter must match the number of arguments"));
            }
            named = Some(args.slice(at + 2..at + 2 + count));
            at += 2 + count;
        } else {
            let references = references(args.at(at)).ok_or(Error::SYNTAX)?;
            if policy.replace(references).is_some() {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
    }
    let named = named.ok_or(Error::SYNTAX)?.iter().map(|arg| strict_id(arg, 0)).collect::<Result<_, _>>()?;
    Ok((policy.unwrap_or(References::Keep), named))
}

/// The reply for each ID of XDELEX and XACKDEL.
fn shown(deletion: Deletion) -> i64 {
    match deletion {
        Deletion::Absent => -1,
        Deletion::Deleted => 1,
        Deletion::Needed => 2,
    }
}

/// What a command that deletes by name has done.
#[derive(Default)]
struct Done {
    replies: Vec<i64>,
    deleted: u64,
    forgotten: u64,
}

impl Done {
    fn finish(self, out: &mut Reply<'_>) -> Outcome {
        out.array(self.replies.len());
        for reply in self.replies {
            out.integer(reply);
        }
        DONE
    }
}

fn reply_absent(out: &mut Reply<'_>, count: usize) -> Outcome {
    Done { replies: vec![-1; count], ..Done::default() }.finish(out)
}

pub(super) fn xdelex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (policy, named) = named(args, 2)?;
    let Some(mut stream) = ctx.db.write::<Stream>(args.at(1))? else { return reply_absent(&mut ctx.reply, named.len()) };
    let mut done = Done::default();
    for id in named {
        if policy == References::Delete {
            done.forgotten += u64::from(stream.forget(id));
        }
        let deletion = stream.delete(id, policy);
        done.deleted += u64::from(deletion == Deletion::Deleted);
        done.replies.push(shown(deletion));
    }
    commit(stream, &done);
    done.finish(&mut ctx.reply)
}

pub(super) fn xackdel(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (policy, named) = named(args, 3)?;
    let stream = ctx.db.write::<Stream>(args.at(1))?.filter(|stream| stream.groups.contains_key(args.at(2)));
    let Some(mut stream) = stream else { return reply_absent(&mut ctx.reply, named.len()) };
    let mut done = Done::default();
    for id in named {
        let group = stream.groups.get_mut(args.at(2)).expect("the group was just found");
        let acknowledged = group.acknowledge(id).is_some();
        done.forgotten += u64::from(acknowledged);
        if policy == References::Delete {
            done.forgotten += u64::from(stream.forget(id));
        }
        if !acknowledged {
            done.replies.push(shown(Deletion::Absent));
            continue;
        }
        let deletion = stream.delete(id, policy);
        done.deleted += u64::from(deletion == Deletion::Deleted);
        // an entry that was gone before is as acknowledged and deleted as one that goes now
        done.replies.push(shown(if deletion == Deletion::Needed { deletion } else { Deletion::Deleted }));
    }
    commit(stream, &done);
    done.finish(&mut ctx.reply)
}

fn commit(stream: crate::keyspace::write::Write<'_, Stream>, done: &Done) {
    let changes = done.deleted + done.forgotten;
    if done.deleted > 0 {
        stream.commit(Event::stream("xdel"), changes);
    } else if changes > 0 {
        stream.commit_aside(&[], changes);
    }
}
