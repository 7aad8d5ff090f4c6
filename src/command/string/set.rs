//! Setting a whole value: SET, its older forms, and GETEX and GETDEL.
//!
//! A deadline relative to now is propagated as the point in time that it came to, and `GET` and what
//! depends on the value are left out: a replica does what was done, not what was asked for.

use super::condition::Condition;
use super::expiration::{Expiration, deadline};
use crate::base::clock::Millis;
use crate::command::deadline::TimeUnit;
use crate::keyspace::effects::Event;
use crate::keyspace::expiry::Expiry;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::error::Error;
use crate::types::string::StringRef;

const SET: Event = Event::string("set");
const EXPIRE: Event = Event::generic("expire");

/// The options of SET.
struct Options<'a> {
    condition: Condition<'a>,
    expiration: Expiration<'a>,
    get: bool,
}

impl<'a> Options<'a> {
    #[inline]
    fn parse(args: Args<'a>) -> Result<Self, Error> {
        let mut options = Options { condition: Condition::Always, expiration: Expiration::None, get: false };
        let mut at = 3;
        while at < args.len() {
            at = options.parse_one(args, at).ok_or(Error::SYNTAX)?;
        }
        if options.expiration == Expiration::Persist {
            return Err(Error::SYNTAX);
        }
        Ok(options)
    }

    fn parse_one(&mut self, args: Args<'a>, at: usize) -> Option<usize> {
        let before = (self.condition, self.expiration);
        if args.is(at, "GET") {
            self.get = true;
            return Some(at + 1);
        }
        if let Some(next) = self.expiration.parse(args, at) {
            return Some(next);
        }
        // an option that contradicts one of its kind is none of the other kind
        if self.expiration != before.1 {
            return None;
        }
        self.condition.parse(args, at)
    }
}

pub(super) fn set(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(args)?;
    let ttl = options.expiration.ttl(ctx)?;
    let (key, value) = (args.at(1), args.at(2));
    if options.get {
        reply_value(ctx, key)?;
    }
    if !options.condition.holds(&mut ctx.db, key)? {
        if !options.get {
            ctx.reply.null();
        }
        return DONE;
    }
    store(ctx, key, value, ttl);
    if options.get || matches!(options.condition, Condition::Value(_)) {
        propagate_plain(ctx, key, value, &options, ttl);
    }
    if !options.get {
        ctx.reply.ok();
    }
    DONE
}

/// Sets the key; propagates a deadline as a point in time.
#[inline]
fn store(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], ttl: Ttl) {
    let value = StringRef::encode(value);
    match ttl {
        Ttl::At(deadline) => {
            ctx.db.set_string(key, value, ttl, &[SET, EXPIRE]);
            if ctx.db.space().effects.recording {
                let at = deadline.0.to_string();
                ctx.propagate(&[b"SET", key, &value.text(), b"PXAT", at.as_bytes()]);
            }
        }
        Ttl::Clear | Ttl::Keep => ctx.db.set_string(key, value, ttl, &[SET]),
    }
}

/// Propagates a SET without what was only for its client.
fn propagate_plain(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], options: &Options<'_>, ttl: Ttl) {
    let mut words: Vec<&[u8]> = vec![b"SET", key, value];
    match ttl {
        Ttl::At(_) => return,
        Ttl::Keep => words.push(b"KEEPTTL"),
        Ttl::Clear => {}
    }
    match options.condition {
        Condition::Absent => words.push(b"NX"),
        Condition::Present => words.push(b"XX"),
        Condition::Always | Condition::Value(_) => {}
    }
    ctx.propagate(&words);
}

/// Replies with the string that a key holds, or null. Gives whether the key exists.
fn reply_value(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<bool, Error> {
    match ctx.db.read_string(key)? {
        Some(value) => {
            ctx.reply.string(value);
            Ok(true)
        }
        None => {
            ctx.reply.null();
            Ok(false)
        }
    }
}

pub(super) fn setnx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let free = !ctx.db.exists_for_write(args.at(1));
    if free {
        store(ctx, args.at(1), args.at(2), Ttl::Clear);
    }
    ctx.reply.integer(i64::from(free));
    DONE
}

pub(super) fn setex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_until(ctx, args, TimeUnit::Seconds)
}

pub(super) fn psetex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_until(ctx, args, TimeUnit::Milliseconds)
}

fn set_until(ctx: &mut Ctx<'_>, args: Args<'_>, unit: TimeUnit) -> Outcome {
    let ttl = Ttl::At(deadline(ctx, unit, args.at(2))?);
    store(ctx, args.at(1), args.at(3), ttl);
    ctx.reply.ok();
    DONE
}

pub(super) fn getset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (key, value) = (args.at(1), args.at(2));
    reply_value(ctx, key)?;
    store(ctx, key, value, Ttl::Clear);
    ctx.propagate(&[b"SET", key, value]);
    DONE
}

pub(super) fn getdel(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    if reply_value(ctx, key)? {
        ctx.db.remove(key, Event::generic("del"));
        ctx.propagate(&[b"DEL", key]);
    }
    DONE
}

pub(super) fn getex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (key, mut expiration, mut at) = (args.at(1), Expiration::None, 2);
    while at < args.len() {
        at = expiration.parse(args, at).ok_or(Error::SYNTAX)?;
    }
    if expiration == Expiration::Keep {
        return Err(Error::SYNTAX);
    }
    if !reply_value(ctx, key)? {
        return DONE;
    }
    match expiration {
        Expiration::None | Expiration::Keep => {}
        Expiration::Persist => {
            if ctx.db.deadline(key).flatten().is_some() {
                ctx.db.set_deadline(key, None, Event::generic("persist"));
                ctx.propagate(&[b"PERSIST", key]);
            }
        }
        Expiration::In(unit, number) => {
            let deadline = deadline(ctx, unit, number)?;
            set_deadline(ctx, key, deadline);
        }
    }
    DONE
}

/// Sets the deadline of a key that exists; one that has passed removes the key.
fn set_deadline(ctx: &mut Ctx<'_>, key: &[u8], deadline: Millis) {
    if deadline <= ctx.now() && ctx.db.space().expiry == Expiry::Remove {
        ctx.db.remove(key, Event::generic("del"));
        ctx.propagate(&[b"DEL", key]);
    } else {
        ctx.db.set_deadline(key, Some(deadline), EXPIRE);
        ctx.propagate(&[b"PEXPIREAT", key, deadline.0.to_string().as_bytes()]);
    }
}
