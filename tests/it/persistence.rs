//! Snapshots, DUMP and RESTORE.

use ruddle::base::crc::crc64;
use ruddle::base::random::Random;
use ruddle::persist::rdb::LoadError;
use ruddle::persist::rdb::input::Input;
use ruddle::persist::rdb::load::{Loaded, Loader, Overdue, Pace, Plan, Step, Twice};
use ruddle::persist::rdb::read_value::Shapes;
use ruddle::persist::storage::Storage;
use ruddle::persist::storage::faulty::Faulty;
use ruddle::resp::reader::Reply;
use ruddle::server::Server;
use ruddle::server::client::ClientKey;

use crate::harness::{START_MS, World, check, check_with};

const DEBUG: (&str, &str) = ("enable-debug-command", "yes");

/// A server whose files are at hand.
fn world_on(storage: &Faulty, directives: &[(&str, &str)]) -> (World, ClientKey) {
    let mut world = World::with(&[&[DEBUG], directives].concat());
    world.server.state.snapshots.storage = Box::new(storage.clone());
    let client = world.connect();
    (world, client)
}

/// Some of every type and encoding.
fn fill(world: &mut World, client: ClientKey) {
    let words = |count: usize, word: fn(usize) -> String| (0..count).map(word).collect::<Vec<_>>().join(" ");
    let lines = [
        "SET int 12345".to_string(),
        "SET negative -7".to_string(),
        "SET wide 123456789012".to_string(),
        "SET short hello".to_string(),
        "SET empty \"\"".to_string(),
        format!("SET long \"{}\"", "ab ".repeat(3000)),
        "APPEND grown abc".to_string(),
        "SET volatile v PXAT 4102444800000".to_string(),
        format!("RPUSH list {}", words(40, |i| format!("{i}"))),
        format!("RPUSH longlist {}", words(2000, |i| format!("e{i}"))),
        format!("RPUSH plainlist a {} b", "q".repeat(9000)),
        "SADD ints 1 2 3 -5 70000 5000000000".to_string(),
        "SADD packed a b c 1".to_string(),
        format!("SADD table {}", words(200, |i| format!("m{i}"))),
        "ZADD zset 1 a 2.5 b -inf c inf d -0.1 e".to_string(),
        format!("ZADD tree {}", words(200, |i| format!("{}.{} m{i}", i / 3, i % 7))),
        format!("HSET hash a 1 b two c {}", "x".repeat(30)),
        format!("HSET bighash {}", words(600, |i| format!("f{i} v{i}"))),
        "XADD stream 1-1 a 1 b 2".to_string(),
        "XADD stream 2-0 a 3 b 4".to_string(),
        "XADD stream 3-0 c 5".to_string(),
        "XDEL stream 2-0".to_string(),
        "XGROUP CREATE stream g 0".to_string(),
        "XREADGROUP GROUP g bob COUNT 1 STREAMS stream >".to_string(),
        "XREADGROUP GROUP g eve COUNT 1 STREAMS stream >".to_string(),
        "XGROUP CREATECONSUMER stream g idle".to_string(),
        "XGROUP CREATE stream far $ ENTRIESREAD 2".to_string(),
        "XADD bare 1-0 a b".to_string(),
        "XDEL bare 1-0".to_string(),
        "SELECT 3".to_string(),
        "SET elsewhere yes".to_string(),
        "SELECT 0".to_string(),
    ];
    for line in lines {
        let reply = world.ask(client, &line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
}

fn add_field_deadlines(world: &mut World, client: ClientKey) {
    for line in [
        "HSET expiring a 1 b 2 c 3",
        "HPEXPIREAT expiring 4102444800000 FIELDS 2 a b",
        "HPEXPIREAT expiring 4102444700000 FIELDS 1 c",
        "HPEXPIREAT bighash 4102444800000 FIELDS 2 f1 f2",
        "HPEXPIREAT bighash 4102444900000 FIELDS 1 f3",
    ] {
        world.ask(client, line);
    }
}

fn digest(world: &mut World, client: ClientKey) -> String {
    world.ask(client, "DEBUG DIGEST")
}

/// All that a key's value is, beyond what DEBUG DIGEST sees.
fn details(world: &mut World, client: ClientKey) -> Vec<String> {
    let keys = "int wide short long list longlist plainlist ints packed table zset tree hash bighash stream bare expiring volatile";
    let mut all: Vec<String> = keys
        .split(' ')
        .flat_map(|key| [format!("OBJECT ENCODING {key}"), format!("PEXPIRETIME {key}")].map(|line| world.ask(client, &line)))
        .collect();
    for line in [
        "XINFO STREAM stream",
        "XPENDING stream g - + 10",
        "XINFO GROUPS stream",
        "XINFO STREAM bare",
        "HPEXPIRETIME expiring FIELDS 3 a b c",
        "HPEXPIRETIME bighash FIELDS 4 f1 f2 f3 f4",
        "DBSIZE",
    ] {
        all.push(world.ask(client, line));
    }
    all
}

fn load(server: &mut Server) -> Result<Option<Loaded>, LoadError> {
    let Server { keyspace, state, .. } = server;
    state.snapshots.load(keyspace, &state.config, Overdue::Drop, Twice::Refuse)
}

#[test]
fn a_reload_brings_everything_back() {
    for (version, deadlines) in [("0", true), ("12", true), ("0", false), ("11", false), ("10", false), ("9", false)] {
        let (mut world, client) = world_on(&Faulty::new(), &[("rdb-version", version)]);
        fill(&mut world, client);
        if deadlines {
            add_field_deadlines(&mut world, client);
        }
        let mut before = (digest(&mut world, client), details(&mut world, client));
        assert_eq!(world.ask(client, "DEBUG RELOAD"), "+OK");
        if version == "9" {
            // streams had no counters then
            before.1 = details(&mut world, client);
        }
        assert_eq!((digest(&mut world, client), details(&mut world, client)), before, "version {version}");
        let storage = Faulty::new();
        let (mut other, reader) = world_on(&storage, &[]);
        world.server.state.snapshots.storage = Box::new(storage);
        assert_eq!(world.ask(client, "SAVE"), "+OK");
        let loaded = load(&mut other.server).expect("sound").expect("there");
        let written = if deadlines { 12 } else { version.parse().ok().filter(|&v| v > 0).unwrap_or(10) };
        assert_eq!((loaded.version, loaded.keys, loaded.expired), (written, if deadlines { 22 } else { 21 }, 0));
        assert_eq!((digest(&mut other, reader), details(&mut other, reader)), before, "version {version}");
    }
}

#[test]
fn what_a_version_cannot_say_is_refused_with_names() {
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[("rdb-version", "11")]);
    fill(&mut world, client);
    assert_eq!(world.ask(client, "SAVE"), "+OK");
    add_field_deadlines(&mut world, client);
    let before = storage.contents("dump.rdb");
    assert_eq!(world.ask(client, "SAVE"), "-ERR");
    assert_eq!(storage.contents("dump.rdb"), before);
    assert_eq!(world.ask(client, "BGSAVE"), "-ERR");
    world.ask(client, "CONFIG SET rdb-version 12");
    assert_eq!(world.ask(client, "SAVE"), "+OK");
    world.ask(client, "CONFIG SET rdb-version 8");
    assert_eq!(world.ask(client, "SAVE"), "-ERR");
}

#[test]
fn reload_options() {
    let (mut world, client) = world_on(&Faulty::new(), &[]);
    for (line, expected) in [
        ("DEBUG RELOAD NOSAVE", "-ERR Error trying to load the RDB dump, check server logs."),
        ("SET a 1", "+OK"),
        ("DEBUG RELOAD", "+OK"),
        ("SET a 2", "+OK"),
        ("SET b 2", "+OK"),
        ("DEBUG RELOAD NOSAVE NOFLUSH", "-ERR Error trying to load the RDB dump, check server logs."),
        ("GET b", r#""2""#),
        ("DEBUG RELOAD NOSAVE NOFLUSH MERGE", "+OK"),
        ("GET a", r#""1""#),
        ("GET b", r#""2""#),
        ("DEBUG RELOAD NOSAVE", "+OK"),
        ("EXISTS a b", ":1"),
        ("DEBUG RELOAD NOW", "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."),
    ] {
        assert_eq!(world.ask(client, line), expected, "{line}");
    }
}

/// A payload of DUMP as a request's word.
fn word(type_byte: u8, body: &[u8], version: u16) -> String {
    let mut bytes = [&[type_byte], body, &version.to_le_bytes()].concat();
    bytes.extend_from_slice(&crc64(&bytes).to_le_bytes());
    quoted(&bytes)
}

fn quoted(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// A string's bytes with their length before them.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short") | 0x4000;
    [&length.to_be_bytes(), bytes].concat()
}

#[test]
fn a_payload_is_of_the_oldest_version_that_can_say_it() {
    let mut world = World::new();
    let client = world.connect();
    let script = [("HSET h f v", 10u16), ("HEXPIRE h 100 FIELDS 1 f", 12), ("HPERSIST h FIELDS 1 f", 10)];
    for (line, version) in script {
        world.ask(client, line);
        world.send(client, "DUMP h");
        let replies = world.replies(client);
        let [Reply::Bulk(payload)] = replies.as_slice() else { panic!("a payload: {replies:?}") };
        let (_, footer) = payload.split_last_chunk::<10>().expect("version and checksum");
        assert_eq!(u16::from_le_bytes([footer[0], footer[1]]), version, "after {line}");
    }
}

#[test]
fn restore_speaks_as_redis() {
    let one = word(0, b"\xc0\x01", 11);
    let lines = [
        ("RESTORE a 0 {1}", "+OK"),
        ("GET a", "\"1\""),
        ("RESTORE a 0 {1}", "-BUSYKEY Target key name already exists."),
        ("RESTORE a abc bogus", "-BUSYKEY Target key name already exists."),
        ("RESTORE a 0 {1} REPLACE", "+OK"),
        ("RESTORE a 0 bogus REPLACE", "-ERR DUMP payload version or checksum are wrong"),
        ("RESTORE z 0 \"\"", "-ERR DUMP payload version or checksum are wrong"),
        ("RESTORE z -1 bogus", "-ERR Invalid TTL value, must be >= 0"),
        ("RESTORE z abc bogus", "-ERR value is not an integer or out of range"),
        ("RESTORE z 0 bogus FOO", "-ERR syntax error"),
        ("RESTORE z 0 bogus IDLETIME", "-ERR syntax error"),
        ("RESTORE z 0 bogus IDLETIME -1", "-ERR Invalid IDLETIME value, must be >= 0"),
        ("RESTORE z 0 bogus IDLETIME 99999999999999999999", "-ERR value is not an integer or out of range"),
        ("RESTORE z 0 bogus FREQ 256", "-ERR Invalid FREQ value, must be >= 0 and <= 255"),
        ("RESTORE z 0 bogus FREQ -1", "-ERR Invalid FREQ value, must be >= 0 and <= 255"),
        ("RESTORE z 0 bogus FREQ abc", "-ERR value is not an integer or out of range"),
        ("RESTORE z 0 bogus IDLETIME 1 FREQ 1", "-ERR syntax error"),
        ("RESTORE z 0 bogus FREQ 1 IDLETIME 1", "-ERR syntax error"),
        ("RESTORE b 100000000 {1}", "+OK"),
        ("EXPIRETIME a", ":-1"),
        ("RESTORE b 4102444800000 {1} ABSTTL REPLACE", "+OK"),
        ("PEXPIRETIME b", ":4102444800000"),
        ("RESTORE c 1 {1} ABSTTL", "+OK"),
        ("EXISTS c", ":0"),
        ("RESTORE b 1 {1} ABSTTL REPLACE", "+OK"),
        ("EXISTS b", ":0"),
        ("RESTORE d 0 {1} IDLETIME 1000", "+OK"),
        ("OBJECT IDLETIME d", ":1000"),
        ("RESTORE e 0 {1} FREQ 10", "+OK"),
        ("RESTORE-ASKING f 0 {1}", "+OK"),
        ("DUMP nokey", "(nil)"),
        ("LPUSH l a", ":1"),
        ("RESTORE l 0 {1} REPLACE", "+OK"),
        ("TYPE l", "+string"),
        ("RESTORE g 0 {list of nothing}", "-ERR Bad data format"),
        ("RESTORE g 0 {unknown type}", "-ERR Bad data format"),
        ("RESTORE g 0 {no sum}", "-ERR DUMP payload version or checksum are wrong"),
        ("RESTORE g 0 {future}", "-ERR DUMP payload version or checksum are wrong"),
        ("EXISTS g", ":0"),
    ];
    let mut no_sum = vec![0, 0xc0, 1, 11, 0];
    no_sum.extend_from_slice(&[0; 8]);
    let filled: Vec<(String, &str)> = lines
        .iter()
        .map(|(line, reply)| {
            let line = line.replace("{1}", &one).replace("{list of nothing}", &word(1, &[0], 11));
            let line = line.replace("{unknown type}", &word(99, &[0], 11)).replace("{no sum}", &quoted(&no_sum));
            (line.replace("{future}", &word(0, b"\xc0\x01", 999)), *reply)
        })
        .collect();
    let script: Vec<(&str, &str)> = filled.iter().map(|(line, reply)| (line.as_str(), *reply)).collect();
    check(&script);
}

/// Every encoding that was ever written, restored from bytes made by hand.
#[test]
fn old_encodings_are_restored() {
    let ziplist = |entries: &[u8], last: u32, count: u16| {
        let total = u32::try_from(entries.len() + 11).expect("short");
        string(&[&total.to_le_bytes()[..], &last.to_le_bytes(), &count.to_le_bytes(), entries, &[0xFF]].concat())
    };
    // "a", 12, "b", 300
    let four = ziplist(&[0, 1, b'a', 3, 0xFD, 2, 1, b'b', 3, 0xC0, 0x2c, 1], 18, 4);
    let zipmap = string(&[2, 1, b'a', 2, 0, b'1', b'2', 1, b'b', 1, 2, b'3', 9, 9, 0xFF]);
    let listpack = |entries: &[u8], count: u16| {
        let total = u32::try_from(entries.len() + 7).expect("short");
        string(&[&total.to_le_bytes()[..], &count.to_le_bytes(), entries, &[0xFF]].concat())
    };
    let pairs = listpack(&[0x81, b'a', 2, 1, 1, 0x81, b'b', 2, 2, 1], 4);
    let unsorted = listpack(&[0x81, b'b', 2, 2, 1, 0x81, b'a', 2, 1, 1], 4);
    let twice = listpack(&[0x81, b'a', 2, 1, 1, 0x81, b'a', 2, 2, 1], 4);
    let two = listpack(&[0x81, b'a', 2, 7, 1], 2);
    let deadline = 4_102_444_800_000_i64.to_le_bytes();
    let valkey_hash = [&[2, 1, b'a', 1, b'1'], &deadline[..], &[1, b'b', 1, b'2'], &(-1i64).to_le_bytes()].concat();
    let redis_hash = [&deadline[..], &[2, 1, 1, b'a', 1, b'1', 0, 1, b'b', 1, b'2']].concat();
    let cases: Vec<(String, &str, &str)> = vec![
        (word(1, &[2, 1, b'a', 0xC0, 5], 1), "LRANGE k 0 -1", r#"["a", "5"]"#),
        (word(10, &four, 1), "LRANGE k 0 -1", r#"["a", "12", "b", "300"]"#),
        (word(14, &[&[2], &four[..], &four].concat(), 7), "LLEN k", ":8"),
        (word(18, &[&[2, 1, 1, b'x', 2], &two[..]].concat(), 10), "LRANGE k 0 -1", r#"["x", "a", "7"]"#),
        (word(13, &four, 4), "HGET k b", r#""300""#),
        (word(9, &zipmap, 2), "HMGET k a b", r#"["12", "3"]"#),
        (word(16, &pairs, 10), "HMGET k a b", r#"["1", "2"]"#),
        (word(22, &valkey_hash, 80), "HPEXPIRETIME k FIELDS 2 a b", "[:4102444800000, :-1]"),
        (word(24, &redis_hash, 12), "HPEXPIRETIME k FIELDS 2 a b", "[:4102444800000, :-1]"),
        (word(12, &four, 2), "ZRANGE k 0 -1 WITHSCORES", r#"["a", "12", "b", "300"]"#),
        (word(17, &pairs, 10), "ZRANGE k 0 -1 WITHSCORES", r#"["a", "1", "b", "2"]"#),
        (word(17, &unsorted, 10), "ZRANGE k 0 -1 WITHSCORES", r#"["a", "1", "b", "2"]"#),
        (word(3, &[2, 1, b'a', 3, b'1', b'.', b'5', 1, b'b', 254], 1), "ZRANGE k 0 -1 WITHSCORES", r#"["a", "1.5", "b", "inf"]"#),
        (word(2, &[2, 1, b'a', 1, b'b'], 1), "SMISMEMBER k a b c", "[:1, :1, :0]"),
        (word(11, &string(&[2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 9, 0]), 2), "SMISMEMBER k 5 9 7", "[:1, :1, :0]"),
        (word(20, &two, 11), "SMISMEMBER k a 7 b", "[:1, :1, :0]"),
    ];
    let refused = [
        word(3, &[1, 1, b'a', 253], 1),
        word(5, &[&[1, 1, b'a'], &f64::NAN.to_bits().to_le_bytes()[..]].concat(), 8),
        word(2, &[2, 1, b'a', 1, b'a'], 1),
        word(4, &[2, 1, b'a', 1, b'1', 1, b'a', 1, b'2'], 1),
        word(16, &twice, 10),
        word(17, &twice, 10),
        word(16, &listpack(&[0x81, b'a', 2], 1), 10),
        word(11, &string(&[2, 0, 0, 0, 2, 0, 0, 0, 9, 0, 5, 0]), 2),
        word(22, &valkey_hash, 12),
        word(24, &redis_hash, 80),
        word(1, &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, b'a'], 1),
        word(7, &[0x81, 0, 1, 2, 3, 4, 5, 6, 7, 0], 9),
    ];
    let (mut world, client) = world_on(&Faulty::new(), &[]);
    for (payload, line, expected) in cases {
        assert_eq!(world.ask(client, &format!("RESTORE k 0 {payload} REPLACE")), "+OK", "{payload}");
        let reply = world.ask(client, line);
        assert_eq!(reply.replace("(nil)", ""), expected, "{line} after {payload}");
    }
    for payload in refused {
        assert_eq!(world.ask(client, &format!("RESTORE bad 0 {payload}")), "-ERR Bad data format", "{payload}");
    }
    assert_eq!(world.ask(client, "EXISTS bad"), ":0");
}

#[test]
fn a_restore_is_propagated_with_its_deadline() {
    let (mut world, client) = world_on(&Faulty::new(), &[]);
    world.propagated();
    let payload = word(0, b"\xc0\x01", 10);
    world.ask(client, &format!("RESTORE a 5000 {payload}"));
    let told = world.propagated().pop().expect("told");
    assert!(told.starts_with(&format!("RESTORE a {} ", START_MS + 5000)) && told.ends_with(" ABSTTL"), "{told}");
    world.ask(client, &format!("RESTORE a 1 {payload} ABSTTL REPLACE"));
    assert_eq!(world.propagated(), ["DEL a"]);
    world.ask(client, &format!("RESTORE a 1 {payload} ABSTTL"));
    assert_eq!(world.propagated(), [""; 0]);
    world.ask(client, "SET a 1");
    world.propagated();
    world.ask(client, "DEBUG RELOAD");
    assert_eq!(world.propagated(), [""; 0]);
}

#[test]
fn a_failed_snapshot_leaves_the_last_good_one() {
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[]);
    world.ask(client, "SET old 1");
    assert_eq!(world.ask(client, "SAVE"), "+OK");
    let good = storage.contents("dump.rdb").expect("saved");
    world.ask(client, &format!("SET new {}", "x y z".repeat(50)));
    let before = storage.operations();
    world.ask(client, "SAVE");
    let steps = storage.operations() - before;
    assert!(steps >= 5, "create, write, sync, rename, sync: {steps}");
    for step in 0..steps {
        storage.put("dump.rdb", &good);
        storage.fail_after(step, false);
        assert_eq!(world.ask(client, "SAVE"), "-ERR", "step {step}");
        storage.repair();
        // once renamed it is the new one, of which only durability is in doubt
        let kept = storage.contents("dump.rdb").expect("still there");
        assert!(kept == good || step + 1 == steps, "step {step}");
        assert_eq!(storage.list(".").expect("listed"), ["dump.rdb"], "step {step}");
    }
    storage.limit(20);
    assert_eq!(world.ask(client, "SAVE"), "-ERR");
    storage.repair();
    assert_eq!(world.ask(client, "SAVE"), "+OK");
}

#[test]
fn a_crash_leaves_one_of_two_snapshots() {
    for seed in 0..60 {
        let (storage, mut random) = (Faulty::new(), Random::from_seed(seed));
        let (mut world, client) = world_on(&storage, &[]);
        world.ask(client, "SET key first");
        assert_eq!(world.ask(client, "SAVE"), "+OK");
        world.ask(client, "SET key second");
        storage.fail_after(random.index(7) as u64, true);
        let saved = world.ask(client, "SAVE") == "+OK";
        storage.crash(&mut random);
        let (mut after, reader) = world_on(&storage, &[]);
        load(&mut after.server).expect("sound").expect("there");
        let value = after.ask(reader, "GET key");
        assert!(value == "\"second\"" || !saved && value == "\"first\"", "seed {seed}: {value}");
    }
}

fn info(world: &mut World, client: ClientKey, field: &str) -> String {
    let text = world.ask(client, "INFO persistence").replace("\\r\\n", "\n").replace("\r\n", "\n");
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_string));
    line.unwrap_or_else(|| panic!("{field} in {text}"))
}

#[test]
fn background_snapshots() {
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[]);
    assert_eq!(world.ask(client, "LASTSAVE"), ":0");
    world.ask(client, "SET a 1");
    assert_eq!(world.ask(client, "BGSAVE"), "+Background saving started");
    assert_eq!(world.ask(client, "BGSAVE"), "-ERR Background save already in progress");
    assert_eq!(world.ask(client, "BGSAVE SCHEDULE"), "-ERR Background save already in progress");
    assert_eq!(world.ask(client, "SAVE"), "-ERR Background save already in progress");
    assert_eq!(info(&mut world, client, "rdb_bgsave_in_progress"), "1");
    world.ask(client, "SET b 1");
    world.pass_ms(200);
    assert_eq!(info(&mut world, client, "rdb_bgsave_in_progress"), "0");
    assert_eq!(info(&mut world, client, "rdb_changes_since_last_save"), "1");
    assert_eq!(info(&mut world, client, "rdb_last_bgsave_status"), "ok");
    assert_eq!(world.ask(client, "LASTSAVE"), format!(":{}", START_MS / 1000));
    assert_eq!(world.ask(client, "BGSAVE NOW"), "-ERR syntax error");
    assert_eq!(world.ask(client, "BGSAVE SCHEDULE now"), "-ERR syntax error");
    world.ask(client, "MULTI");
    assert_eq!(world.ask(client, "SAVE"), "-ERR Command not allowed inside a transaction");
    world.ask(client, "DISCARD");
    world.ask(client, "MULTI");
    world.ask(client, "BGSAVE");
    assert_eq!(world.ask(client, "EXEC"), "[+Background saving scheduled]");
    let saves = info(&mut world, client, "rdb_saves");
    world.pass_ms(200);
    world.pass_ms(200);
    assert_ne!(info(&mut world, client, "rdb_saves"), saves);
    assert_eq!(info(&mut world, client, "rdb_changes_since_last_save"), "0");
}

#[test]
fn drafts_of_the_dead_are_removed() {
    let storage = Faulty::new();
    let (world, _) = world_on(&storage, &[]);
    let own = format!("temp-{}.rdb", std::process::id());
    // no process has a number as large
    let files = ["temp-2147483646.rdb", &own, "temp-x.rdb", "temp-02147483646.rdb", "dump.rdb"];
    files.iter().for_each(|name| storage.put(name, b""));
    world.server.state.snapshots.remove_old_drafts();
    let left = storage.list(".").expect("listed");
    assert!(files[1..].iter().all(|name| left.contains(&name.to_string())) && left.len() == 4, "{left:?}");
}

#[test]
fn save_points() {
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[("save", "60 2")]);
    world.pass_ms(1000);
    world.ask(client, "SAVE");
    storage.remove("dump.rdb").expect("there");
    world.ask(client, "SET a 1");
    world.pass_ms(61_000);
    assert_eq!(storage.contents("dump.rdb"), None);
    world.ask(client, "SET a 2");
    world.pass_ms(200);
    assert!(storage.contents("dump.rdb").is_some());
    world.pass_ms(200);
    assert_eq!(info(&mut world, client, "rdb_changes_since_last_save"), "0");
}

const MISCONF: &str = "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";

#[test]
fn writes_stop_while_snapshots_fail() {
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[("save", "60 1")]);
    world.ask(client, "SET a 1");
    storage.fail_after(0, true);
    assert_eq!(world.ask(client, "BGSAVE"), "+Background saving started");
    world.pass_ms(200);
    assert_eq!(info(&mut world, client, "rdb_last_bgsave_status"), "err");
    for line in ["SET a 2", "DEL nokey", "PING"] {
        assert_eq!(world.ask(client, line), MISCONF, "{line}");
    }
    assert_eq!(world.ask(client, "GET a"), "\"1\"");
    assert_eq!(world.ask(client, "CONFIG SET stop-writes-on-bgsave-error no"), "+OK");
    assert_eq!(world.ask(client, "SET a 2"), "+OK");
    assert_eq!(world.ask(client, "CONFIG SET stop-writes-on-bgsave-error yes"), "+OK");
    assert_eq!(world.ask(client, "SET a 3"), MISCONF);
    assert_eq!(world.ask(client, "SAVE"), "-ERR");
    storage.repair();
    assert_eq!(world.ask(client, "SAVE"), "+OK");
    assert_eq!(world.ask(client, "SET a 3"), "+OK");
    storage.fail_after(0, true);
    world.ask(client, "BGSAVE");
    world.pass_ms(200);
    assert_eq!(world.ask(client, "SET a 4"), MISCONF);
    storage.repair();
    // the rule tries again by itself
    world.pass_ms(70_000);
    world.pass_ms(200);
    assert_eq!(world.ask(client, "SET a 4"), "+OK");
}

#[test]
fn a_stop_saves_what_it_is_told_to() {
    for (save, line, saved) in [
        ("", "SHUTDOWN", false),
        ("", "SHUTDOWN SAVE", true),
        ("60 1", "SHUTDOWN", true),
        ("60 1", "SHUTDOWN NOSAVE", false),
        ("60 1", "SHUTDOWN SAVE NOW", true),
    ] {
        let storage = Faulty::new();
        let (mut world, client) = world_on(&storage, &[("save", save)]);
        world.ask(client, "SET a 1");
        assert_eq!(world.ask(client, line), "", "{line}");
        assert!(world.server.is_stopping());
        assert_eq!(storage.contents("dump.rdb").is_some(), saved, "{line} with save {save:?}");
    }
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[("save", "60 1")]);
    storage.fail_after(0, true);
    assert_eq!(world.ask(client, "SHUTDOWN"), "-ERR Errors trying to SHUTDOWN. Check logs.");
    world.server.signalled(true);
    assert!(world.server.is_stopping());
    world.pass_ms(200);
    assert!(!world.server.is_stopping());
    assert_eq!(world.ask(client, "SHUTDOWN FORCE"), "");
    assert!(world.server.is_stopping());
}

/// A file with this between its head and its end.
fn file(version: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = [version.as_bytes(), body, &[0xFF]].concat();
    bytes.extend_from_slice(&crc64(&bytes).to_le_bytes());
    bytes
}

fn load_file(bytes: &[u8]) -> (World, ClientKey, Result<Option<Loaded>, LoadError>) {
    let storage = Faulty::new();
    storage.put("dump.rdb", bytes);
    let (mut world, client) = world_on(&storage, &[]);
    world.pass_ms(0);
    let loaded = load(&mut world.server);
    (world, client, loaded)
}

#[test]
fn files_hold_more_than_keys() {
    let past = 1000i64.to_le_bytes();
    let body = [
        &[0xFA, 1, b'a', 1, b'b', 0xFA, 5][..],
        b"ctime\xC0\x07",
        &[0xF5, 3, b'l', b'u', b'a'],
        // a module's data: 5 "x", 2 3, 4 double
        &[0xF7, 0x81, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 5, 1, b'x', 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0xFE, 2, 0xFB, 5, 1],
        &[0xF4, 1, 2, 3],
        &[0xFC],
        &past,
        &[0, 1, b'g', 1, b'v'],
        &[0xFD, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, b's', 1, b'v'],
        &[0xF8, 50, 0, 1, b'i', 1, b'v'],
        &[0xF9, 7, 0, 1, b'f', 1, b'v'],
        &[1, 1, b'n', 0],
    ]
    .concat();
    let (mut world, client, loaded) = load_file(&file("REDIS0011", &body));
    let loaded = loaded.expect("sound").expect("there");
    assert_eq!((loaded.version, loaded.keys, loaded.expired, loaded.empty), (11, 3, 1, 1));
    assert_eq!(loaded.aux_number("ctime"), Some(7));
    assert_eq!(loaded.functions, [b"lua"]);
    assert_eq!(loaded.skipped.len(), 2, "{:?}", loaded.skipped);
    world.ask(client, "SELECT 2");
    assert_eq!(world.ask(client, "EXPIRETIME s"), format!(":{}", i32::MAX));
    assert_eq!(world.ask(client, "OBJECT IDLETIME i"), ":50");
    assert_eq!(info(&mut world, client, "rdb_last_load_keys_expired"), "1");
    assert_eq!(info(&mut world, client, "rdb_last_load_keys_loaded"), "3");
    // what cannot be used here is not lost
    world.ask(client, "SAVE");
    assert_eq!(load_again(&mut world).functions, [b"lua"]);
    assert!(load_file(&file("VALKEY080", &[])).2.is_ok());
    assert_eq!(load_file(&[]).2.err(), Some(LoadError::Truncated));
}

fn load_again(world: &mut World) -> Loaded {
    let Server { keyspace, state, .. } = &mut world.server;
    state.snapshots.load(keyspace, &state.config, Overdue::Keep, Twice::Replace).expect("sound").expect("there")
}

#[test]
fn bad_files_are_refused_with_reasons() {
    let reason = |bytes: &[u8]| load_file(bytes).2.expect_err("refused").to_string();
    assert_eq!(reason(b"REDIS"), "unexpected end of the data");
    assert_eq!(reason(&file("RODIS0011", &[])), "Wrong signature trying to load DB from file");
    assert_eq!(reason(&file("REDIS0013", &[])), "Can't handle RDB format version 13");
    assert_eq!(reason(&file("REDIS0080", &[])), "Can't handle RDB format version 80");
    assert_eq!(reason(&file("VALKEY011", &[])), "Can't handle RDB format version 11");
    assert!(reason(&file("REDIS0010", &[0xFE, 16])).contains("more than 16 databases"));
    assert_eq!(reason(&file("REDIS0010", &[0, 1, b'a', 1, b'v', 0, 1, b'a', 1, b'v'])), "the key is there twice (key 'a')");
    let module = reason(&file("REDIS0010", &[7, 1, b'k', 0x81, 0x74, 0x14, 0x6d, 0x2a, 0xbb, 0xcc, 0x1c, 0x00, 0]));
    assert!(module.starts_with("the key 'k' holds a value of the module type '"), "{module}");
    let mut sum = file("REDIS0010", &[]);
    *sum.last_mut().expect("not empty") ^= 1;
    assert!(reason(&sum).starts_with("RDB CRC error: Wrong RDB checksum"));
    let whole = file("REDIS0010", &[0, 1, b'a', 1, b'v']);
    (0..whole.len()).for_each(|length| assert!(load_file(&whole[..length]).2.is_err(), "{length}"));
}

/// Whatever a damaged file holds, it is refused or makes values that commands can work on.
#[test]
fn damaged_files_do_no_harm() {
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[("rdbcompression", "no")]);
    fill(&mut world, client);
    for key in ["longlist", "table", "tree", "bighash", "long", "plainlist"] {
        world.ask(client, &format!("DEL {key}"));
    }
    add_field_deadlines(&mut world, client);
    world.ask(client, "SAVE");
    let good = storage.contents("dump.rdb").expect("saved");
    let mut random = Random::from_seed(11);
    for _ in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..1 + random.index(3) {
            let at = 9 + random.index(bytes.len() - 9);
            bytes[at] = match random.index(3) {
                0 => bytes[at] ^ (1 << random.index(8)),
                1 => 0xFF,
                _ => random.next_u64().to_le_bytes()[0],
            };
        }
        // no checksum
        let end = bytes.len() - 8;
        bytes[end..].fill(0);
        if random.index(8) == 0 {
            bytes.truncate(random.index(bytes.len()));
        }
        let (mut world, client, _) = load_file(&bytes);
        for line in ["DEBUG DIGEST", "SAVE", "LPUSH list x", "ZADD zset 3 new", "HSET hash new 1", "SADD packed new", "XADD stream * a b"] {
            world.ask(client, line);
        }
    }
}

#[test]
fn damaged_payloads_do_no_harm() {
    let (mut world, client) = world_on(&Faulty::new(), &[]);
    fill(&mut world, client);
    add_field_deadlines(&mut world, client);
    let shapes = ruddle::persist::rdb::read_value::Shapes::new(&world.server.state.config, world.server.keyspace.hasher());
    let mut random = Random::from_seed(12);
    let entries: Vec<Vec<u8>> =
        world.server.keyspace.databases()[0].entries().map(|entry| ruddle::persist::rdb::dump::write(entry, true)).collect();
    for payload in entries.iter().filter(|payload| payload.len() < 4000) {
        let version = ruddle::persist::rdb::dump::check(payload, ruddle::persist::rdb::dump::Sums::Checked).expect("just written");
        for _ in 0..300 {
            let mut damaged = payload.clone();
            for _ in 0..1 + random.index(4) {
                let at = random.index(damaged.len());
                damaged[at] = random.next_u64().to_le_bytes()[0];
            }
            // an error or a value, but no panic and no memory beyond what the payload is worth
            let _ = ruddle::persist::rdb::dump::read(&damaged, version, &shapes, &mut Vec::new());
        }
    }
}

#[test]
fn heat_goes_along_where_eviction_needs_it() {
    for (policy, line, expected) in [("allkeys-lru", "OBJECT IDLETIME a", ":500"), ("allkeys-lfu", "OBJECT FREQ a", ":77")] {
        let storage = Faulty::new();
        let (mut world, client) = world_on(&storage, &[("maxmemory-policy", policy)]);
        let payload = word(0, b"\xc0\x01", 10);
        world.ask(client, &format!("RESTORE a 0 {payload} {}", if policy == "allkeys-lru" { "IDLETIME 500" } else { "FREQ 77" }));
        assert_eq!(world.ask(client, "DEBUG RELOAD"), "+OK");
        assert_eq!(world.ask(client, line), expected);
    }
    check_with(&[DEBUG], &[("SET a 1", "+OK"), ("DEBUG RELOAD", "+OK"), ("OBJECT IDLETIME a", ":0")]);
}

#[test]
fn flushall_leaves_an_empty_snapshot_where_there_are_save_points() {
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[("save", "3600 1")]);
    for (line, reply) in [("SET a 1", "+OK"), ("SAVE", "+OK"), ("SET b 2", "+OK"), ("FLUSHALL", "+OK")] {
        assert_eq!(world.ask(client, line), reply, "{line}");
    }
    assert_eq!(info(&mut world, client, "rdb_changes_since_last_save"), "0");
    let bytes = storage.contents("dump.rdb").expect("saved");
    let (_, _, loaded) = load_file(&bytes);
    assert_eq!(loaded.expect("sound").expect("there").keys, 0);
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[("save", "")]);
    world.ask(client, "FLUSHALL");
    assert_eq!(storage.contents("dump.rdb"), None);
}

/// Loads a snapshot in the smallest slices: with a pause after each item, or fed so many bytes at a time. Gives how
/// often it stopped.
fn load_in_slices(server: &mut Server, bytes: &[u8], fed: Option<usize>) -> u64 {
    let mut plan = Plan {
        shapes: Shapes::new(&server.state.config, server.keyspace.hasher()),
        overdue: Overdue::Keep,
        twice: Twice::Refuse,
        relaxed: false,
        // a look at the clock after each item, and no pause that could be noticed
        key_delay: -1_000_000_000,
        pulse: &mut |_, _| if fed.is_some() { Pace::GoOn } else { Pace::Enough },
    };
    let (mut input, mut at) = match fed {
        None => (Input::of_bytes(bytes.to_vec()), bytes.len()),
        Some(_) => (Input::fed(true), 0),
    };
    let (mut loader, mut stops) = (Loader::default(), 0);
    loop {
        match loader.advance(&mut input, &mut server.keyspace, &mut plan).expect("a sound snapshot") {
            Step::Done => return stops,
            Step::Paused => {}
            Step::Starved => {
                let end = (at + fed.expect("it is fed")).min(bytes.len());
                assert!(at < end, "it wants more than there is");
                input.feed(&bytes[at..end]);
                at = end;
            }
        }
        stops += 1;
    }
}

#[test]
fn a_large_collection_is_loaded_in_slices() {
    let storage = Faulty::new();
    let (mut world, client) = world_on(&storage, &[("list-max-listpack-size", "8"), ("stream-node-max-entries", "10")]);
    fill(&mut world, client);
    add_field_deadlines(&mut world, client);
    for i in 0..300 {
        world.ask(client, &format!("XADD stream {}-0 a {i}", i + 10));
    }
    world.ask(client, "XREADGROUP GROUP g bob COUNT 200 STREAMS stream >");
    world.ask(client, "SAVE");
    let digest = world.ask(client, "DEBUG DIGEST");
    let pending = world.ask(client, "XPENDING stream g");
    let bytes = storage.contents("dump.rdb").expect("saved");
    for fed in [None, Some(1), Some(7), Some(1000), Some(bytes.len())] {
        let (mut world, client) = world_on(&Faulty::new(), &[("list-max-listpack-size", "8"), ("stream-node-max-entries", "10")]);
        let stops = load_in_slices(&mut world.server, &bytes, fed);
        assert_eq!(world.ask(client, "DEBUG DIGEST"), digest, "fed {fed:?}");
        assert_eq!(world.ask(client, "XPENDING stream g"), pending, "fed {fed:?}");
        // members, scores, fields, nodes, blocks, and entries that are pending, one by one
        assert!(fed.is_some() || stops > 1600, "{stops} stops");
    }
}

#[test]
fn payloads_with_a_wrong_checksum_are_taken_where_tests_ask_for_it() {
    let (mut world, client) = world_on(&Faulty::new(), &[]);
    let good = word(0, b"\xc0\x01", 10);
    let bad = good.replace("\\xc0\\x01", "\\xc0\\x02");
    assert_ne!(good, bad);
    let refused = "-ERR DUMP payload version or checksum are wrong";
    assert_eq!(world.ask(client, &format!("RESTORE a 0 {bad}")), refused);
    assert_eq!(world.ask(client, "DEBUG SET-SKIP-CHECKSUM-VALIDATION 1"), "+OK");
    assert_eq!(world.ask(client, &format!("RESTORE a 0 {bad}")), "+OK");
    assert_eq!(world.ask(client, "GET a"), "\"2\"");
    assert_eq!(world.ask(client, "DEBUG SET-SKIP-CHECKSUM-VALIDATION 0"), "+OK");
    assert_eq!(world.ask(client, &format!("RESTORE b 0 {bad}")), refused);
    for crash in ["SEGFAULT", "ASSERT", "PANIC"] {
        assert_eq!(world.ask(client, &format!("DEBUG {crash}")), "-ERR there is no process here that could crash");
    }
}
