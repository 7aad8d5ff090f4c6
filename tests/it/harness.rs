//! One server without sockets, clients that type, and a clock that the test moves.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use ruddle::base::clock::{Micros, Monotonic, Now};
use ruddle::base::text;
use ruddle::config::Startup;
use ruddle::resp::Protocol;
use ruddle::resp::reader::ReplyReader;
use ruddle::server::client::{ClientKey, Peer};
use ruddle::server::turn::Inbound;
use ruddle::server::{Server, Stopwatch};

/// Unix milliseconds at which a test starts.
pub const START_MS: i64 = 1_700_000_000_000;

/// A server and its time.
pub struct World {
    pub server: Server,
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
            now_us: START_MS * 1000,
            unread: HashMap::new(),
        };
        world.tick();
        world
    }

    fn now(&self) -> Now {
        Now { unix: Micros(self.now_us), monotonic: Monotonic(u64::try_from(self.now_us - START_MS * 1000).expect("time goes on")) }
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
        let mut inbound = [Inbound { client, bytes: &bytes, fresh: fresh.len(), consumed: 0 }];
        let now = self.now();
        self.server.turn(now, &mut inbound);
        let consumed = inbound[0].consumed;
        if consumed < bytes.len() {
            self.unread.insert(client, bytes.split_off(consumed));
        }
    }

    /// Sends bytes as they are. What the server does not consume, of a parked client for instance, is
    /// kept until it does.
    pub fn send_raw(&mut self, client: ClientKey, bytes: &[u8]) {
        self.turn(client, bytes);
        self.run_runnable();
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
        let Some(session) = self.server.state.clients.get_mut(client) else { return Vec::new() };
        let mut bytes = Vec::new();
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
        session.flags.set(ruddle::server::client::ClientFlags::PENDING_WRITE, false);
        let mut reader = ReplyReader::new();
        reader.feed(&bytes);
        let mut replies = Vec::new();
        while let Some(reply) = reader.next_reply().expect("well-formed replies") {
            replies.push(reply.to_string());
        }
        replies
    }

    /// Sends one request and gives its reply (the first, if there are several).
    pub fn ask(&mut self, client: ClientKey, line: &str) -> String {
        self.send(client, line);
        self.received(client).into_iter().next().unwrap_or_default()
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

/// Runs a script of request and reply, in RESP2 and, if every reply is the same there, in RESP3.
#[track_caller]
pub fn check(script: &[(&str, &str)]) {
    check_with(&[], script);
}

/// As [`check`], on a server with directives.
#[track_caller]
pub fn check_with(directives: &[(&str, &str)], script: &[(&str, &str)]) {
    run_script(directives, script, false);
}

/// As [`check`], after HELLO 3.
#[track_caller]
pub fn check3(script: &[(&str, &str)]) {
    run_script(&[], script, true);
}

#[track_caller]
fn run_script(directives: &[(&str, &str)], script: &[(&str, &str)], resp3: bool) {
    let mut world = World::with(directives);
    let client = world.connect();
    let mut oracle = directives.is_empty().then(Oracle::from_env).flatten();
    if resp3 {
        world.server.state.clients[client].protocol = Protocol::Resp3;
        if let Some(oracle) = &mut oracle {
            oracle.ask("HELLO 3");
        }
    }
    for (line, expected) in script {
        let got = world.ask(client, line);
        assert_eq!(got, *expected, "reply to {line}");
        if let Some(oracle) = &mut oracle {
            assert_eq!(oracle.ask(line), *expected, "the real server's reply to {line}");
        }
    }
}

/// A real server that expectations are proven on.
struct Oracle {
    stream: TcpStream,
    reader: ReplyReader,
}

impl Oracle {
    fn from_env() -> Option<Oracle> {
        let address = std::env::var("RUDDLE_ORACLE").ok()?;
        let stream = TcpStream::connect(address).expect("the server that RUDDLE_ORACLE names");
        let mut oracle = Oracle { stream, reader: ReplyReader::new() };
        oracle.ask("FLUSHALL");
        Some(oracle)
    }

    fn ask(&mut self, line: &str) -> String {
        self.stream.write_all(&request(line)).expect("a live server");
        loop {
            if let Some(reply) = self.reader.next_reply().expect("well-formed replies") {
                return reply.to_string();
            }
            let mut chunk = [0; 65536];
            let count = self.stream.read(&mut chunk).expect("a live server");
            assert!(count > 0, "the real server closed the connection after {line}");
            self.reader.feed(&chunk[..count]);
        }
    }
}
