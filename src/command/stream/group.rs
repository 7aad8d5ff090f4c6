//! XGROUP.

use super::parse::{bad_subcommand, loose_id, no_group, strict_id};
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::types::stream::{Group, Stream};

const NO_KEY: Error = Error::fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);

/// `[MKSTREAM] [ENTRIESREAD n]` from argument 5 on.
struct Options {
    make: bool,
    entries_read: Option<i64>,
}

impl Options {
    fn parse(args: Args<'_>, may_make: bool) -> Result<Options, Error> {
        let mut options = Options { make: false, entries_read: None };
        let mut at = 5;
        while at < args.len() {
            if may_make && args.is(at, "mkstream") {
                options.make = true;
            } else if at + 1 < args.len() && args.is(at, "entriesread") {
                at += 1;
                let read = integer(args.at(at))?;
                if read < -1 {
                    return Err(Error::fixed("ERR value for ENTRIESREAD must be positive or -1"));
                }
                options.entries_read = Some(read).filter(|&read| read >= 0);
            } else {
                return Err(bad_subcommand("XGROUP", args.at(1)));
            }
            at += 1;
        }
        Ok(options)
    }
}

pub(super) fn create(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(args, true)?;
    let mut stream = match ctx.db.write::<Stream>(args.at(2))? {
        None if !options.make => return Err(NO_KEY),
        None => None,
        found => found,
    };
    if args.len() > 8 {
        return Err(bad_subcommand("XGROUP", args.at(1)));
    }
    let last_id = match args.at(4) {
        b"$" => stream.as_ref().map_or(Default::default(), |stream| stream.log.last_id),
        id => strict_id(id, 0)?,
    };
    if stream.as_ref().is_some_and(|stream| stream.groups.contains_key(args.at(3))) {
        return Err(Error::fixed("BUSYGROUP Consumer Group name already exists"));
    }
    let event = [Event::stream("xgroup-create")];
    let group = Group::new(last_id, options.entries_read);
    if let Some(mut stream) = stream.take() {
        stream.groups.insert(args.at(3).into(), group);
        stream.commit_aside(&event, 1);
    } else {
        drop(stream);
        let mut stream = ctx.db.write_or_create(args.at(2), Stream::new)?;
        stream.groups.insert(args.at(3).into(), group);
        stream.commit_with(&event, 1);
    }
    ctx.reply.ok();
    DONE
}

pub(super) fn set_id(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(args, false)?;
    let mut stream = ctx.db.write::<Stream>(args.at(2))?.ok_or(NO_KEY)?;
    let last_id = stream.log.last_id;
    let group = stream.groups.get_mut(args.at(3)).ok_or_else(|| no_group(args.at(2), args.at(3)))?;
    if args.len() > 7 {
        return Err(bad_subcommand("XGROUP", args.at(1)));
    }
    group.last_id = match args.at(4) {
        b"$" => last_id,
        id => loose_id(id, 0)?,
    };
    group.entries_read = options.entries_read;
    stream.commit_aside(&[Event::stream("xgroup-setid")], 1);
    ctx.reply.ok();
    DONE
}

pub(super) fn destroy(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut stream = ctx.db.write::<Stream>(args.at(2))?.ok_or(NO_KEY)?;
    let removed = stream.groups.remove(args.at(3)).is_some();
    if removed {
        stream.commit_aside(&[Event::stream("xgroup-destroy")], 1);
        // who waits to read with the group is told that there is none
        let db = ctx.db.index();
        ctx.db.space().wake(db, args.at(2));
    }
    ctx.reply.integer(i64::from(removed));
    DONE
}

pub(super) fn create_consumer(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let now = ctx.now();
    let mut stream = ctx.db.write::<Stream>(args.at(2))?.ok_or(NO_KEY)?;
    let group = stream.groups.get_mut(args.at(3)).ok_or_else(|| no_group(args.at(2), args.at(3)))?;
    let (_, created) = group.consumer_or_new(args.at(4), now);
    if created {
        stream.commit_aside(&[Event::stream("xgroup-createconsumer")], 1);
    }
    ctx.reply.integer(i64::from(created));
    DONE
}

pub(super) fn delete_consumer(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut stream = ctx.db.write::<Stream>(args.at(2))?.ok_or(NO_KEY)?;
    let group = stream.groups.get_mut(args.at(3)).ok_or_else(|| no_group(args.at(2), args.at(3)))?;
    let removed = group.remove_consumer(args.at(4));
    if removed.is_some() {
        stream.commit_aside(&[Event::stream("xgroup-delconsumer")], 1);
    }
    ctx.reply.count(removed.unwrap_or(0));
    DONE
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(
        ctx,
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Makes a group that reads what follows an ID; `$` is the last one. Options are:",
            "    * MKSTREAM",
            "      Makes an empty stream if there is none.",
            "    * ENTRIESREAD entries_read",
            "      How many entries the group counts as read already.",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Adds a consumer to a group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Takes a consumer away, with all that it has pending.",
            "DESTROY <key> <groupname>",
            "    Takes a group away, with its consumers.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Moves a group to another ID.",
        ],
    )
}
