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
