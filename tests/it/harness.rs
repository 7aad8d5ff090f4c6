//! One server without sockets, clients that type, and a clock that the test moves.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::TcpStream;

use ruddle::base::clock::{Micros, Monotonic, Now};
use ruddle::base::text;
use ruddle::config::Startup;
use ruddle::resp::Protocol;
use ruddle::resp::reader::{Reply, ReplyReader};
use ruddle::server::client::{ClientFlags, ClientKey, Peer};
use ruddle::server::turn::Inbound;
use ruddle::server::{Server, Stopwatch};

/// Unix milliseconds at which a test starts.
pub const START_MS: i64 = 1_700_000_000_000;

/// A server and its time.
pub struct World {
    pub server: Server,
    /// Whether work for another thread is done at once.
    pub runs_jobs: bool,
    now_us: i64,
    /// What clients have sent and the server has not consumed yet.
    unread: HashMap<ClientKey, Vec<u8>>,
}

fn no_time() -> u64 {
    0
}

impl World {
    /// A server with the default configuration.
    pub fn new() -> World {
        World::with(&[])
    }

    /// A server with some directives set, each as a name and its value.
    pub fn with(directives: &[(&str, &str)]) -> World {
        let arguments: Vec<Vec<u8>> =
            directives.iter().flat_map(|(name, value)| [format!("--{name}").into_bytes(), value.as_bytes().to_vec()]).collect();
        let config = match ruddle::config::start(&arguments, &ruddle::config::Disk) {
            Ok(Startup::Serve(config)) => *config,
            Ok(_) => panic!("directives only: {directives:?}"),
            Err(error) => panic!("{directives:?}: {error}"),
        };
        let mut world = World {
            server: Server::new(config, ruddle::command::registry(), 1, Now::default(), Stopwatch(no_time)),
            runs_jobs: true,
            now_us: START_MS * 1000,
            unread: HashMap::new(),
        };
        world.tick();
        world
    }

    fn now(&self) -> Now {
        Now { unix: Micros(self.now_us), monotonic: Monotonic(u64::try_from(self.now_us - START_MS * 1000).expect("time goes on")) }
    }

    /// The time in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now_us / 1000
    }

    /// A new connection.
    pub fn connect(&mut self) -> ClientKey {
        let peer = Peer { address: "127.0.0.1:1".into(), local_address: "127.0.0.1:6379".into(), loopback: true, ..Peer::default() };
        self.server.connected(0, peer).expect("room for a client")
    }

    /// Lets time pass; what is due happens.
    pub fn pass_ms(&mut self, ms: i64) {
        self.now_us += ms * 1000;
        self.tick();
    }

    fn tick(&mut self) {
        let now = self.now();
        self.server.tick(now);
        self.hand_on();
        self.run_runnable();
    }

    fn run_runnable(&mut self) {
        loop {
            let runnable = self.server.take_runnable();
            if runnable.is_empty() {
                return;
            }
            for key in runnable {
                self.turn(key, &[]);
            }
        }
    }

    fn turn(&mut self, client: ClientKey, fresh: &[u8]) {
        let mut bytes = self.unread.remove(&client).unwrap_or_default();
        bytes.extend_from_slice(fresh);
        let mut inbound = [Inbound { client, bytes: &bytes, fresh: fresh.len(), since: 0, consumed: 0 }];
        let now = self.now();
        self.server.turn(now, &mut inbound);
        self.hand_on();
        let consumed = inbound[0].consumed;
        if consumed < bytes.len() {
            self.unread.insert(client, bytes.split_off(consumed));
        }
    }

    /// What the reactor does between a turn and its replies; file jobs are done at once.
    fn hand_on(&mut self) {
        self.server.hand_on();
        if self.runs_jobs {
            for job in self.server.take_file_jobs() {
                self.server.file_job_done(job.run());
            }
        }
    }

    /// Sends bytes as they are. What the server does not consume, of a parked client for instance, is
    /// kept until it does.
    pub fn send_raw(&mut self, client: ClientKey, bytes: &[u8]) {
        self.turn(client, bytes);
        self.run_runnable();
    }

    /// Whether the server ends a client's connection.
    pub fn is_closing(&self, client: ClientKey) -> bool {
        let flags = self.server.state.clients.get(client).map(|client| client.flags);
        flags.is_none_or(|flags| flags.any(ClientFlags::CLOSE_NOW.or(ClientFlags::CLOSE_AFTER_REPLY)))
    }

    /// A client's connection is gone.
    pub fn disconnect(&mut self, client: ClientKey) {
        self.unread.remove(&client);
        self.server.closed(client);
        self.run_runnable();
    }

    /// Sends one request, typed as in redis-cli.
    pub fn send(&mut self, client: ClientKey, line: &str) {
        self.send_raw(client, &request(line));
    }

    /// What a client has received since it was last asked, one reply a string.
    pub fn received(&mut self, client: ClientKey) -> Vec<String> {
        self.replies(client).iter().map(Reply::to_string).collect()
    }

    /// The bytes that a client has been sent since it was last asked.
    pub fn take_output(&mut self, client: ClientKey) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(session) = self.server.state.clients.get_mut(client) else { return bytes };
        loop {
            let mut slices = [std::io::IoSlice::new(&[]); 16];
            let count = session.output.slices(&mut slices);
            if count == 0 {
                break;
            }
            let mut taken = 0;
            for slice in &slices[..count] {
                bytes.extend_from_slice(slice);
                taken += slice.len();
            }
            session.output.advance(taken);
        }
        session.flags.set(ClientFlags::PENDING_WRITE, false);
        bytes
    }

    /// What a client has received since it was last asked.
    pub fn replies(&mut self, client: ClientKey) -> Vec<Reply> {
        let bytes = self.take_output(client);
        let mut reader = ReplyReader::new();
        reader.feed(&bytes);
        let mut replies = Vec::new();
        while let Some(reply) = reader.next_reply().expect("well-formed replies") {
            replies.push(reply);
        }
        assert!(reader.is_between_replies() && reader.unread().is_empty(), "a reply is sent as a whole");
        replies
    }

    /// What goes to the append-only file and to replicas since this was last asked (the first time turns it
    /// on), one command a string, as typed.
    pub fn propagated(&mut self) -> Vec<String> {
        self.server.keyspace.effects.recording = true;
        let mut reader = ReplyReader::new();
        reader.feed(&self.server.state.feed.take().bytes);
        let mut commands = Vec::new();
        while let Some(command) = reader.next_reply().expect("well-formed commands") {
            let Reply::Array(words) = command else { panic!("a command is an array") };
            let words: Vec<String> = words.iter().map(|word| word.to_string().trim_matches('"').to_string()).collect();
            commands.push(words.join(" "));
        }
        commands
    }

    /// Sends one request and gives its only reply; nothing if there is none yet.
    #[track_caller]
    pub fn ask(&mut self, client: ClientKey, line: &str) -> String {
        self.send(client, line);
        let mut replies = self.received(client);
        let reply = replies.pop().unwrap_or_default();
        assert!(replies.is_empty(), "{line} has more than one reply: {replies:?} and {reply}");
        reply
    }
}

/// A request in wire form from a line as typed in redis-cli.
pub fn request(line: &str) -> Vec<u8> {
    let words = text::split_arguments(line.as_bytes()).expect("balanced quotes in a test");
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(&word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Runs a script of request and reply in RESP2, and sees to it that RESP3 says the same in its own shapes.
#[track_caller]
pub fn check(script: &[(&str, &str)]) {
    check_with(&[], script);
}

/// As [`check`], on a server with directives.
#[track_caller]
pub fn check_with(directives: &[(&str, &str)], script: &[(&str, &str)]) {
    run_script(directives, script, Protocol::Resp2);
    compare_protocols(directives, script);
}

/// As [`check_with`], where RESP3 says something else.
#[track_caller]
pub fn check2_with(directives: &[(&str, &str)], script: &[(&str, &str)]) {
    run_script(directives, script, Protocol::Resp2);
}

/// As [`check`], in RESP3 alone.
#[track_caller]
pub fn check3(script: &[(&str, &str)]) {
    run_script(&[], script, Protocol::Resp3);
}

#[track_caller]
fn run_script(directives: &[(&str, &str)], script: &[(&str, &str)], protocol: Protocol) {
    let mut world = World::with(directives);
    let client = world.connect();
    let mut oracle = directives.is_empty().then(Oracle::from_env).flatten();
    world.server.state.clients[client].protocol = protocol;
    if protocol == Protocol::Resp3
        && let Some(oracle) = &mut oracle
    {
        oracle.ask("HELLO 3");
    }
    for (line, expected) in script {
        let got = world.ask(client, line);
        assert_eq!(got, *expected, "reply to {line}");
        if let Some(oracle) = &mut oracle {
            assert_eq!(oracle.ask(line), *expected, "the real server's reply to {line}");
        }
    }
}

/// Two servers, one asked in RESP2 and one in RESP3, have the same things to say, however they are nested.
#[track_caller]
fn compare_protocols(directives: &[(&str, &str)], script: &[(&str, &str)]) {
    let [mut two, mut three] = [Protocol::Resp2, Protocol::Resp3].map(|protocol| {
        let mut world = World::with(directives);
        let client = world.connect();
        world.server.state.clients[client].protocol = protocol;
        (world, client)
    });
    for (line, _) in script {
        let [said_in_two, said_in_three] = [&mut two, &mut three].map(|(world, client)| {
            world.send(*client, line);
            let mut said = Vec::new();
            world.replies(*client).iter().for_each(|reply| what_it_says(reply, &mut said));
            said
        });
        assert_eq!(said_in_three, said_in_two, "in RESP3 and in RESP2: {line}");
    }
}

/// The parts of a reply that hold others no more, as RESP2 writes them.
fn what_it_says(reply: &Reply, said: &mut Vec<String>) {
    match reply {
        Reply::Array(all) | Reply::Set(all) | Reply::Push(all) => all.iter().for_each(|part| what_it_says(part, said)),
        Reply::Map(all) => all.iter().flat_map(|(name, value)| [name, value]).for_each(|part| what_it_says(part, said)),
        Reply::Attribute(_, reply) => what_it_says(reply, said),
        Reply::Double(text) | Reply::Verbatim(_, text) | Reply::BigNumber(text) => said.push(Reply::Bulk(text.clone()).to_string()),
        Reply::Boolean(value) => said.push(Reply::Integer(i64::from(*value)).to_string()),
        Reply::NullBulk | Reply::NullArray | Reply::Null => said.push(Reply::Null.to_string()),
        other => said.push(other.to_string()),
    }
}

/// Runs a conversation of several clients. A line at the margin is a request, the client's name first;
/// the indented lines below it are what clients receive because of it, each with its client's name, in
/// order for each client, `(any)` if it does not matter and a last `(closed)` if its connection is ended. `{a}` is the number of
/// client a. A request `(closes)` ends the connection.
#[track_caller]
pub fn converse(script: &str) {
    converse_with(&[], script);
}

/// As [`converse`], on a server with directives.
#[track_caller]
pub fn converse_with(directives: &[(&str, &str)], script: &str) {
    let mut talk = Conversation::new(directives);
    let mut lines = script.lines().filter(|line| !line.trim().is_empty()).peekable();
    while let Some(line) = lines.next() {
        let (name, text) = line.split_once(' ').expect("a client's name and a request");
        assert!(!name.is_empty(), "a request stands at the margin: {line}");
        talk.request(name, text.trim());
        let mut expected = Vec::new();
        while let Some(reply) = lines.next_if(|line| line.starts_with(' ')) {
            let (name, reply) = reply.trim().split_once(' ').expect("a client's name and a reply");
            expected.push((name.to_string(), talk.numbered(reply)));
        }
        talk.expect(line, &expected);
    }
}

struct Conversation {
    world: World,
    clients: BTreeMap<String, (ClientKey, Option<Oracle>)>,
}

impl Conversation {
    fn new(directives: &[(&str, &str)]) -> Conversation {
        if let Some(mut oracle) = Oracle::from_env() {
            for (name, value) in [("notify-keyspace-events", ""), ("tracking-table-max-keys", "1000000")].iter().chain(directives) {
                assert_eq!(oracle.ask(&format!("CONFIG SET {name} \"{value}\"")), "+OK", "{name}");
            }
        }
        Conversation { world: World::with(directives), clients: BTreeMap::new() }
    }

    fn request(&mut self, name: &str, text: &str) {
        if !self.clients.contains_key(name) {
            let client = (self.world.connect(), Oracle::connect());
            self.clients.insert(name.to_string(), client);
        }
        if text == "(closes)" {
            let (client, oracle) = self.clients.remove(name).expect("just there");
            self.world.server.closed(client);
            drop(oracle);
            return;
        }
        let ours = self.numbered(text);
        let theirs = self.numbered_there(text);
        let (client, oracle) = self.clients.get_mut(name).expect("just there");
        self.world.send(*client, &ours);
        if let Some(oracle) = oracle {
            oracle.stream.write_all(&request(&theirs)).expect("a live server");
        }
    }

    fn numbered(&self, text: &str) -> String {
        let mut text = text.to_string();
        for (name, (client, _)) in &self.clients {
            text = text.replace(&format!("{{{name}}}"), &self.world.server.state.clients[*client].id.to_string());
        }
        text
    }

    fn numbered_there(&self, text: &str) -> String {
        let mut text = text.to_string();
        for (name, (_, oracle)) in &self.clients {
            if let Some(oracle) = oracle {
                text = text.replace(&format!("{{{name}}}"), &oracle.id);
            }
        }
        text
    }

    #[track_caller]
    fn expect(&mut self, line: &str, expected: &[(String, String)]) {
        let ids: Vec<(String, String)> = self
            .clients
            .values()
            .filter_map(|(client, oracle)| Some((oracle.as_ref()?.id.clone(), self.world.server.state.clients[*client].id.to_string())))
            .collect();
        let mut closed = Vec::new();
        for (name, (client, oracle)) in &mut self.clients {
            let mut wanted: Vec<&str> = expected.iter().filter(|(other, _)| other == name).map(|(_, reply)| reply.as_str()).collect();
            let ends = wanted.pop_if(|reply| *reply == "(closed)").is_some();
            let received = self.world.received(*client);
            assert_eq!(self.world.is_closing(*client), ends, "whether {name} is closed after {line}");
            if ends {
                closed.push(name.clone());
            }
            if wanted != ["(any)"] {
                assert_eq!(received, wanted, "what {name} receives after {line}");
            }
            if let Some(oracle) = oracle {
                let there: Vec<String> = wanted
                    .iter()
                    .map(|_| {
                        let reply = oracle.next();
                        ids.iter().fold(reply, |reply, (theirs, ours)| reply.replace(&format!(":{theirs}"), &format!(":{ours}")))
                    })
                    .collect();
                if wanted != ["(any)"] {
                    assert_eq!(there, wanted, "what {name} receives from the real server after {line}");
                }
                assert!(!ends || oracle.is_closed(), "{name} is not closed by the real server after {line}");
            }
        }
        for name in closed {
            let (client, _) = self.clients.remove(&name).expect("just there");
            self.world.disconnect(client);
        }
    }
}

/// A real server that expectations are proven on.
struct Oracle {
    stream: TcpStream,
    reader: ReplyReader,
    /// Its number there.
    id: String,
}

impl Oracle {
    /// A connection to a server that is emptied first.
    fn from_env() -> Option<Oracle> {
        let mut oracle = Oracle::connect()?;
        for line in ["FLUSHALL", "ACL DELUSER u v", "ACL SETUSER default reset on nopass allkeys allchannels allcommands"] {
            oracle.ask(line);
        }
        Some(oracle)
    }

    fn connect() -> Option<Oracle> {
        let address = std::env::var("RUDDLE_ORACLE").ok()?;
        let stream = TcpStream::connect(address).expect("the server that RUDDLE_ORACLE names");
        stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("a timeout above zero");
        let mut oracle = Oracle { stream, reader: ReplyReader::new(), id: String::new() };
        oracle.id = oracle.ask("CLIENT ID").trim_start_matches(':').to_string();
        Some(oracle)
    }

    fn ask(&mut self, line: &str) -> String {
        self.stream.write_all(&request(line)).expect("a live server");
        self.next()
    }

    fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0))
    }

    fn next(&mut self) -> String {
        loop {
            if let Some(reply) = self.reader.next_reply().expect("well-formed replies") {
                return reply.to_string();
            }
            let mut chunk = [0; 65536];
            let count = self.stream.read(&mut chunk).expect("a live server");
            assert!(count > 0, "the real server closed the connection");
            self.reader.feed(&chunk[..count]);
        }
    }
}
