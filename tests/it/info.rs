//! INFO: which sections are shown, and that the counters count.

use crate::harness::World;
use ruddle::server::client::ClientKey;

fn sections(world: &mut World, client: ClientKey, line: &str) -> String {
    let info = world.ask(client, line);
    let titles: Vec<&str> = info.split("\\r\\n").filter_map(|line| line.trim_start_matches('"').strip_prefix("# ")).collect();
    titles.join(" ")
}

fn field(world: &mut World, client: ClientKey, name: &str) -> String {
    let info = world.ask(client, "INFO everything");
    let found = info.split("\\r\\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::to_string));
    found.unwrap_or_else(|| "absent".to_string())
}

#[test]
fn sections_by_name() {
    let mut world = World::new();
    let client = world.connect();
    let default = "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace";
    let all = "Server Clients Memory Persistence Stats Replication CPU Commandstats Errorstats Latencystats Cluster Keyspace Expiry Holds Servicestats Stalls Hotspots";
    let everything = "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Keyspace Expiry Holds Servicestats Stalls Hotspots";
    for (line, expected) in [
        ("INFO", default),
        ("INFO default", default),
        ("INFO all", all),
        ("INFO everything", everything),
        ("INFO all modules", everything),
        ("INFO CPU", "CPU"),
        ("INFO cpu server nosuch", "Server CPU"),
        (
            "INFO commandstats default",
            "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Cluster Keyspace",
        ),
        ("INFO nosuch", ""),
        ("INFO holds expiry", "Expiry Holds"),
    ] {
        assert_eq!(sections(&mut world, client, line), expected, "{line}");
    }
    assert_eq!(world.ask(client, "INFO nosuch"), "\"\"");
}

#[test]
fn counters_count() {
    let mut world = World::new();
    let client = world.connect();
    for line in ["SET k v", "GET k", "GET absent", "GET", "nosuch", "SELECT a", "SET volatile v PX 500", "CLIENT ID"] {
        world.ask(client, line);
    }
    for (name, expected) in [
        ("redis_version", "8.0.6"),
        ("connected_clients", "1"),
        ("keyspace_hits", "1"),
        ("keyspace_misses", "1"),
        ("cmdstat_get", "calls=2,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0"),
        ("cmdstat_select", "calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1"),
        ("cmdstat_client|id", "calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0"),
        ("errorstat_ERR", "count=3"),
        ("total_error_replies", "3"),
        ("db0", "keys=2,expires=1,avg_ttl=500,subexpiry=0"),
        ("latency_percentiles_usec_get", "p50=0.000,p99=0.000,p99.9=0.000"),
        ("role", "master"),
        ("expiry_filings", "1"),
    ] {
        assert_eq!(field(&mut world, client, name), expected, "{name}");
    }
    world.pass_ms(600);
    assert_eq!(field(&mut world, client, "expired_keys"), "1");
    assert_eq!(field(&mut world, client, "expiry_lag_max_ms"), "100");
    world.ask(client, "CONFIG RESETSTAT");
    for (name, expected) in [
        ("expired_keys", "0"),
        ("keyspace_hits", "0"),
        ("cmdstat_get", "absent"),
        ("errorstat_ERR", "absent"),
        ("total_error_replies", "0"),
    ] {
        assert_eq!(field(&mut world, client, name), expected, "{name}");
    }
}

#[test]
fn a_wait_that_ends_is_a_call() {
    let mut world = World::new();
    let (client, other) = (world.connect(), world.connect());
    world.send(other, "BLPOP q 1");
    assert_eq!(field(&mut world, client, "cmdstat_blpop"), "absent");
    world.pass_ms(1001);
    assert_eq!(world.received(other), ["(nil array)"]);
    world.send(other, "BLPOP q 0");
    assert_eq!(world.ask(client, "CLIENT UNBLOCK 2 ERROR"), ":1");
    assert_eq!(world.received(other), ["-UNBLOCKED client unblocked via CLIENT UNBLOCK"]);
    assert_eq!(field(&mut world, client, "cmdstat_blpop"), "calls=2,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1");
    assert_eq!(field(&mut world, client, "errorstat_UNBLOCKED"), "count=1");
}

#[test]
fn blocked_and_watching_clients_show() {
    let mut world = World::new();
    let (client, other) = (world.connect(), world.connect());
    world.ask(other, "WATCH a b");
    world.send(other, "BLPOP q 10");
    for (name, expected) in [
        ("blocked_clients", "1"),
        ("clients_in_timeout_table", "1"),
        ("total_blocking_keys", "1"),
        ("watching_clients", "1"),
        ("total_watched_keys", "2"),
    ] {
        assert_eq!(field(&mut world, client, name), expected, "{name}");
    }
}
