//! Replication: changing sides, what replicas say to a primary, and waiting for them.

use crate::base::clock::Millis;
use crate::base::number;
use crate::repl::primary::Stage;
use crate::resp::request::Args;
use crate::server::client::ClientFlags;
use crate::server::context::{Block, Ctx, DONE, OnTimeout, Outcome, integer, integer_in, timeout_millis};
use crate::server::error::Error;
use crate::server::failover;
use crate::server::row::{Command, Flags};

const ADMIN: Flags = Flags::ADMIN.or(Flags::NOSCRIPT);
const SIDES: Flags = ADMIN.or(Flags::STALE).or(Flags::NO_ASYNC_LOADING);
const SYNC: Flags = ADMIN.or(Flags::NO_ASYNC_LOADING).or(Flags::NO_MULTI).or(Flags::SYSTEM);
const WAIT_TIPS: &[&str] = &["request_policy:all_shards", "response_policy:agg_min"];

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "replicaof",
        summary: "Configures a server as replica of another, or promotes it to a master.",
        since: "5.0.0",
        group: "server",
        arity: 3,
        flags: SIDES,
        syntax: "<args: {host-port: host port:integer} | {no-one: NO ONE}>",
        handler: replicaof,
        ..Command::BASE
    },
    Command {
        name: "slaveof",
        summary: "Sets a Redis server as a replica of another, or promotes it to being a master.",
        group: "server",
        arity: 3,
        flags: SIDES,
        syntax: "<args: {host-port: host port:integer} | {no-one: NO ONE}>",
        deprecated: Some(("5.0.0", "`REPLICAOF`")),
        handler: replicaof,
        ..Command::BASE
    },
    Command {
        name: "role",
        summary: "Returns the replication role.",
        since: "2.8.12",
        group: "server",
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST),
        acl: &["admin", "dangerous"],
        handler: role,
        ..Command::BASE
    },
    Command {
        name: "failover",
        summary: "Starts a coordinated failover from a server to one of its replicas.",
        since: "6.2.0",
        group: "server",
        arity: -1,
        flags: ADMIN.or(Flags::STALE),
        syntax: "[TO {target: host port:integer [FORCE]}] [ABORT] [TIMEOUT milliseconds:integer]",
        handler: failover,
        ..Command::BASE
    },
    Command {
        name: "replconf",
        summary: "An internal command for configuring the replication stream.",
        since: "3.0.0",
        group: "server",
        arity: -1,
        flags: ADMIN.or(Flags::LOADING).or(Flags::STALE).or(Flags::ALLOW_BUSY).or(Flags::SYSTEM),
        handler: replconf,
        ..Command::BASE
    },
    Command {
        name: "psync",
        summary: "An internal command used in replication.",
        since: "2.8.0",
        group: "server",
        complexity: "",
        arity: -3,
        flags: SYNC,
        syntax: "replicationid offset:integer",
        handler: psync,
        ..Command::BASE
    },
    Command {
        name: "sync",
        summary: "An internal command used in replication.",
        group: "server",
        complexity: "",
        flags: SYNC,
        handler: sync,
        ..Command::BASE
    },
    Command {
        name: "wait",
        summary: "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.",
        since: "3.0.0",
        arity: 3,
        flags: Flags::BLOCKING,
        acl: &["connection"],
        syntax: "numreplicas:integer timeout:integer",
        tips: WAIT_TIPS,
        handler: wait,
        ..Command::BASE
    },
    Command {
        name: "waitaof",
        summary: "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.",
        since: "7.2.0",
        arity: 4,
        flags: Flags::BLOCKING,
        acl: &["connection"],
        syntax: "numlocal:integer numreplicas:integer timeout:integer",
        tips: WAIT_TIPS,
        handler: waitaof,
        ..Command::BASE
    },
];

fn replicaof(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if ctx.state.replication.failover.stage != failover::Stage::None {
        return Err(Error::fixed("ERR REPLICAOF not allowed while failing over."));
    }
    if args.is(1, "no") && args.is(2, "one") {
        if ctx.state.replication.follows() {
            log::info!("MASTER MODE enabled (user request from '{}')", ctx.client().peer.address);
            ctx.state.lead(ctx.db.space());
        }
        ctx.reply.ok();
        return DONE;
    }
    if ctx.client().flags.any(ClientFlags::REPLICA) {
        return Err(Error::fixed("ERR Command is not valid when client is a replica."));
    }
    let port = number::parse_i64(args.at(2)).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or(Error::fixed("ERR Invalid master port"))?;
    let host = String::from_utf8_lossy(args.at(1)).into_owned();
    let link = ctx.state.replication.link.as_ref();
    if link.is_some_and(|link| link.port == port && link.host.eq_ignore_ascii_case(&host)) {
        log::info!("REPLICAOF would result into synchronization with the master we are already connected with. No operation performed.");
        ctx.reply.simple("OK Already connected to specified master");
        return DONE;
    }
    log::info!("REPLICAOF {host}:{port} enabled (user request from '{}')", ctx.client().peer.address);
    ctx.state.follow(ctx.db.space(), host, port);
    ctx.reply.ok();
    DONE
}

fn failover(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let stage = ctx.state.replication.failover.stage;
    if args.len() == 2 && args.is(1, "abort") {
        if stage == failover::Stage::None {
            return Err(Error::fixed("ERR No failover in progress."));
        }
        ctx.state.abort_failover(ctx.db.space(), "Failover manually aborted");
        ctx.reply.ok();
        return DONE;
    }
    let wish = failover_wish(ctx, args)?;
    if stage != failover::Stage::None {
        return Err(Error::fixed("ERR FAILOVER already in progress."));
    }
    if ctx.state.replication.follows() {
        return Err(Error::fixed("ERR FAILOVER is not valid when server is a replica."));
    }
    if ctx.state.replication.attached().next().is_none() {
        return Err(Error::fixed("ERR FAILOVER requires connected replicas."));
    }
    if wish.forced && (wish.deadline.is_none() || wish.target.is_none()) {
        return Err(Error::fixed("ERR FAILOVER with force option requires both a timeout and target HOST and IP."));
    }
    if let Some((host, port)) = &wish.target {
        match ctx.state.replica_at(host, *port) {
            None => return Err(Error::fixed("ERR FAILOVER target HOST and PORT is not a replica.")),
            Some(Stage::Online) => {}
            Some(_) => return Err(Error::fixed("ERR FAILOVER target replica is not online.")),
        }
    }
    ctx.state.begin_failover(ctx.db.space(), wish);
    ctx.reply.ok();
    DONE
}

/// Each option once, in any order.
fn failover_wish(ctx: &Ctx<'_>, args: Args<'_>) -> Result<failover::Wish, Error> {
    let mut wish = failover::Wish::default();
    let mut at = 1;
    while at < args.len() {
        if args.is(at, "timeout") && at + 1 < args.len() && wish.deadline.is_none() {
            let millis = integer(args.at(at + 1))?;
            if millis <= 0 {
                return Err(Error::fixed("ERR FAILOVER timeout must be greater than 0"));
            }
            wish.deadline = Some(ctx.now().saturating_add(Millis(millis)));
            at += 2;
        } else if args.is(at, "to") && at + 2 < args.len() && wish.target.is_none() {
            // no replica has a port that is none
            let port = u16::try_from(integer(args.at(at + 2))?).unwrap_or(0);
            wish.target = Some((String::from_utf8_lossy(args.at(at + 1)).into_owned(), port));
            at += 3;
        } else if args.is(at, "force") && !wish.forced {
            wish.forced = true;
            at += 1;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    Ok(wish)
}

fn role(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let state = &*ctx.state;
    let replication = &state.replication;
    let offset = i64::try_from(replication.stream.offset()).unwrap_or(i64::MAX);
    match &replication.link {
        Some(link) => {
            ctx.reply.array(5);
            ctx.reply.text("slave");
            ctx.reply.text(&link.host);
            ctx.reply.integer(link.port.into());
            ctx.reply.text(link.word());
            ctx.reply.integer(if link.is_up() { offset } else { -1 });
        }
        None => {
            let online: Vec<_> = state.online_replicas().collect();
            ctx.reply.array(3);
            ctx.reply.text("master");
            ctx.reply.integer(offset);
            ctx.reply.array(online.len());
            for (address, port, acknowledged) in online {
                ctx.reply.array(3);
                ctx.reply.text(&address);
                ctx.reply.text(&port.to_string());
                ctx.reply.text(&acknowledged.to_string());
            }
        }
    }
    DONE
}

/// What a replica says of itself, word by word, or an acknowledgement, which is not answered.
fn replconf(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    let key = ctx.client;
    for at in (1..args.len()).step_by(2) {
        let value = args.at(at + 1);
        if args.is(at, "ack") {
            return acknowledge(ctx, args.from(at));
        }
        if args.is(at, "getack") {
            if ctx.client().flags.any(ClientFlags::PRIMARY) {
                ctx.state.want_acknowledgement();
            }
            return DONE;
        }
        if args.is(at, "listening-port") {
            let port = integer(value)?;
            ctx.state.replica(key).port = u16::try_from(port).map_err(|_| Error::NOT_AN_INTEGER)?;
        } else if args.is(at, "ip-address") {
            if value.len() > 255 {
                return Err(Error::new(format!("ERR REPLCONF ip-address provided by replica instance is too long: {} bytes", value.len())));
            }
            ctx.state.replica(key).address = String::from_utf8_lossy(value).into_owned();
        } else if args.is(at, "capa") {
            let replica = ctx.state.replica(key);
            replica.reads_marks |= value.eq_ignore_ascii_case(b"eof");
            replica.reads_names |= value.eq_ignore_ascii_case(b"psync2");
        } else if args.is(at, "rdb-only") {
            ctx.state.replica(key).snapshot_only =
                integer_in(value, 0..=1, Error::fixed("ERR value is out of range, value must between 0 and 1"))? == 1;
        } else if args.is(at, "rdb-filter-only") {
            filter(ctx, value)?;
        } else if !args.is(at, "version") {
            return Err(Error::quoting("ERR Unrecognized REPLCONF option: {}", &[args.at(at)]));
        }
    }
    ctx.reply.ok();
    DONE
}

/// The parts of a snapshot that are wanted: `functions`, which there are none of, or all.
fn filter(ctx: &mut Ctx<'_>, value: &[u8]) -> Result<(), Error> {
    let mut without_keys = false;
    for word in value.split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
        if !word.eq_ignore_ascii_case(b"functions") {
            return Err(Error::quoting("ERR Unsupported rdb-filter-only option: {}", &[word]));
        }
        without_keys = true;
    }
    let key = ctx.client;
    ctx.state.replica(key).without_keys = without_keys || value.is_empty();
    Ok(())
}

fn acknowledge(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let parse = |word: &[u8]| number::parse_i64(word).and_then(|offset| u64::try_from(offset).ok());
    if !ctx.client().flags.any(ClientFlags::REPLICA) {
        return DONE;
    }
    let Some(offset) = parse(args.at(1)) else { return DONE };
    let on_disk = if args.is(2, "fack") { args.get(3).and_then(parse) } else { None };
    let key = ctx.client;
    ctx.state.acknowledged(key, offset, on_disk);
    DONE
}

fn psync(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if ctx.client().flags.any(ClientFlags::REPLICA) {
        return DONE;
    }
    if args.is(3, "failover") {
        take_the_lead(ctx, args.at(1))?;
    }
    refuse_without_primary(ctx)?;
    refuse_unmarked_filter(ctx)?;
    let key = ctx.client;
    let next = integer(args.at(2)).inspect_err(|_| {
        log::warn!("Replica {} asks for synchronization but with a wrong offset", ctx.state.clients[key].peer.address);
    })?;
    if ctx.state.attach(ctx.db.space(), key, args.at(1), next) {
        if ctx.state.replica(key).reads_names {
            let id = String::from_utf8_lossy(&ctx.state.replication.stream.id).into_owned();
            ctx.reply.simple(&format!("CONTINUE {id}"));
        } else {
            ctx.reply.simple("CONTINUE");
        }
        ctx.state.catch_up(key, u64::try_from(next).expect("the history goes on there"));
    }
    DONE
}

/// Our primary hands over the lead: it asks for the stream, and we lead from here on.
fn take_the_lead(ctx: &mut Ctx<'_>, id: &[u8]) -> Result<(), Error> {
    log::warn!("Failover request received for replid {}.", String::from_utf8_lossy(id));
    if !ctx.state.replication.follows() {
        return Err(Error::fixed("ERR PSYNC FAILOVER can't be sent to a master."));
    }
    if !id.eq_ignore_ascii_case(&ctx.state.replication.stream.id) {
        return Err(Error::fixed("ERR PSYNC FAILOVER replid must match my replid."));
    }
    ctx.state.lead(ctx.db.space());
    log::info!("MASTER MODE enabled (failover request from '{}')", ctx.client().peer.address);
    Ok(())
}

fn sync(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    if ctx.client().flags.any(ClientFlags::REPLICA) {
        return DONE;
    }
    refuse_without_primary(ctx)?;
    refuse_unmarked_filter(ctx)?;
    let key = ctx.client;
    ctx.state.replica(key).is_old = true;
    ctx.state.attach(ctx.db.space(), key, b"?", -1);
    DONE
}

const NO_LINK: Error = Error::fixed("NOMASTERLINK Can't SYNC while not connected with my master");

/// A replica whose own link is down has nothing to pass on, and nothing for its own primary.
fn refuse_without_primary(ctx: &Ctx<'_>) -> Result<(), Error> {
    match &ctx.state.replication.link {
        Some(link) if !link.is_up() => Err(NO_LINK),
        Some(_) if ctx.state.is_own_primary(ctx.client) => {
            log::warn!(
                "This server's own primary asks it for the stream: they follow each other in a circle, and neither would hear of anything. REPLICAOF NO ONE at one of them ends that."
            );
            Err(NO_LINK)
        }
        _ => Ok(()),
    }
}

/// A part of the data is never a file: it would take the place of the snapshot of all.
fn refuse_unmarked_filter(ctx: &Ctx<'_>) -> Result<(), Error> {
    match ctx.state.replication.replicas.get(&ctx.client) {
        Some(replica) if replica.without_keys && !replica.reads_marks => Err(Error::fixed("ERR Filtered replica requires EOF capability")),
        _ => Ok(()),
    }
}

/// Blocks until the time is up or somebody has acknowledged.
fn wait_for_replicas(ctx: &mut Ctx<'_>, deadline: Option<crate::base::clock::Millis>) -> Outcome {
    let key = ctx.client;
    ctx.state.replication.wait(key);
    Block::for_event(deadline, OnTimeout::RunAgain)
}

/// A timeout in whole milliseconds.
fn whole_timeout(ctx: &Ctx<'_>, word: &[u8]) -> Result<Option<crate::base::clock::Millis>, Error> {
    let millis = number::parse_i64(word).ok_or(Error::fixed("ERR timeout is not an integer or out of range"))?;
    timeout_millis(millis, ctx.now())
}

fn wait(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if ctx.state.replication.follows() {
        return Err(Error::fixed(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.",
        ));
    }
    let wanted = integer(args.at(1))?;
    let deadline = whole_timeout(ctx, args.at(2))?;
    let offset = ctx.client().wrote_to;
    let count = i64::try_from(ctx.state.replication.count_acknowledged(offset)).unwrap_or(i64::MAX);
    if count >= wanted || ctx.timed_out {
        ctx.reply.integer(count);
        return DONE;
    }
    wait_for_replicas(ctx, deadline)
}

fn waitaof(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let local = integer_in(args.at(1), 0..=1, Error::fixed("ERR value is out of range, value must between 0 and 1"))?;
    let remote = number::parse_i64(args.at(2)).filter(|count| *count >= 0).ok_or(Error::NOT_POSITIVE)?;
    let deadline = whole_timeout(ctx, args.at(3))?;
    if ctx.state.replication.follows() {
        return Err(Error::fixed(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.",
        ));
    }
    if local > 0 && !ctx.state.config.appendonly {
        return Err(Error::fixed("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."));
    }
    let offset = ctx.client().wrote_to;
    let replication = &ctx.state.replication;
    let here = i64::from(ctx.state.config.appendonly && replication.on_disk >= offset);
    let there = i64::try_from(replication.count_on_disk(offset)).unwrap_or(i64::MAX);
    if here >= local && there >= remote || ctx.timed_out {
        ctx.reply.array(2);
        ctx.reply.integer(here);
        ctx.reply.integer(there);
        return DONE;
    }
    wait_for_replicas(ctx, deadline)
}
