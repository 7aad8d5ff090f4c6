//! One history: restarts, the disk as a backlog, handing over the lead, and stops that wait.

use crate::harness::check;
use crate::replication::Net;

const AOF: &[(&str, &str)] = &[("appendonly", "yes"), ("save", "")];

impl Net {
    /// Full synchronizations that all have served since they started.
    fn full_syncs(&mut self) -> Vec<String> {
        (0..self.worlds.len()).map(|at| self.info(at, "sync_full")).collect()
    }

    fn write(&mut self, most: usize) {
        (0..=self.random.index(most)).for_each(|_| self.write_something(0));
    }

    #[track_caller]
    fn until(&mut self, world: usize, field: &str, value: &str) {
        for _ in 0..2000 {
            if self.info(world, field) == value {
                return;
            }
            self.step();
        }
        panic!("{field} of {world} is {}, never {value}", self.info(world, field));
    }
}

#[test]
fn whoever_is_killed_goes_on_from_its_append_only_file() {
    for seed in 0..4 {
        let mut net = Net::chain(3, seed, AOF);
        net.settle();
        for round in 0..12 {
            net.write(40);
            for _ in 0..net.random.index(30) {
                net.step();
            }
            net.kill(round % 3);
            net.write(40);
            let before = net.full_syncs();
            net.settle();
            assert_eq!(net.full_syncs(), before, "seed {seed}, round {round}");
        }
    }
}

#[test]
fn a_snapshot_says_where_it_stands() {
    let mut net = Net::chain(3, 7, &[("save", "")]);
    net.write(100);
    net.settle();
    let name = net.info(0, "master_replid");
    for at in [2, 1, 0] {
        assert_eq!(net.ask(at, "SAVE"), "+OK");
        net.kill(at);
        net.settle();
        assert_eq!(net.info(at, "sync_full"), "0", "{at}");
    }
    // the primary goes on under another name
    assert_ne!(net.info(0, "master_replid"), name);
    assert_eq!(net.info(0, "master_replid2"), name);
    assert_eq!(net.info(1, "master_replid2"), name);
    assert_eq!((net.info(1, "sync_partial_ok"), net.info(1, "sync_full")), ("2".into(), "0".into()));
}

#[test]
fn the_increments_reach_further_back_than_memory() {
    let all = [AOF, &[("repl-backlog-size", "16kb")]].concat();
    let mut net = Net::chain(2, 3, &all);
    net.settle();
    for _ in 0..3 {
        net.cut(0);
        let before = net.info(0, "repl_backlog_first_byte_offset");
        for _ in 0..300 {
            let key = net.random.below(50);
            net.ask(0, &format!("SET k{key} {}", "x".repeat(400)));
            net.ask(0, "PUBLISH news something");
        }
        assert_ne!(net.info(0, "repl_backlog_first_byte_offset"), before);
        net.settle();
    }
    assert_eq!((net.info(0, "sync_full"), net.info(0, "sync_partial_ok")), ("1".into(), "3".into()));
    // a rewrite gives the past up
    net.cut(0);
    for _ in 0..100 {
        net.ask(0, &format!("SET k {}", "x".repeat(400)));
    }
    net.ask(0, "BGREWRITEAOF");
    net.worlds[0].pass_ms(200);
    net.settle();
    assert_eq!(net.info(0, "sync_full"), "2");
}

#[test]
fn what_is_left_out_of_the_file_is_sent_as_a_whole_or_not_at_all() {
    let all = [AOF, &[("repl-backlog-size", "16kb")]].concat();
    for seed in 0..10 {
        let mut net = Net::chain(2, seed, &all);
        net.settle();
        net.cut(0);
        // longer than a slice of the file, and than the backlog, which begins in the midst of it
        for length in [10, 30_000, 100_000, 200_000] {
            net.write(10);
            net.ask(0, &format!("PUBLISH news {}", "m".repeat(length)));
        }
        net.write(10);
        for _ in 0..50 {
            (0..=net.random.index(12)).for_each(|_| net.step());
            if net.has_links() {
                net.cut(0);
                net.write(2);
            }
        }
        net.settle();
        assert_eq!((net.info(0, "sync_full"), net.info(1, "unexpected_error_replies")), ("1".into(), "0".into()), "seed {seed}");
    }
}

#[test]
fn a_link_slower_than_the_writers_needs_one_snapshot() {
    for rewrites in [false, true] {
        let directives = [AOF, &[("repl-backlog-size", "16kb"), ("client-output-buffer-limit", "replica 64kb 16kb 1")]].concat();
        let mut net = Net::chain(2, 21, &directives);
        for number in 0..200 {
            net.ask(0, &format!("SET before{number} {}", "x".repeat(1000)));
        }
        for number in 0..600 {
            net.ask(0, &format!("SET k{} {}", number % 100, "x".repeat(1000)));
            net.ask(0, "PUBLISH news something");
            if number % 3 == 0 {
                net.step();
            }
            if rewrites && number == 500 {
                // the file is retired while the replica has not read it
                net.ask(0, "BGREWRITEAOF");
            }
        }
        net.settle();
        assert_eq!((net.info(0, "sync_full"), net.info(0, "sync_partial_ok")), ("1".into(), "0".into()), "rewrites: {rewrites}");
        assert!(net.info(0, "mem_total_replication_buffers").parse::<u64>().expect("a number") < 100_000);
    }
}

#[test]
fn a_replicas_own_changes_are_no_history() {
    let mut net = Net::chain(2, 5, &[AOF, &[("replica-read-only", "no")]].concat());
    net.settle();
    net.write(30);
    net.settle();
    assert_eq!(net.ask(1, "SELECT 2"), "+OK");
    assert_eq!(net.ask(1, "SET mine 1"), "+OK");
    net.write(30);
    net.ask(0, "SELECT 0");
    net.ask(0, "SET theirs 1");
    for _ in 0..50 {
        net.step();
    }
    net.kill(1);
    let offset = net.info(1, "master_repl_offset");
    assert_eq!(offset, net.info(0, "master_repl_offset"));
    assert_eq!(net.ask(1, "GET theirs"), "\"1\"");
    net.ask(1, "SELECT 2");
    assert_eq!(net.ask(1, "GET mine"), "\"1\"");
    assert_eq!(net.info(0, "sync_full"), "1");
}

#[test]
fn two_promotions_while_one_was_away() {
    let mut net = Net::chain(3, 9, AOF);
    net.settle();
    // the first base is written
    (0..50).for_each(|_| net.step());
    net.kill(2);
    net.write(20);
    // the primary comes back twice, each time under a new name
    for _ in 0..2 {
        net.kill(0);
        net.write(20);
        for _ in 0..30 {
            net.step();
        }
    }
    net.settle();
    assert_eq!(net.full_syncs(), ["0", "1", "0"]);
}

#[test]
fn the_disk_is_waited_for() {
    let mut net = Net::chain(2, 11, AOF);
    net.settle();
    net.ask(0, "SET a 1");
    assert_eq!(net.ask(0, "WAITAOF 1 1 0"), "");
    for _ in 0..200 {
        net.step();
    }
    let admin = net.admin(0);
    assert_eq!(net.worlds[0].received(admin), ["[:1, :1]"]);
    net.ask(0, "SET a 2");
    net.ask(0, "MULTI");
    net.ask(0, "WAITAOF 1 1 0");
    net.ask(0, "WAIT 1 0");
    let reply = net.ask(0, "EXEC");
    assert!(reply.starts_with("[[:"), "{reply}");
}

#[test]
fn the_lead_is_handed_over() {
    let mut net = Net::chain(2, 13, &[]);
    net.settle();
    net.write(50);
    assert_eq!(net.ask(0, "FAILOVER TO host 3"), "-ERR FAILOVER target HOST and PORT is not a replica.");
    assert_eq!(net.ask(0, "FAILOVER TO host 2 TIMEOUT 100000"), "+OK");
    assert_eq!(net.info(0, "master_failover_state"), "waiting-for-sync");
    assert_eq!(net.ask(0, "FAILOVER"), "-ERR FAILOVER already in progress.");
    assert_eq!(net.ask(0, "REPLICAOF host 2"), "-ERR REPLICAOF not allowed while failing over.");
    let writer = net.worlds[0].connect();
    assert_eq!(net.worlds[0].ask(writer, "SET late 1"), "", "writes wait");
    net.until(0, "role", "slave");
    net.until(1, "role", "master");
    net.until(0, "master_failover_state", "no-failover");
    assert_eq!(net.worlds[0].received(writer), ["-READONLY You can't write against a read only replica."]);
    net.settle();
    assert_eq!((net.info(1, "sync_full").as_str(), net.info(1, "sync_partial_ok").as_str()), ("0", "1"));
    assert_eq!(net.ask(1, "SET a 1"), "+OK");
    assert_eq!(net.ask(1, "FAILOVER"), "+OK");
    net.until(0, "role", "master");
    net.settle();
}

#[test]
fn a_failover_that_leads_nowhere_is_given_up() {
    let mut net = Net::chain(2, 15, &[]);
    net.settle();
    net.ask(0, "SET a 1");
    assert_eq!(net.ask(0, "FAILOVER TIMEOUT 500"), "+OK");
    net.worlds[0].pass_ms(600);
    assert_eq!(net.info(0, "master_failover_state"), "no-failover");
    assert_eq!(net.ask(0, "SET a 2"), "+OK");
    assert_eq!(net.ask(0, "FAILOVER"), "+OK");
    assert_eq!(net.ask(0, "FAILOVER ABORT"), "+OK");
    assert_eq!(net.ask(0, "FAILOVER ABORT"), "-ERR No failover in progress.");
    // forced: it follows, and leads again when told to
    assert_eq!(net.ask(0, "FAILOVER TO host 2 FORCE TIMEOUT 100"), "+OK");
    net.worlds[0].pass_ms(200);
    assert_eq!((net.info(0, "master_failover_state").as_str(), net.info(0, "role").as_str()), ("failover-in-progress", "slave"));
    assert_eq!(net.ask(0, "FAILOVER ABORT"), "+OK");
    assert_eq!(net.info(0, "role"), "master");
    net.settle();
}

#[test]
fn a_stop_waits_for_the_replicas() {
    let mut net = Net::chain(2, 17, &[("save", "")]);
    net.settle();
    net.ask(0, "SET a 1");
    let operator = net.worlds[0].connect();
    assert_eq!(net.worlds[0].ask(operator, "SHUTDOWN"), "");
    assert_eq!(net.ask(0, "SET b 1"), "", "writes wait");
    let second = net.worlds[0].connect();
    assert_eq!(net.worlds[0].ask(second, "SHUTDOWN ABORT"), "+OK");
    assert_eq!(net.worlds[0].ask(second, "SHUTDOWN ABORT"), "-ERR No shutdown in progress.");
    assert_eq!(net.worlds[0].received(operator), ["-ERR Errors trying to SHUTDOWN. Check logs."]);
    let admin = net.admin(0);
    assert_eq!(net.worlds[0].received(admin), ["+OK"]);
    net.worlds[0].ask(operator, "SHUTDOWN");
    assert!(net.worlds[0].server.state.stop.is_none());
    for _ in 0..100 {
        net.step();
    }
    assert!(net.worlds[0].server.state.stop.is_some());
    assert_eq!(net.ask(1, "GET b"), "\"1\"");
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let mut net = Net::chain(2, 19, &[("save", ""), ("shutdown-timeout", "2")]);
    net.settle();
    net.ask(0, "SET a 1");
    net.ask(0, "SHUTDOWN");
    net.worlds[0].pass_ms(1900);
    assert!(net.worlds[0].server.state.stop.is_none());
    net.worlds[0].pass_ms(200);
    assert!(net.worlds[0].server.state.stop.is_some());
    let mut net = Net::chain(2, 19, &[("save", "")]);
    net.settle();
    net.ask(0, "SET a 1");
    net.ask(0, "SHUTDOWN NOW");
    assert!(net.worlds[0].server.state.stop.is_some());
}

#[test]
fn the_words_of_failover() {
    check(&[
        ("FAILOVER", "-ERR FAILOVER requires connected replicas."),
        ("FAILOVER ABORT", "-ERR No failover in progress."),
        ("FAILOVER ABORT ABORT", "-ERR syntax error"),
        ("FAILOVER TO host", "-ERR syntax error"),
        ("FAILOVER TO host x", "-ERR value is not an integer or out of range"),
        ("FAILOVER TO host 1", "-ERR FAILOVER requires connected replicas."),
        ("FAILOVER TIMEOUT 0", "-ERR FAILOVER timeout must be greater than 0"),
        ("FAILOVER TIMEOUT x", "-ERR value is not an integer or out of range"),
        ("FAILOVER TIMEOUT 1 TIMEOUT 1", "-ERR syntax error"),
        ("FAILOVER FORCE", "-ERR FAILOVER requires connected replicas."),
        ("FAILOVER FORCE FORCE", "-ERR syntax error"),
        ("FAILOVER nonsense", "-ERR syntax error"),
        ("SHUTDOWN ABORT", "-ERR No shutdown in progress."),
        ("SHUTDOWN ABORT NOW", "-ERR syntax error"),
        ("SHUTDOWN SAVE NOSAVE", "-ERR syntax error"),
        ("PSYNC ? -1 FAILOVER", "-ERR PSYNC FAILOVER can't be sent to a master."),
    ]);
}

#[test]
fn what_saves_is_not_told_to_replicas() {
    let mut net = Net::chain(2, 21, &[("save", "60 1000")]);
    net.settle();
    net.ask(0, "SET a 1");
    assert_eq!(net.ask(0, "SAVE"), "+OK");
    net.ask(0, "SHUTDOWN NOW");
    assert!(net.worlds[0].server.state.stop.is_some());
    for _ in 0..20 {
        net.step();
    }
    assert!(net.worlds[1].server.state.stop.is_none());
    assert!(!net.ask(1, "INFO commandstats").contains("cmdstat_save"));
}

#[test]
fn a_script_chooses_who_hears_of_its_changes() {
    fn eval(net: &mut Net, parts: &[&str]) {
        let script: String = parts.iter().map(|part| format!("redis.set_repl(redis.REPL_{part} ")).collect();
        assert_eq!(net.ask(0, &format!("EVAL \"{script}\" 0")), "(nil)");
    }
    fn exchange(net: &mut Net) {
        (0..400).for_each(|_| net.step());
        assert_eq!(net.info(1, "master_repl_offset"), net.info(0, "master_repl_offset"));
    }
    fn fill(net: &mut Net) {
        (0..100).for_each(|number| _ = net.ask(0, &format!("SET k{number} {}", "x".repeat(400))));
    }
    let syncs = |net: &mut Net| (net.info(0, "sync_full"), net.info(0, "sync_partial_ok"));
    let line = "MGET a b c d e f g h i";
    let mut net = Net::chain(2, 6, &[AOF, &[("repl-backlog-size", "16kb")]].concat());
    net.settle();
    eval(
        &mut net,
        &[
            "ALL) redis.call('set','a',1)",
            "NONE) redis.call('set','b',1)",
            "AOF) redis.call('set','c',1) redis.call('select',3) redis.call('set','c',3) redis.call('select',0)",
            "REPLICA) redis.call('set','d',1)",
            "AOF) redis.call('set','e',1)",
            "ALL) redis.call('set','f',1)",
        ],
    );
    exchange(&mut net);
    assert_eq!(net.ask(0, line), r#"["1", "1", "1", "1", "1", "1", (nil), (nil), (nil)]"#);
    assert_eq!(net.ask(1, line), r#"["1", (nil), (nil), "1", (nil), "1", (nil), (nil), (nil)]"#);
    // the file is read back without what is no part of the history
    net.cut(0);
    eval(&mut net, &["AOF) redis.call('set','g',1)"]);
    eval(&mut net, &["AOF) redis.call('set','h',1) redis.call('set','i',1)"]);
    fill(&mut net);
    exchange(&mut net);
    assert_eq!(syncs(&mut net), ("1".into(), "1".into()));
    assert_eq!(net.ask(1, line), r#"["1", (nil), (nil), "1", (nil), "1", (nil), (nil), (nil)]"#);
    net.kill(0);
    exchange(&mut net);
    assert_eq!(net.ask(0, line), r#"["1", (nil), "1", (nil), "1", "1", "1", "1", "1"]"#);
    net.ask(0, "SELECT 3");
    assert_eq!((net.ask(0, "GET c"), net.ask(0, "DBSIZE")), ("\"3\"".into(), ":1".into()));
    assert_eq!(syncs(&mut net), ("0".into(), "1".into()));
    // memory holds what was kept out of the file, the file does not
    net.ask(0, "SELECT 0");
    net.cut(0);
    eval(&mut net, &["REPLICA) redis.call('set','b',2)"]);
    exchange(&mut net);
    assert_eq!((net.ask(1, "GET b"), syncs(&mut net)), ("\"2\"".into(), ("0".into(), "2".into())));
    net.cut(0);
    eval(&mut net, &["REPLICA) redis.call('set','b',3)"]);
    fill(&mut net);
    exchange(&mut net);
    assert_eq!((net.ask(1, "GET b"), syncs(&mut net).0), ("\"3\"".into(), "1".into()));
}
