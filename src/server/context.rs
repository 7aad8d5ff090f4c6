//! What a handler gets to work with, and what it gives back.

use super::State;
use super::client::{Client, ClientKey};
use super::error::Error;
use super::registry::CommandId;
use super::row::Command;
use crate::base::clock::Millis;
use crate::base::long_double::LongDouble;
use crate::base::number;
use crate::keyspace::Db;
use crate::limits;
use crate::resp::request::{Args, OwnedRequest};
use crate::resp::writer::Reply;
use crate::types::Type;

/// How a handler ended.
pub enum Flow {
    /// It has replied.
    Done,
    /// It has to wait: nothing was replied or changed. It runs again when one of the keys is ready.
    Block(Box<Block>),
}

/// A handler's result; an error replaces whatever was replied.
pub type Outcome = Result<Flow, Error>;

/// The end of most handlers.
pub const DONE: Outcome = Ok(Flow::Done);

/// What a blocked command is answered when its time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// The null array.
    NullArray,
    /// The null bulk string.
    Null,
    /// The command runs once more with [`Ctx::timed_out`] set and replies what it has (WAIT).
    RunAgain,
}

/// Why and until when a command waits.
pub struct Block {
    /// The keys, in the client's database.
    pub keys: Vec<Box<[u8]>>,
    /// The type that a key must get for the command to run again; `None` when it does not wait for keys.
    pub wants: Option<Type>,
    /// Whether the command also runs again when the key is gone or has another type (XREADGROUP).
    pub wants_loss: bool,
    /// When it gives up.
    pub deadline: Option<Millis>,
    /// What it then answers.
    pub on_timeout: OnTimeout,
    /// The request to run again, if not the one that was sent (XREAD with `$` resolved).
    pub request: Option<OwnedRequest>,
}

impl Block {
    /// How a handler ends that waits for one of its keys to get a value of a type.
    pub fn for_keys<'a>(keys: impl Iterator<Item = &'a [u8]>, wants: Type, deadline: Option<Millis>) -> Outcome {
        Ok(Flow::Block(Box::new(Block {
            keys: keys.map(Box::from).collect(),
            wants: Some(wants),
            wants_loss: false,
            deadline,
            on_timeout: OnTimeout::NullArray,
            request: None,
        })))
    }

    /// How a handler ends that waits for something else than a key: whoever brings it about has the client look again.
    pub fn for_event(deadline: Option<Millis>, on_timeout: OnTimeout) -> Outcome {
        Ok(Flow::Block(Box::new(Block { keys: Vec::new(), wants: None, wants_loss: false, deadline, on_timeout, request: None })))
    }
}

/// What of a command goes to the append-only file and the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The command as sent, if it changed anything.
    Verbatim,
    /// What the handler queued with [`Ctx::propagate`], or nothing.
    Replaced,
    /// The command as sent, even if it changed nothing.
    Forced,
    /// The command as sent, to replicas alone: it changes nothing, but they are to do it, too (PUBLISH).
    ToReplicas,
}

/// A handler's world.
pub struct Ctx<'a> {
    /// The client's database.
    pub db: Db<'a>,
    /// Everything but the keyspace.
    pub state: &'a mut State,
    /// The reply.
    pub reply: Reply<'a>,
    /// Whose command it is.
    pub client: ClientKey,
    /// The command.
    pub command: CommandId,
    /// What is propagated of it.
    pub propagation: Propagation,
    /// Whether it must not wait: inside MULTI or a script.
    pub must_not_block: bool,
    /// Whether it waited and its time is up.
    pub timed_out: bool,
}

impl Ctx<'_> {
    /// The client.
    #[inline]
    pub fn client(&mut self) -> &mut Client {
        &mut self.state.clients[self.client]
    }

    /// The command's row.
    pub fn row(&self) -> &'static Command {
        self.state.registry.get(self.command).row
    }

    /// Propagates these words instead of the command as sent. Several calls propagate several commands.
    pub fn propagate(&mut self, words: &[&[u8]]) {
        self.propagation = Propagation::Replaced;
        let db = self.db.index();
        self.db.space().effects.propagate(db, words);
    }

    /// Propagates nothing of the command, whatever it changed.
    pub fn propagate_nothing(&mut self) {
        self.propagation = Propagation::Replaced;
    }

    /// The time of this turn.
    pub fn now(&self) -> Millis {
        self.db.now()
    }
}

/// The argument as an integer.
#[inline]
pub fn integer(arg: &[u8]) -> Result<i64, Error> {
    number::parse_i64(arg).ok_or(Error::NOT_AN_INTEGER)
}

/// The argument as an integer within a range, with another error outside it.
pub fn integer_in(arg: &[u8], range: std::ops::RangeInclusive<i64>, outside: Error) -> Result<i64, Error> {
    let value = integer(arg)?;
    if range.contains(&value) { Ok(value) } else { Err(outside) }
}

/// The argument as a number within a range, the same error for what is none and what is outside.
pub fn number_in(arg: &[u8], range: std::ops::RangeInclusive<i64>, error: Error) -> Result<i64, Error> {
    number::parse_i64(arg).filter(|value| range.contains(value)).ok_or(error)
}

/// The argument as an integer whose negative is one, too.
pub fn negatable(arg: &[u8]) -> Result<i64, Error> {
    const OUTSIDE: Error = Error::fixed("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
    integer_in(arg, -i64::MAX..=i64::MAX, OUTSIDE)
}

/// Looks at what may stand at the end of a command that empties something: SYNC or ASYNC. They are the same here: all is
/// gone at once, and what can be freed on another thread is (an interpreter cannot: it belongs to its own).
pub fn check_flush_mode(args: Args<'_>, at: usize, error: Error) -> Result<(), Error> {
    let known = args.len() <= at || args.len() == at + 1 && (args.is(at, "sync") || args.is(at, "async"));
    if known { Ok(()) } else { Err(error) }
}

/// How many elements a command is to draw at random: above zero so many different ones, below zero so many draws. Redis
/// dies of a reply that no memory can hold; here such a count is out of range.
pub fn draws(arg: &[u8]) -> Result<i64, Error> {
    let count = negatable(arg)?;
    if count < 0 && count.unsigned_abs() > limits::DRAWS_MAX { Err(Error::fixed("ERR value is out of range")) } else { Ok(count) }
}

/// The argument as a float.
pub fn float(arg: &[u8]) -> Result<f64, Error> {
    number::parse_f64(arg).ok_or(Error::NOT_A_FLOAT)
}

/// The deadline of a blocking command's timeout in seconds; `None` for 0, which is forever.
pub fn timeout(arg: &[u8], now: Millis) -> Result<Option<Millis>, Error> {
    let seconds = number::parse_f64(arg).or_else(|| beyond_f64(arg)).ok_or(Error::BAD_TIMEOUT)?;
    let millis = (seconds * 1000.0).ceil();
    if millis > i64::MAX as f64 {
        return Err(Error::TIMEOUT_OUT_OF_RANGE);
    }
    timeout_millis(millis as i64, now)
}

/// What only a wider format than a double holds; Redis reads timeouts into one.
fn beyond_f64(arg: &[u8]) -> Option<f64> {
    LongDouble::parse(arg)?;
    std::str::from_utf8(arg).ok()?.parse().ok().filter(|seconds: &f64| seconds.is_infinite())
}

/// As [`timeout`], for whole milliseconds.
pub fn timeout_millis(millis: i64, now: Millis) -> Result<Option<Millis>, Error> {
    if millis < 0 {
        return Err(Error::NEGATIVE_TIMEOUT);
    }
    if millis == 0 {
        return Ok(None);
    }
    now.checked_add(Millis(millis)).map(Some).ok_or(Error::TIMEOUT_OUT_OF_RANGE)
}
