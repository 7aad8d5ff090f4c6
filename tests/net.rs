//! The reactor with real sockets: on the loopback, on ports that the kernel chose, in this process.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ruddle::base::clock;
use ruddle::config::{self, Disk, Startup};
use ruddle::net::listener::{self, Listener};
use ruddle::net::reactor::Reactor;
use ruddle::net::{process, stopwatch};
use ruddle::server::Server;
use ruddle::server::client::Peer;

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a thread of its own; stopped when dropped.
struct Running {
    port: u16,
    metrics_port: u16,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn with(directives: &[(&str, &str)]) -> Running {
        let mut arguments: Vec<Vec<u8>> = vec![b"--port".to_vec(), b"0".to_vec()];
        for (name, value) in directives {
            arguments.extend([format!("--{name}").into_bytes(), value.as_bytes().to_vec()]);
        }
        let config = match config::start(&arguments, &Disk) {
            Ok(Startup::Serve(config)) => *config,
            Ok(_) => panic!("directives only"),
            Err(error) => panic!("{error}"),
        };
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        tcp.set_nonblocking(true).expect("a socket's flag");
        let port = tcp.local_addr().expect("a bound socket").port();
        let mut listeners = vec![Listener::Tcp(mio::net::TcpListener::from_std(tcp))];
        if !config.unixsocket.is_empty() {
            listeners.extend(listener::open(&config).expect("a Unix socket"));
        }
        let metrics = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        metrics.set_nonblocking(true).expect("a socket's flag");
        let metrics_port = metrics.local_addr().expect("a bound socket").port();
        let thread = std::thread::spawn(move || {
            let mut server = Server::new(config, ruddle::command::registry(), 1, clock::now(), stopwatch::best());
            server.state.host = process::host();
            let mut reactor = Reactor::new(server, listeners).expect("a poll");
            reactor.serve_metrics(vec![Listener::Tcp(mio::net::TcpListener::from_std(metrics))]).expect("a poll");
            reactor.run().expect("the loop");
        });
        Running { port, metrics_port, thread: Some(thread) }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a listening server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket's option");
        stream.set_nodelay(true).expect("a socket's option");
        Client(stream)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let thread = self.thread.take().expect("stopped once");
        // a server that is full refuses the first tries, until it has seen the test's clients leave
        while !thread.is_finished() {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                // the one password that tests use; without one it is an error that nobody minds
                let _ = stream.write_all(b"AUTH secret\r\nSHUTDOWN NOSAVE\r\n").and_then(|()| stream.read_to_end(&mut Vec::new()));
            }
        }
        thread.join().expect("the server ended without a panic");
    }
}

struct Client(TcpStream);

impl Client {
    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.0.read_exact(&mut byte).expect("more to read");
        byte[0]
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the server reads");
    }

    /// Reads exactly these bytes.
    #[track_caller]
    fn expect(&mut self, bytes: &[u8]) {
        let mut got = vec![0; bytes.len()];
        self.0.read_exact(&mut got).expect("a reply");
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(bytes));
    }

    /// Reads until the server closes.
    fn rest(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        match self.0.read_to_end(&mut got) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server neither answers nor closes: {error}"),
        }
        got
    }
}

fn bulk(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[test]
fn a_pipeline_may_arrive_in_any_pieces() {
    let server = Running::with(&[]);
    let mut client = server.connect();
    let mut requests = Vec::new();
    let mut replies = Vec::new();
    for i in 0..200 {
        let (key, value) = (format!("k{i}"), format!("v{i}"));
        requests.extend(bulk(&[b"SET", key.as_bytes(), value.as_bytes()]));
        requests.extend(bulk(&[b"GET", key.as_bytes()]));
        replies.extend_from_slice(format!("+OK\r\n${}\r\n{value}\r\n", value.len()).as_bytes());
    }
    for size in [1, 7, 100, 1_000_000] {
        for piece in requests.chunks(size) {
            client.send(piece);
        }
        client.expect(&replies);
    }
}

#[test]
fn a_large_value_comes_back_whole() {
    let server = Running::with(&[]);
    let mut client = server.connect();
    let value: Vec<u8> = (0..20_000_000u32).map(|i| (i % 251) as u8).collect();
    client.send(&bulk(&[b"SET", b"big", &value]));
    client.expect(b"+OK\r\n");
    client.send(&bulk(&[b"GET", b"big"]));
    client.expect(format!("${}\r\n", value.len()).as_bytes());
    let mut got = vec![0; value.len() + 2];
    client.0.read_exact(&mut got).expect("the value");
    assert!(got[..value.len()] == value[..]);
}

#[test]
fn what_is_not_the_protocol_ends_only_that_connection() {
    let server = Running::with(&[("client-query-buffer-limit", "1mb")]);
    let mut neighbour = server.connect();
    let cases: [(&[u8], &str); 7] = [
        (b"*2\r\n$4\r\nPING\r\n$-2\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n$9223372036854775808\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n$629145600\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*9223372036854775808\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n$4\r\nPINGxxyy\r\n", "+PONG\r\n"),
        (b"*1\r\n+OK\r\n", "-ERR Protocol error: expected '$', got '+'\r\n"),
        (b"SET \"unbalanced\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
    ];
    for (input, reply) in cases {
        let mut client = server.connect();
        client.send(input);
        client.0.shutdown(Shutdown::Write).expect("a half-closed socket");
        assert!(String::from_utf8_lossy(&client.rest()).starts_with(reply), "{input:?}");
        neighbour.send(b"PING\r\n");
        neighbour.expect(b"+PONG\r\n");
    }
}

#[test]
fn an_endless_request_is_cut_at_the_query_buffer_limit() {
    let server = Running::with(&[("client-query-buffer-limit", "1mb")]);
    let mut neighbour = server.connect();
    let mut client = server.connect();
    let chunk = vec![b'x'; 256 * 1024];
    client.send(b"*2\r\n$3\r\nGET\r\n$100000000\r\n");
    let started = Instant::now();
    while client.0.write_all(&chunk).is_ok() {
        assert!(started.elapsed() < PATIENCE, "the server takes it all");
    }
    neighbour.send(b"PING\r\n");
    neighbour.expect(b"+PONG\r\n");
}

#[test]
fn a_client_that_never_reads_is_cut_at_its_output_limit() {
    let server = Running::with(&[("client-output-buffer-limit", "normal 1mb 0 0")]);
    let mut neighbour = server.connect();
    let value = vec![b'x'; 1_000_000];
    neighbour.send(&bulk(&[b"SET", b"k", &value]));
    neighbour.expect(b"+OK\r\n");
    let mut client = server.connect();
    let started = Instant::now();
    while client.0.write_all(&bulk(&[b"GET", b"k"])).is_ok() {
        assert!(started.elapsed() < PATIENCE, "the server buffers without end");
    }
    neighbour.send(b"PING\r\n");
    neighbour.expect(b"+PONG\r\n");
}

#[test]
fn clients_beyond_maxclients_are_told_so() {
    let server = Running::with(&[("maxclients", "3")]);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(b"PING\r\n");
        client.expect(b"+PONG\r\n");
    }
    let mut one_more = server.connect();
    assert_eq!(one_more.rest(), b"-ERR max number of clients reached\r\n");
    // one goes, another may come
    clients.pop();
    let started = Instant::now();
    loop {
        let mut next = server.connect();
        if next.0.write_all(b"PING\r\n").is_ok() && next.0.read_exact(&mut [0; 7]).is_ok() && next.0.write_all(b"PING\r\n").is_ok() {
            let mut reply = [0; 7];
            if next.0.read_exact(&mut reply).is_ok() && &reply == b"+PONG\r\n" {
                break;
            }
        }
        assert!(started.elapsed() < PATIENCE, "no room after a client left");
    }
}

#[test]
fn a_client_that_hangs_up_leaves_nothing_behind() {
    let server = Running::with(&[]);
    for _ in 0..200 {
        let mut client = server.connect();
        client.send(b"*3\r\n$3\r\nSET\r\n");
    }
    let mut client = server.connect();
    let started = Instant::now();
    loop {
        client.send(b"*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n");
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            client.0.read_exact(&mut byte).expect("a reply");
            line.push(byte[0]);
        }
        let length: usize = String::from_utf8_lossy(&line[1..line.len() - 2]).parse().expect("a bulk reply");
        let mut body = vec![0; length + 2];
        client.0.read_exact(&mut body).expect("the list");
        if body.iter().filter(|&&b| b == b'\n').count() == 2 {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "clients that are gone stay listed");
    }
}

#[test]
fn the_unix_socket_serves_as_well() {
    let path = std::env::temp_dir().join(format!("ruddle-test-{}.sock", std::process::id()));
    let server = Running::with(&[("unixsocket", path.to_str().expect("a path of ASCII")), ("unixsocketperm", "700")]);
    let mut stream = UnixStream::connect(&path).expect("a listening socket");
    stream.write_all(b"PING\r\n").expect("the server reads");
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).expect("a reply");
    assert_eq!(&reply, b"+PONG\r\n");
    drop(server);
    let _ = std::fs::remove_file(&path);
}

#[test]
fn a_unix_socket_path_that_is_a_folder_is_an_error() {
    let folder = std::env::temp_dir();
    let arguments = [b"--port".to_vec(), b"0".to_vec(), b"--unixsocket".to_vec(), folder.to_str().expect("ASCII").as_bytes().to_vec()];
    let Ok(Startup::Serve(config)) = config::start(&arguments, &Disk) else { panic!("directives only") };
    let error = listener::open(&config).err().expect("a folder is no socket");
    assert!(error.starts_with("Failed opening Unix socket: bind:"), "{error}");
}

/// A port that is free now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("a bound socket").port()
}

fn config_set(words: &[&[u8]]) -> Vec<u8> {
    let words: Vec<&[u8]> = [b"CONFIG".as_slice(), b"SET"].iter().chain(words).copied().collect();
    bulk(&words)
}

#[test]
fn the_port_changes_while_the_server_runs() {
    let mut server = Running::with(&[("bind", "127.0.0.1")]);
    let mut client = server.connect();
    let port = free_port();
    // a pipeline goes on behind the change, and the connection stays
    client.send(&config_set(&[b"port", port.to_string().as_bytes()]));
    client.send(b"CONFIG GET port\r\n");
    client.expect(format!("+OK\r\n*2\r\n$4\r\nport\r\n${}\r\n{port}\r\n", port.to_string().len()).as_bytes());
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err(), "the old port is closed");
    server.port = port;
    let mut other = server.connect();
    other.send(b"PING\r\n");
    other.expect(b"+PONG\r\n");
}

#[test]
fn sockets_that_cannot_be_had_leave_everything_as_it_was() {
    let server = Running::with(&[("bind", "127.0.0.1")]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|address| (address.port().to_string(), taken)).expect("a bound socket");
    let mut client = server.connect();
    let port_error =
        b"-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.\r\n";
    client.send(&config_set(&[b"port", taken.0.as_bytes(), b"timeout", b"77"]));
    client.expect(port_error);
    let free = free_port().to_string();
    client.send(&config_set(&[b"port", free.as_bytes(), b"bind", b"999.999.999.999"]));
    client.expect(port_error);
    client.send(&config_set(&[b"bind", b"999.999.999.999", b"port", free.as_bytes()]));
    client.expect(b"-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n");
    client.send(b"CONFIG GET timeout bind port\r\n");
    client.expect(b"*6\r\n$7\r\ntimeout\r\n$1\r\n0\r\n$4\r\nbind\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$1\r\n0\r\n");
    let mut other = server.connect();
    other.send(b"PING\r\n");
    other.expect(b"+PONG\r\n");
}

#[test]
fn sockets_are_not_changed_within_a_transaction() {
    let server = Running::with(&[]);
    let mut client = server.connect();
    client.send(b"MULTI\r\n");
    client.send(&config_set(&[b"port", b"7"]));
    client.send(b"EXEC\r\n");
    client.expect(
        b"+OK\r\n+QUEUED\r\n*1\r\n-ERR CONFIG SET failed (possibly related to argument 'port') - sockets are not opened within a transaction\r\n",
    );
    let mut other = server.connect();
    other.send(b"PING\r\n");
    other.expect(b"+PONG\r\n");
}

#[test]
fn more_clients_than_descriptors_are_refused_with_the_number_that_fits() {
    let server = Running::with(&[]);
    let mut client = server.connect();
    client.send(&config_set(&[b"maxclients", b"4000000000"]));
    client.expect(
        b"-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to handle the specified number of clients, try with ",
    );
    while client.byte() != b'\n' {}
    client.send(b"CONFIG GET maxclients\r\n");
    client.expect(b"*2\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n");
}

#[test]
fn an_empty_bind_closes_the_port_and_another_one_opens_it() {
    let mut server = Running::with(&[("bind", "127.0.0.1")]);
    let mut client = server.connect();
    let port = free_port();
    client.send(&config_set(&[b"bind", b"", b"port", port.to_string().as_bytes()]));
    client.expect(b"+OK\r\n");
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    client.send(&config_set(&[b"bind", b"127.0.0.1 -192.0.2.1"]));
    client.expect(b"+OK\r\n");
    server.port = port;
    let mut other = server.connect();
    other.send(b"PING\r\n");
    other.expect(b"+PONG\r\n");
}

#[test]
fn all_that_was_sent_before_a_half_close_is_executed() {
    // before the password, and after quotes, the server takes one request at a time
    let server = Running::with(&[("requirepass", "secret")]);
    let mut client = server.connect();
    client.send(b"AUTH secret\r\nSET \"a key\" 1\r\nINCR 'a key'\r\nINCR \"a key\"\r\nGET nothing\r\nPING\r\n");
    client.0.shutdown(Shutdown::Write).expect("a half-closed socket");
    assert_eq!(client.rest(), b"+OK\r\n+OK\r\n:2\r\n:3\r\n$-1\r\n+PONG\r\n");
    let mut client = server.connect();
    client.send(b"AUTH secret\r\n");
    client.expect(b"+OK\r\n");
    client.send(b"SHUTDOWN NOSAVE\r\n");
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_flood_behind_a_blocking_command_runs_when_it_ends() {
    let server = Running::with(&[]);
    let (mut blocked, mut neighbour) = (server.connect(), server.connect());
    blocked.send(&bulk(&[b"BLPOP", b"k", b"0"]));
    let value = vec![b'x'; 1_000];
    let requests = 5_000;
    let flood: Vec<u8> = (0..requests).flat_map(|_| bulk(&[b"APPEND", b"log", &value])).collect();
    blocked.send(&flood);
    neighbour.send(b"STRLEN log\r\n");
    neighbour.expect(b":0\r\n");
    neighbour.send(&bulk(&[b"RPUSH", b"k", b"v"]));
    neighbour.expect(b":1\r\n");
    blocked.0.shutdown(Shutdown::Write).expect("a half-closed socket");
    blocked.expect(b"*2\r\n$1\r\nk\r\n$1\r\nv\r\n");
    for i in 1..=requests {
        blocked.expect(format!(":{}\r\n", i * value.len()).as_bytes());
    }
    assert_eq!(blocked.rest(), b"");
    neighbour.send(b"STRLEN log\r\n");
    neighbour.expect(format!(":{}\r\n", requests * value.len()).as_bytes());
}

#[test]
fn blocking_commands_in_a_pipeline_wait_one_after_the_other() {
    let server = Running::with(&[]);
    let (mut blocked, mut neighbour) = (server.connect(), server.connect());
    let rounds = 2_000;
    let pipeline: Vec<u8> = (0..rounds).flat_map(|_| bulk(&[b"BLPOP", b"k", b"0"])).collect();
    blocked.send(&pipeline);
    for i in 0..rounds {
        neighbour.send(&bulk(&[b"RPUSH", b"k", i.to_string().as_bytes()]));
    }
    for i in 0..rounds {
        let i = i.to_string();
        blocked.expect(format!("*2\r\n$1\r\nk\r\n${}\r\n{i}\r\n", i.len()).as_bytes());
    }
}

#[test]
fn long_requests_of_many_words_and_short_ones_behind_them() {
    let server = Running::with(&[]);
    let mut client = server.connect();
    let words: Vec<Vec<u8>> = (0..60_000).map(|i| format!("member:{i}").into_bytes()).collect();
    let mut request: Vec<&[u8]> = vec![b"SADD", b"s"];
    request.extend(words.iter().map(Vec::as_slice));
    let mut input = Vec::new();
    for _ in 0..3 {
        input.extend(bulk(&[b"DEL", b"s"]));
        input.extend(bulk(&request));
        input.extend(b"PING\r\n".repeat(20_000));
    }
    let mut sender = client.0.try_clone().expect("a second handle");
    let thread = std::thread::spawn(move || sender.write_all(&input).expect("the server reads"));
    for round in 0..3 {
        client.expect(if round == 0 { b":0\r\n:60000\r\n" } else { b":1\r\n:60000\r\n" });
        client.expect(&b"+PONG\r\n".repeat(20_000));
    }
    thread.join().expect("all was sent");
}

#[test]
fn a_subscriber_that_floods_is_answered_and_disturbs_nobody() {
    let server = Running::with(&[]);
    let (mut subscriber, mut neighbour) = (server.connect(), server.connect());
    subscriber.send(b"SUBSCRIBE c\r\n");
    subscriber.expect(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    let mut sender = subscriber.0.try_clone().expect("a second handle");
    let thread = std::thread::spawn(move || sender.write_all(&b"GET k\r\n".repeat(20_000)).expect("the server reads"));
    neighbour.send(b"PUBLISH d x\r\nPING\r\n");
    neighbour.expect(b":0\r\n+PONG\r\n");
    let refusal = "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n";
    for _ in 0..20_000 {
        subscriber.expect(refusal.as_bytes());
    }
    thread.join().expect("all was sent");
}

#[test]
fn many_subscribers_get_every_message_in_order() {
    let server = Running::with(&[]);
    let mut publisher = server.connect();
    let mut subscribers: Vec<Client> = (0..300).map(|_| server.connect()).collect();
    for subscriber in &mut subscribers {
        subscriber.send(b"SUBSCRIBE c\r\n");
        subscriber.expect(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    }
    let messages: Vec<String> = (0..50).map(|i| format!("message {i} {}", "x".repeat(i * 100))).collect();
    for text in &messages {
        publisher.send(&bulk(&[b"PUBLISH", b"c", text.as_bytes()]));
        publisher.expect(b":300\r\n");
    }
    let expected: Vec<u8> = messages.iter().flat_map(|text| bulk(&[b"message", b"c", text.as_bytes()])).collect();
    for subscriber in &mut subscribers {
        subscriber.expect(&expected);
    }
    // what the server says last, it says to all
    publisher.send(b"PUBLISH c last\r\nSHUTDOWN NOSAVE\r\n");
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.rest(), bulk(&[b"message", b"c", b"last"]));
    }
}

#[test]
fn strange_first_lines() {
    let server = Running::with(&[]);
    for attack in [b"POST / HTTP/1.1\r\n".as_slice(), b"Host: example.org\r\n", b"post\r\n"] {
        let mut client = server.connect();
        client.send(attack);
        assert_eq!(client.rest(), b"", "{}", String::from_utf8_lossy(attack));
    }
    let mut client = server.connect();
    client.send(&bulk(&[b"PI\0NG", b"a\0b"]));
    client.expect(b"-ERR unknown command 'PI', with args beginning with: 'a' \r\n");
    client.send(b"GET / HTTP/1.1\r\n");
    client.expect(b"-ERR wrong number of arguments for 'get' command\r\n");
    // an inline request beyond its limit, with and without an end
    for end in [b"\r\n".as_slice(), b""] {
        let mut client = server.connect();
        client.send(&[&vec![b'a'; 70 * 1024], end].concat());
        assert_eq!(client.rest(), b"-ERR Protocol error: too big inline request\r\n");
    }
}

#[test]
fn what_follows_quit_is_not_kept() {
    let server = Running::with(&[("client-query-buffer-limit", "1mb")]);
    let mut client = server.connect();
    client.send(b"QUIT\r\nSET k v\r\n");
    assert_eq!(client.rest(), b"+OK\r\n");
    let mut client = server.connect();
    client.send(b"EXISTS k\r\n");
    client.expect(b":0\r\n");
}

#[test]
fn strangers_are_turned_away_until_there_is_a_password() {
    let Ok(Startup::Serve(config)) = config::start(&[], &Disk) else { panic!("the defaults") };
    let mut server = Server::new(*config, ruddle::command::registry(), 1, clock::now(), stopwatch::best());
    let stranger = |unix_socket| Peer { address: "192.0.2.1:5".into(), unix_socket, ..Peer::default() };
    let refusal = server.connected(0, stranger(false)).expect_err("protected mode");
    assert!(refusal.starts_with(b"-DENIED ") && refusal.ends_with(b"\r\n"));
    assert!(server.connected(1, stranger(true)).is_ok());
    assert!(server.connected(2, Peer { loopback: true, ..stranger(false) }).is_ok());
    for (password, is_taken) in [("secret", true), ("", false)] {
        server.state.config.requirepass = password.into();
        server.state.apply_config(&mut server.keyspace);
        assert_eq!(server.connected(3, stranger(false)).is_ok(), is_taken);
    }
    server.state.config.protected_mode = false;
    assert!(server.connected(4, stranger(false)).is_ok());
}

#[test]
fn keys_travel_between_two_servers_and_a_dead_end_is_told() {
    let (here, there) = (Running::with(&[]), Running::with(&[("requirepass", "secret")]));
    let port = there.port.to_string();
    let mut client = here.connect();
    let large = vec![b'x'; 3 << 20];
    client.send(&bulk(&[b"SET", b"small", b"1"]));
    client.send(&bulk(&[b"SET", b"large", &large]));
    client.expect(b"+OK\r\n+OK\r\n");
    client.send(&bulk(&[b"MIGRATE", b"127.0.0.1", port.as_bytes(), b"small", b"0", b"5000"]));
    client.expect(b"-ERR Target instance replied with error: NOAUTH Authentication required.\r\n");
    let words: [&[u8]; 11] =
        [b"MIGRATE", b"127.0.0.1", port.as_bytes(), b"", b"1", b"5000", b"AUTH", b"secret", b"KEYS", b"small", b"large"];
    client.send(&bulk(&words));
    client.send(&bulk(&[b"DBSIZE"]));
    client.expect(b"+OK\r\n:0\r\n");
    let mut other = there.connect();
    for words in [&[&b"AUTH"[..], b"secret"][..], &[b"SELECT", b"1"], &[b"STRLEN", b"large"], &[b"GET", b"small"]] {
        other.send(&bulk(words));
    }
    other.expect(b"+OK\r\n+OK\r\n:3145728\r\n$1\r\n1\r\n");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("a bound socket").port();
    client.send(&bulk(&[b"SET", b"k", b"v"]));
    client.send(&bulk(&[b"MIGRATE", b"127.0.0.1", closed.to_string().as_bytes(), b"k", b"0", b"5000"]));
    client.expect(b"+OK\r\n-IOERR error or timeout writing to target instance\r\n");
}

#[test]
fn a_server_that_talks_without_end_is_hung_up_on() {
    let server = Running::with(&[]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound socket").port().to_string();
    let chatter = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        while stream.write_all(&[b'x'; 1 << 16]).is_ok() {}
    });
    let mut client = server.connect();
    client.send(&bulk(&[b"SET", b"k", b"v"]));
    client.send(&bulk(&[b"MIGRATE", b"127.0.0.1", port.as_bytes(), b"k", b"0", b"5000"]));
    client.expect(b"+OK\r\n-IOERR error or timeout reading to target instance\r\n");
    chatter.join().expect("it was hung up on");
    client.send(b"EXISTS k\r\n");
    client.expect(b":1\r\n");
}

/// The text of a bulk reply to a request.
fn ask_text(client: &mut Client, words: &[&[u8]]) -> String {
    client.send(&bulk(words));
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(client.byte());
    }
    let length: usize = String::from_utf8_lossy(&line[1..line.len() - 2]).parse().expect("a bulk reply");
    let mut body = vec![0; length + 2];
    client.0.read_exact(&mut body).expect("the text");
    String::from_utf8_lossy(&body).into_owned()
}

/// A number of a line of INFO: `name:...,field=number`.
fn figure(info: &str, name: &str, field: &str) -> f64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_else(|| panic!("{name} in {info}"));
    let found = line.split(',').find_map(|part| part.strip_prefix(field)?.strip_prefix('='));
    found.unwrap_or(line).parse().unwrap_or_else(|_| panic!("{name} {field} in {line}"))
}

#[test]
fn a_command_that_holds_the_loop_shows_in_its_neighbours_service_time_and_is_named() {
    let server = Running::with(&[("enable-debug-command", "yes")]);
    let (mut sleeper, mut neighbour) = (server.connect(), server.connect());
    neighbour.send(b"SET k v\r\nGET k\r\n");
    neighbour.expect(b"+OK\r\n$1\r\nv\r\n");
    sleeper.send(b"CLIENT SETNAME sleeper\r\n");
    sleeper.expect(b"+OK\r\n");
    let started = Instant::now();
    let info = loop {
        neighbour.send(b"CONFIG RESETSTAT\r\n");
        neighbour.expect(b"+OK\r\n");
        sleeper.send(b"DEBUG SLEEP 0.1\r\n");
        // it arrives while the loop is held, or in the same turn, unless this thread is kept waiting meanwhile
        neighbour.send(b"GET k\r\n");
        neighbour.expect(b"$1\r\nv\r\n");
        sleeper.expect(b"+OK\r\n");
        let info = ask_text(&mut neighbour, &[b"INFO", b"everything"]);
        let execution = figure(&info, "latency_percentiles_usec_get", "p99");
        // the host may take the processor away within a GET as well, though not each time
        if figure(&info, "service_percentiles_usec_get", "p99") >= 95_000.0 && execution < 1_000.0 {
            break info;
        }
        assert!(started.elapsed() < PATIENCE, "no neighbour feels it: {info}");
    };
    assert!(figure(&info, "service_percentiles_usec_get", "queue_p99") >= 94_000.0);
    let stall = info.lines().find(|line| line.starts_with("stall0:")).expect("a stall");
    assert!(stall.contains("culprit=debug,") && stall.contains("name=sleeper"), "{stall}");
    assert!(figure(&info, "stall0", "culprit_usec") >= 95_000.0, "{stall}");
    neighbour.send(&bulk(&[b"LATENCY", b"STALLS", b"1"]));
    neighbour.expect(b"*1\r\n*16\r\n$2\r\nid\r\n:");
}

#[test]
fn what_waits_behind_a_blocking_command_has_waited_since_it_came_and_the_wait_itself_is_no_service() {
    let server = Running::with(&[]);
    let (mut blocked, mut neighbour) = (server.connect(), server.connect());
    blocked.send(&[bulk(&[b"BLPOP", b"k", b"0"]), b"ECHO x\r\n".to_vec()].concat());
    let started = Instant::now();
    while figure(&ask_text(&mut neighbour, &[b"INFO", b"clients"]), "blocked_clients", "") < 1.0 {
        assert!(started.elapsed() < PATIENCE, "it never waits");
    }
    let known_to_wait = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    let waited = known_to_wait.elapsed().as_micros() as f64;
    neighbour.send(&bulk(&[b"RPUSH", b"k", b"v"]));
    neighbour.expect(b":1\r\n");
    blocked.expect(b"*2\r\n$1\r\nk\r\n$1\r\nv\r\n$1\r\nx\r\n");
    let info = ask_text(&mut neighbour, &[b"INFO", b"servicestats"]);
    let echo = figure(&info, "service_percentiles_usec_echo", "max");
    let blpop = figure(&info, "service_percentiles_usec_blpop", "max");
    // both came together and left together: what lies between them is the wait
    assert!(echo >= waited && echo - blpop >= 0.9 * waited, "{waited} microseconds: {info}");
}

#[test]
fn what_follows_a_login_in_the_same_packet_is_executed() {
    let server = Running::with(&[("requirepass", "secret")]);
    let mut client = server.connect();
    client.send(&[bulk(&[b"AUTH", b"secret"]), bulk(&[b"SELECT", b"1"]), bulk(&[b"SET", b"k", b"v"])].concat());
    client.expect(b"+OK\r\n+OK\r\n+OK\r\n");
}

/// A visitor of the metrics port.
fn visit(server: &Running, request: &[u8]) -> String {
    let mut visitor = Client(TcpStream::connect(("127.0.0.1", server.metrics_port)).expect("a listening server"));
    visitor.0.set_read_timeout(Some(PATIENCE)).expect("a socket's option");
    visitor.send(request);
    String::from_utf8(visitor.rest()).expect("text")
}

#[test]
fn the_metrics_port_serves_counters_and_the_page_beside_the_clients() {
    let server = Running::with(&[]);
    let mut client = server.connect();
    client.send(b"SET user:1 x\r\nGET user:1\r\nGET nothing\r\nLPUSH user:1 x\r\n");
    client.expect(b"+OK\r\n$1\r\nx\r\n$-1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    let metrics = visit(&server, b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{metrics}");
    for line in [
        "redis_up 1",
        "redis_connected_clients 1",
        "redis_commands_total{cmd=\"get\"} 2",
        "redis_commands_failed_calls_total{cmd=\"lpush\"} 1",
        "redis_errors_total{err=\"WRONGTYPE\"} 1",
        "redis_db_keys{db=\"db0\"} 1",
        "redis_keyspace_hits_total 1",
        "redis_keyspace_misses_total 1",
        "redis_connected_slaves 0",
        "redis_master_repl_offset 0",
        "ruddle_service_time_seconds_count{cmd=\"get\"} 2",
        "ruddle_service_time_seconds_bucket{cmd=\"get\",le=\"+Inf\"} 2",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} in {metrics}");
    }
    assert!(metrics.lines().any(|line| line.starts_with("ruddle_stalls_total ")), "{metrics}");
    assert!(metrics.contains("ruddle_hot_key_ops_per_second{db=\"db0\",key=\"user:1\"} "), "{metrics}");
    let page = visit(&server, b"GET / HTTP/1.0\r\n\r\n");
    assert!(page.contains("<title>Ruddle</title>") && page.ends_with("</html>\n"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing comes from elsewhere");
    let status = visit(&server, b"GET /status.json HTTP/1.0\r\n\r\n");
    assert!(status.contains("\"keys\":[{\"label\":\"user:1\",\"tag\":0,"), "{status}");
    client.send(b"GET user:1\r\n");
    client.expect(b"$1\r\nx\r\n");
}

#[test]
fn visitors_may_be_slow_many_and_rude_but_not_a_burden() {
    let server = Running::with(&[]);
    let mut client = server.connect();
    // in pieces, one behind the other, and kept open
    let mut patient = Client(TcpStream::connect(("127.0.0.1", server.metrics_port)).expect("a listening server"));
    patient.0.set_read_timeout(Some(PATIENCE)).expect("a socket's option");
    for piece in [&b"GET /nothing HT"[..], b"TP/1.1\r\nHost: local", b"host\r\n\r\nGET /nothing HTTP/1.1\r\n\r\n"] {
        patient.send(piece);
    }
    for _ in 0..2 {
        let mut head = Vec::new();
        while !head.ends_with(b"404 Not Found\n") {
            head.push(patient.byte());
        }
        assert!(head.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    }
    // many requests at once
    let eager = [&b"GET /nothing HTTP/1.1\r\n\r\n".repeat(9)[..], b"GET /nothing HTTP/1.0\r\n\r\n"].concat();
    assert_eq!(visit(&server, &eager).matches("HTTP/1.1 404 Not Found\r\n").count(), 10);
    // more than there are places, all silent
    let silent: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(("127.0.0.1", server.metrics_port)).expect("a listening server")).collect();
    assert!(visit(&server, b"GET /nothing HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404 "));
    drop(silent);
    // what is no HTTP, and a head without end
    for request in [&b"*1\r\n$4\r\nPING\r\n\r\n\r\n"[..], b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"] {
        assert!(visit(&server, request).starts_with("HTTP/1.1 4"), "{request:?}");
    }
    let mut endless = Client(TcpStream::connect(("127.0.0.1", server.metrics_port)).expect("a listening server"));
    let started = Instant::now();
    while endless.0.write_all(&[b'x'; 4096]).is_ok() {
        assert!(started.elapsed() < PATIENCE, "the server takes it all");
    }
    // one who never reads
    let mut deaf = Client(TcpStream::connect(("127.0.0.1", server.metrics_port)).expect("a listening server"));
    for _ in 0..2_000 {
        deaf.0.set_nonblocking(true).expect("a socket's flag");
        let _ = deaf.0.write(b"GET / HTTP/1.1\r\n\r\n");
    }
    client.send(b"PING\r\n");
    client.expect(b"+PONG\r\n");
}
