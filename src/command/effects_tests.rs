//! What commands send to the append-only file and to replicas, and the keyspace events that they cause.
//!
//! Replies cannot show either, so these tests look at what a command leaves in the keyspace's queues. Each
//! line is a command, what it propagates (several commands apart by `; `), and its events in order. They
//! were read off a real Redis 8 with a replica's connection and a subscriber.

use crate::base::clock::{Micros, Monotonic, Now};
use crate::base::text::split_arguments;
use crate::config::{Disk, Startup};
use crate::keyspace::DbIndex;
use crate::resp::reader::{Reply, ReplyReader};
use crate::resp::request::OwnedRequest;
use crate::server::client::Peer;
use crate::server::{Server, Stopwatch, dispatch};

/// The time of the tests: 1,000,000 ms after the epoch.
const NOW: Micros = Micros(1_000_000_000);

fn server() -> Server {
    let Ok(Startup::Serve(config)) = crate::config::start(&[], &Disk) else { panic!("the defaults are a configuration") };
    let mut server = Server::new(*config, super::registry(), 1, Now { unix: NOW, monotonic: Monotonic(0) }, Stopwatch(|| 0));
    server.keyspace.set_event_mask(u32::MAX);
    server.keyspace.effects.recording = true;
    server
}

/// The words of each command in a stream.
fn commands(stream: &[u8]) -> String {
    let mut reader = ReplyReader::new();
    reader.feed(stream);
    let mut commands = Vec::new();
    while let Some(Reply::Array(words)) = reader.next_reply().expect("a stream of commands") {
        let words = words.iter().map(|word| match word {
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("not a word: {other}"),
        });
        commands.push(words.collect::<Vec<_>>().join(" "));
    }
    commands.join("; ")
}

/// Runs lines of command, propagation and events.
#[track_caller]
fn check(lines: &[(&str, &str, &str)]) {
    let mut server = server();
    let client = server.connected(0, Peer { loopback: true, ..Peer::default() }).expect("room for a client");
    for (line, propagated, events) in lines {
        let words = split_arguments(line.as_bytes()).expect("balanced quotes");
        let request = OwnedRequest::from_words(words.iter().map(Vec::as_slice));
        server.as_client(client, |ctx| dispatch::execute(ctx, request.args(), None));
        let effects = &mut server.keyspace.effects;
        let shown = effects.events.drain(..).map(|event| {
            let db = if event.db == DbIndex(0) { String::new() } else { format!("@{}", event.db.0) };
            format!("{}{db}({})", event.event.name, String::from_utf8_lossy(&event.key))
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), *events, "events of {line}");
        assert_eq!(commands(&effects.stream), *propagated, "propagation of {line}");
        effects.stream.clear();
        effects.propagated.clear();
    }
}

#[test]
fn setting_strings() {
    check(&[
        ("SET a 1", "SET a 1", "new(a) set(a)"),
        ("SET a 1 EX 100", "SET a 1 PXAT 1100000", "set(a) expire(a)"),
        ("SET a 1 PX 100", "SET a 1 PXAT 1000100", "set(a) expire(a)"),
        ("SET a 1 EXAT 5000", "SET a 1 PXAT 5000000", "set(a) expire(a)"),
        ("SET a 2 GET", "SET a 2", "set(a)"),
        ("SET a 2 NX", "", ""),
        ("SET n 2 NX", "SET n 2 NX", "new(n) set(n)"),
        ("SET n 2 XX", "SET n 2 XX", "set(n)"),
        ("SET n 2 XX GET", "SET n 2 XX", "set(n)"),
        ("SET n 3 KEEPTTL GET", "SET n 3 KEEPTTL", "set(n)"),
        ("SET n 3 EX 100 GET NX", "", ""),
        ("SET z 3 EX 100 GET NX", "SET z 3 PXAT 1100000", "keymiss(z) new(z) set(z) expire(z)"),
        ("SET z 3 EX 100 XX", "SET z 3 PXAT 1100000", "set(z) expire(z)"),
        ("SET z 4 IFEQ 3", "SET z 4", "set(z)"),
        ("SET z 5 IFEQ 3", "", ""),
        ("SET z 5 IFNE 3 KEEPTTL", "SET z 5 KEEPTTL", "set(z)"),
        ("SET z 6 IFEQ 5 PX 1", "SET z 6 PXAT 1000001", "set(z) expire(z)"),
        ("GETSET a 5", "SET a 5", "set(a)"),
        ("GETSET nokey 5", "SET nokey 5", "keymiss(nokey) new(nokey) set(nokey)"),
        ("SETEX a 100 v", "SET a v PXAT 1100000", "set(a) expire(a)"),
        ("PSETEX a 100 v", "SET a v PXAT 1000100", "set(a) expire(a)"),
        ("SETNX a b", "", ""),
        ("SETNX q b", "SETNX q b", "new(q) set(q)"),
        ("MSET a 1 b 2 a 3", "MSET a 1 b 2 a 3", "set(a) new(b) set(b) set(a)"),
        ("MSETNX a 1 zz 2", "", ""),
        ("MSETNX yy 1 zz 2", "MSETNX yy 1 zz 2", "new(yy) set(yy) new(zz) set(zz)"),
        ("MSETEX 2 a 1 b 2 EX 100", "MSETEX 2 a 1 b 2 PXAT 1100000", "set(a) expire(a) set(b) expire(b)"),
        ("MSETEX 2 a 1 b 2", "MSETEX 2 a 1 b 2", "set(a) set(b)"),
        ("MSETEX 2 a 1 b 2 PX 5 XX", "MSETEX 2 a 1 b 2 PXAT 1000005", "set(a) expire(a) set(b) expire(b)"),
        ("MSETEX 2 a 1 c 2 NX", "", ""),
        ("SET a", "", ""),
    ]);
}

#[test]
fn reading_and_removing_strings() {
    check(&[
        ("GET k", "", "keymiss(k)"),
        ("MGET k j", "", "keymiss(k) keymiss(j)"),
        ("STRLEN k", "", "keymiss(k)"),
        ("GETRANGE k 0 1", "", "keymiss(k)"),
        ("LCS k j", "", "keymiss(k) keymiss(j)"),
        ("SET k v", "SET k v", "new(k) set(k)"),
        ("GETEX k", "", ""),
        ("GETEX k PERSIST", "", ""),
        ("GETEX k EX 100", "PEXPIREAT k 1100000", "expire(k)"),
        ("GETEX k PERSIST", "PERSIST k", "persist(k)"),
        ("GETEX k PXAT 2000000", "PEXPIREAT k 2000000", "expire(k)"),
        ("GETEX k EXAT 5", "DEL k", "del(k)"),
        ("GETEX k PERSIST", "", "keymiss(k)"),
        ("GETDEL k", "", "keymiss(k)"),
        ("SET k v", "SET k v", "new(k) set(k)"),
        ("GETDEL k", "DEL k", "del(k)"),
        ("SET k v", "SET k v", "new(k) set(k)"),
        ("DELIFEQ k w", "", ""),
        ("DELIFEQ k v", "DEL k", "del(k)"),
        ("SET k v", "SET k v", "new(k) set(k)"),
        ("DELEX k IFEQ w", "", ""),
        ("DELEX k IFNE w", "DEL k", "del(k)"),
        ("DELEX k", "", ""),
    ]);
}

#[test]
fn changing_strings() {
    check(&[
        ("APPEND a foo", "APPEND a foo", "new(a) append(a)"),
        ("APPEND a \"\"", "APPEND a ", "append(a)"),
        ("SETRANGE a 1 \"\"", "", ""),
        ("SETRANGE a 1 b", "SETRANGE a 1 b", "setrange(a)"),
        ("SETRANGE b 1 b", "SETRANGE b 1 b", "new(b) setrange(b)"),
        ("SETRANGE c 1 \"\"", "", ""),
        ("INCR n", "INCR n", "new(n) incrby(n)"),
        ("INCRBY n 5", "INCRBY n 5", "incrby(n)"),
        ("DECR n", "DECR n", "incrby(n)"),
        ("DECRBY n 2", "DECRBY n 2", "incrby(n)"),
        ("INCR a", "", ""),
        ("INCRBYFLOAT n 1.5", "SET n 4.5 KEEPTTL", "incrbyfloat(n)"),
        ("INCRBYFLOAT m 1.5", "SET m 1.5 KEEPTTL", "new(m) incrbyfloat(m)"),
    ]);
}

#[test]
fn deadlines() {
    check(&[
        ("SET a 1", "SET a 1", "new(a) set(a)"),
        ("EXPIRE a 100", "PEXPIREAT a 1100000", "expire(a)"),
        ("EXPIRE a 100 NX", "", ""),
        ("EXPIRE a 1000 GT", "PEXPIREAT a 2000000 GT", "expire(a)"),
        ("PEXPIRE a 50 XX", "PEXPIREAT a 1000050 XX", "expire(a)"),
        ("EXPIREAT a 2000", "PEXPIREAT a 2000000", "expire(a)"),
        ("PEXPIREAT a 3000000", "PEXPIREAT a 3000000", "expire(a)"),
        ("PERSIST a", "PERSIST a", "persist(a)"),
        ("PERSIST a", "", ""),
        ("EXPIRE a -1", "DEL a", "del(a)"),
        ("EXPIRE a 100", "", ""),
        ("PERSIST a", "", ""),
        ("TTL a", "", "keymiss(a)"),
        ("PEXPIRETIME a", "", "keymiss(a)"),
    ]);
}

#[test]
fn whole_keys() {
    check(&[
        ("MSET a 1 b 2", "MSET a 1 b 2", "new(a) set(a) new(b) set(b)"),
        ("DEL a b x", "DEL a b x", "del(a) del(b)"),
        ("DEL a", "", ""),
        ("MSET a 1 b 2", "MSET a 1 b 2", "new(a) set(a) new(b) set(b)"),
        ("UNLINK b", "UNLINK b", "del(b)"),
        ("RENAME a b", "RENAME a b", "new(b) rename_from(a) rename_to(b)"),
        ("RENAME b b", "", ""),
        ("RENAMENX b b", "", ""),
        ("RENAMENX b c", "RENAMENX b c", "new(c) rename_from(b) rename_to(c)"),
        ("COPY c d", "COPY c d", "new(d) copy_to(d)"),
        ("COPY c d", "", ""),
        ("COPY c d REPLACE", "COPY c d REPLACE", "new(d) copy_to(d)"),
        ("RENAME c d", "RENAME c d", "new(d) rename_from(c) rename_to(d)"),
        ("COPY d e DB 3", "COPY d e DB 3", "new@3(e) copy_to@3(e)"),
        ("MOVE d 3", "MOVE d 3", "new@3(d) move_from(d) move_to@3(d)"),
        ("MOVE d 3", "", ""),
        ("TOUCH e", "", "keymiss(e)"),
        ("EXISTS e", "", "keymiss(e)"),
        ("TYPE e", "", "keymiss(e)"),
        ("OBJECT ENCODING e", "", ""),
        ("SWAPDB 0 0", "SWAPDB 0 0", ""),
        ("SWAPDB 1 2", "SWAPDB 1 2", ""),
        ("FLUSHDB", "FLUSHDB", ""),
        ("FLUSHALL ASYNC", "FLUSHALL ASYNC", ""),
    ]);
}

#[test]
fn sorted_sets() {
    check(&[
        ("ZADD z 1 a 2 b", "ZADD z 1 a 2 b", "new(z) zadd(z)"),
        ("ZADD z 1 a", "", ""),
        ("ZADD z CH 2 a 3 c", "ZADD z CH 2 a 3 c", "zadd(z)"),
        ("ZADD z NX 1 a", "", ""),
        ("ZADD z XX 1 nobody", "", ""),
        ("ZADD n XX 1 a", "", ""),
        ("ZADD z INCR 1 a", "ZADD z INCR 1 a", "zincr(z)"),
        ("ZADD z XX INCR 1 nobody", "", ""),
        ("ZADD z GT INCR -1 a", "", ""),
        ("ZINCRBY z 0 a", "", ""),
        ("ZINCRBY z 1.5 a", "ZINCRBY z 1.5 a", "zincr(z)"),
        ("ZINCRBY m 1 a", "ZINCRBY m 1 a", "new(m) zincr(m)"),
        ("ZREM z a nobody", "ZREM z a nobody", "zrem(z)"),
        ("ZREM z nobody", "", ""),
        ("ZSCORE absent a", "", "keymiss(absent)"),
        ("ZMSCORE absent a", "", "keymiss(absent)"),
        ("ZCARD absent", "", "keymiss(absent)"),
        ("ZRANGE absent 0 -1", "", "keymiss(absent)"),
        ("ZRANK absent a", "", "keymiss(absent)"),
        ("ZSCAN absent 0", "", "keymiss(absent)"),
        ("ZRANDMEMBER absent", "", "keymiss(absent)"),
        ("ZRANDMEMBER absent 2", "", "keymiss(absent)"),
        ("ZREM m a", "ZREM m a", "zrem(m) del(m)"),
        ("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "zadd(z)"),
        ("ZPOPMIN z", "ZPOPMIN z", "zpopmin(z)"),
        ("ZPOPMAX z 2", "ZPOPMAX z 2", "zpopmax(z)"),
        ("ZPOPMAX z 0", "", ""),
        ("ZPOPMIN absent", "", ""),
        ("ZPOPMIN z 10", "ZPOPMIN z 10", "zpopmin(z) del(z)"),
        ("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "new(z) zadd(z)"),
        ("ZMPOP 2 absent z MIN", "ZPOPMIN z 1", "zpopmin(z)"),
        ("ZMPOP 2 absent z MAX COUNT 2", "ZPOPMAX z 2", "zpopmax(z)"),
        ("BZPOPMIN absent z 0", "ZPOPMIN z", "zpopmin(z)"),
        ("BZPOPMAX z 0", "ZPOPMAX z", "zpopmax(z)"),
        ("BZMPOP 0 1 z MIN COUNT 10", "ZPOPMIN z 1", "zpopmin(z) del(z)"),
        ("ZMPOP 1 absent MIN", "", ""),
        ("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "new(z) zadd(z)"),
        ("ZREMRANGEBYRANK z 0 0", "ZREMRANGEBYRANK z 0 0", "zremrangebyrank(z)"),
        ("ZREMRANGEBYRANK z 10 20", "", ""),
        ("ZREMRANGEBYSCORE z 2 3", "ZREMRANGEBYSCORE z 2 3", "zremrangebyscore(z)"),
        ("ZREMRANGEBYSCORE z 2 3", "", ""),
        ("ZREMRANGEBYLEX z [d [d", "ZREMRANGEBYLEX z [d [d", "zremrangebylex(z)"),
        ("ZREMRANGEBYLEX z - +", "ZREMRANGEBYLEX z - +", "zremrangebylex(z) del(z)"),
        ("ZREMRANGEBYRANK absent 0 1", "", ""),
    ]);
}

#[test]
fn sorted_sets_out_of_others() {
    check(&[
        ("ZADD a 1 x 2 y", "ZADD a 1 x 2 y", "new(a) zadd(a)"),
        ("ZADD b 1 y 2 z", "ZADD b 1 y 2 z", "new(b) zadd(b)"),
        ("ZUNION 3 a b absent", "", "keymiss(absent)"),
        ("ZINTER 2 a absent", "", "keymiss(absent)"),
        ("ZDIFF 2 a absent", "", "keymiss(absent)"),
        ("ZINTERCARD 2 absent a", "", "keymiss(absent)"),
        ("ZUNIONSTORE to 2 a b", "ZUNIONSTORE to 2 a b", "new(to) zunionstore(to)"),
        ("ZUNIONSTORE to 1 absent", "ZUNIONSTORE to 1 absent", "keymiss(absent) del(to)"),
        ("ZUNIONSTORE to 1 absent", "", "keymiss(absent)"),
        ("ZINTERSTORE to 2 a b", "ZINTERSTORE to 2 a b", "new(to) zinterstore(to)"),
        ("ZDIFFSTORE to 2 a b", "ZDIFFSTORE to 2 a b", "zdiffstore(to)"),
        ("ZDIFFSTORE to 2 a a", "ZDIFFSTORE to 2 a a", "del(to)"),
        ("ZRANGESTORE to a 0 -1", "ZRANGESTORE to a 0 -1", "new(to) zrangestore(to)"),
        ("ZRANGESTORE to a 0 0", "ZRANGESTORE to a 0 0", "zrangestore(to)"),
        ("ZRANGESTORE to a 5 6", "ZRANGESTORE to a 5 6", "del(to)"),
        ("ZRANGESTORE to absent 0 1", "", "keymiss(absent)"),
        ("ZRANGESTORE to a 5 6", "", ""),
    ]);
}

#[test]
fn places() {
    check(&[
        (
            "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
            "zadd g 3479099956230698 Palermo 3479447370796909 Catania",
            "new(g) zadd(g)",
        ),
        ("GEOADD g 13.361389 38.115556 Palermo", "", ""),
        ("GEOADD g XX CH 13.5 38.115556 Palermo", "zadd g XX CH 3479100629809192 Palermo", "zadd(g)"),
        ("GEOADD g NX 13.5 38.115556 Palermo", "", ""),
        ("GEOPOS absent a", "", "keymiss(absent)"),
        ("GEOHASH absent a", "", "keymiss(absent)"),
        ("GEODIST absent a b", "", "keymiss(absent)"),
        ("GEOSEARCH absent FROMLONLAT 1 1 BYRADIUS 1 m", "", "keymiss(absent)"),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km", "", ""),
        (
            "GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 200 km",
            "GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 200 km",
            "new(to) geosearchstore(to)",
        ),
        ("GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 1 m", "GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 1 m", "del(to)"),
        ("GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 1 m", "", ""),
        ("GEORADIUS g 15 37 200 km STORE to", "GEORADIUS g 15 37 200 km STORE to", "new(to) georadiusstore(to)"),
        ("GEORADIUS absent 15 37 200 km STORE to", "GEORADIUS absent 15 37 200 km STORE to", "keymiss(absent) del(to)"),
        (
            "GEORADIUSBYMEMBER g Palermo 200 km STOREDIST to",
            "GEORADIUSBYMEMBER g Palermo 200 km STOREDIST to",
            "new(to) georadiusstore(to)",
        ),
        ("GEORADIUS_RO absent 15 37 200 km", "", "keymiss(absent)"),
    ]);
}

#[test]
fn adding_to_streams() {
    check(&[
        ("XADD k * f v", "XADD k 1000000-0 f v", "new(k) xadd(k)"),
        ("XADD k 5000000-* f v", "XADD k 5000000-0 f v", "xadd(k)"),
        ("XADD k 5000001 f v", "XADD k 5000001 f v", "xadd(k)"),
        ("XADD k nomkstream maxlen 3 * f v", "XADD k nomkstream maxlen 3 5000001-1 f v", "xadd(k) xtrim(k)"),
        ("XADD k MAXLEN ~ 2 * f v", "XADD k MAXLEN = 4 5000001-2 f v", "xadd(k)"),
        ("XADD k MAXLEN ~ 2 LIMIT 5 * f v", "XADD k MAXLEN = 5 LIMIT 5 5000001-3 f v", "xadd(k)"),
        ("XADD k MINID ~ 5000001 * f v", "XADD k MINID = 5000000-0 5000001-4 f v", "xadd(k)"),
        ("XADD k MINID ~ 5000001 ACKED * f v", "XADD k MAXLEN = 7 ACKED 5000001-5 f v", "xadd(k)"),
        ("XADD none NOMKSTREAM * f v", "", ""),
        ("XTRIM k MAXLEN ~ 2", "", ""),
        ("XTRIM k MAXLEN 6", "XTRIM k MAXLEN 6", "xtrim(k)"),
        ("XTRIM k MINID ~ 5000002", "XTRIM k MINID = 18446744073709551615-18446744073709551615", "xtrim(k)"),
        ("XADD k MAXLEN 0 6000000 f v", "XADD k MAXLEN 0 6000000 f v", "xadd(k) xtrim(k)"),
        ("XADD k 6000001 f v", "XADD k 6000001 f v", "xadd(k)"),
        ("XDEL k 1 6000001", "XDEL k 1 6000001", "xdel(k)"),
        ("XDEL k 1", "", ""),
        ("XSETID k 6000009", "XSETID k 6000009", "xsetid(k)"),
    ]);
}

#[test]
fn reading_streams_with_groups() {
    check(&[
        ("XADD k 1 f a", "XADD k 1 f a", "new(k) xadd(k)"),
        ("XADD k 2 f b", "XADD k 2 f b", "xadd(k)"),
        ("XGROUP CREATE n g $ MKSTREAM", "XGROUP CREATE n g $ MKSTREAM", "new(n) xgroup-create(n)"),
        ("XGROUP CREATE k g $", "XGROUP CREATE k g $", "xgroup-create(k)"),
        ("XGROUP SETID k g 0", "XGROUP SETID k g 0", "xgroup-setid(k)"),
        ("XREADGROUP GROUP g c STREAMS k 0", "", "xgroup-createconsumer(k)"),
        (
            "XREADGROUP GROUP g d STREAMS k >",
            "XCLAIM k g d 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0; \
             XCLAIM k g d 0 2-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0; \
             XGROUP SETID k g 2-0 ENTRIESREAD 2",
            "xgroup-createconsumer(k)",
        ),
        ("XREADGROUP GROUP g e NOACK STREAMS k >", "XGROUP CREATECONSUMER k g e", "xgroup-createconsumer(k)"),
        ("XREADGROUP GROUP g d STREAMS k 0", "", ""),
        ("XCLAIM k g c 0 1 9", "XCLAIM k g c 0 1-0 TIME 1000000 RETRYCOUNT 3 FORCE JUSTID LASTID 2-0", ""),
        ("XCLAIM k g c 0 9 LASTID 5", "XGROUP SETID k g 5-0 ENTRIESREAD 2", ""),
        ("XCLAIM k g f 0 9", "", "xgroup-createconsumer(k)"),
        ("XDEL k 2", "XDEL k 2", "xdel(k)"),
        (
            "XAUTOCLAIM k g d 0 0",
            "XCLAIM k g d 0 1-0 TIME 1000000 RETRYCOUNT 4 FORCE JUSTID LASTID 5-0; \
             XCLAIM k g d 0 2-0 TIME 1000000 RETRYCOUNT 2 FORCE JUSTID LASTID 5-0",
            "",
        ),
        ("XACK k g 1", "XACK k g 1", ""),
        ("XACK k g 1", "", ""),
        ("XGROUP CREATECONSUMER k g z", "XGROUP CREATECONSUMER k g z", "xgroup-createconsumer(k)"),
        ("XGROUP CREATECONSUMER k g z", "", ""),
        ("XGROUP DELCONSUMER k g z", "XGROUP DELCONSUMER k g z", "xgroup-delconsumer(k)"),
        ("XGROUP DESTROY k g", "XGROUP DESTROY k g", "xgroup-destroy(k)"),
        ("XGROUP DESTROY k g", "", ""),
    ]);
}

#[test]
fn hashes() {
    check(&[
        ("HSET h a 1 b 2", "HSET h a 1 b 2", "new(h) hset(h)"),
        ("HSETNX h a 2", "", ""),
        ("HINCRBYFLOAT h a 0.5", "HSET h a 1.5", "hincrbyfloat(h)"),
        ("HEXPIRE h 100 NX FIELDS 2 a none", "HPEXPIREAT h 1100000 NX FIELDS 1 a", "hexpire(h)"),
        ("HEXPIRE h 100 NX FIELDS 1 a", "", ""),
        ("HINCRBYFLOAT h a 0.5", "HSETEX h KEEPTTL FIELDS 1 a 2", "hincrbyfloat(h)"),
        ("HPERSIST h FIELDS 2 a b", "HPERSIST h FIELDS 2 a b", "hpersist(h)"),
        ("HGETEX h FIELDS 1 a", "", ""),
        ("HGETEX h EX 100 FIELDS 2 a none", "HPEXPIREAT h 1100000 FIELDS 1 a", "hexpire(h)"),
        ("HGETEX h PERSIST FIELDS 2 a b", "HPERSIST h FIELDS 1 a", "hpersist(h)"),
        ("HGETEX h PERSIST FIELDS 2 a b", "", ""),
        ("HSETEX h PX 100 FIELDS 1 c 3", "HSETEX h PXAT 1000100 FIELDS 1 c 3", "hset(h) hexpire(h)"),
        ("HSETEX h FNX FIELDS 1 c 4", "", ""),
        ("HSETEX h PXAT 1 FIELDS 1 c 4", "HDEL h c", "hset(h) hdel(h)"),
        ("HSETEX brief EX 0 FIELDS 1 c 4", "", "hset(brief) hdel(brief) del(brief)"),
        ("HGETDEL h FIELDS 2 a none", "HDEL h a", "hdel(h)"),
        ("HEXPIRE h 0 FIELDS 1 b", "HDEL h b", "hdel(h) del(h)"),
        ("HGET h b", "", "keymiss(h)"),
    ]);
}
