//! ACL where nobody has made a user, and MODULE and CLUSTER, of which there are none.

use crate::harness::{World, check, check3};

#[test]
fn there_is_one_user() {
    check(&[
        ("ACL WHOAMI", "\"default\""),
        ("ACL USERS", "[\"default\"]"),
        ("ACL LIST", "[\"user default on nopass sanitize-payload ~* &* +@all\"]"),
        (
            "ACL GETUSER default",
            "[\"flags\", [\"on\", \"nopass\", \"sanitize-payload\"], \"passwords\", [], \"commands\", \"+@all\", \"keys\", \"~*\", \"channels\", \"&*\", \"selectors\", []]",
        ),
        ("ACL GETUSER Default", "(nil)"),
        ("ACL GETUSER other", "(nil)"),
        ("ACL GETUSER", "-ERR wrong number of arguments for 'acl|getuser' command"),
        ("ACL WHOAMI x", "-ERR wrong number of arguments for 'acl|whoami' command"),
        ("ACL", "-ERR wrong number of arguments for 'acl' command"),
        ("ACL FOO", "-ERR unknown subcommand 'FOO'. Try ACL HELP."),
        ("ACL DELUSER default", "-ERR The 'default' user cannot be removed"),
        ("ACL DELUSER a default", "-ERR The 'default' user cannot be removed"),
        ("ACL DELUSER a b", ":0"),
        (
            "ACL SAVE",
            "-ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
        ),
        (
            "ACL LOAD",
            "-ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
        ),
        ("ACL LOG", "[]"),
        ("ACL LOG 5", "[]"),
        ("ACL LOG -5", "[]"),
        ("ACL LOG a", "-ERR value is not an integer or out of range"),
        ("ACL LOG reset", "+OK"),
        ("ACL LOG 1 2", "-ERR unknown subcommand or wrong number of arguments for 'LOG'. Try ACL HELP."),
    ]);
    check3(&[(
        "ACL GETUSER default",
        "{\"flags\": ~[\"on\", \"nopass\", \"sanitize-payload\"], \"passwords\": [], \"commands\": \"+@all\", \"keys\": \"~*\", \"channels\": \"&*\", \"selectors\": []}",
    )]);
    check3(&[("ACL GETUSER other", "(null)")]);
}

#[test]
fn categories_and_what_the_user_may_do() {
    check(&[
        (
            "ACL CAT",
            "[\"keyspace\", \"read\", \"write\", \"set\", \"sortedset\", \"list\", \"hash\", \"string\", \"bitmap\", \"hyperloglog\", \"geo\", \"stream\", \"pubsub\", \"admin\", \"fast\", \"slow\", \"blocking\", \"dangerous\", \"connection\", \"transaction\", \"scripting\"]",
        ),
        ("ACL CAT foo", "-ERR Unknown category 'foo'"),
        ("ACL CAT a b", "-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP."),
        ("ACL DRYRUN default GET x", "+OK"),
        ("ACL DRYRUN default GET", "-ERR wrong number of arguments for 'get' command"),
        ("ACL DRYRUN default CLIENT KILL a", "+OK"),
        ("ACL DRYRUN default CLIENT foo", "-ERR Command 'CLIENT' not found"),
        ("ACL DRYRUN default foo", "-ERR Command 'foo' not found"),
        ("ACL DRYRUN other GET x", "-ERR User 'other' not found"),
        ("ACL DRYRUN default", "-ERR wrong number of arguments for 'acl|dryrun' command"),
        ("ACL GENPASS 0", "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"),
        ("ACL GENPASS 4097", "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"),
        ("ACL GENPASS -1", "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"),
        ("ACL GENPASS a", "-ERR value is not an integer or out of range"),
        ("ACL GENPASS 1 2", "-ERR unknown subcommand or wrong number of arguments for 'GENPASS'. Try ACL HELP."),
    ]);
    let mut world = World::new();
    let client = world.connect();
    let mut transaction: Vec<String> = world.ask(client, "ACL CAT transaction").split('"').skip(1).step_by(2).map(str::to_string).collect();
    transaction.sort();
    assert_eq!(transaction, ["discard", "exec", "multi", "unwatch", "watch"]);
    assert!(world.ask(client, "ACL CAT ADMIN").contains("\"client|kill\""));
}

#[test]
fn passwords_are_made_of_unpredictable_bytes() {
    let mut world = World::new();
    let client = world.connect();
    assert_eq!(world.ask(client, "ACL GENPASS"), "-ERR there is no randomness here");
    world.server.state.host.entropy = |bytes| {
        (0..).zip(bytes).for_each(|(at, byte): (usize, &mut u8)| *byte = 0xa0 + at.to_le_bytes()[0] % 16);
        Ok(())
    };
    assert_eq!(world.ask(client, "ACL GENPASS 5"), "\"a0\"");
    assert_eq!(world.ask(client, "ACL GENPASS 1"), "\"a\"");
    assert_eq!(world.ask(client, "ACL GENPASS 12"), "\"a0a\"");
    assert_eq!(world.ask(client, "ACL GENPASS").len(), 64 + 2);
    assert_eq!(world.ask(client, "ACL GENPASS 4096").len(), 1024 + 2);
}

#[test]
fn refused_logins_are_logged() {
    let mut world = World::with(&[("requirepass", "foobar"), ("acllog-max-len", "2")]);
    let (client, stranger) = (world.connect(), world.connect());
    assert_eq!(world.ask(client, "ACL WHOAMI"), "-NOAUTH Authentication required.");
    world.ask(client, "AUTH foobar");
    assert_eq!(
        world.ask(client, "ACL LIST"),
        "[\"user default on sanitize-payload #c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2 ~* &* +@all\"]"
    );
    assert_eq!(
        world.ask(client, "ACL GETUSER default"),
        "[\"flags\", [\"on\", \"sanitize-payload\"], \"passwords\", [\"c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2\"], \"commands\", \"+@all\", \"keys\", \"~*\", \"channels\", \"&*\", \"selectors\", []]"
    );
    for line in ["AUTH wrong", "AUTH wrong", "AUTH other foobar", "HELLO 3 AUTH default wrong"] {
        world.ask(stranger, line);
    }
    world.pass_ms(1500);
    let log = world.ask(client, "ACL LOG");
    let shown: Vec<&str> = log.split("[\"count\", ").skip(1).collect();
    assert_eq!(shown.len(), 2, "{log}");
    let newest = ":1, \"reason\", \"auth\", \"context\", \"toplevel\", \"object\", \"HELLO\", \"username\", \"default\", \"age-seconds\", \"1.5\", \"client-info\", \"id=2 addr=";
    assert!(shown[0].starts_with(newest), "{log}");
    assert!(
        shown[0].ends_with("\"entry-id\", :2, \"timestamp-created\", :1700000000000, \"timestamp-last-updated\", :1700000000000], "),
        "{log}"
    );
    assert!(shown[1].contains("\"username\", \"other\""), "{log}");
    assert_eq!(world.ask(client, "ACL LOG 1").matches("reason").count(), 1);
    world.ask(client, "CONFIG SET acllog-max-len 0");
    assert_eq!(world.ask(client, "ACL LOG"), "[]");
    assert!(world.ask(client, "INFO stats").contains("acl_access_denied_auth:4"));
}

#[test]
fn there_are_no_modules() {
    const REFUSED: &str = "-ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";
    check(&[
        ("MODULE LOAD x", REFUSED),
        ("MODULE LOADEX x CONFIG a b ARGS c", REFUSED),
        ("MODULE UNLOAD x", REFUSED),
        ("MODULE LIST x", "-ERR wrong number of arguments for 'module|list' command"),
        ("MODULE", "-ERR wrong number of arguments for 'module' command"),
        ("MODULE FOO", "-ERR unknown subcommand 'FOO'. Try MODULE HELP."),
        ("FT._LIST", "-ERR unknown command 'FT._LIST', with args beginning with: "),
    ]);
    let mut world = World::with(&[("enable-module-command", "local")]);
    let client = world.connect();
    assert_eq!(world.ask(client, "MODULE LIST"), "[]");
    assert_eq!(world.ask(client, "MODULE LOAD x"), "-ERR Error loading the extension. Please check the server logs.");
    assert_eq!(world.ask(client, "MODULE UNLOAD x"), "-ERR Error unloading module: no such module with that name");
    assert!(world.ask(client, "MODULE HELP").contains("LOADEX"));
}

#[test]
fn there_is_no_cluster() {
    const REFUSED: &str = "-ERR This instance has cluster support disabled";
    check(&[
        ("CLUSTER INFO", REFUSED),
        ("CLUSTER HELP", REFUSED),
        ("CLUSTER SLOTS", REFUSED),
        ("CLUSTER SHARDS", REFUSED),
        ("CLUSTER NODES", REFUSED),
        ("CLUSTER MYID", REFUSED),
        ("CLUSTER KEYSLOT a", REFUSED),
        ("CLUSTER KEYSLOT", "-ERR wrong number of arguments for 'cluster|keyslot' command"),
        ("CLUSTER SETSLOT 1 STABLE", REFUSED),
        ("CLUSTER ADDSLOTS 1", REFUSED),
        ("CLUSTER ADDSLOTSRANGE 1 2", REFUSED),
        ("CLUSTER BUMPEPOCH", REFUSED),
        ("CLUSTER COUNT-FAILURE-REPORTS node", REFUSED),
        ("CLUSTER COUNTKEYSINSLOT 1", REFUSED),
        ("CLUSTER DELSLOTS 1", REFUSED),
        ("CLUSTER DELSLOTSRANGE 1 2", REFUSED),
        ("CLUSTER FAILOVER", REFUSED),
        ("CLUSTER FLUSHSLOTS", REFUSED),
        ("CLUSTER FORGET node", REFUSED),
        ("CLUSTER GETKEYSINSLOT 1 2", REFUSED),
        ("CLUSTER LINKS", REFUSED),
        ("CLUSTER MEET 127.0.0.1 7000", REFUSED),
        ("CLUSTER MYSHARDID", REFUSED),
        ("CLUSTER REPLICAS node", REFUSED),
        ("CLUSTER REPLICATE node", REFUSED),
        ("CLUSTER RESET", REFUSED),
        ("CLUSTER SAVECONFIG", REFUSED),
        ("CLUSTER SET-CONFIG-EPOCH 1", REFUSED),
        ("CLUSTER SLAVES node", REFUSED),
        ("CLUSTER", "-ERR wrong number of arguments for 'cluster' command"),
        ("CLUSTER FOO", "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP."),
        ("READONLY", REFUSED),
        ("READWRITE", REFUSED),
        ("ASKING", REFUSED),
    ]);
}
