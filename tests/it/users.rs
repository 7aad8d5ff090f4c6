//! Users and what becomes of them: logins, and what is refused to whom, where commands run, wait, are queued or are called by
//! scripts.

use crate::harness::{World, check, converse};

const NO_KEY: &str = "-NOPERM No permissions to access a key";

#[test]
fn clients_log_in_and_out() {
    converse(
        r#"
a ACL SETUSER u on >p >q allkeys allchannels +@all
  a +OK
b AUTH u p
  b +OK
b ACL WHOAMI
  b "u"
b AUTH u wrong
  b -WRONGPASS invalid username-password pair or user is disabled.
b ACL WHOAMI
  b "u"
b AUTH nobody p
  b -WRONGPASS invalid username-password pair or user is disabled.
b AUTH x
  b -ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
b AUTH a b c
  b -ERR syntax error
b AUTH default anything
  b +OK
b ACL WHOAMI
  b "default"
b HELLO 2 AUTH u q
  b (any)
b ACL WHOAMI
  b "u"
b HELLO 3 AUTH u r
  b -WRONGPASS invalid username-password pair or user is disabled.
b RESET
  b +RESET
b ACL WHOAMI
  b "default"
a ACL SETUSER u <p
  a +OK
b AUTH u p
  b -WRONGPASS invalid username-password pair or user is disabled.
a ACL SETUSER u off
  a +OK
b AUTH u q
  b -WRONGPASS invalid username-password pair or user is disabled.
a ACL SETUSER u on nopass
  a +OK
b AUTH u anything
  b +OK
a ACL SETUSER u off
  a +OK
b PING
  b +PONG
b RESET
  b +RESET
b AUTH u anything
  b -WRONGPASS invalid username-password pair or user is disabled.
a ACL DELUSER u
  a :1
"#,
    );
}

#[test]
fn the_default_user_decides_who_has_to_log_in() {
    converse(
        r#"
a ACL SETUSER u on nopass allkeys allchannels +@all
  a +OK
a CONFIG GET requirepass
  a ["requirepass", ""]
a ACL SETUSER default >foo
  a +OK
a CONFIG GET requirepass
  a ["requirepass", ""]
b PING
  b -NOAUTH Authentication required.
b ACL WHOAMI
  b -NOAUTH Authentication required.
b AUTH foo
  b +OK
b ACL WHOAMI
  b "default"
a ACL SETUSER default off
  a +OK
a PING
  a +PONG
c PING
  c -NOAUTH Authentication required.
c AUTH foo
  c -WRONGPASS invalid username-password pair or user is disabled.
c AUTH default foo
  c -WRONGPASS invalid username-password pair or user is disabled.
a ACL SETUSER default on nopass
  a +OK
c PING
  c +PONG
a ACL SETUSER default resetpass
  a +OK
c PING
  c -NOAUTH Authentication required.
c AUTH x
  c -WRONGPASS invalid username-password pair or user is disabled.
c AUTH u x
  c +OK
c PING
  c +PONG
c RESET
  c +RESET
c PING
  c -NOAUTH Authentication required.
c (closes)
a CONFIG SET requirepass bar
  a +OK
a ACL LIST
  a ["user default on sanitize-payload #fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9 ~* &* +@all", "user u on nopass sanitize-payload ~* &* +@all"]
a ACL SETUSER default resetpass
  a +OK
a CONFIG GET requirepass
  a ["requirepass", "bar"]
a CONFIG SET requirepass bar
  a +OK
a ACL LIST
  a ["user default on sanitize-payload ~* &* +@all", "user u on nopass sanitize-payload ~* &* +@all"]
a CONFIG SET requirepass ""
  a +OK
a ACL LIST
  a ["user default on nopass sanitize-payload ~* &* +@all", "user u on nopass sanitize-payload ~* &* +@all"]
a ACL DELUSER u
  a :1
"#,
    );
}

#[test]
fn commands_keys_and_channels_are_refused() {
    converse(
        r#"
a ACL SETUSER u on nopass ~k* %R~r* %W~w* &c* +@all -incr -acl -config|get
  a +OK
b AUTH u x
  b +OK
b ACL WHOAMI
  b -NOPERM User u has no permissions to run the 'acl|whoami' command
b INCR k
  b -NOPERM User u has no permissions to run the 'incr' command
b incr
  b -ERR wrong number of arguments for 'incr' command
b GET x
  b -NOPERM No permissions to access a key
b GET k
  b (nil)
b SET r 1
  b -NOPERM No permissions to access a key
b GET r
  b (nil)
b SET w 1
  b +OK
b GET w
  b -NOPERM No permissions to access a key
b SET w 1 GET
  b -NOPERM No permissions to access a key
b EXISTS w r k
  b :1
b EXISTS x
  b -NOPERM No permissions to access a key
b MSET k 1 w 1
  b +OK
b MSET k 1 x 1
  b -NOPERM No permissions to access a key
b CONFIG GET port
  b -NOPERM User u has no permissions to run the 'config|get' command
b CONFIG FOO
  b -ERR unknown subcommand 'FOO'. Try CONFIG HELP.
b CONFIG
  b -ERR wrong number of arguments for 'config' command
b DBSIZE
  b :2
b PUBLISH x 1
  b -NOPERM No permissions to access a channel
b PUBLISH c 1
  b :0
b SUBSCRIBE x
  b -NOPERM No permissions to access a channel
b SUBSCRIBE c x
  b -NOPERM No permissions to access a channel
b SSUBSCRIBE x
  b -NOPERM No permissions to access a channel
b SPUBLISH x 1
  b -NOPERM No permissions to access a channel
b PSUBSCRIBE c*
  b ["psubscribe", "c*", :1]
b PSUBSCRIBE c1*
  b -NOPERM No permissions to access a channel
b UNSUBSCRIBE x
  b ["unsubscribe", "x", :1]
b INCR k
  b -NOPERM User u has no permissions to run the 'incr' command
b RESET
  b +RESET
b INCR k
  b :2
a ACL SETUSER u reset on nopass +get|k +select|0 +config|get ~*
  a +OK
b AUTH u x
  b +OK
b GET k
  b "2"
b GET K
  b (nil)
b GET x
  b -NOPERM User u has no permissions to run the 'get' command
b SELECT 0
  b +OK
b SELECT 1
  b -NOPERM User u has no permissions to run the 'select' command
b CONFIG GET maxmemory
  b ["maxmemory", "0"]
b CONFIG SET maxmemory 0
  b -NOPERM User u has no permissions to run the 'config|set' command
b HELLO 3
  b (any)
a ACL SETUSER u reset on nopass +@all ~a (~b -get) (+get %R~c)
  a +OK
b GET a
  b (null)
b GET b
  b -NOPERM No permissions to access a key
b GET c
  b (null)
b GET d
  b -NOPERM No permissions to access a key
b SET c 1
  b -NOPERM No permissions to access a key
b MSET a 1 b 1
  b -NOPERM No permissions to access a key
b MGET a c
  b -NOPERM No permissions to access a key
b SET a 1
  b +OK
a ACL DELUSER u
  a :1
  b (closed)
"#,
    );
}

#[test]
fn transactions_are_looked_at_when_queued_and_when_run() {
    converse(
        r#"
a ACL SETUSER u on nopass ~k* &c* +@all -incr
  a +OK
b AUTH u x
  b +OK
b MULTI
  b +OK
b INCR k
  b -NOPERM User u has no permissions to run the 'incr' command
b EXEC
  b -EXECABORT Transaction discarded because of previous errors.
b MULTI
  b +OK
b SET k 1
  b +QUEUED
b GET k1
  b +QUEUED
b PUBLISH c 1
  b +QUEUED
b PING
  b +QUEUED
a ACL SETUSER u -set resetkeys ~kk* resetchannels
  a +OK
b EXEC
  b [-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand, -NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to touch the specified keys, -NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to access one of the channels used as arguments, +PONG]
b WATCH k
  b -NOPERM No permissions to access a key
b WATCH kk
  b +OK
b MULTI
  b +OK
b GET kk
  b +QUEUED
a ACL SETUSER u -exec
  a +OK
b EXEC
  b -EXECABORT Transaction discarded because of: NOPERM User u has no permissions to run the 'exec' command
b GET kk
  b (nil)
a ACL SETUSER u +exec
  a +OK
b MULTI
  b +OK
b ACL SETUSER u -ping
  b +QUEUED
b PING
  b +QUEUED
b ACL SETUSER u +ping
  b +QUEUED
b PING
  b +QUEUED
b EXEC
  b [+OK, -NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand, +OK, +PONG]
a ACL DELUSER u
  a :1
  b (closed)
"#,
    );
}

#[test]
fn who_waits_is_looked_at_again() {
    converse(
        r#"
a ACL SETUSER u on nopass allkeys allchannels +@all
  a +OK
b AUTH u p
  b +OK
b BLPOP l 0
a ACL SETUSER u -blpop
  a +OK
a RPUSH l 1
  a :1
  b -NOPERM User u has no permissions to run the 'blpop' command
b BLPOP l 0
  b -NOPERM User u has no permissions to run the 'blpop' command
a ACL SETUSER u +blpop
  a +OK
a DEL l
  a :1
b BLPOP l 0
a ACL SETUSER u resetkeys ~other
  a +OK
c BLPOP l 0
a RPUSH l 1
  a :1
  b -NOPERM No permissions to access a key
  c ["l", "1"]
a ACL SETUSER u allkeys
  a +OK
b BZPOPMIN z 0
a ZADD z 1 m
  a :1
  b ["z", "m", "1"]
b BLPOP l 0
a ACL DELUSER u
  a :1
  b (closed)
a RPUSH l 1
  a :1
a LLEN l
  a :1
"#,
    );
}

#[test]
fn a_wait_that_is_over_is_answered_whatever_its_user_may_do_now() {
    converse(
        r#"
a ACL SETUSER u on nopass allkeys +@all
  a +OK
b AUTH u p
  b +OK
b BLMOVE l m LEFT LEFT 0
a ACL SETUSER u resetkeys ~l
  a +OK
a RPUSH l 1
  a :1
  b -NOPERM No permissions to access a key
a LRANGE l 0 -1
  a ["1"]
a ACL SETUSER u allkeys
  a +OK
a XGROUP CREATE s g $ MKSTREAM
  a +OK
b XREADGROUP GROUP g n BLOCK 0 STREAMS s >
a ACL SETUSER u -xreadgroup
  a +OK
a DEL s
  a :1
  b -NOPERM User u has no permissions to run the 'xreadgroup' command
a ACL SETUSER u +xreadgroup
  a +OK
b CLIENT ID
  b :{b}
b BLPOP none 0
a ACL SETUSER u -@all
  a +OK
a CLIENT UNBLOCK {b}
  a :1
  b (nil array)
b PING
  b -NOPERM User u has no permissions to run the 'ping' command
a ACL DELUSER u
  a :1
  b (closed)
"#,
    );
}

#[test]
fn a_transaction_may_change_who_runs_it() {
    converse(
        r#"
a ACL SETUSER u on nopass ~a +get +multi +exec
  a +OK
b MULTI
  b +OK
b SET b 1
  b +QUEUED
b AUTH u x
  b +QUEUED
b GET a
  b +QUEUED
b GET b
  b +QUEUED
b AUTH default x
  b +QUEUED
b GET b
  b +QUEUED
b EXEC
  b [+OK, +OK, (nil), -NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to touch the specified keys, +OK, "1"]
b ACL WHOAMI
  b "default"
a ACL DELUSER u
  a :1
"#,
    );
}

#[test]
fn what_needs_no_login_needs_no_rule_either() {
    converse(
        r#"
a ACL SETUSER u on >p
  a +OK
b AUTH u p
  b +OK
b PING
  b -NOPERM User u has no permissions to run the 'ping' command
b HELLO 3
  b (any)
b MULTI
  b -NOPERM User u has no permissions to run the 'multi' command
b SUBSCRIBE a
  b -NOPERM User u has no permissions to run the 'subscribe' command
b AUTH u p
  b +OK
b AUTH u q
  b -WRONGPASS invalid username-password pair or user is disabled.
b COMMAND LIST
  b -NOPERM User u has no permissions to run the 'command|list' command
b EVAL "return 1" 0
  b -NOPERM User u has no permissions to run the 'eval' command
b QUIT
  b +OK
  b (closed)
a ACL DELUSER u
  a :1
"#,
    );
}

#[test]
fn clients_of_a_deleted_user_are_sent_away() {
    converse(
        r#"
a ACL SETUSER u on nopass allkeys allchannels +@all
  a +OK
a ACL SETUSER v on nopass allkeys allchannels +@all
  a +OK
b AUTH u p
  b +OK
c AUTH u p
  c +OK
d AUTH v p
  d +OK
c ACL DELUSER u
  c :1
  c (closed)
  b (closed)
d ACL SETUSER v off -@all
  d +OK
d PING
  d -NOPERM User v has no permissions to run the 'ping' command
a CLIENT KILL USER v
  a :1
  d (closed)
a CLIENT KILL USER v
  a :0
a ACL DELUSER v
  a :1
"#,
    );
}

#[test]
fn who_listens_to_what_is_not_allowed_any_more_is_sent_away() {
    converse(
        r#"
a ACL SETUSER u on nopass &ab &cd +@all
  a +OK
b AUTH u p
  b +OK
b SUBSCRIBE ab
  b ["subscribe", "ab", :1]
a ACL SETUSER u resetchannels &ab
  a +OK
a ACL SETUSER u resetchannels &a*
  a +OK
b PING
  b ["pong", ""]
a ACL SETUSER u resetchannels (&a*)
  a +OK
a ACL SETUSER u resetchannels clearselectors &b*
  a +OK
  b (closed)
c AUTH u p
  c +OK
c PSUBSCRIBE b*
  c ["psubscribe", "b*", :1]
d AUTH u p
  d +OK
d SSUBSCRIBE bc
  d ["ssubscribe", "bc", :1]
e AUTH u p
  e +OK
e GET x
  e -NOPERM No permissions to access a key
a ACL SETUSER u allchannels
  a +OK
a ACL SETUSER u resetchannels &b**
  a +OK
  c (closed)
d PING
  d ["pong", ""]
a ACL SETUSER u resetchannels
  a +OK
  d (closed)
e PING
  e +PONG
a ACL DELUSER u
  a :1
  e (closed)
"#,
    );
}

#[test]
fn scripts_run_as_their_caller() {
    converse(
        r##"
a ACL SETUSER u on nopass ~k* &c* +@all -incr -config|get
  a +OK
b AUTH u x
  b +OK
b EVAL "return redis.call('incr','k')" 0
  b -ERR ACL failure in script: User u has no permissions to run the 'incr' command script: 1f71dc1cd0b838440b29a02b9ecb8480e01af28a, on @user_script:1.
b EVAL "return redis.call('get','x')" 0
  b -ERR ACL failure in script: No permissions to access a key script: db94c2918043c41a85e5c7f5b637c7a9c9c7119c, on @user_script:1.
b EVAL "return redis.pcall('get','x')" 0
  b -ERR ACL failure in script: No permissions to access a key
b EVAL "return redis.call('publish','x',1)" 0
  b -ERR ACL failure in script: No permissions to access a channel script: 7cde7dc820fc1355c1b6c207b4d0b513474ad876, on @user_script:1.
b EVAL "return redis.call('set','k','v')" 0
  b +OK
b EVAL "return {redis.acl_check_cmd('get','k'), redis.acl_check_cmd('get','x'), redis.acl_check_cmd('incr','k'),redis.acl_check_cmd('config','get','k')}" 0
  b [:1, (nil), (nil), (nil)]
b EVAL "return redis.acl_check_cmd('foo')" 0
  b -ERR Invalid command passed to redis.acl_check_cmd() script: 396e69bc0371f2ecca9041686f02314e24d6a44b, on @user_script:1.
b EVAL "return redis.acl_check_cmd('get')" 0
  b :1
b EVAL "return redis.acl_check_cmd('config','foo')" 0
  b -ERR Invalid command passed to redis.acl_check_cmd() script: 8b58a1e4a97af5261cce89a7c6f50782335ccdd3, on @user_script:1.
b EVAL "return redis.acl_check_cmd('config')" 0
  b :1
b EVAL "return 1" 1 x
  b -NOPERM No permissions to access a key
b MULTI
  b +OK
b EVAL "return redis.call('incr','k')" 0
  b +QUEUED
b EXEC
  b [-ERR ACL failure in script: User u has no permissions to run the 'incr' command script: 1f71dc1cd0b838440b29a02b9ecb8480e01af28a, on @user_script:1.]
a FUNCTION LOAD REPLACE "#!lua name=users\nredis.register_function('probe', function(keys, args) return redis.call(unpack(args)) end)"
  a "users"
b FCALL probe 0 GET k
  b "v"
b FCALL probe 0 GET x
  b -ERR ACL failure in script: No permissions to access a key script: probe, on @user_function:2.
a FUNCTION DELETE users
  a +OK
a ACL DELUSER u
  a :1
  b (closed)
"##,
    );
}

#[test]
fn sort_looks_up_other_keys_for_who_may_read_all() {
    converse(
        r#"
a RPUSH k 2 1
  a :2
a ACL SETUSER u on nopass ~k* +@all
  a +OK
b AUTH u x
  b +OK
b SORT k
  b ["1", "2"]
b SORT k BY nosort
  b ["2", "1"]
b SORT k BY k*
  b -ERR BY option of SORT denied due to insufficient ACL permissions.
b SORT k GET #
  b -ERR GET option of SORT denied due to insufficient ACL permissions.
b SORT_RO k GET x
  b -ERR GET option of SORT denied due to insufficient ACL permissions.
b SORT x BY k*
  b -NOPERM No permissions to access a key
a ACL SETUSER u %R~*
  a +OK
b SORT k BY x* GET #
  b ["1", "2"]
b SORT k BY x* GET y* STORE z
  b -NOPERM No permissions to access a key
b SORT k GET y* STORE k
  b :2
a ACL SETUSER u resetkeys ~k (%R~* -sort)
  a +OK
b SORT k BY x*
  b -ERR BY option of SORT denied due to insufficient ACL permissions.
a ACL DELUSER u
  a :1
  b (closed)
"#,
    );
}

/// Redis reads beyond the words here, and ends.
#[test]
fn a_script_may_ask_of_a_command_without_its_keys() {
    let mut world = World::new();
    let client = world.connect();
    for line in ["ACL SETUSER u on nopass ~a +@all", "AUTH u x"] {
        world.ask(client, line);
    }
    for name in ["set", "sort", "sort_ro", "bitfield", "georadius", "georadiusbymember", "migrate"] {
        assert_eq!(world.ask(client, &format!("EVAL \"return redis.acl_check_cmd(ARGV[1])\" 0 {name}")), ":1", "{name}");
        let reply = world.ask(client, &format!("EVAL \"return redis.acl_check_cmd(ARGV[1], 'b')\" 0 {name}"));
        assert_eq!(reply, if name == "migrate" { ":1" } else { "(nil)" }, "{name}");
    }
}

/// Redis 8.0 looks at the first of several STOREs alone, and writes to the last.
#[test]
fn every_key_that_is_stored_to_is_looked_at() {
    let mut world = World::new();
    let client = world.connect();
    for line in ["GEOADD a 1 1 m", "ACL SETUSER u on nopass ~a +@all", "AUTH u x"] {
        world.ask(client, line);
    }
    for (line, reply) in [
        ("GEORADIUS a 1 1 100 km STORE a STORE d", NO_KEY),
        ("GEORADIUS a 1 1 100 km STOREDIST d COUNT 1 STORE a", NO_KEY),
        ("GEORADIUSBYMEMBER a m 100 km STORE a STOREDIST d", NO_KEY),
        ("GEORADIUSBYMEMBER a m 100 km STORE a STORE a", ":1"),
        ("SORT a BY nosort STORE a STORE d", NO_KEY),
    ] {
        assert_eq!(world.ask(client, line), reply, "{line}");
    }
}

#[test]
fn refusals_are_counted_and_logged() {
    let mut world = World::new();
    let (admin, client) = (world.connect(), world.connect());
    world.ask(admin, "ACL SETUSER u on >p ~k +@all -incr -config|get");
    for line in ["AUTH u p", "GET a", "GET a", "INCR k", "CONFIG GET a", "PUBLISH c x", "MULTI", "INCR k", "EXEC", "AUTH u q"] {
        world.ask(client, line);
    }
    world.ask(client, "EVAL \"return redis.call('incr','k')\" 0");
    world.ask(client, "EVAL \"return redis.call('incr','k')\" 0");
    assert_eq!(world.ask(client, "ACL LOG RESET").as_str(), "+OK");
    for line in ["GET a", "GET a", "INCR k", "CONFIG GET a", "PUBLISH c x", "MULTI", "INCR k", "EXEC", "AUTH v q"] {
        world.ask(client, line);
    }
    world.ask(client, "EVAL \"return redis.call('incr','k')\" 0");
    let log = world.ask(admin, "ACL LOG");
    let entries: Vec<&str> = log.split("[\"count\", ").skip(1).collect();
    let expected = [
        (1, "command", "lua", "incr", "u"),
        (1, "auth", "toplevel", "AUTH", "v"),
        (1, "command", "multi", "incr", "u"),
        (1, "channel", "toplevel", "c", "u"),
        (1, "command", "toplevel", "config|get", "u"),
        (1, "command", "toplevel", "incr", "u"),
        (2, "key", "toplevel", "a", "u"),
    ];
    assert_eq!(entries.len(), expected.len(), "{log}");
    for (entry, (count, reason, context, object, user)) in entries.iter().zip(expected) {
        let start = format!(
            ":{count}, \"reason\", \"{reason}\", \"context\", \"{context}\", \"object\", \"{object}\", \"username\", \"{user}\", \"age-seconds\", \"0\", \"client-info\", \"id=2 "
        );
        assert!(entry.starts_with(&start), "{entry}");
        assert!(entry.contains(" user=u "), "{entry}");
    }
    let stats = world.ask(admin, "INFO stats");
    for line in ["acl_access_denied_auth:2", "acl_access_denied_cmd:9", "acl_access_denied_key:4", "acl_access_denied_channel:2"] {
        assert!(stats.contains(line), "{line}: {stats}");
    }
    let errors = world.ask(admin, "INFO errorstats");
    assert!(errors.contains("errorstat_NOPERM:count=12"), "{errors}");
    let commands = world.ask(admin, "INFO commandstats");
    assert!(commands.contains("cmdstat_incr:calls=0,usec=0,usec_per_call=0.00,rejected_calls=7,failed_calls=0"), "{commands}");
    world.ask(admin, "CONFIG RESETSTAT");
    assert!(world.ask(admin, "INFO stats").contains("acl_access_denied_cmd:9"), "they stay");
    assert!(world.ask(admin, "CLIENT LIST").contains(" user=u "));
}

#[test]
fn the_log_of_refusals_keeps_no_more_of_a_word_than_it_shows() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "ACL SETUSER u on nopass +@all");
    world.ask(client, "AUTH u x");
    let long = "k".repeat(1_000_000);
    assert_eq!(world.ask(client, &format!("GET {long}")), NO_KEY);
    assert!(world.ask(client, &format!("AUTH {long} x")).starts_with("-WRONGPASS"));
    let log = world.ask(client, "ACL LOG");
    assert!((2 * 65_536..2 * 65_536 + 3_000).contains(&log.len()), "{}", log.len());
}

#[test]
fn what_acl_can_do_is_told() {
    let mut world = World::new();
    let client = world.connect();
    let help = world.ask(client, "ACL HELP");
    for subcommand in
        ["CAT", "DELUSER", "DRYRUN", "GENPASS", "GETUSER", "LIST", "LOAD", "LOG", "SAVE", "SETUSER", "USERS", "WHOAMI", "HELP"]
    {
        assert!(help.contains(&format!("+{subcommand}")), "{subcommand}: {help}");
    }
    check(&[("ACL HELP x", "-ERR wrong number of arguments for 'acl|help' command")]);
}

#[test]
fn requests_that_change_users_are_not_shown() {
    let mut world = World::new();
    let (client, monitor) = (world.connect(), world.connect());
    world.ask(client, "CONFIG SET slowlog-log-slower-than 0");
    world.ask(monitor, "MONITOR");
    world.ask(client, "ACL SETUSER u >secret");
    world.ask(client, "ACL GETUSER u");
    world.ask(client, "ACL DELUSER u");
    let seen = world.received(monitor).join("\n") + &world.ask(client, "SLOWLOG GET");
    assert!(!seen.contains("secret"), "{seen}");
    assert!(seen.contains(NO_KEY) || seen.to_ascii_lowercase().contains("(redacted)"), "{seen}");
}
