//! Changing bytes of a value in place: APPEND and SETRANGE.

use crate::keyspace::effects::Event;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::string::{RawString, StringRef};

/// The length of the string that a key holds; `None` without the key.
fn length(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Option<usize>, Error> {
    match ctx.db.peek(key) {
        Some(entry) => Ok(Some(entry.string().ok_or(Error::WRONG_TYPE)?.len())),
        None => Ok(None),
    }
}

/// The length of a string that has `added` bytes after its first `kept`, within what a string may have.
fn checked_length(ctx: &Ctx<'_>, kept: usize, added: usize) -> Result<usize, Error> {
    let most = usize::try_from(ctx.state.config.proto_max_bulk_len).unwrap_or(usize::MAX);
    kept.checked_add(added).filter(|&length| length <= most).ok_or(Error::STRING_TOO_LONG)
}

pub(super) fn append(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (key, added) = (args.at(1), args.at(2));
    let total = match length(ctx, key)? {
        None => {
            ctx.db.set_string(key, StringRef::encode(added), Ttl::Clear, &[Event::string("append")]);
            added.len()
        }
        Some(old) => {
            let total = checked_length(ctx, old, added.len())?;
            let mut text = ctx.db.write::<RawString>(key)?.expect("the key was just seen");
            text.extend_from_slice(added);
            text.commit(Event::string("append"), 1);
            total
        }
    };
    ctx.reply.count(total);
    DONE
}

pub(super) fn setrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (key, new) = (args.at(1), args.at(3));
    let offset = integer(args.at(2))?;
    let offset = usize::try_from(offset).map_err(|_| Error::fixed("ERR offset is out of range"))?;
    let old = length(ctx, key)?.unwrap_or(0);
    if new.is_empty() {
        ctx.reply.count(old);
        return DONE;
    }
    let end = checked_length(ctx, offset, new.len())?;
    let mut text = ctx.db.write_or_create(key, || RawString::new(Vec::new()))?;
    if text.len() < end {
        text.resize(end, 0);
    }
    text[offset..end].copy_from_slice(new);
    let total = text.len();
    text.commit(Event::string("setrange"), 1);
    ctx.reply.count(total);
    DONE
}
