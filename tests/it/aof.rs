//! The append-only file, on a disk in memory that fails and crashes when it is told to.

use ruddle::base::random::Random;
use ruddle::persist::storage::faulty::Faulty;
use ruddle::server::client::ClientKey;

use crate::harness::World;

const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";

/// A server on the files of a disk, and a client of it.
struct Life {
    world: World,
    client: ClientKey,
    disk: Faulty,
}

impl Life {
    fn start(disk: &Faulty, directives: &[(&str, &str)]) -> Result<Life, String> {
        let mut all = vec![("appendonly", "yes"), ("appendfsync", "always"), ("enable-debug-command", "yes"), ("save", "")];
        all.extend_from_slice(directives);
        let mut world = World::with(&all);
        world.server.state.snapshots.storage = Box::new(disk.clone());
        if world.server.state.config.appendonly {
            world.server.start_aof()?;
        }
        let client = world.connect();
        Ok(Life { world, client, disk: disk.clone() })
    }

    #[track_caller]
    fn new(disk: &Faulty, directives: &[(&str, &str)]) -> Life {
        match Life::start(disk, directives) {
            Ok(life) => life,
            Err(error) => panic!("{error}"),
        }
    }

    fn ask(&mut self, line: &str) -> String {
        self.world.ask(self.client, line)
    }

    #[track_caller]
    fn check(&mut self, script: &[(&str, &str)]) {
        for (line, reply) in script {
            assert_eq!(self.ask(line), *reply, "{line}");
        }
    }

    /// DEBUG LOADAOF, which answers when all is loaded.
    fn reload(&mut self) {
        self.world.send(self.client, "DEBUG LOADAOF");
        let other = self.world.connect();
        for _ in 0..1000 {
            assert_eq!(self.world.ask(other, "GET s"), "-LOADING Redis is loading the dataset in memory");
            self.world.pass_ms(1);
            if let Some(reply) = self.world.received(self.client).first() {
                assert_eq!(reply, "+OK");
                return;
            }
        }
        panic!("it never ends");
    }

    fn digest(&mut self) -> String {
        self.ask("DEBUG DIGEST")
    }

    fn info(&mut self, field: &str) -> String {
        let text = self.ask("INFO persistence");
        let line = text.split("\\r\\n").find_map(|line| line.strip_prefix(&format!("{field}:")));
        line.unwrap_or_else(|| panic!("{field} in {text}")).to_string()
    }

    fn file(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.disk.contents(name).unwrap_or_else(|| panic!("no file {name}"))).into_owned()
    }
}

fn parts(manifest: &str) -> Vec<&str> {
    manifest.lines().map(|line| line.strip_prefix("file appendonly.aof.").unwrap_or(line)).collect()
}

/// Commands in wire form, of words without blanks.
fn wire(commands: &[&str]) -> String {
    let mut text = String::new();
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        text.push_str(&format!("*{}\r\n", words.len()));
        words.iter().for_each(|word| text.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    }
    text
}

const EVERY_TYPE: &[&str] = &[
    "SET s text",
    "SET n 123456789",
    "SET v 1 PX 100000000",
    "RPUSH l a b 3",
    "SADD i 1 2 3",
    "SADD t a b c",
    "HSET h f v g w",
    "HPEXPIRE h 10000000 FIELDS 1 f",
    "ZADD z 1 a 2.5 b -inf c",
    "XADD x 1-1 f v",
    "XADD x 2-1 f v g w",
    "XDEL x 2-1",
    "XGROUP CREATE x g 0",
    "XGROUP CREATECONSUMER x g idle",
    "XREADGROUP GROUP g busy STREAMS x >",
    "XADD e MAXLEN 0 5-5 f v",
    "SELECT 9",
    "SETRANGE big 5000 x",
    "INCRBYFLOAT d 0.1",
    "SELECT 0",
];

#[test]
fn files_are_named_and_filled_as_in_redis() {
    let disk = Faulty::new();
    let mut life = Life::new(&disk, &[]);
    assert_eq!(life.file(MANIFEST), "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n");
    life.check(&[("SET a 1", "+OK"), ("SELECT 3", "+OK"), ("INCR b", ":1"), ("GET b", "\"1\""), ("PUBLISH c m", ":0")]);
    life.check(&[("MULTI", "+OK"), ("SET c 2", "+QUEUED"), ("DEL b", "+QUEUED"), ("EXEC", "[+OK, :1]")]);
    let expected = wire(&["SELECT 0", "SET a 1", "SELECT 3", "INCR b", "MULTI", "SET c 2", "DEL b", "EXEC"]);
    assert_eq!(life.file("appendonlydir/appendonly.aof.1.incr.aof"), expected);
}

#[test]
fn data_survives_whatever_the_base_is() {
    for preamble in ["yes", "no"] {
        let disk = Faulty::new();
        let directives = [("aof-use-rdb-preamble", preamble)];
        let mut life = Life::new(&disk, &directives);
        EVERY_TYPE.iter().for_each(|line| {
            let reply = life.ask(line);
            assert!(!reply.starts_with('-'), "{line}: {reply}");
        });
        let digest = life.digest();
        let mut life = Life::new(&disk, &directives);
        assert_eq!(life.digest(), digest, "from the increment");
        life.check(&[("BGREWRITEAOF", "+Background append only file rewriting started")]);
        life.world.pass_ms(200);
        let ending = if preamble == "yes" { "rdb" } else { "aof" };
        assert_eq!(parts(&life.file(MANIFEST)), [&format!("2.base.{ending} seq 2 type b"), "2.incr.aof seq 2 type i"]);
        let groups = life.ask("XINFO STREAM x FULL");
        let mut life = Life::new(&disk, &directives);
        assert_eq!(life.digest(), digest, "from the base");
        // a group of a stream is no part of the digest
        assert_eq!(life.ask("XINFO STREAM x FULL").replace(' ', ""), groups.replace(' ', ""));
        assert_eq!(disk.contents("appendonlydir/appendonly.aof.1.incr.aof"), None, "history is removed");
        life.reload();
        life.check(&[("GET s", "\"text\"")]);
        assert_eq!(life.digest(), digest, "loaded once more");
    }
}

#[test]
fn it_is_turned_on_and_off() {
    let disk = Faulty::new();
    let mut life = Life::new(&disk, &[("appendonly", "no")]);
    assert_eq!((life.info("aof_enabled"), life.ask("SET before 1")), ("0".into(), "+OK".into()));
    life.check(&[("CONFIG SET appendonly yes", "+OK"), ("SET during 2", "+OK"), ("INCR before", ":2")]);
    assert_eq!((life.info("aof_enabled"), life.info("aof_rewrite_in_progress")), ("1".into(), "1".into()));
    assert_eq!(disk.contents(MANIFEST), None, "not before the base is there");
    life.world.pass_ms(200);
    assert_eq!(parts(&life.file(MANIFEST)), ["1.base.rdb seq 1 type b", "1.incr.aof seq 1 type i"]);
    assert_eq!((life.info("aof_rewrites"), life.info("aof_last_bgrewrite_status")), ("1".into(), "ok".into()));
    life.check(&[("SET after 3", "+OK"), ("CONFIG SET appendonly no", "+OK"), ("SET lost 4", "+OK")]);
    assert_eq!(life.info("aof_enabled"), "0");
    let mut life = Life::new(&disk, &[]);
    life.check(&[("MGET before during after lost", "[\"2\", \"2\", \"3\", (nil)]")]);
    life.check(&[("MULTI", "+OK"), ("BGREWRITEAOF", "+QUEUED"), ("EXEC", "[+Background append only file rewriting scheduled]")]);
    assert_eq!(life.info("aof_rewrite_scheduled"), "1");
    life.world.pass_ms(200);
    life.world.pass_ms(200);
    assert_eq!((life.info("aof_rewrite_scheduled"), life.info("aof_rewrites")), ("0".into(), "1".into()));
}

#[test]
fn a_tail_that_is_cut_off_is_dropped_or_refused() {
    let commands = wire(&["SELECT 0", "SET a 1", "MULTI", "SET b 2", "EXEC", "INCR a"]);
    let manifest = b"file i seq 1 type i\n";
    let (multi, exec) = (wire(&["SELECT 0", "SET a 1"]).len(), wire(&["SELECT 0", "SET a 1", "MULTI", "SET b 2", "EXEC"]).len());
    for cut in 1..=commands.len() {
        let disk = Faulty::new();
        disk.put(MANIFEST, manifest);
        disk.put("appendonlydir/i", &commands.as_bytes()[..cut]);
        let refused = Life::start(&disk, &[("aof-load-truncated", "no")]).err();
        let kept = disk.contents("appendonlydir/i").expect("there");
        assert_eq!(kept.len(), cut, "a refused file stays as it is");
        let mut life = Life::new(&disk, &[]);
        let kept = disk.contents("appendonlydir/i").expect("there").len();
        let valid = if cut >= multi && cut < exec {
            multi
        } else if cut >= exec {
            exec
        } else {
            kept
        };
        assert!(kept <= cut && (kept == cut) == refused.is_none(), "{cut}: {refused:?}");
        assert!(kept == valid || cut == commands.len(), "{cut}: {kept}");
        if let Some(error) = refused {
            assert!(error.starts_with("Unexpected end of file reading the append only file i. You can: 1)"), "{error}");
        }
        assert_eq!(life.ask("GET b"), if cut >= exec { "\"2\"" } else { "(nil)" });
        // what follows joins on
        life.ask("SET next 1");
        assert_eq!(Life::new(&disk, &[]).ask("GET next"), "\"1\"");
    }
}

#[test]
fn files_that_make_no_sense_are_refused_with_a_reason() {
    let two = "file a seq 1 type i\nfile b seq 2 type i\n";
    let whole = wire(&["SET a 1"]);
    for (manifest, a, b, reason) in [
        (two, &whole[..9], Some(whole.as_str()), "Fatal error: the truncated file is not the last file"),
        (two, &whole, None, "Unable to obtain the AOF file b length. stat: No such file or directory"),
        (two, &whole, Some("SET b 1\r\n"), "Bad file format reading the append only file b: make a backup"),
        (two, &whole, Some("*1\r\n$3\r\nSET\r\n"), "Bad file format reading the append only file b: make a backup"),
        (two, &whole, Some("*1\r\n$3\r\nbla\r\n"), "Unknown command 'bla' reading the append only file b"),
        ("", &whole, None, "*** FATAL AOF MANIFEST FILE ERROR ***\nFound an empty AOF manifest"),
        (
            "file a seq 1 type x\n",
            &whole,
            None,
            "*** FATAL AOF MANIFEST FILE ERROR ***\nReading the manifest file, at line 1\n>>> 'file a seq 1 type x'\nUnknown AOF file type",
        ),
        ("file a seq 1 type b\n", "REDIS0011junk", None, "Error reading the RDB base file a, AOF loading aborted"),
    ] {
        let disk = Faulty::new();
        disk.put(MANIFEST, manifest.as_bytes());
        disk.put("appendonlydir/a", a.as_bytes());
        b.iter().for_each(|b| disk.put("appendonlydir/b", b.as_bytes()));
        let error = Life::start(&disk, &[]).err().expect(reason);
        assert!(error.starts_with(reason), "{error}");
        assert_eq!(
            disk.contents("appendonlydir/a").as_deref(),
            Some(a.as_bytes()).filter(|_| !reason.contains("not the last")).or(Some(b""))
        );
    }
}

#[test]
fn an_old_single_file_is_moved_into_the_directory() {
    let mut source = Life::new(&Faulty::new(), &[]);
    source.ask("SET s in-the-snapshot");
    source.ask("BGREWRITEAOF");
    source.world.pass_ms(200);
    let snapshot = source.disk.contents("appendonlydir/appendonly.aof.2.base.rdb").expect("a base");
    for (head, expected) in [(Vec::new(), "(nil)"), (snapshot, "\"in-the-snapshot\"")] {
        let disk = Faulty::new();
        disk.put("appendonly.aof", &[head, wire(&["SELECT 0", "SET t tail"]).into_bytes()].concat());
        let mut life = Life::new(&disk, &[]);
        life.check(&[("GET s", expected), ("GET t", "\"tail\""), ("SET u new", "+OK")]);
        assert_eq!(disk.contents("appendonly.aof"), None);
        assert_eq!(life.file(MANIFEST), "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n");
        let mut life = Life::new(&disk, &[]);
        life.check(&[("GET s", expected), ("GET t", "\"tail\""), ("GET u", "\"new\"")]);
    }
}

#[test]
fn a_disk_that_cannot_be_written_closes_the_gate_until_it_can() {
    let disk = Faulty::new();
    let mut life = Life::new(&disk, &[("appendfsync", "no")]);
    life.check(&[("SET a 1", "+OK")]);
    disk.fail_after(0, true);
    life.check(&[("SET a 2", "+OK"), ("SET a 3", "-MISCONF Errors writing to the AOF file: Input/output error"), ("GET a", "\"2\"")]);
    life.check(&[("PING", "-MISCONF Errors writing to the AOF file: Input/output error")]);
    assert_eq!(life.info("aof_last_write_status"), "err");
    disk.repair();
    life.world.pass_ms(100);
    life.check(&[("SET a 4", "+OK"), ("PING", "+PONG")]);
    assert_eq!(life.file("appendonlydir/appendonly.aof.1.incr.aof"), wire(&["SELECT 0", "SET a 1", "SET a 2", "SET a 4"]));
}

#[test]
fn after_a_sync_has_failed_only_a_rewrite_makes_things_good() {
    let disk = Faulty::new();
    let mut life = Life::new(&disk, &[("appendfsync", "everysec")]);
    life.world.pass_ms(1000);
    // the write works, the sync after it does not
    disk.fail_after(1, false);
    life.check(&[("SET a 1", "+OK"), ("SET a 2", "-MISCONF Errors writing to the AOF file: Input/output error")]);
    life.world.pass_ms(100);
    assert_eq!(life.info("aof_rewrites"), "1");
    life.world.pass_ms(100);
    assert_eq!(life.info("aof_last_write_status"), "ok");
    life.check(&[("SET a 3", "+OK")]);
    assert_eq!(parts(&life.file(MANIFEST)), ["2.base.rdb seq 2 type b", "2.incr.aof seq 2 type i"]);
}

#[test]
fn always_means_that_no_reply_leaves_before_its_write_is_on_disk() {
    for fuse in [0, 1] {
        let disk = Faulty::new();
        let mut life = Life::new(&disk, &[]);
        life.check(&[("SET a 1", "+OK")]);
        disk.fail_after(fuse, false);
        life.world.send(life.client, "SET a 2");
        assert!(life.world.server.has_failed(), "the owner of the sockets must not send");
    }
}

#[test]
fn a_slow_disk_makes_writes_wait_two_seconds_at_most() {
    let disk = Faulty::new();
    let mut life = Life::new(&disk, &[("appendfsync", "everysec")]);
    life.world.runs_jobs = false;
    life.world.pass_ms(1000);
    life.check(&[("SET a 1", "+OK")]);
    let jobs = life.world.server.take_file_jobs();
    assert_eq!((jobs.len(), life.info("aof_pending_bio_fsync")), (1, "1".into()));
    life.check(&[("SET a 2", "+OK")]);
    assert_eq!(life.file("appendonlydir/appendonly.aof.1.incr.aof"), wire(&["SELECT 0", "SET a 1"]));
    assert_eq!(life.info("aof_buffer_length"), wire(&["SET a 2"]).len().to_string());
    life.world.pass_ms(2100);
    assert_eq!(life.file("appendonlydir/appendonly.aof.1.incr.aof"), wire(&["SELECT 0", "SET a 1", "SET a 2"]));
    assert_eq!(life.info("aof_delayed_fsync"), "1");
    for job in jobs {
        life.world.server.file_job_done(job.run());
    }
    assert_eq!(life.info("aof_pending_bio_fsync"), "0");
    life.world.pass_ms(100);
    assert_eq!(life.world.server.take_file_jobs().len(), 1, "what was written since is synced, too");
}

#[test]
fn growth_starts_a_rewrite_and_failures_put_it_off() {
    let disk = Faulty::new();
    let mut life = Life::new(&disk, &[("auto-aof-rewrite-min-size", "200")]);
    for round in 0..20 {
        life.ask(&format!("SET key {round}"));
    }
    life.world.pass_ms(200);
    life.world.pass_ms(200);
    assert_eq!(life.info("aof_rewrites"), "1");
    assert_eq!(life.info("aof_current_size"), life.info("aof_base_size"));
    assert_eq!(Life::new(&disk, &[]).ask("GET key"), "\"19\"");
}

#[test]
fn times_are_noted_and_skipped() {
    let disk = Faulty::new();
    let mut life = Life::new(&disk, &[("aof-timestamp-enabled", "yes"), ("aof-use-rdb-preamble", "no")]);
    life.ask("SET a 1");
    life.ask("SET a 2");
    life.world.pass_ms(3000);
    life.ask("INCR a");
    let text = life.file("appendonlydir/appendonly.aof.1.incr.aof");
    let expected = format!("#TS:1700000000\r\n{}#TS:1700000003\r\n{}", wire(&["SELECT 0", "SET a 1", "SET a 2"]), wire(&["INCR a"]));
    assert_eq!((text, life.file("appendonlydir/appendonly.aof.1.base.aof")), (expected, "#TS:1700000000\r\n".to_string()));
    assert_eq!(Life::new(&disk, &[]).ask("GET a"), "\"3\"");
}

#[test]
fn keys_whose_deadline_has_passed_meanwhile_expire_after_loading() {
    let disk = Faulty::new();
    disk.put(MANIFEST, b"file i seq 1 type i\n");
    disk.put("appendonlydir/i", wire(&["SET a 1", "PEXPIREAT a 1000", "SET b 1", "PEXPIREAT b 1000", "PERSIST b"]).as_bytes());
    let mut life = Life::new(&disk, &[]);
    life.check(&[("EXISTS a b", ":1"), ("GET b", "\"1\"")]);
    life.world.pass_ms(10);
    assert!(life.file("appendonlydir/i").ends_with(&wire(&["DEL a"])), "{}", life.file("appendonlydir/i"));
}

/// What a client was told before the machine crashed at a random operation of the disk is there afterwards,
/// and nothing but what was asked: the value is that of the last reply, or of the request without one.
#[test]
fn with_always_nothing_that_was_acknowledged_is_lost() {
    for seed in 0..60 {
        let mut random = Random::from_seed(seed);
        let disk = Faulty::new();
        let preamble = if seed % 2 == 0 { "yes" } else { "no" };
        let directives = [("aof-use-rdb-preamble", preamble)];
        let (mut asked, mut told) = (0u64, 0u64);
        for _ in 0..3 {
            if random.below(3) == 0 {
                // it may also crash while it starts
                disk.fail_after(random.below(20), true);
                let _ = Life::start(&disk, &directives);
                disk.crash(&mut random);
            }
            let mut life = Life::new(&disk, &directives);
            let found: u64 = life.ask("GET n").trim_matches('"').parse().unwrap_or(0);
            assert!((told..=asked).contains(&found), "seed {seed}: {found} of {told} to {asked}");
            (asked, told) = (found, found);
            disk.fail_after(random.below(60), true);
            while !life.world.server.has_failed() && asked - found < 60 {
                if random.below(8) == 0 {
                    // may fail to begin, with the disk
                    life.ask("BGREWRITEAOF");
                    life.world.pass_ms(100);
                    continue;
                }
                asked += 1;
                life.world.send(life.client, "INCR n");
                if !life.world.server.has_failed() && life.world.received(life.client) == [format!(":{asked}")] {
                    told = asked;
                }
            }
            disk.crash(&mut random);
        }
    }
}

#[test]
fn superseded_files_stay_if_they_are_wanted() {
    let disk = Faulty::new();
    let mut life = Life::new(&disk, &[("aof-disable-auto-gc", "yes")]);
    life.check(&[("SET a 1", "+OK"), ("BGREWRITEAOF", "+Background append only file rewriting started")]);
    life.world.pass_ms(200);
    let named = parts(&life.file(MANIFEST)).join(", ");
    assert_eq!(named, "2.base.rdb seq 2 type b, 1.incr.aof seq 1 type h, 1.base.rdb seq 1 type h, 2.incr.aof seq 2 type i");
    assert!(disk.contents("appendonlydir/appendonly.aof.1.incr.aof").is_some());
    let mut life = Life::new(&disk, &[("aof-disable-auto-gc", "yes")]);
    life.check(&[("GET a", "\"1\""), ("CONFIG SET aof-disable-auto-gc no", "+OK")]);
    assert_eq!(parts(&life.file(MANIFEST)), ["2.base.rdb seq 2 type b", "2.incr.aof seq 2 type i"]);
    assert_eq!(disk.contents("appendonlydir/appendonly.aof.1.incr.aof"), None);
}

/// Between a file and the one that follows it there must be no hole, whatever crashes when.
#[test]
fn nothing_is_written_behind_a_file_that_is_not_on_the_disk_yet() {
    for fsync in ["everysec", "no"] {
        let disk = Faulty::new();
        let mut life = Life::new(&disk, &[("appendfsync", fsync)]);
        life.world.runs_jobs = false;
        life.check(&[("SET a 1", "+OK"), ("BGREWRITEAOF", "+Background append only file rewriting started"), ("SET b 2", "+OK")]);
        life.world.pass_ms(10_000);
        assert_eq!(life.file("appendonlydir/appendonly.aof.2.incr.aof"), "", "{fsync}");
        for job in life.world.server.take_file_jobs() {
            life.world.server.file_job_done(job.run());
        }
        life.world.pass_ms(100);
        assert!(life.file("appendonlydir/appendonly.aof.2.incr.aof").ends_with(&wire(&["SET b 2"])), "{fsync}");
    }
}

#[test]
fn a_file_that_ends_in_zeros_was_cut_off() {
    let disk = Faulty::new();
    disk.put(MANIFEST, b"file i seq 1 type i\n");
    let whole = wire(&["SET a 1", "SET b 2"]);
    disk.put("appendonlydir/i", &[whole.as_bytes(), &wire(&["SET c 3"]).as_bytes()[..20], &[0; 3000]].concat());
    let refused = Life::start(&disk, &[("aof-load-truncated", "no")]).err().unwrap_or_default();
    assert!(refused.starts_with("Unexpected end of file reading the append only file i. You can: 1)"), "{refused}");
    let mut life = Life::new(&disk, &[]);
    life.check(&[("MGET a b c", "[\"1\", \"2\", (nil)]")]);
    assert_eq!(life.file("appendonlydir/i"), whole);
}

#[test]
fn a_slow_script_of_a_file_goes_on_slice_by_slice() {
    let scripts = [
        "EVAL \"redis.call('set',KEYS[1],'y') for i=1,300000 do end redis.call('incr','n') return 'ok'\" 1 x",
        "MULTI",
        "SELECT 3",
        "EVAL \"for i=1,300000 do end redis.call('incr','n')\" 0",
        "SET behind 1",
        "EXEC",
        "EVAL \"for i=1,300000 do end redis.call('incr','n')\" 0",
    ];
    for in_transaction in [false, true] {
        let disk = Faulty::new();
        drop(Life::new(&disk, &[]));
        let file: Vec<u8> = scripts.iter().flat_map(|line| crate::harness::request(line)).collect();
        disk.put("appendonlydir/appendonly.aof.1.incr.aof", &file);
        // the clock of this world moves with every look at it
        let start = || {
            let mut world =
                World::with(&[("appendonly", "yes"), ("enable-debug-command", "yes"), ("save", ""), ("busy-reply-threshold", "1")]);
            world.server.state.stopwatch = ruddle::server::Stopwatch(|| {
                static NOW: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
                NOW.fetch_add(300_000, std::sync::atomic::Ordering::Relaxed)
            });
            world.server.state.snapshots.storage = Box::new(disk.clone());
            world
        };
        let check = |world: &mut World| {
            let client = world.connect();
            assert_eq!(world.ask(client, "MGET x n"), r#"["y", "1"]"#);
            assert_eq!(world.ask(client, "SELECT 3"), "+OK");
            assert_eq!(world.ask(client, "MGET n behind"), r#"["2", "1"]"#);
        };
        // all at once
        let mut world = start();
        world.server.start_aof().expect("files that can be loaded");
        check(&mut world);
        let mut turns = 0;
        if in_transaction {
            // within a transaction, too
            let client = world.connect();
            for line in ["MULTI", "DEBUG LOADAOF", "EXEC"] {
                world.send(client, line);
            }
            assert_eq!(world.received(client).last().map(String::as_str), Some("[+OK]"));
        } else {
            let (client, other) = (world.connect(), world.connect());
            world.send(client, "DEBUG LOADAOF");
            while world.received(client).is_empty() {
                assert_eq!(world.ask(other, "PING"), "-LOADING Redis is loading the dataset in memory");
                let kill = world.ask(other, "SCRIPT KILL");
                assert!(kill.starts_with("-UNKILLABLE") || kill.starts_with("-NOTBUSY") || kill.starts_with("-LOADING"), "{kill}");
                turns += 1;
                world.pass_ms(1);
            }
            // each of the three scripts is left once or more
            assert!(turns >= 3, "{turns}");
        }
        check(&mut world);
        // at the start
        let mut world = start();
        world.server.begin_loading().expect("files that can be loaded");
        while world.server.is_loading() {
            world.pass_ms(1);
        }
        check(&mut world);
    }
}
