//! The HELP of every container.

use crate::harness::World;

#[test]
fn every_container_explains_itself() {
    let lines = [
        "CLIENT HELP",
        "COMMAND HELP",
        "CONFIG HELP",
        "LATENCY HELP",
        "MEMORY HELP",
        "SLOWLOG HELP",
        "OBJECT HELP",
        "PUBSUB HELP",
        "XGROUP HELP",
        "XINFO HELP",
    ];
    let mut world = World::new();
    let client = world.connect();
    for line in lines {
        let name = line.split(' ').next().expect("a name");
        let reply = world.ask(client, line);
        let opening = format!("[+{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        assert!(reply.starts_with(&opening), "{line}: {reply}");
        assert!(reply.ends_with("+HELP, +    Print this help.]"), "{line}: {reply}");
    }
    // and says so when a subcommand is unknown
    for line in lines {
        let name = line.split(' ').next().expect("a name");
        let reply = world.ask(client, &format!("{name} NONSENSE x y z"));
        assert!(reply.starts_with(&format!("-ERR unknown subcommand 'NONSENSE'. Try {name} HELP.")), "{line}: {reply}");
    }
}

#[test]
fn every_subcommand_is_told_with_what_it_takes() {
    let mut world = World::new();
    let client = world.connect();
    for (line, syntax) in [
        ("OBJECT HELP", &["ENCODING <key>", "FREQ <key>", "IDLETIME <key>", "REFCOUNT <key>", "HELP"][..]),
        (
            "PUBSUB HELP",
            &[
                "CHANNELS [<pattern>]",
                "NUMPAT",
                "NUMSUB [<channel> ...]",
                "SHARDCHANNELS [<pattern>]",
                "SHARDNUMSUB [<shardchannel> ...]",
                "HELP",
            ],
        ),
        (
            "XGROUP HELP",
            &[
                "CREATE <key> <groupname> <id|$> [option]",
                "CREATECONSUMER <key> <groupname> <consumer>",
                "DELCONSUMER <key> <groupname> <consumer>",
                "DESTROY <key> <groupname>",
                "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
                "HELP",
            ],
        ),
        ("XINFO HELP", &["CONSUMERS <key> <groupname>", "GROUPS <key>", "STREAM <key> [FULL [COUNT <count>]", "HELP"]),
    ] {
        world.send(client, line);
        let output = String::from_utf8(world.take_output(client)).expect("text");
        // a count, the headline, and lines of explanation are indented
        let told = output.lines().skip(2).map(|line| &line[1..]).filter(|line| !line.starts_with(' '));
        assert_eq!(told.collect::<Vec<_>>(), syntax, "{line}");
    }
}
