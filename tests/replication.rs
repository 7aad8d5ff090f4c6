//! Replication over real sockets: servers in this process, on the loopback, on ports that the kernel chose.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ruddle::base::clock;
use ruddle::config::{self, Disk, Startup};
use ruddle::net::listener::Listener;
use ruddle::net::reactor::Reactor;
use ruddle::net::{process, stopwatch};
use ruddle::server::Server;

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a thread of its own; stopped when dropped.
struct Running {
    port: u16,
    client: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(arguments: &[&str]) -> Running {
        let mut all: Vec<Vec<u8>> =
            ["--port", "0", "--save", "", "--repl-diskless-sync-delay", "0"].iter().map(|word| word.as_bytes().to_vec()).collect();
        all.extend(arguments.iter().map(|word| word.as_bytes().to_vec()));
        let config = match config::start(&all, &Disk) {
            Ok(Startup::Serve(config)) => *config,
            Ok(_) => panic!("directives only"),
            Err(error) => panic!("{error}"),
        };
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
        tcp.set_nonblocking(true).expect("a socket's flag");
        let port = tcp.local_addr().expect("a bound socket").port();
        let listeners = vec![Listener::Tcp(mio::net::TcpListener::from_std(tcp))];
        let thread = std::thread::spawn(move || {
            let mut server = Server::new(config, ruddle::command::registry(), port.into(), clock::now(), stopwatch::best());
            server.state.host = process::host();
            let mut reactor = Reactor::new(server, listeners).expect("a poll");
            reactor.run().expect("the loop");
        });
        let client = TcpStream::connect(("127.0.0.1", port)).expect("a listening server");
        client.set_read_timeout(Some(PATIENCE)).expect("a socket's option");
        client.set_nodelay(true).expect("a socket's option");
        Running { port, client, thread: Some(thread) }
    }

    fn following(primary: &Running) -> Running {
        Running::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()])
    }

    fn line(&mut self) -> String {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while !line.ends_with(b"\r\n") {
            self.client.read_exact(&mut byte).expect("a reply");
            line.push(byte[0]);
        }
        String::from_utf8_lossy(&line[..line.len() - 2]).into_owned()
    }

    /// A reply that is one line or one string.
    fn ask(&mut self, words: &str) -> String {
        self.client.write_all(format!("{words}\r\n").as_bytes()).expect("the server reads");
        let line = self.line();
        match line.strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => {
                let mut body = vec![0; length + 2];
                self.client.read_exact(&mut body).expect("the string");
                String::from_utf8_lossy(&body[..length]).into_owned()
            }
            None => line,
        }
    }

    fn info(&mut self, field: &str) -> String {
        let text = self.ask("INFO everything");
        text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap_or_default().to_string()
    }

    #[track_caller]
    fn until(&mut self, words: &str, reply: &str) {
        let started = Instant::now();
        while self.ask(words) != reply {
            assert!(started.elapsed() < PATIENCE, "{words} never gives {reply}");
            std::thread::yield_now();
        }
    }

    #[track_caller]
    fn until_up(&mut self) {
        let started = Instant::now();
        while self.info("master_link_status") != "up" {
            assert!(started.elapsed() < PATIENCE, "the link never comes up");
            std::thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.client.write_all(b"SHUTDOWN NOSAVE\r\n");
        let ended = self.thread.take().expect("stopped once").join();
        assert!(ended.is_ok() || std::thread::panicking(), "the server ended without a panic");
    }
}

#[test]
fn what_is_written_at_the_head_is_read_at_the_tail() {
    let mut head = Running::start(&[]);
    assert_eq!(head.ask("SET before 1"), "+OK");
    let mut middle = Running::following(&head);
    let mut tail = Running::start(&["--slaveof", &format!("127.0.0.1 {}", middle.port)]);
    middle.until_up();
    tail.until_up();
    assert_eq!(head.ask("SET greeting hello"), "+OK");
    assert_eq!(head.ask("WAIT 1 30000"), ":1");
    assert_eq!(middle.ask("GET greeting"), "hello");
    tail.until("GET greeting", "hello");
    assert_eq!(tail.ask("GET before"), "1");
    assert_eq!(middle.info("role"), "slave");
    assert_eq!(middle.info("master_host"), "127.0.0.1");
    assert_eq!(middle.info("master_port"), head.port.to_string());
    assert!(middle.ask("SET a b").starts_with("-READONLY"));
    // the links are cut by their primaries and come back without a snapshot
    for _ in 0..3 {
        assert_eq!(head.ask("CLIENT KILL TYPE replica"), ":1");
        assert_eq!(head.ask("INCR counter").as_bytes()[0], b':');
        middle.until_up();
    }
    tail.until("GET counter", "3");
    assert_eq!((head.info("sync_full"), middle.info("sync_full")), ("1".into(), "1".into()));
    // the middle is promoted and keeps its replica
    assert_eq!(middle.ask("REPLICAOF NO ONE"), "+OK");
    assert_eq!(middle.ask("SET led yes"), "+OK");
    tail.until("GET led", "yes");
    assert_eq!(middle.info("sync_full"), "1");
}

#[test]
fn a_large_snapshot_and_a_password() {
    let mut head = Running::start(&["--requirepass", "secret"]);
    assert_eq!(head.ask("AUTH secret"), "+OK");
    let value = "v".repeat(60_000);
    for key in 0..200 {
        assert_eq!(head.ask(&format!("SET k{key} {value}{key}")), "+OK");
    }
    let mut replica = Running::start(&["--replicaof", "127.0.0.1", &head.port.to_string(), "--masterauth", "secret"]);
    replica.until_up();
    assert_eq!(replica.ask("DBSIZE"), ":200");
    assert_eq!(replica.ask("STRLEN k199"), ":60003");
}

#[test]
fn a_replica_logs_in_as_a_user_of_its_own_and_obeys_whatever_its_own_users_may_do() {
    let mut head = Running::start(&[]);
    assert_eq!(head.ask("ACL SETUSER replica on >secret +psync +replconf +ping"), "+OK");
    let login = ["--masteruser", "replica", "--masterauth", "secret"];
    let mut replica = Running::start(&[&["--replicaof", "127.0.0.1", &head.port.to_string()], &login[..]].concat());
    replica.until_up();
    assert_eq!(replica.ask("ACL SETUSER default reset on nopass +get +client|list +acl +info +shutdown %R~k*"), "+OK");
    assert_eq!(head.ask("SET other 1"), "+OK");
    assert_eq!(head.ask("SET k 1"), "+OK");
    replica.until("GET k", "1");
    assert_eq!(replica.ask("GET other"), "-NOPERM No permissions to access a key");
    let clients = replica.ask("CLIENT LIST");
    assert!(clients.lines().any(|line| line.contains(" flags=M ") && line.contains(" user=(superuser) ")), "{clients}");
    assert!(head.ask("CLIENT LIST").contains(" user=replica "));
    assert_eq!(head.ask("ACL SETUSER replica -ping"), "+OK");
    assert_eq!(head.ask("ACL DELUSER replica"), ":1", "its connection is ended");
    head.until("CLIENT LIST TYPE replica", "");
}

#[test]
fn nobody_at_the_other_end_is_no_harm() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
    let mut server = Running::start(&["--replicaof", "127.0.0.1", &closed.to_string()]);
    assert_eq!(server.info("master_link_status"), "down");
    assert_eq!(server.ask("REPLICAOF NO ONE"), "+OK");
    assert_eq!(server.ask("SET a 1"), "+OK");
}
