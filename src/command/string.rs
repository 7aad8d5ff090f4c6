//! Strings.

use crate::keyspace::effects::Event;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::row::{Command, Flags, KeySpec, RO_ACCESS, RW_ACCESS_UPDATE};
use crate::types::string::StringRef;

const READ: Flags = Flags::READONLY.or(Flags::FAST);
const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "get",
        summary: "Returns the string value of a key.",
        group: "string",
        arity: 2,
        flags: READ,
        acl: &["string"],
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key",
        handler: get,
        ..Command::BASE
    },
    Command {
        name: "set",
        summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
        group: "string",
        arity: -3,
        flags: WRITE,
        acl: &["string"],
        keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
        syntax: "key value [condition: NX | XX | IFEQ:ifeq-value | IFNE:ifne-value] [GET] [expiration: EX:seconds | PX:milliseconds | EXAT:unix-time-seconds | PXAT:unix-time-milliseconds | KEEPTTL]",
        handler: set,
        ..Command::BASE
    },
];

fn get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    match ctx.db.read_string(args.at(1))? {
        Some(value) => ctx.reply.string(value),
        None => ctx.reply.null(),
    }
    DONE
}

fn set(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    ctx.db.set_string(args.at(1), StringRef::encode(args.at(2)), Ttl::Clear, &[Event::string("set")]);
    ctx.reply.ok();
    DONE
}
