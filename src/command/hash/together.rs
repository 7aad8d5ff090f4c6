//! Values and deadlines at once: HGETEX, HSETEX and HGETDEL.

use crate::base::clock::Millis;
use crate::command::deadline::TimeUnit;
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::Stored;
use crate::types::hash::{FieldTtl, Hash};

use super::deadlines::{BAD_COUNT, check_type, deadline, fields, propagate_deadline, propagate_removals};
use super::frame;

/// What HGETEX does to the deadlines.
#[derive(Clone, Copy)]
enum Change {
    None,
    Persist,
    Set(Millis),
    Remove,
}

pub(super) fn hgetex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    check_type(ctx, key)?;
    let (change, at) = match TimeUnit::introduced_by(args.at(2)) {
        Some(unit) => {
            let deadline = deadline(ctx, args.at(3), unit)?;
            (if ctx.db.is_past(deadline) { Change::Remove } else { Change::Set(deadline) }, 4)
        }
        None if args.is(2, "PERSIST") => (Change::Persist, 3),
        None => (Change::None, 2),
    };
    if args.len() < at + 2 {
        return Err(Error::arity(ctx.row().name));
    }
    let fields = fields(args, at, BAD_COUNT)?;
    let horizon = ctx.db.horizon();
    ctx.reply.array(fields.len());
    let Some(mut hash) = ctx.db.write::<Hash>(key)? else {
        fields.iter().for_each(|_| ctx.reply.null());
        return DONE;
    };
    if !matches!(change, Change::None) {
        hash.make_triplets();
    }
    let mut touched: Vec<&[u8]> = Vec::new();
    for field in fields.iter() {
        let Some((value, old)) = hash.find(field, horizon) else {
            ctx.reply.null();
            continue;
        };
        ctx.reply.string(value);
        match change {
            Change::None => continue,
            Change::Persist if old.is_none() => continue,
            Change::Persist => hash.set_deadline(field, None),
            Change::Set(deadline) => hash.set_deadline(field, Some(deadline)),
            Change::Remove => {
                hash.remove(field, horizon);
            }
        }
        touched.push(field);
    }
    if !touched.is_empty() {
        let event = match change {
            Change::Persist => "hpersist",
            Change::Remove => "hdel",
            Change::Set(_) | Change::None => "hexpire",
        };
        hash.commit(Event::hash(event), touched.len() as u64);
        propagate_change(ctx, key, change, &touched);
    }
    DONE
}

fn propagate_change(ctx: &mut Ctx<'_>, key: &[u8], change: Change, fields: &[&[u8]]) {
    match change {
        Change::None => {}
        Change::Set(deadline) => propagate_deadline(ctx, key, deadline, None, fields),
        Change::Remove => propagate_removals(ctx, key, fields),
        Change::Persist => {
            let count = fields.len().to_string();
            let mut words: Vec<&[u8]> = vec![b"HPERSIST", key, b"FIELDS", count.as_bytes()];
            words.extend(fields);
            ctx.propagate(&words);
        }
    }
}

/// Which fields must be there for HSETEX to set any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Any,
    NoneOfThem,
    AllOfThem,
}

/// What HSETEX is to do.
struct SetOptions<'a> {
    presence: Presence,
    ttl: Option<FieldTtl>,
    /// Where the number of the expiration is, preceded by its unit.
    number_at: Option<usize>,
    pairs: Args<'a>,
}

impl<'a> SetOptions<'a> {
    fn parse(ctx: &Ctx<'_>, args: Args<'a>) -> Result<Self, Error> {
        let mut options = SetOptions { presence: Presence::Any, ttl: None, number_at: None, pairs: args.from(args.len()) };
        let mut at = 2;
        while at < args.len() && !args.is(at, "FIELDS") {
            let word = args.at(at);
            if args.is(at, "FNX") || args.is(at, "FXX") {
                if options.presence != Presence::Any {
                    return Err(Error::fixed("ERR Only one of FXX or FNX arguments can be specified"));
                }
                options.presence = if args.is(at, "FNX") { Presence::NoneOfThem } else { Presence::AllOfThem };
            } else if args.is(at, "KEEPTTL") || TimeUnit::introduced_by(word).is_some() {
                if options.ttl.is_some() {
                    return Err(Error::fixed("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"));
                }
                options.ttl = Some(FieldTtl::Keep);
                if let Some(unit) = TimeUnit::introduced_by(word) {
                    at += 1;
                    let number = args.get(at).ok_or(Error::fixed("ERR missing expire time"))?;
                    options.number_at = Some(at);
                    options.ttl = Some(FieldTtl::At(deadline(ctx, number, unit)?));
                }
            } else {
                return Err(Error::quoting("ERR unknown argument: {}", &[word]));
            }
            at += 1;
        }
        if at + 3 >= args.len() {
            return Err(Error::arity(ctx.row().name));
        }
        let count = integer(args.at(at + 1)).ok().filter(|count| (1..=i64::from(i32::MAX)).contains(count));
        let count = count.ok_or(Error::fixed("ERR invalid number of fields"))?;
        options.pairs = args.from(at + 2);
        if usize::try_from(count * 2) != Ok(options.pairs.len()) {
            return Err(Error::arity(ctx.row().name));
        }
        Ok(options)
    }

    fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.pairs.iter().step_by(2)
    }
}

pub(super) fn hsetex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = SetOptions::parse(ctx, args)?;
    let (bounds, horizon) = frame(ctx);
    let key = args.at(1);
    let past = matches!(options.ttl, Some(FieldTtl::At(deadline)) if ctx.db.is_past(deadline));
    let mut hash = ctx.db.write_or_create(key, Hash::new)?;
    let allowed = match options.presence {
        Presence::Any => true,
        Presence::NoneOfThem => options.fields().all(|field| !hash.contains(field, horizon)),
        Presence::AllOfThem => options.fields().all(|field| hash.contains(field, horizon)),
    };
    if !allowed {
        ctx.reply.integer(0);
        return DONE;
    }
    if matches!(options.ttl, Some(FieldTtl::At(_))) {
        hash.make_triplets();
    }
    let (created_key, pairs) = (hash.is_new(), options.pairs.len() / 2);
    if past {
        options.fields().for_each(|field| {
            hash.remove(field, horizon);
        });
    } else {
        hash.expect(pairs, &bounds);
        for (field, value) in options.fields().zip(options.pairs.iter().skip(1).step_by(2)) {
            hash.set(field, value, options.ttl.unwrap_or(FieldTtl::Clear), &bounds, horizon);
        }
    }
    if created_key && hash.is_empty() {
        // the key comes and goes within the command
        drop(hash);
        for event in [Event::hash("hset"), Event::hash("hdel"), Event::generic("del")] {
            ctx.db.notify(event, key);
        }
    } else {
        let events = [Event::hash("hset"), Event::hash(if past { "hdel" } else { "hexpire" })];
        let count = if matches!(options.ttl, Some(FieldTtl::At(_))) { 2 } else { 1 };
        hash.commit_with(&events[..count], pairs as u64);
        propagate_set(ctx, args, &options, past);
    }
    ctx.reply.integer(1);
    DONE
}

fn propagate_set(ctx: &mut Ctx<'_>, args: Args<'_>, options: &SetOptions<'_>, past: bool) {
    if past {
        let fields: Vec<&[u8]> = options.fields().collect();
        propagate_removals(ctx, args.at(1), &fields);
    } else if let (Some(FieldTtl::At(deadline)), Some(number_at)) = (options.ttl, options.number_at) {
        let deadline = deadline.0.to_string();
        let mut words: Vec<&[u8]> = args.iter().collect();
        words[number_at - 1] = b"PXAT";
        words[number_at] = deadline.as_bytes();
        ctx.propagate(&words);
    }
}

pub(super) fn hgetdel(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    check_type(ctx, key)?;
    let fields = fields(args, 2, BAD_COUNT)?;
    let horizon = ctx.db.horizon();
    ctx.reply.array(fields.len());
    let Some(mut hash) = ctx.db.write::<Hash>(key)? else {
        fields.iter().for_each(|_| ctx.reply.null());
        return DONE;
    };
    let mut words: Vec<&[u8]> = vec![b"HDEL", key];
    for field in fields.iter() {
        match hash.get(field, horizon) {
            Some(value) => {
                ctx.reply.string(value);
                hash.remove(field, horizon);
                words.push(field);
            }
            None => ctx.reply.null(),
        }
    }
    if words.len() > 2 {
        hash.commit(Event::hash("hdel"), (words.len() - 2) as u64);
        ctx.propagate(&words);
    }
    DONE
}
