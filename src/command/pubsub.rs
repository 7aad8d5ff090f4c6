//! Publish and subscribe.

use bytes::Bytes;

use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::client::ClientFlags;
use crate::server::context::{Ctx, DONE, Outcome, Propagation};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::pubsub::Medium;
use crate::server::row::{Command, Flags, KeySpec};

const LISTEN: Flags = Flags::PUBSUB.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE);
const PUBLISH: Flags = Flags::PUBSUB.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::MAY_REPLICATE);
const ASK: Flags = Flags::PUBSUB.or(Flags::LOADING).or(Flags::STALE);
const CHANNEL_KEY: &[&str] = &["not_key"];
const SHARD_CHANNELS: &[KeySpec] = &[KeySpec::range(1, -1, 1, CHANNEL_KEY)];

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "subscribe",
        summary: "Listens for messages published to channels.",
        complexity: "O(N) where N is the number of channels to subscribe to.",
        arity: -2,
        flags: LISTEN,
        syntax: "channel...",
        handler: subscribe,
        ..BASE
    },
    Command {
        name: "psubscribe",
        summary: "Listens for messages published to channels that match one or more patterns.",
        complexity: "O(N) where N is the number of patterns to subscribe to.",
        arity: -2,
        flags: LISTEN,
        syntax: "pattern:pattern...",
        handler: psubscribe,
        ..BASE
    },
    Command {
        name: "ssubscribe",
        summary: "Listens for messages published to shard channels.",
        since: "7.0.0",
        complexity: "O(N) where N is the number of shard channels to subscribe to.",
        arity: -2,
        flags: LISTEN,
        keys: SHARD_CHANNELS,
        syntax: "shardchannel...",
        handler: ssubscribe,
        ..BASE
    },
    Command {
        name: "unsubscribe",
        summary: "Stops listening to messages posted to channels.",
        complexity: "O(N) where N is the number of channels to unsubscribe.",
        arity: -1,
        flags: LISTEN,
        syntax: "[channel...]",
        handler: unsubscribe,
        ..BASE
    },
    Command {
        name: "punsubscribe",
        summary: "Stops listening to messages published to channels that match one or more patterns.",
        complexity: "O(N) where N is the number of patterns to unsubscribe.",
        arity: -1,
        flags: LISTEN,
        syntax: "[pattern:pattern...]",
        handler: punsubscribe,
        ..BASE
    },
    Command {
        name: "sunsubscribe",
        summary: "Stops listening to messages posted to shard channels.",
        since: "7.0.0",
        complexity: "O(N) where N is the number of shard channels to unsubscribe.",
        arity: -1,
        flags: LISTEN,
        keys: SHARD_CHANNELS,
        syntax: "[shardchannel...]",
        handler: sunsubscribe,
        ..BASE
    },
    Command {
        name: "publish",
        summary: "Posts a message to a channel.",
        complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
        arity: 3,
        flags: PUBLISH,
        syntax: "channel message",
        handler: publish,
        ..BASE
    },
    Command {
        name: "spublish",
        summary: "Post a message to a shard channel",
        since: "7.0.0",
        complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        arity: 3,
        flags: PUBLISH,
        keys: &[KeySpec::one(1, CHANNEL_KEY)],
        syntax: "shardchannel message",
        handler: spublish,
        ..BASE
    },
    Command {
        name: "pubsub",
        summary: "A container for Pub/Sub commands.",
        since: "2.8.0",
        complexity: "Depends on subcommand.",
        arity: -2,
        subcommands: QUESTIONS,
        ..BASE
    },
];

const BASE: Command = Command { since: "2.0.0", group: "pubsub", ..Command::BASE };

const QUESTIONS: &[Command] = &[
    Command {
        name: "channels",
        summary: "Returns the active channels.",
        since: "2.8.0",
        complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
        arity: -2,
        flags: ASK,
        syntax: "[pattern:pattern]",
        handler: channels,
        ..BASE
    },
    Command {
        name: "numpat",
        summary: "Returns a count of unique pattern subscriptions.",
        since: "2.8.0",
        arity: 2,
        flags: ASK,
        handler: numpat,
        ..BASE
    },
    Command {
        name: "numsub",
        summary: "Returns a count of subscribers to channels.",
        since: "2.8.0",
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        arity: -2,
        flags: ASK,
        syntax: "[channel...]",
        handler: numsub,
        ..BASE
    },
    Command {
        name: "shardchannels",
        summary: "Returns the active shard channels.",
        since: "7.0.0",
        complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
        arity: -2,
        flags: ASK,
        syntax: "[pattern:pattern]",
        handler: shardchannels,
        ..BASE
    },
    Command {
        name: "shardnumsub",
        summary: "Returns the count of subscribers of shard channels.",
        since: "7.0.0",
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        arity: -2,
        flags: ASK,
        syntax: "[shardchannel...]",
        handler: shardnumsub,
        ..BASE
    },
    Command {
        name: "help",
        summary: "Returns helpful text about the different subcommands.",
        since: "6.2.0",
        arity: 2,
        flags: Flags::LOADING.or(Flags::STALE),
        handler: help,
        ..BASE
    },
];

fn subscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    enter(ctx, args, Medium::Channel, "subscribe")
}

fn psubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    enter(ctx, args, Medium::Pattern, "psubscribe")
}

fn ssubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    enter(ctx, args, Medium::Shard, "ssubscribe")
}

/// Subscribes to what is named. Who must not wait cannot listen either, but a transaction always could
/// subscribe, before there were shard channels.
fn enter(ctx: &mut Ctx<'_>, args: Args<'_>, medium: Medium, word: &str) -> Outcome {
    let tolerated = medium != Medium::Shard && ctx.client().flags.any(ClientFlags::MULTI);
    if ctx.must_not_block && !tolerated {
        return Err(Error::new(format!("ERR {} isn't allowed for a DENY BLOCKING client", word.to_ascii_uppercase())));
    }
    for name in args.from(1).iter() {
        ctx.state.subscribe(ctx.client, medium, name);
        confirm(ctx, medium, word, Some(name));
    }
    DONE
}

fn unsubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    leave(ctx, args, Medium::Channel, "unsubscribe")
}

fn punsubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    leave(ctx, args, Medium::Pattern, "punsubscribe")
}

fn sunsubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    leave(ctx, args, Medium::Shard, "sunsubscribe")
}

/// Ends the subscriptions that are named, or all; each is confirmed, and so is that there was none.
fn leave(ctx: &mut Ctx<'_>, args: Args<'_>, medium: Medium, word: &str) -> Outcome {
    for name in args.from(1).iter() {
        ctx.state.unsubscribe(ctx.client, medium, name);
        confirm(ctx, medium, word, Some(name));
    }
    if args.len() == 1 {
        let all: Vec<_> = ctx.client().subscriptions.iter().flat_map(|own| own.of(medium)).cloned().collect();
        for name in &all {
            ctx.state.unsubscribe(ctx.client, medium, name);
            confirm(ctx, medium, word, Some(name));
        }
        if all.is_empty() {
            confirm(ctx, medium, word, None);
        }
    }
    DONE
}

/// Says what has become of a subscription, and how many there are now. Like any message this reaches a
/// client that has switched replies off.
fn confirm(ctx: &mut Ctx<'_>, medium: Medium, word: &str, name: Option<&[u8]>) {
    let client = ctx.client();
    let count = client.subscriptions.as_ref().map_or(0, |own| own.shown(medium));
    let silent = client.flags.any(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP));
    let write = |reply: &mut Reply<'_>| {
        reply.push(3);
        reply.text(word);
        reply.bulk_or_null(name);
        reply.count(count);
    };
    if silent {
        let mut bytes = Vec::new();
        write(&mut Reply::new(&mut bytes, ctx.reply.protocol()));
        ctx.state.deliver(ctx.client, Bytes::from(bytes));
    } else {
        write(&mut ctx.reply);
    }
}

fn publish(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let receivers = ctx.state.publish(args.at(1), args.at(2));
    ctx.propagation = Propagation::ToReplicas;
    ctx.reply.count(receivers);
    DONE
}

fn spublish(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let receivers = ctx.state.publish_shard(args.at(1), args.at(2));
    ctx.propagation = Propagation::ToReplicas;
    ctx.reply.count(receivers);
    DONE
}

fn channels(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    names(ctx, args, Medium::Channel)
}

fn shardchannels(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    names(ctx, args, Medium::Shard)
}

fn names(ctx: &mut Ctx<'_>, args: Args<'_>, medium: Medium) -> Outcome {
    if args.len() > 3 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    let names = ctx.state.pubsub.names(medium, args.get(2));
    ctx.reply.array(names.len());
    for name in &names {
        ctx.reply.bulk(name);
    }
    DONE
}

fn numsub(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    counts(ctx, args, Medium::Channel)
}

fn shardnumsub(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    counts(ctx, args, Medium::Shard)
}

fn counts(ctx: &mut Ctx<'_>, args: Args<'_>, medium: Medium) -> Outcome {
    let asked = args.from(2);
    ctx.reply.array(asked.len() * 2);
    for name in asked.iter() {
        ctx.reply.bulk(name);
        let count = ctx.state.pubsub.subscribers(medium, name);
        ctx.reply.count(count);
    }
    DONE
}

fn numpat(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let count = ctx.state.pubsub.len(Medium::Pattern);
    ctx.reply.count(count);
    DONE
}

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(
        ctx,
        &[
            "CHANNELS [<pattern>]",
            "    The channels that somebody is subscribed to: all, or those that match.",
            "NUMPAT",
            "    How many patterns clients are subscribed to.",
            "NUMSUB [<channel> ...]",
            "    How many clients are subscribed to each of these channels, patterns left aside.",
            "SHARDCHANNELS [<pattern>]",
            "    The same as CHANNELS of sharded channels.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    The same as NUMSUB of sharded channels.",
        ],
    )
}
