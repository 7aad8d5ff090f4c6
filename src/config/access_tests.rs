//! CONFIG GET and CONFIG SET as a client sees them, one string a case.

use super::super::{ClientMemory, KeyspaceEvents};
use super::*;

fn set(config: &mut Config, pairs: &[&str]) -> Result<Applied, SetError> {
    let pairs: Vec<&[u8]> = pairs.iter().map(|word| word.as_bytes()).collect();
    config.set(&pairs, Caller::Local)
}

fn get(config: &Config, patterns: &[&str]) -> Vec<String> {
    let patterns: Vec<&[u8]> = patterns.iter().map(|word| word.as_bytes()).collect();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    config.get(&patterns).into_iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
}

/// What CONFIG GET shows after a CONFIG SET, or the reason of its failure.
fn after(name: &str, value: &str) -> String {
    let mut config = Config::default();
    let before = config.clone();
    match set(&mut config, &[name, value]) {
        Ok(_) => String::from_utf8(config.show(name).expect("known")).expect("text"),
        Err(error) => {
            assert_eq!(config, before, "a refused value changed something");
            let prefix = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - ");
            error.strip_prefix(&prefix).unwrap_or(&error).to_string()
        }
    }
}

#[test]
fn values_are_shown_as_redis_shows_them() {
    for (name, value, shown) in [
        ("maxmemory", "100mb", "104857600"),
        ("maxmemory", "auto", "0"),
        ("maxmemory-clients", "50%", "50%"),
        ("maxmemory-clients", "0%", "0"),
        ("maxmemory-clients", "18446744073709551566", "50%"),
        ("zset-max-listpack-value", "1kb", "1024"),
        ("hz", "0", "1"),
        ("hz", "1000", "500"),
        ("repl-backlog-size", "1", "16384"),
        ("appendonly", "YES", "yes"),
        ("save", "900 1 300 10", "900 1 300 10"),
        ("save", "", ""),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "KEAn", "AKE"),
        ("notify-keyspace-events", "nmKE", "nKEm"),
        ("shutdown-on-sigterm", "now save", "save now"),
        ("shutdown-on-sigterm", "save default", "save"),
        ("latency-tracking-info-percentiles", "50 3.10 33.33333333", "50 3.1 33.333333"),
        ("client-output-buffer-limit", "NORMAL 1kb 1 2", "normal 1024 1 2 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
        ("bind", "", ""),
        ("rdb-version", "11", "11"),
    ] {
        assert_eq!(after(name, value), shown, "{name} {value}");
    }
}

#[test]
fn refusals_are_worded_as_redis_words_them() {
    for (name, value, reason) in [
        ("maxmemory", "abc", "argument must be a memory value"),
        ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
        ("maxmemory-clients", "-5%", "argument must be a memory or percent value"),
        ("maxmemory-clients", "9223372036854775808", "percentage argument must be less or equal to 100"),
        ("port", "99999", "argument must be between 0 and 65535 inclusive"),
        ("port", "+3", "argument couldn't be parsed into an integer"),
        ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
        ("appendfsync", "x", "argument(s) must be one of the following: everysec, always, no"),
        ("databases", "4", "can't set immutable config"),
        ("dir", "x", "can't set protected config"),
        ("save", "900", "Invalid save parameters"),
        ("save", "0 1", "Invalid save parameters"),
        ("save", " 1 2", "Invalid save parameters"),
        ("client-output-buffer-limit", "normal 1", "Wrong number of arguments in buffer limit configuration."),
        ("client-output-buffer-limit", "master 1 1 1", "Invalid client class specified in buffer limit configuration."),
        ("client-output-buffer-limit", "normal 1 1 -1", "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
        ("notify-keyspace-events", "y", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ("latency-tracking-info-percentiles", "abc", "Invalid latency-tracking-info-percentiles parameters"),
        ("latency-tracking-info-percentiles", "101", "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"),
        ("shutdown-on-sigint", "save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"),
        ("shutdown-on-sigint", "", "argument(s) must be one of the following: default, save, nosave, now, force"),
        ("bind", "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "Too many bind addresses specified."),
        ("foo", "1", "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"),
    ] {
        assert_eq!(after(name, value), reason, "{name} {value}");
    }
}

#[test]
fn names_are_checked_before_values_and_in_order() {
    let mut config = Config::default();
    let mut error = |pairs: &[&str]| set(&mut config, pairs).expect_err("refused");
    assert_eq!(error(&["maxmemory", "1", "foo"]), "ERR syntax error");
    assert_eq!(error(&["maxmemory", "x", "databases", "4"]), failed("databases", "can't set immutable config"));
    assert_eq!(error(&["maxmemory", "x", "MAXMEMORY", "2"]), failed("maxmemory", "duplicate parameter"));
    assert_eq!(error(&["databases", "4", "foo", "1"]), failed("databases", "can't set immutable config"));
    assert_eq!(error(&["foo", "1", "databases", "4"]), "ERR Unknown option or number of arguments for CONFIG SET - 'foo'");
    assert_eq!(error(&["slave-priority", "x"]), failed("slave-priority", "argument couldn't be parsed into an integer"));
}

#[test]
fn all_pairs_are_set_or_none() {
    let mut config = Config::default();
    assert!(set(&mut config, &["port", "1", "hz", "x"]).is_err());
    assert_eq!(config, Config::default());
    let applied = set(&mut config, &["port", "1", "hz", "10", "slave-read-only", "yes", "replica-read-only", "no"]);
    assert_eq!(applied.expect("legal").changed, ["port", "replica-read-only"]);
    assert_eq!((config.port, config.replica_read_only), (1, false));
}

#[test]
fn what_the_server_cannot_bring_about_is_taken_back() {
    let mut config = Config::default();
    let applied = set(&mut config, &["port", "1", "hz", "20"]).expect("legal");
    let error = applied.refuse(&mut config, "port", "Unable to listen on this port. Check server logs.");
    assert_eq!(config, Config::default());
    assert_eq!(error, failed("port", "Unable to listen on this port. Check server logs."));
}

#[test]
fn protected_directives_open_to_whom_the_file_says() {
    let mut config = Config { enable_protected_configs: Guard::Local, ..Config::default() };
    assert!(config.set(&[b"dbfilename", b"x"], Caller::Remote).is_err());
    assert!(config.set(&[b"dbfilename", b"x"], Caller::Local).is_ok());
    assert_eq!(config.dbfilename, "x");
    config.enable_protected_configs = Guard::Yes;
    assert!(config.set(&[b"dir", b"x"], Caller::Remote).is_ok());
}

#[test]
fn get_takes_patterns_and_shows_each_name_once() {
    let config = Config::default();
    assert_eq!(get(&config, &["MaxMemory", "maxmemory"]), ["MaxMemory=0"]);
    assert_eq!(get(&config, &["lua-time-limit", "busy-reply-threshold"]), ["lua-time-limit=5000", "busy-reply-threshold=5000"]);
    assert_eq!(get(&config, &["HZ*", "hz", "?z"]), ["hz=10"]);
    assert_eq!(get(&config, &["nope", "no*pe"]), Vec::<String>::new());
    assert_eq!(get(&config, &["key-load-dela[y]"]), Vec::<String>::new());
    assert_eq!(get(&config, &["key-load-delay"]), ["key-load-delay=0"]);
    assert!(get(&config, &["*"]).len() > 200);
}

#[test]
fn the_limit_that_follows_the_machine_is_filled_in() {
    let mut config = Config::default();
    let applied = set(&mut config, &["maxmemory", "auto"]).expect("legal");
    assert_eq!(applied.changed, ["maxmemory"]);
    config.resolve_auto_maxmemory(1000);
    assert_eq!(get(&config, &["maxmemory"]), ["maxmemory=1000"]);
    let applied = set(&mut config, &["maxmemory", "5"]).expect("legal");
    assert_eq!((applied.changed, config.maxmemory.auto), (vec!["maxmemory"], false));
    config.resolve_auto_maxmemory(1000);
    assert_eq!(config.maxmemory.bytes, 5);
}

#[test]
fn secrets_are_bytes_and_known_as_secrets() {
    let mut config = Config::default();
    assert!(config.set(&[b"requirepass", b"\xff\0"], Caller::Remote).is_ok());
    assert_eq!(config.requirepass, b"\xff\0");
    assert!(is_secret(b"REQUIREPASS") && is_secret(b"masterauth") && !is_secret(b"port"));
}

#[test]
fn what_loading_denies_exists() {
    for name in ["appendonly", "dir", "repl-diskless-load"] {
        assert!(is_denied_while_loading(name.as_bytes()) && directives::find(name.as_bytes()).is_some());
    }
    assert!(!is_denied_while_loading(b"hz"));
}

#[test]
fn typed_values_arrive_in_their_fields() {
    let mut config = Config::default();
    let _ = set(&mut config, &["notify-keyspace-events", "Kx", "maxmemory-clients", "7%"]).expect("legal");
    assert!(config.notify_keyspace_events.contains(KeyspaceEvents::EXPIRED));
    assert!(!config.notify_keyspace_events.contains(KeyspaceEvents::KEYEVENT));
    assert_eq!(config.maxmemory_clients, ClientMemory::Percent(7));
}
