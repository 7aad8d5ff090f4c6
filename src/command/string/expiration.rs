//! The expiration options that SET, GETEX and MSETEX share: reading them, and the deadline they name.
//!
//! The words are read first and the number only when the command needs it, since a command with a
//! misspelt option must fail even where a bad number would not matter (GETEX without the key).

use crate::base::clock::Millis;
use crate::command::deadline::TimeUnit;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, integer};
use crate::server::error::Error;

/// An expiration as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiration<'a> {
    /// None was.
    None,
    /// `KEEPTTL`
    Keep,
    /// `PERSIST`
    Persist,
    /// A unit and its number.
    In(TimeUnit, &'a [u8]),
}

impl<'a> Expiration<'a> {
    /// Reads the option at `at`, which may repeat one of the same name but not contradict it. Gives the
    /// index after it, or `None` if there is no such option.
    pub(super) fn parse(&mut self, args: Args<'a>, at: usize) -> Option<usize> {
        let word = args.at(at);
        if let Some(unit) = TimeUnit::introduced_by(word) {
            let number = args.get(at + 1)?;
            return self.become_one(Expiration::In(unit, number)).then_some(at + 2);
        }
        let other = if word.eq_ignore_ascii_case(b"KEEPTTL") {
            Expiration::Keep
        } else if word.eq_ignore_ascii_case(b"PERSIST") {
            Expiration::Persist
        } else {
            return None;
        };
        self.become_one(other).then_some(at + 1)
    }

    fn become_one(&mut self, new: Expiration<'a>) -> bool {
        let agrees = match (*self, new) {
            (Expiration::None, _) => true,
            (Expiration::In(old, _), Expiration::In(new, _)) => old == new,
            (old, new) => old == new,
        };
        *self = new;
        agrees
    }

    /// What becomes of the deadline of a key that is set. There is no `PERSIST` here.
    pub(super) fn ttl(self, ctx: &Ctx<'_>) -> Result<Ttl, Error> {
        match self {
            Expiration::None | Expiration::Persist => Ok(Ttl::Clear),
            Expiration::Keep => Ok(Ttl::Keep),
            Expiration::In(unit, number) => Ok(Ttl::At(deadline(ctx, unit, number)?)),
        }
    }
}

/// The deadline that a number names; the number is above 0.
pub(super) fn deadline(ctx: &Ctx<'_>, unit: TimeUnit, number: &[u8]) -> Result<Millis, Error> {
    let number = integer(number)?;
    let invalid = || Error::bad_expire(&ctx.state.registry.get(ctx.command).full_name);
    if number <= 0 {
        return Err(invalid());
    }
    unit.deadline(number, ctx.now()).ok_or_else(invalid)
}
