//! Rules of users: what they are obeyed as, shown as and refused with, and what they would allow.

use crate::harness::{check, check3, converse_with};

const SYNTAX: &str = "Syntax error";
const UNKNOWN: &str = "Unknown command or category name in ACL";

fn modifier(rule: &str, reason: &str) -> String {
    format!("-ERR Error in ACL SETUSER modifier '{rule}': {reason}")
}

/// Users by lines of rules for `u`, each followed by what ACL LIST then shows of it.
#[track_caller]
fn check_rules(script: &[(&str, &str)]) {
    let mut lines = Vec::new();
    for (rules, shown) in script {
        lines.push((format!("ACL SETUSER u {rules}"), "+OK".to_string()));
        lines.push(("ACL LIST".to_string(), format!("[\"user default on nopass sanitize-payload ~* &* +@all\", \"user u {shown}\"]")));
    }
    let lines: Vec<(&str, &str)> = lines.iter().map(|(line, reply)| (line.as_str(), reply.as_str())).collect();
    check(&lines);
}

#[test]
fn rules_are_shown_as_redis_shows_them() {
    let none = "off sanitize-payload resetchannels -@all";
    check_rules(&[
        ("reset", none),
        ("+get +set -get", "off sanitize-payload resetchannels -@all +set -get"),
        ("+@read -@write +config|get -config", "off sanitize-payload resetchannels -@all +set -get +@read -@write -config"),
        (
            "+config|GET +CONFIG|set +select|0 +Select|AbC",
            "off sanitize-payload resetchannels -@all +set -get +@read -@write -config +config|get +config|set +select|0 +select|abc",
        ),
        ("+@all", "off sanitize-payload resetchannels +@all"),
        ("-get -@read +get|x +acl|whoami", "off sanitize-payload resetchannels +@all -get -@read +get|x +acl|whoami"),
        ("nocommands +@hash +hget -hget +hset -hset +@hash", "off sanitize-payload resetchannels -@all -hget -hset +@hash"),
        ("allcommands -@all +@Hash +@HASH -@hash", "off sanitize-payload resetchannels -@all -@hash"),
        ("-client|kill +client -client|list", "off sanitize-payload resetchannels -@all -@hash +client -client|list"),
        ("+client", "off sanitize-payload resetchannels -@all -@hash +client"),
        ("skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all -@hash +client"),
        ("reset", none),
        ("~%R~x %RW~y %W~z %r~a %w~a", "off sanitize-payload ~%R~x ~y %W~z ~a resetchannels -@all"),
        ("%wR~z", "off sanitize-payload ~%R~x ~y ~z ~a resetchannels -@all"),
        ("allkeys", "off sanitize-payload ~* resetchannels -@all"),
        ("resetkeys ~ %R", "off sanitize-payload ~ resetchannels -@all"),
        ("~*", "off sanitize-payload ~* resetchannels -@all"),
        ("resetkeys %RW~* ~a", "off sanitize-payload ~* ~a resetchannels -@all"),
        ("resetkeys & &a &a*", "off sanitize-payload resetchannels & &a &a* -@all"),
        ("&*", "off sanitize-payload &* -@all"),
        ("resetchannels", none),
        ("ON NOPASS ALLKEYS ALLCOMMANDS ALLCHANNELS", "on nopass sanitize-payload ~* &* +@all"),
        ("reset \"\" on", "on sanitize-payload resetchannels -@all"),
        ("\"on\\x00x\" \"+get\\x00x\"", "on sanitize-payload resetchannels -@all +get"),
        ("reset >foo", "off sanitize-payload #2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae resetchannels -@all"),
        (
            ">foo > #c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2",
            "off sanitize-payload #2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae #e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 #c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2 resetchannels -@all",
        ),
        (
            "<foo !c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2",
            "off sanitize-payload #e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 resetchannels -@all",
        ),
        ("nopass", "off nopass sanitize-payload resetchannels -@all"),
        (">a resetpass", none),
        (
            "(+get ~x) \"(+get ~x -@all)\"",
            "off sanitize-payload resetchannels -@all (~x resetchannels -@all +get) (~x resetchannels -@all)",
        ),
        ("clearselectors ( +get ~y )", "off sanitize-payload resetchannels -@all (~y resetchannels -@all +get)"),
        ("clearselectors \"()\" \"(~a \\\"x)\"", "off sanitize-payload resetchannels -@all (resetchannels -@all) (resetchannels -@all)"),
        ("clearselectors (allkeys allchannels +@all -@admin)", "off sanitize-payload resetchannels -@all (~* &* +@all -@admin)"),
        ("reset", none),
    ]);
}

#[test]
fn rules_that_make_no_sense_change_nothing() {
    let after_all_keys = "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns";
    let after_all_channels = "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels";
    let bad_hash = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
    let upper = "#C3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2";
    let wrong = [
        ("+config|foo", UNKNOWN),
        ("+select|", SYNTAX),
        ("+config|", SYNTAX),
        ("-select|0", UNKNOWN),
        ("-config|foo", UNKNOWN),
        ("+config|get|x", "Allowing first-arg of a subcommand is not supported"),
        ("+get|x|y", UNKNOWN),
        ("+", UNKNOWN),
        ("-", UNKNOWN),
        ("+@foo", UNKNOWN),
        ("-@", UNKNOWN),
        ("%~x", SYNTAX),
        ("%RR~x", SYNTAX),
        ("%Rx", SYNTAX),
        ("%", SYNTAX),
        ("foo", SYNTAX),
        (")", SYNTAX),
        ("#abc", bad_hash),
        (upper, bad_hash),
        ("!abc", bad_hash),
        ("<foo", "The password you are trying to remove from the user does not exist"),
        ("(+get x)", SYNTAX),
        ("(>pass)", SYNTAX),
        ("(+foo)", UNKNOWN),
    ];
    let mut lines: Vec<(String, String)> = vec![("ACL SETUSER u on".into(), "+OK".into())];
    lines.extend(wrong.iter().map(|(rule, reason)| (format!("ACL SETUSER u +get {rule} ~k"), modifier(rule, reason))));
    for (quoted, rule, reason) in [
        ("\"~a b\"", "~a b", SYNTAX),
        ("\"&a\\x00b\"", "&a", SYNTAX),
        ("\"foo bar\"", "foo bar", SYNTAX),
        ("\"(+get on)\"", "(+get on)", SYNTAX),
        ("\"a\\nb\"", "a b", SYNTAX),
        ("allkeys ~x", "~x", after_all_keys),
        ("allkeys %X", "%X", after_all_keys),
        ("allchannels &x", "&x", after_all_channels),
        ("\"(~* ~x)\"", "(~* ~x)", after_all_keys),
    ] {
        lines.push((format!("ACL SETUSER u {quoted}"), modifier(rule, reason)));
    }
    for open in ["(", "(+get", "on (+get ~x", "( ) ("] {
        let at = open.split(' ').rev().find(|word| word.starts_with('(')).expect("one");
        lines.push((format!("ACL SETUSER u {open}"), format!("-ERR Unmatched parenthesis in acl selector starting at '{at}'.")));
    }
    let names = "-ERR Usernames can't contain spaces or null characters";
    lines.push(("ACL SETUSER \"a b\" on".into(), names.into()));
    lines.push(("ACL SETUSER \"a\\x00b\" on".into(), names.into()));
    lines.push(("ACL SETUSER".into(), "-ERR wrong number of arguments for 'acl|setuser' command".into()));
    let users = "[\"user default on nopass sanitize-payload ~* &* +@all\", \"user u on sanitize-payload resetchannels -@all\"]";
    lines.push(("ACL LIST".into(), users.into()));
    let lines: Vec<(&str, &str)> = lines.iter().map(|(line, reply)| (line.as_str(), reply.as_str())).collect();
    check(&lines);
}

#[test]
fn users_are_shown_and_deleted() {
    check(&[
        ("ACL SETUSER u on >foo +@all -get ~a %R~b &c (~d +get) (&* -@all)", "+OK"),
        (
            "ACL GETUSER u",
            "[\"flags\", [\"on\", \"sanitize-payload\"], \"passwords\", [\"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\"], \"commands\", \"+@all -get\", \"keys\", \"~a %R~b\", \"channels\", \"&c\", \"selectors\", [[\"commands\", \"-@all +get\", \"keys\", \"~d\", \"channels\", \"\"], [\"commands\", \"-@all\", \"keys\", \"\", \"channels\", \"&*\"]]]",
        ),
        ("ACL SETUSER v", "+OK"),
        (
            "ACL GETUSER v",
            "[\"flags\", [\"off\", \"sanitize-payload\"], \"passwords\", [], \"commands\", \"-@all\", \"keys\", \"\", \"channels\", \"\", \"selectors\", []]",
        ),
        ("ACL USERS", "[\"default\", \"u\", \"v\"]"),
        ("ACL DELUSER u default v", "-ERR The 'default' user cannot be removed"),
        ("ACL DELUSER \"default\\x00\"", "-ERR The 'default' user cannot be removed"),
        ("ACL DELUSER v u nobody v", ":2"),
        ("ACL USERS", "[\"default\"]"),
        ("ACL DELUSER", "-ERR wrong number of arguments for 'acl|deluser' command"),
        ("CLIENT KILL USER nobody", "-ERR No such user 'nobody'"),
        ("ACL DRYRUN u GET x", "-ERR User 'u' not found"),
    ]);
    check3(&[
        ("ACL SETUSER u on nopass (~d +get)", "+OK"),
        (
            "ACL GETUSER u",
            "{\"flags\": ~[\"on\", \"nopass\", \"sanitize-payload\"], \"passwords\": [], \"commands\": \"-@all\", \"keys\": \"\", \"channels\": \"\", \"selectors\": [{\"commands\": \"-@all +get\", \"keys\": \"~d\", \"channels\": \"\"}]}",
        ),
        ("ACL DELUSER u", ":1"),
    ]);
}

#[test]
fn a_dry_run_names_what_is_missing() {
    let key = |name: &str| format!("\"User u has no permissions to access the '{name}' key\"");
    let channel = |name: &str| format!("\"User u has no permissions to access the '{name}' channel\"");
    let command = |name: &str| format!("\"User u has no permissions to run the '{name}' command\"");
    let (a, b, c, d) = (key("a"), key("b"), key("c"), key("d"));
    let ok = "+OK".to_string();
    let cases = [
        ("MGET a a d b", d.clone()),
        ("MGET b d b", b),
        ("MGET a c", c.clone()),
        ("GET a", ok.clone()),
        ("GET b", key("b")),
        ("SET d 1", d.clone()),
        ("COPY a d", d.clone()),
        ("COPY d a", d.clone()),
        ("PUBLISH d a", channel("d")),
        ("SUBSCRIBE a d", channel("a")),
        ("PSUBSCRIBE a d", channel("a")),
        ("UNSUBSCRIBE a d", ok.clone()),
        ("SPUBLISH d x", channel("d")),
        ("SSUBSCRIBE d", channel("d")),
        ("CONFIG GET a", ok.clone()),
        ("EVAL s 1 d", d.clone()),
        ("EVAL s 1 a", ok.clone()),
        ("EVAL s 3 a", ok.clone()),
        ("KEYS x", ok.clone()),
        ("SORT x", key("x")),
        ("SORT a STORE d", d.clone()),
        ("MIGRATE h 1 \"\" 0 10 KEYS a d", d.clone()),
        ("MIGRATE h 1 d 0 10", d.clone()),
        ("MIGRATE h 1 d 0 10 AUTH KEYS", d.clone()),
        ("MIGRATE h 1 d 0 10 COPY KEYS d", ok.clone()),
        ("XREAD STREAMS a d 0 0", d.clone()),
        ("XREAD a d 0 0", ok.clone()),
        ("BITFIELD c GET u8 0", c.clone()),
        ("SET c 1 GET", c.clone()),
        ("OBJECT ENCODING d", d.clone()),
        ("EXISTS c", c.clone()),
        ("TYPE c", c.clone()),
        ("DEL c", c.clone()),
        ("WATCH d", d.clone()),
        ("AUTH d", ok),
        ("LMPOP 3 a d LEFT", d.clone()),
        ("ZUNIONSTORE a 2 d c", d.clone()),
        ("ZUNION 2 a c", c.clone()),
        ("GEORADIUS a 0 0 1 m STORE d", d.clone()),
        ("MEMORY USAGE d", d.clone()),
        ("XINFO STREAM d", d.clone()),
        ("LCS d c", d.clone()),
        ("SINTERCARD 2 c d", c),
        ("RENAME a d", d.clone()),
        ("BLPOP a d 0", d.clone()),
        ("XREADGROUP GROUP g n STREAMS a d > >", d.clone()),
        ("MSETNX a 1 d 1", d.clone()),
        ("BITOP AND a d a", d.clone()),
        ("PFMERGE a d", d.clone()),
        ("OBJECT FREQ a", "+OK".into()),
        ("DEBUG OBJECT d", "+OK".into()),
        ("FCALL f 1 d", d.clone()),
        ("DUMP d", d.clone()),
        ("RESTORE d 0 x", d),
        ("\"get\" \"x\\x00y\"", key("x\\x00y")),
        ("FOO", "-ERR Command 'FOO' not found".into()),
        ("CONFIG foo", "-ERR Command 'CONFIG' not found".into()),
        ("EVAL s", "-ERR wrong number of arguments for 'eval' command".into()),
    ];
    let lines: Vec<(String, String)> = cases.into_iter().map(|(request, reply)| (format!("ACL DRYRUN u {request}"), reply)).collect();
    let mut script = vec![("ACL SETUSER u reset on nopass +@all ~a (~b -get) (+get %R~c)", "+OK")];
    script.extend(lines.iter().map(|(line, reply)| (line.as_str(), reply.as_str())));
    let more = [
        ("ACL SETUSER u reset -@all +get +@admin -config|get +select|1", "+OK".to_string()),
        ("ACL DRYRUN u GET a", a),
        ("ACL DRYRUN u SET a b", command("set")),
        ("ACL DRYRUN u CONFIG GET a", command("config|get")),
        ("ACL DRYRUN u CONFIG SET a b", "+OK".to_string()),
        ("ACL DRYRUN u SELECT 1", "+OK".to_string()),
        ("ACL DRYRUN u SELECT 2", command("select")),
        ("ACL DELUSER u", ":1".to_string()),
    ];
    script.extend(more.iter().map(|(line, reply)| (*line, reply.as_str())));
    check(&script);
}

#[test]
fn a_new_user_may_use_the_channels_that_the_configuration_says() {
    converse_with(
        &[("acl-pubsub-default", "allchannels")],
        r#"
a ACL SETUSER u
  a +OK
a ACL LIST
  a ["user default on nopass sanitize-payload ~* &* +@all", "user u off sanitize-payload &* -@all"]
a ACL SETUSER u &test
  a -ERR Error in ACL SETUSER modifier '&test': Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels
a ACL SETUSER u resetchannels reset (+get)
  a +OK
a CONFIG SET acl-pubsub-default resetchannels
  a +OK
a ACL LIST
  a ["user default on nopass sanitize-payload ~* &* +@all", "user u off sanitize-payload &* -@all (&* -@all +get)"]
a ACL SETUSER u reset
  a +OK
a ACL LIST
  a ["user default on nopass sanitize-payload ~* &* +@all", "user u off sanitize-payload resetchannels -@all"]
a CONFIG SET acl-pubsub-default none
  a -ERR CONFIG SET failed (possibly related to argument 'acl-pubsub-default') - argument(s) must be one of the following: allchannels, resetchannels
a CONFIG GET acl-pubsub-default
  a ["acl-pubsub-default", "resetchannels"]
a ACL DELUSER u
  a :1
"#,
    );
}
