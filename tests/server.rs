//! The program itself: started as an operator starts it, spoken to over the loopback, stopped by signals.
//!
//! Every test has a folder of its own and finds a port by binding port 0 first. No test waits for time to
//! pass: what is awaited is a line of the log, the end of the process, or a reply.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ruddle");
/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of a test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("ruddle-program-{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path of ASCII").to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).expect("a writable folder");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("a bound socket").port()
}

/// A running program. It is killed when the test drops it.
struct Program {
    child: Child,
    port: u16,
    log: BufReader<ChildStdout>,
    /// The lines up to `Ready to accept connections`.
    started: String,
    /// Stays as long as the program.
    _folder: Folder,
}

impl Program {
    /// Starts with these words after `--port N --bind 127.0.0.1 --dir FOLDER`.
    fn start(words: &[&str]) -> Program {
        Program::start_in(Folder::new(), words, "")
    }

    fn start_in(folder: Folder, words: &[&str], input: &str) -> Program {
        Program::start_program(PROGRAM, folder, words, input)
    }

    fn start_program(program: &str, folder: Folder, words: &[&str], input: &str) -> Program {
        let port = free_port();
        let dir = folder.path("");
        let mut all: Vec<String> = words.iter().take_while(|word| !word.starts_with("--")).map(ToString::to_string).collect();
        all.extend(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", &dir].map(str::to_string));
        all.extend(words.iter().skip_while(|word| !word.starts_with("--")).map(ToString::to_string));
        let mut child = Command::new(program)
            .args(&all)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("the program reads");
        let mut log = BufReader::new(child.stdout.take().expect("piped"));
        let mut started = String::new();
        while !started.contains("Ready to accept connections") {
            assert!(log.read_line(&mut started).expect("text") > 0, "the program ended:\n{started}");
        }
        Program { child, port, log, started, _folder: folder }
    }

    /// Sends inline requests and gives what comes back until the last one's reply, which is QUIT's.
    fn ask(&self, requests: &str) -> String {
        ask(self.port, requests)
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Waits for the end; gives the exit status and the rest of the log.
    fn end(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).expect("text");
        (self.child.wait().expect("a child"), rest)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(port: u16, requests: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a listening server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket's option");
    stream.write_all(format!("{requests}\r\nQUIT\r\n").as_bytes()).expect("the server reads");
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("replies, then the end");
    replies
}

/// Runs the program to its end; gives the exit code and both outputs.
fn run(words: &[&str], input: &str) -> (Option<i32>, String) {
    let mut child =
        Command::new(PROGRAM).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    // a program that does not read its input may be gone already
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("its end");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn the_log_tells_what_tools_wait_for() {
    let program = Program::start(&[]);
    let pid = program.child.id();
    let ready = format!("{pid}:M ");
    assert!(program.started.lines().all(|line| line.starts_with(&ready)), "{}", program.started);
    assert!(program.started.lines().any(|line| line.ends_with(&format!("* PID: {pid} Server initialized"))), "{}", program.started);
    assert!(program.started.ends_with("* Ready to accept connections tcp\n"), "{}", program.started);
    assert!(program.ask("INFO server").contains(&format!("tcp_port:{}\r\n", program.port)));
}

#[test]
fn the_log_tells_the_role() {
    let program = Program::start(&["--enable-debug-command", "yes", "--replicaof", "127.0.0.1", "1"]);
    assert!(program.started.lines().last().is_some_and(|line| line.contains(":S ")), "{}", program.started);
    assert!(program.ask("REPLICAOF NO ONE\r\nDEBUG LOG leads\r\nSHUTDOWN NOSAVE").starts_with("+OK\r\n+OK\r\n"));
    let (_, log) = program.end();
    assert!(log.lines().any(|line| line.contains(":M ") && line.ends_with("DEBUG LOG: leads")), "{log}");
}

#[test]
fn version_and_help_are_printed() {
    for word in ["--version", "-v"] {
        let (code, text) = run(&[word], "");
        assert_eq!(code, Some(0));
        assert_eq!(text, format!("Ruddle server v={} (redis_version 8.0.6)\n", env!("CARGO_PKG_VERSION")));
    }
    for word in ["--help", "-h"] {
        let (code, text) = run(&[word], "");
        assert_eq!(code, Some(0));
        assert!(text.starts_with("Usage: ruddle [FILE | -]") && text.contains("\n  maxmemory-policy "), "{text}");
    }
}

#[test]
fn a_bad_directive_is_named_with_its_file_and_line() {
    let folder = Folder::new();
    let file = folder.write("bad.conf", "port 0\n\nmaxmemory-policy sometimes\n");
    let (code, text) = run(&[&file], "");
    assert_eq!(code, Some(1));
    assert!(text.contains("at line 3 of ") && text.contains("bad.conf\n>>> 'maxmemory-policy sometimes'\n"), "{text}");
    assert!(text.contains("argument(s) must be one of the following: volatile-lru"), "{text}");
    let (code, text) = run(&["-"], "port 0\nbogus yes\n");
    assert_eq!(code, Some(1));
    assert!(text.contains("at line 2 of standard input\n>>> 'bogus yes'\nBad directive"), "{text}");
    let (code, text) = run(&["--tls-port", "7"], "");
    assert_eq!(code, Some(1));
    assert!(text.contains("this server does not speak TLS"), "{text}");
    let (code, text) = run(&[&folder.path("none.conf")], "");
    assert_eq!(code, Some(1));
    assert!(text.contains("none.conf"), "{text}");
}

#[test]
fn a_port_in_use_ends_the_program() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("a bound socket").port().to_string();
    let (code, text) = run(&["--port", &port, "--bind", "127.0.0.1"], "");
    assert_eq!(code, Some(1));
    assert!(
        text.contains(&format!("Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address already in use")),
        "{text}"
    );
    assert!(text.contains(&format!("Failed listening on port {port} (tcp), aborting.")), "{text}");
}

#[test]
fn no_socket_at_all_ends_the_program() {
    let (code, text) = run(&["--port", "0"], "");
    assert_eq!(code, Some(1));
    assert!(text.contains("Configured to not listen anywhere, exiting."), "{text}");
}

#[test]
fn a_unix_socket_where_a_folder_is_ends_the_program() {
    let folder = Folder::new();
    let (code, text) = run(&["--port", "0", "--unixsocket", &folder.path("")], "");
    assert_eq!(code, Some(1));
    assert!(text.contains("Failed opening Unix socket: bind: Address already in use"), "{text}");
    assert!(folder.0.is_dir());
    let (code, text) = run(&["--port", "0", "--unixsocket", &folder.path("s"), "--unixsocketgroup", "no such group"], "");
    assert_eq!(code, Some(1));
    assert!(text.contains("no group 'no such group'"), "{text}");
}

#[test]
fn a_full_disk_costs_the_log_and_nothing_else() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = Folder::new();
    let port = free_port();
    let words = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", &folder.path(""), "--logfile", "/dev/full"];
    let mut child = Command::new(PROGRAM).args(words).stdin(Stdio::null()).spawn().expect("the program");
    until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    assert_eq!(ask(port, "CONFIG SET loglevel debug\r\nPING"), "+OK\r\n+PONG\r\n+OK\r\n");
    assert_eq!(ask(port, "PING"), "+PONG\r\n+OK\r\n");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a listening server");
    stream.write_all(b"SHUTDOWN NOSAVE\r\n").expect("the server reads");
    assert!(child.wait().expect("its end").success());
}

#[test]
fn signals_stop_it_in_order_and_the_pid_file_goes() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new();
        let path = folder.path("pid");
        let program = Program::start_in(folder, &["--pidfile", &path], "");
        assert_eq!(fs::read_to_string(&path).expect("a pid file"), format!("{}\n", program.child.id()));
        // a hangup is no reason to stop
        program.signal("HUP");
        assert_eq!(program.ask("PING"), "+PONG\r\n+OK\r\n");
        program.signal(signal);
        let (status, rest) = program.end();
        assert_eq!(status.code(), Some(0), "{rest}");
        assert!(rest.contains(&format!("Received SIG{signal} scheduling shutdown...")), "{rest}");
        assert!(rest.contains("Ruddle is now ready to exit, bye bye..."), "{rest}");
        assert!(!Path::new(&path).exists());
    }
}

#[test]
fn shutdown_ends_it() {
    let program = Program::start(&[]);
    let mut stream = TcpStream::connect(("127.0.0.1", program.port)).expect("a listening server");
    stream.write_all(b"SHUTDOWN NOSAVE\r\n").expect("the server reads");
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    let (status, rest) = program.end();
    assert_eq!(status.code(), Some(0), "{rest}");
}

/// Sends bytes and reads until all of an answer, which ends with that, is there.
fn converse(stream: &mut TcpStream, sent: &str, end: &str) -> String {
    stream.write_all(sent.as_bytes()).expect("the server reads");
    let (mut answer, mut chunk) = (String::new(), [0; 4096]);
    while !answer.ends_with(end) {
        let count = stream.read(&mut chunk).expect("an answer in time");
        assert!(count > 0, "{answer:?} ends with {end:?}");
        answer.push_str(std::str::from_utf8(&chunk[..count]).expect("text"));
    }
    answer
}

#[test]
fn a_script_is_debugged_on_a_copy_of_the_data() {
    let program = Program::start(&[]);
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", program.port)).expect("a listening server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket's option");
        stream
    };
    assert_eq!(ask(program.port, "SET k before"), "+OK\r\n+OK\r\n");
    let mut session = connect();
    assert_eq!(converse(&mut session, "SCRIPT DEBUG YES\r\n", "\r\n"), "+OK\r\n");
    let begun = converse(&mut session, "EVAL \"redis.call('set','k','after')\\nreturn redis.call('get','k')\" 0\r\n", "'after')\r\n");
    assert_eq!(begun, "*2\r\n+* Stopped at 1, stop reason = step over\r\n+-> 1   redis.call('set','k','after')\r\n");
    let stepped = converse(&mut session, "step\r\n", "'k')\r\n");
    assert!(stepped.starts_with("*4\r\n+<redis> set k after\r\n+<reply> \"+OK\"\r\n"), "{stepped}");
    // the server serves others meanwhile, who see nothing of it
    assert_eq!(ask(program.port, "GET k"), "$6\r\nbefore\r\n+OK\r\n");
    let ended = converse(&mut session, "continue\r\n", "after\r\n");
    assert_eq!(ended, "*1\r\n+<endsession>\r\n$5\r\nafter\r\n");
    assert_eq!(session.read(&mut [0]).expect("the end"), 0);
    assert_eq!(ask(program.port, "GET k"), "$6\r\nbefore\r\n+OK\r\n");
    // one whose user goes away ends as well
    let mut session = connect();
    converse(&mut session, "SCRIPT DEBUG YES\r\n", "\r\n");
    converse(&mut session, "EVAL 'while true do end' 0\r\n", "end\r\n");
    drop(session);
    // words that come in one packet with the script are for its debugger
    let mut session = connect();
    converse(&mut session, "SCRIPT DEBUG YES\r\n", "\r\n");
    assert!(converse(&mut session, "EVAL 'return 5' 0\r\nwhole\r\nc\r\n", ":5\r\n").contains("+<endsession>\r\n"));
}

/// Sends SHUTDOWN when dropped, so that a failed test leaves no process behind.
struct Daemon(u16);

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.0)) {
            let _ = stream.write_all(b"SHUTDOWN NOSAVE\r\n");
            let _ = stream.read(&mut [0]);
        }
    }
}

#[test]
fn it_goes_to_the_background() {
    let folder = Folder::new();
    let (port, pid_file, log) = (free_port(), folder.path("pid"), folder.path("log"));
    let daemon = Daemon(port);
    let words = ["--daemonize", "yes", "--bind", "127.0.0.1", "--pidfile", &pid_file, "--logfile", &log, "--dir", &folder.path("")];
    let (code, _) = run(&[&["--port", &port.to_string()], &words[..]].concat(), "");
    assert_eq!(code, Some(0));
    until("the background process listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    until("the pid file is written", || fs::read_to_string(&pid_file).is_ok_and(|pid| pid.ends_with('\n')));
    let pid = fs::read_to_string(&pid_file).expect("a pid file");
    assert!(ask(port, "INFO server").contains(&format!("process_id:{}\r\n", pid.trim())));
    drop(daemon);
    until("the pid file goes with the process", || !Path::new(&pid_file).exists());
    assert!(fs::read_to_string(&log).expect("a log").contains(&format!("PID: {} Server initialized", pid.trim())));
}

#[test]
fn standard_input_files_and_options_add_up() {
    let folder = Folder::new();
    let more = folder.write("more.conf", "timeout 11\nhz 20\n");
    let main = folder.write("main.conf", &format!("hz 15\ninclude {more}\nmaxclients 123\n"));
    let program = Program::start_in(folder, &[&main, "--hz", "25", "-"], "maxclients 77\ntcp-keepalive 5\n");
    let replies = program.ask("CONFIG GET timeout hz maxclients tcp-keepalive");
    let values: Vec<&str> = replies.lines().filter(|line| !line.starts_with(['*', '$', '+'])).collect();
    assert_eq!(values, ["timeout", "11", "hz", "25", "maxclients", "77", "tcp-keepalive", "5"]);
    assert!(program.ask("INFO server").contains(&format!("config_file:{main}\r\n")));
}

/// What `ps` shows of a process: zeros between and behind its words are blanks.
#[cfg(target_os = "linux")]
fn title(id: u32) -> String {
    let shown = fs::read(format!("/proc/{id}/cmdline")).expect("a process");
    String::from_utf8(shown).expect("ASCII").replace('\0', " ").trim_end().to_string()
}

#[cfg(target_os = "linux")]
#[test]
fn the_title_of_the_process_follows_its_template() {
    let program = Program::start(&["--proc-title-template", "one {title} at {listen-addr}{server-mode}"]);
    let (id, port) = (program.child.id(), program.port);
    assert_eq!(title(id), format!("one {PROGRAM} at 127.0.0.1:{port}"));
    // longer than what it was started with
    let long = "x".repeat(500);
    let set = program.ask(&format!("CONFIG SET proc-title-template \"{long} {{port}} {{tls-port}} {{config-file}}\"\r\n"));
    assert!(set.starts_with("+OK"), "{set}");
    assert_eq!(title(id), format!("{long} {port} 0 -"));
    let set = program.ask("CONFIG SET proc-title-template \"  {unixsocket} short  \"\r\n");
    assert!(set.starts_with("+OK"), "{set}");
    assert_eq!(title(id), "short");
    for refused in ["\"\"", "{title}", "\"{title} {server-mode}\"", "{nothing}", "x{port"] {
        let text = program.ask(&format!("CONFIG SET proc-title-template {refused}\r\n"));
        assert!(text.contains("template format is invalid or contains unknown variables"), "{refused}: {text}");
    }
    assert_eq!(title(id), "short");
    let plain = Program::start(&["--set-proc-title", "no"]);
    assert_eq!(title(plain.child.id()).split(' ').nth(1), Some("--port"));
}

/// The processors on which a thread may run, as the system lists them.
#[cfg(target_os = "linux")]
fn allowed(thread: &Path) -> String {
    let status = fs::read_to_string(thread.join("status")).expect("a thread");
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("the kernel tells");
    line.trim().to_string()
}

#[cfg(target_os = "linux")]
#[test]
fn threads_run_on_the_processors_that_they_are_given() {
    let own = allowed(Path::new("/proc/self"));
    let first = own.split([',', '-']).next().expect("a processor").to_string();
    let threads = |program: &Program| -> Vec<(String, String)> {
        let folder = fs::read_dir(format!("/proc/{}/task", program.child.id())).expect("a process");
        let tell = |path: PathBuf| (fs::read_to_string(path.join("comm")).expect("a thread").trim().to_string(), allowed(&path));
        folder.map(|entry| tell(entry.expect("a thread").path())).collect()
    };
    let helpers = ["disposal", "reporter", "signals", "syncer"];
    // a helper that has just begun has neither its name nor its place yet
    let settles = |program: &Program, main: &str, helper: &str| {
        until("every thread is where it belongs", || {
            let threads = threads(program);
            let all = helpers.iter().all(|helper| threads.iter().any(|(name, _)| name == helper));
            all && threads.iter().all(|(name, at)| at == if helpers.contains(&name.as_str()) { helper } else { main })
        });
    };
    settles(&Program::start(&["--server-cpulist", &first]), &first, &own);
    settles(&Program::start(&["--bio_cpulist", &format!("{first}-{first}:2")]), &own, &first);
    let program = Program::start(&["--server-cpulist", "2-1"]);
    assert!(program.started.contains("server-cpulist is no list of processors, and changes nothing: 2-1"), "{}", program.started);
}

#[cfg(target_os = "linux")]
#[test]
fn large_data_may_lie_in_huge_pages_and_small_data_does_not() {
    let setting = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let granted = |program: &Program| {
        let status = fs::read_to_string(format!("/proc/{}/status", program.child.id())).expect("a process");
        status.lines().any(|line| line.trim_end() == "THP_enabled:\t1")
    };
    for wanted in ["yes", "no"] {
        let program = Program::start(&["--enable-debug-command", "yes", "--huge-pages", wanted, "--disable-thp", "no"]);
        if setting.contains("[madvise]") {
            assert!(!granted(&program), "the data is small");
        }
        // the cron looks ten times a second; DEBUG SLEEP holds it, and it runs in the turn after
        assert!(program.ask("DEBUG POPULATE 20 key 4000000\r\nDEBUG SLEEP 0.2\r\nPING").contains("+PONG"));
        match wanted {
            "yes" => until("they are granted to large data", || granted(&program)),
            _ => assert!(!granted(&program) || !setting.contains("[madvise]"), "nobody wants them"),
        }
    }
}

#[test]
fn a_password_is_asked_for() {
    let program = Program::start(&["--requirepass", "secret"]);
    assert_eq!(program.ask("GET k"), "-NOAUTH Authentication required.\r\n+OK\r\n");
    assert!(program.ask("AUTH wrong").starts_with("-WRONGPASS "));
    assert_eq!(program.ask("AUTH secret\r\nPING"), "+OK\r\n+PONG\r\n+OK\r\n");
}

#[test]
fn a_hash_seed_makes_the_order_of_scans_the_same() {
    let fill: String = (0..100).map(|i| format!("SET key:{i} x\r\n")).collect();
    let scan = |seed: &str| {
        let program = Program::start(&["--hash-seed", seed]);
        program.ask(&fill);
        program.ask("SCAN 0 COUNT 1000")
    };
    let once = scan("ochre");
    assert_eq!(once, scan("ochre"));
    assert_ne!(once, scan("umber"));
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let folder = Folder::new();
    let path = folder.path("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket's option");
    let port = free_port().to_string();
    let mut child = Command::new(PROGRAM)
        .args(["--port", &port, "--bind", "127.0.0.1", "--dir", &folder.path(""), "--supervised", "auto", "--daemonize", "yes"])
        .env("NOTIFY_SOCKET", &path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program");
    let receive = || {
        let mut message = [0; 500];
        let length = socket.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let ready = receive();
    assert!(ready.contains("READY=1\n") && ready.contains("STATUS=Ready to accept connections\n"), "{ready}");
    // it stays in the foreground: who supervises it wants to see it end
    let port = port.parse().expect("a port");
    assert!(ask(port, "INFO server").contains("process_supervised:systemd\r\n"));
    drop(Daemon(port));
    assert_eq!(receive(), "STOPPING=1\n");
    assert!(child.wait().expect("its end").success());
}

#[test]
fn users_stand_in_the_configuration_which_is_rewritten_with_them() {
    let folder = Folder::new();
    let file = folder.write("a.conf", "user default on nopass ~* &* +@all -flushdb\nuser alice on >secret (+get ~a*) -debug\n");
    let program = Program::start_in(folder, &[&file], "");
    let refused = "-NOPERM User default has no permissions to run the 'flushdb' command\r\n+OK\r\n";
    assert_eq!(program.ask("FLUSHDB"), refused);
    assert_eq!(program.ask("AUTH alice secret\r\nGET ab\r\nGET b"), "+OK\r\n$-1\r\n-NOPERM No permissions to access a key\r\n+OK\r\n");
    assert_eq!(program.ask("ACL SETUSER bob on nopass\r\nACL DELUSER alice\r\nCONFIG REWRITE"), "+OK\r\n:1\r\n+OK\r\n+OK\r\n");
    let text = fs::read_to_string(&file).expect("a file");
    let users: Vec<&str> = text.lines().filter(|line| line.starts_with("user ")).collect();
    let expected =
        ["user bob on nopass sanitize-payload resetchannels -@all", "user default on nopass sanitize-payload ~* &* +@all -flushdb"];
    assert_eq!(users, expected, "{text}");
    let again = Program::start(&["-"].map(|_| file.as_str()));
    assert_eq!(again.ask("FLUSHDB"), refused);
    for (lines, reason) in [
        ("user foo\nuser foo", "Error in user declaration 'foo': Duplicate user found. A user can only be defined once in config files"),
        ("user foo on +nothing", "Error in user declaration 'foo': '+nothing': Unknown command or category name in ACL"),
        ("user foo (on", "Error in user declaration 'foo': Unmatched parenthesis in acl selector starting at '(on'."),
        ("user 'f o' on", "Error in user declaration 'f o': Spaces not allowed in ACL usernames"),
        ("user", "Bad directive or wrong number of arguments"),
    ] {
        for words in [&["-"][..], &["--check-config", "-"]] {
            let (code, text) = run(words, &format!("port 0\n{lines}\n"));
            let line = lines.lines().last().expect("a line");
            assert_eq!(code, Some(1));
            assert!(text.contains(&format!("of standard input\n>>> '{line}'\n{reason}")), "{text}");
        }
    }
    assert_eq!(run(&["--check-config", "-"], "user foo on\n"), (Some(0), "Configuration OK\n".to_string()));
}

#[test]
fn users_stand_in_a_file_of_their_own() {
    let folder = Folder::new();
    let file = folder.write("users.acl", "user alice on >secret ~* &* +@all\n\nuser old on nopass &a +@all\n");
    let config = folder.write("a.conf", &format!("aclfile {file}\n"));
    let program = Program::start_in(folder, &[&config], "");
    let mut old = TcpStream::connect(("127.0.0.1", program.port)).expect("a listening server");
    old.write_all(b"AUTH old x\r\nPING\r\n").expect("the server reads");
    let mut greeting = [0; 12];
    old.read_exact(&mut greeting).expect("two replies");
    assert_eq!(&greeting, b"+OK\r\n+PONG\r\n");
    assert_eq!(
        program.ask("AUTH alice secret\r\nACL SETUSER eve on nopass\r\nACL DELUSER old\r\nACL SAVE"),
        "+OK\r\n+OK\r\n:1\r\n+OK\r\n+OK\r\n"
    );
    assert_eq!(old.read(&mut greeting).expect("the end"), 0, "its user is gone");
    let secret = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let saved = format!(
        "user alice on sanitize-payload #{secret} ~* &* +@all\nuser default on nopass sanitize-payload ~* &* +@all\nuser eve on nopass sanitize-payload resetchannels -@all\n"
    );
    assert_eq!(fs::read_to_string(&file).expect("a file"), saved);
    assert_eq!(program.ask("CONFIG REWRITE"), "+OK\r\n+OK\r\n");
    assert!(!fs::read_to_string(&config).expect("a file").contains("\nuser "), "the configuration names no users");
    fs::write(&file, "user eve on nopass +ping\nuser default on nopass +@all ~*\nuser eve on\n").expect("a writable file");
    let error = "-ERR WARNING: Duplicate user 'eve' found on line 3. WARNING: ACL errors detected, no change to the previously active ACL rules was performed\r\n*3\r\n";
    assert!(program.ask("ACL LOAD\r\nACL USERS").starts_with(error));
    fs::write(&file, "user eve on nopass +ping\nuser default on nopass +@all ~*\n").expect("a writable file");
    assert_eq!(program.ask("ACL LOAD\r\nACL USERS"), "+OK\r\n*2\r\n$7\r\ndefault\r\n$3\r\neve\r\n+OK\r\n");
    assert_eq!(
        program.ask("AUTH eve x\r\nPING\r\nGET a"),
        "+OK\r\n+PONG\r\n-NOPERM User eve has no permissions to run the 'get' command\r\n+OK\r\n"
    );
    fs::remove_file(&file).expect("it is there");
    let missing = format!("-ERR Error loading ACLs, opening file '{file}': No such file or directory\r\n+OK\r\n");
    assert_eq!(program.ask("ACL LOAD"), missing);
    let port = free_port().to_string();
    let (code, text) = run(&["--port", &port, "--aclfile", &file], "");
    assert_eq!(code, Some(1));
    assert!(text.contains("Aborting startup because of ACL errors: Error loading ACLs, opening file"), "{text}");
    let (code, text) = run(&["--port", &port, "--aclfile", &file, "--user", "a", "on"], "");
    assert_eq!(code, Some(1));
    assert!(text.contains("easily leaves users out"), "{text}");
}

#[test]
fn what_was_allowed_once_is_loaded_whatever_users_may_do_now() {
    let folder = Folder::new();
    let file = folder.write("a.conf", "appendonly yes\nsave ''\nuser admin on nopass ~* &* +@all\nuser default on nopass ~a* +get +ping\n");
    let first = Program::start_in(folder, &[&file], "");
    let dir = first._folder.path("");
    assert_eq!(first.ask("SET b 1\r\nAUTH admin x\r\nSET b 1\r\nMULTI\r\nSET c 2\r\nEXEC").matches("+OK").count(), 5);
    let again = Program::start(&[&file, "--dir", &dir]);
    assert_eq!(again.ask("AUTH admin x\r\nMGET b c"), "+OK\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n+OK\r\n");
}

#[test]
fn commands_are_renamed_and_taken_away() {
    let folder = Folder::new();
    let file = folder.write("a.conf", "rename-command GET fetch\nrename-command DEBUG \"\"\nrename-command config cfg\n");
    let program = Program::start_in(folder, &[&file], "");
    let count = |replies: &str| replies.lines().next().expect("a reply")[1..].parse::<u32>().expect("a number");
    let all = count(&Program::start(&[]).ask("COMMAND COUNT"));
    assert_eq!(count(&program.ask("COMMAND COUNT")), all - 1);
    let replies = program.ask("SET a 1\r\nFETCH a\r\nGET a\r\nfetch\r\nDEBUG SLEEP 0\r\nCFG NO\r\nCOMMAND LIST FILTERBY PATTERN debug*");
    assert_eq!(
        replies.replace("\r\n", "\n"),
        "+OK\n$1\n1\n-ERR unknown command 'GET', with args beginning with: 'a' \n-ERR wrong number of arguments for 'get' command\n\
         -ERR unknown command 'DEBUG', with args beginning with: 'SLEEP' '0' \n-ERR unknown subcommand 'NO'. Try CFG HELP.\n*0\n+OK\n"
    );
    assert!(program.ask("INFO commandstats").contains("cmdstat_get:calls=1,"), "statistics keep the command's own name");
    for (line, reason) in
        [("rename-command NOPE x", "No such command in rename-command"), ("rename-command GET set", "Target command name already exists")]
    {
        let (code, text) = run(&["-"], &format!("port 0\n{line}\n"));
        assert_eq!(code, Some(1));
        assert!(text.contains(&format!("at line 2 of standard input\n>>> '{line}'\n{reason}")), "{text}");
    }
}

#[test]
fn what_the_server_itself_wrote_is_read_back_under_any_name() {
    let folder = Folder::new();
    let file = folder.write("a.conf", "rename-command DEL remove\nappendonly yes\nrename-command SET put\n");
    let path = folder.path("");
    let mut program = Program::start_in(folder, &[&file], "");
    // a key that expires is written as DEL
    assert_eq!(program.ask("PUT gone 1 PX 1\r\nPUT kept 2\r\nREMOVE none").lines().count(), 4);
    until("the key expires", || program.ask("DBSIZE").starts_with(":1"));
    program.signal("TERM");
    assert!(program.child.wait().expect("its end").success());
    let written = fs::read_dir(format!("{path}/appendonlydir"))
        .expect("a folder")
        .map(|file| fs::read(file.expect("a file").path()).expect("a file"));
    assert!(written.into_iter().any(|bytes| bytes.windows(3).any(|word| word == b"DEL")), "the expiry was written");
    let again = Command::new(PROGRAM)
        .args([&file, "--port", "0", "--unixsocket", &format!("{path}/socket"), "--dir", &path])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let (mut again, mut log) = (again, String::new());
    let mut lines = BufReader::new(again.stdout.take().expect("piped"));
    while !log.contains("Ready to accept connections") {
        assert!(lines.read_line(&mut log).expect("text") > 0, "the program ended:\n{log}");
    }
    let _ = again.kill();
    let _ = again.wait();
}

/// The report that the log holds, which must be whole.
fn report(log: &str) -> &str {
    let start = log.find("=== REDIS BUG REPORT START").expect("a report");
    let end = log.find("=== REDIS BUG REPORT END").expect("its end");
    &log[start..end]
}

#[test]
fn a_crash_leaves_a_report_and_dies_of_its_signal() {
    for (how, number) in [("", 6), ("DEBUG SEGFAULT", 11)] {
        let program = Program::start(&["--enable-debug-command", "yes"]);
        program.ask("SET secret-key secret-value");
        if how.is_empty() {
            program.signal("ABRT");
        } else {
            program.ask(how);
        }
        let (status, log) = program.end();
        assert_eq!(status.signal(), Some(number), "{log}");
        let report = report(&log);
        for line in [&format!("crashed by signal: {number}"), "STACK TRACE", "INFO OUTPUT", "redis_version:8", "ran last: "] {
            assert!(report.contains(line), "{line} is missing in\n{log}");
        }
        assert!(report.contains(if how.is_empty() { "ran last: quit" } else { "ran last: debug" }), "{log}");
        // a signal from outside is taken by whichever thread the kernel picks
        assert!(report.contains("ruddle::") || how.is_empty() && report.contains("a helper thread"), "{log}");
        assert!(!log.contains("secret"), "keys and values are nobody's business:\n{log}");
    }
}

#[test]
fn an_assertion_that_fails_leaves_a_report() {
    for (exits, code) in [("no", None), ("yes", Some(1))] {
        let program = Program::start(&["--enable-debug-command", "yes", "--use-exit-on-panic", exits]);
        program.ask("DEBUG ASSERT");
        let (status, log) = program.end();
        assert_eq!(status.code(), code, "{log}");
        let report = report(&log);
        assert!(report.contains("ASSERTION FAILED") && report.contains("DEBUG ASSERT") && report.contains("INFO OUTPUT"), "{log}");
        assert_eq!(log.matches("BUG REPORT START").count(), 1, "{log}");
    }
}

#[test]
fn without_crash_log_there_is_no_report() {
    let program = Program::start(&[]);
    assert!(program.ask("CONFIG SET crash-log-enabled no").starts_with("+OK"));
    program.signal("SEGV");
    let (status, log) = program.end();
    assert_eq!(status.signal(), Some(11));
    assert!(!log.contains("BUG REPORT"), "{log}");
}

#[test]
fn the_watchdog_tells_where_a_long_turn_is() {
    let mut program = Program::start(&["--enable-debug-command", "yes"]);
    let set = program.ask("DEBUG SLEEP 0.05\r\nCONFIG SET watchdog-period 20\r\nCONFIG GET watchdog-period");
    assert!(set.contains("+OK\r\n*2\r\n$15\r\nwatchdog-period\r\n$2\r\n20\r\n"), "{set}");
    let (port, log, told) = (program.port, &mut program.log, AtomicBool::new(false));
    std::thread::scope(|scope| {
        // on a busy machine the watchdog may sleep through one, and other turns may be long
        scope.spawn(|| {
            while !told.load(Ordering::Relaxed) {
                assert!(ask(port, "DEBUG SLEEP 0.2").starts_with("+OK"));
            }
        });
        let mut report = String::new();
        let named = |report: &str| report.contains("The command that runs or ran last: debug, client id=");
        while !(report.ends_with("--------\n\n") && named(&report)) {
            if report.ends_with("--------\n\n") {
                report.clear();
            }
            assert!(log.read_line(&mut report).expect("text") > 0, "the program ended:\n{report}");
        }
        told.store(true, Ordering::Relaxed);
        assert!(report.contains("--- WATCHDOG TIMER EXPIRED ---"), "{report}");
        assert!(report.contains("reactor::Reactor::run"), "{report}");
    });
    assert!(program.ask("CONFIG SET watchdog-period 0").starts_with("+OK"));
    assert_eq!(program.ask("PING"), "+PONG\r\n+OK\r\n");
}

/// A snapshot of some keys, written by the program.
fn snapshot() -> Vec<u8> {
    let program = Program::start(&["--enable-debug-command", "yes", "--save", ""]);
    assert!(program.ask("DEBUG POPULATE 500\r\nSAVE").starts_with("+OK\r\n+OK"));
    fs::read(program._folder.path("dump.rdb")).expect("the snapshot")
}

/// Starts the program, which must not serve; gives the exit code and what it said.
fn refused(words: &[&str]) -> (Option<i32>, String) {
    let port = free_port().to_string();
    run(&[&["--port", &port, "--bind", "127.0.0.1"], words].concat(), "")
}

#[test]
fn a_snapshot_that_cannot_be_loaded_is_refused_and_stays() {
    let good = snapshot();
    let mut flipped = good.clone();
    flipped[3000] ^= 4;
    let mut foreign = good.clone();
    foreign[..9].copy_from_slice(b"REDIS0099");
    let cases: [(&str, &[u8], &str); 5] = [
        ("empty", b"", "unexpected end of the data. Restore a good copy"),
        ("cut off", &good[..good.len() / 2], "unexpected end of the data. Restore a good copy"),
        ("flipped", &flipped, "Restore a good copy"),
        ("of a later version", &foreign, "Can't handle RDB format version 99. Another server has written it"),
        ("a text", b"this is no snapshot", "Wrong signature trying to load DB from file. Restore a good copy"),
    ];
    for (what, bytes, told) in cases {
        let folder = Folder::new();
        fs::write(folder.path("dump.rdb"), bytes).expect("a writable folder");
        let (code, text) = refused(&["--dir", &folder.path("")]);
        assert_eq!(code, Some(1), "{what}: {text}");
        assert!(text.contains(told) && text.contains("Terminating server after rdb file reading failure."), "{what}: {text}");
        assert!(fs::read(folder.path("dump.rdb")).expect("the file") == bytes, "{what}: the file has changed");
    }
    let folder = Folder::new();
    fs::create_dir(folder.path("dump.rdb")).expect("a writable folder");
    let (code, text) = refused(&["--dir", &folder.path("")]);
    assert!(code == Some(1) && text.contains("Is a directory.") && !text.contains("os error"), "{text}");
}

#[test]
fn an_append_only_file_that_cannot_be_loaded_is_refused_and_stays() {
    const MANIFEST: &str = "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
    let good = snapshot();
    let mut flipped = good.clone();
    flipped[3000] ^= 4;
    let damaged: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\nrubbish\r\n";
    /// What it is, the manifest, base and increment, and what the log says.
    type Case<'a> = (&'a str, &'a str, Option<&'a [u8]>, &'a [u8], &'a str);
    let cases: [Case<'_>; 6] = [
        ("no manifest to speak of", "", None, b"", "Found an empty AOF manifest"),
        ("a manifest that is none", "rubbish\n", None, b"", "Invalid AOF manifest file format"),
        ("a file that is not there", MANIFEST, None, b"", "No such file or directory"),
        ("a base cut off", MANIFEST, Some(&good[..3000]), b"", "unexpected end of the data"),
        ("a base flipped", MANIFEST, Some(&flipped), b"", "AOF loading aborted"),
        ("an increment damaged", MANIFEST, Some(&good), damaged, "Bad file format reading the append only file"),
    ];
    for (what, manifest, base, increment, told) in cases {
        let folder = Folder::new();
        let in_aof = |name: &str| folder.path(&format!("appendonlydir/appendonly.aof.{name}"));
        fs::create_dir(folder.path("appendonlydir")).expect("a writable folder");
        fs::write(in_aof("manifest"), manifest).expect("a writable folder");
        if let Some(base) = base {
            fs::write(in_aof("1.base.rdb"), base).expect("a writable folder");
            fs::write(in_aof("1.incr.aof"), increment).expect("a writable folder");
        }
        let (code, text) = refused(&["--dir", &folder.path(""), "--appendonly", "yes"]);
        assert_eq!(code, Some(1), "{what}: {text}");
        assert!(text.contains(told) && text.contains("restore a good copy of the append-only directory"), "{what}: {text}");
        assert!(!text.contains("os error"), "{what}: {text}");
        assert_eq!(fs::read_to_string(in_aof("manifest")).expect("the manifest"), manifest, "{what}");
        if let Some(base) = base {
            assert!(fs::read(in_aof("1.base.rdb")).expect("the base") == base, "{what}: the base has changed");
            assert!(fs::read(in_aof("1.incr.aof")).expect("the increment") == increment, "{what}: the increment has changed");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_is_told_with_what_to_do() {
    let (code, text) = refused(&["--dir", "/proc", "--appendonly", "yes"]);
    assert!(code == Some(1) && text.contains("let the server write to its directory") && !text.contains("os error"), "{text}");
    let (code, text) = refused(&["--dir", "/nowhere/at/all"]);
    assert!(code == Some(1) && text.contains("Can't chdir to '/nowhere/at/all': No such file or directory. Make the directory"), "{text}");
}

/// A program whose files may not grow beyond that many blocks of 512 bytes, as on a disk that is full.
fn start_on_full_disk(blocks: u32, words: &[&str]) -> Program {
    let folder = Folder::new();
    let script = folder.write("ruddle", &format!("#!/bin/sh\nulimit -f {blocks}\nexec \"{PROGRAM}\" \"$@\"\n"));
    let made = Command::new("chmod").args(["+x", &script]).status().expect("chmod");
    assert!(made.success());
    Program::start_program(&script, folder, words, "")
}

#[test]
fn on_a_full_disk_a_snapshot_fails_and_the_last_good_one_stays() {
    let program = start_on_full_disk(64, &["--enable-debug-command", "yes", "--save", "100000", "100000"]);
    assert!(program.ask("DEBUG POPULATE 500\r\nSAVE").starts_with("+OK\r\n+OK"));
    let good = fs::read(program._folder.path("dump.rdb")).expect("the snapshot");
    let replies = program.ask("DEBUG POPULATE 50000\r\nSAVE\r\nBGSAVE");
    assert!(replies.starts_with("+OK\r\n-ERR\r\n+Background saving started"), "{replies}");
    until("the child has failed", || program.ask("INFO persistence").contains("rdb_last_bgsave_status:err"));
    assert!(program.ask("SET a b").starts_with("-MISCONF"), "writes are refused while snapshots fail");
    assert!(program.ask("GET key:1").contains("value:1"));
    assert!(fs::read(program._folder.path("dump.rdb")).expect("the snapshot") == good);
    let drafts = fs::read_dir(program._folder.path(""))
        .expect("a folder")
        .filter(|entry| entry.as_ref().expect("an entry").file_name().to_string_lossy().starts_with("temp-"));
    assert_eq!(drafts.count(), 0);
    program.signal("KILL");
    let (_, log) = program.end();
    assert!(log.contains("File too large") && !log.contains("os error"), "{log}");
}

#[test]
fn on_a_full_disk_writes_are_refused_and_nothing_acknowledged_is_lost() {
    let value = "x".repeat(1000);
    for policy in ["everysec", "always"] {
        let program = start_on_full_disk(64, &["--appendonly", "yes", "--save", "", "--appendfsync", policy]);
        let mut acknowledged = 0;
        loop {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", program.port)) else { break };
            stream.set_read_timeout(Some(PATIENCE)).expect("a socket's option");
            let mut reply = String::new();
            stream.write_all(format!("SET k{acknowledged} {value}\r\nQUIT\r\n").as_bytes()).expect("the server reads");
            // a server that stops says nothing any more
            let read = stream.read_to_string(&mut reply);
            if read.is_err() || !reply.starts_with("+OK") {
                assert!(policy == "always" || reply.starts_with("-MISCONF Errors writing to the AOF file: File too large"), "{reply}");
                break;
            }
            acknowledged += 1;
            assert!(acknowledged < 1000, "the disk is never full");
        }
        if policy == "everysec" {
            assert!(program.ask("GET k0").contains(&value), "reads are served");
            program.signal("KILL");
        }
        let aof = fs::read_dir(program._folder.path("appendonlydir")).expect("the files");
        let copy = Folder::new();
        fs::create_dir(copy.path("appendonlydir")).expect("a new folder");
        let (status, log) = {
            let files: Vec<PathBuf> = aof.map(|entry| entry.expect("an entry").path()).collect();
            let folder = program._folder.path("");
            let mut program = program;
            until("the end", || program.child.try_wait().expect("a child").is_some());
            for file in files {
                fs::copy(&file, copy.0.join("appendonlydir").join(file.file_name().expect("a name"))).expect("a copy");
            }
            drop(folder);
            program.end()
        };
        assert!(policy == "everysec" || status.code() == Some(1) && log.contains("Make room or repair the disk"), "{log}");
        let again = Program::start_in(copy, &["--appendonly", "yes", "--save", ""], "");
        let found = (0..acknowledged).filter(|n| again.ask(&format!("EXISTS k{n}")).starts_with(":1")).count();
        // of what everysec has acknowledged, the last may still have waited in memory for a disk that takes it
        let may_lack = if policy == "always" { 0 } else { 1 };
        assert!(found + may_lack >= acknowledged, "{found} of {acknowledged}");
    }
}

#[test]
fn on_a_full_disk_a_rewrite_fails_and_the_files_stay() {
    let program = start_on_full_disk(64, &["--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"]);
    let in_aof = |name: &str| program._folder.path(&format!("appendonlydir/appendonly.aof.{name}"));
    assert!(program.ask("SET kept yes").starts_with("+OK"));
    let before = [fs::read(in_aof("1.base.rdb")).expect("the base"), fs::read(in_aof("1.incr.aof")).expect("the increment")];
    // keys that are in memory alone, more than fit
    assert!(program.ask("DEBUG POPULATE 20000\r\nBGREWRITEAOF").starts_with("+OK\r\n+Background"));
    until("the child has failed", || program.ask("INFO persistence").contains("aof_last_bgrewrite_status:err"));
    assert!(program.ask("SET behind yes\r\nGET kept").starts_with("+OK\r\n$3\r\nyes"), "it is still written to");
    assert!(before == [fs::read(in_aof("1.base.rdb")).expect("the base"), fs::read(in_aof("1.incr.aof")).expect("the increment")]);
    let manifest = fs::read_to_string(in_aof("manifest")).expect("the manifest");
    assert!(manifest.contains("appendonly.aof.1.base.rdb seq 1 type b") && manifest.contains("appendonly.aof.1.incr.aof"), "{manifest}");
    let names = fs::read_dir(program._folder.path("appendonlydir")).expect("a folder");
    let names: Vec<String> = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert!(!names.iter().any(|name| name.starts_with("temp-")), "{names:?}");
    program.signal("KILL");
    let (_, log) = program.end();
    assert!(log.contains("Write error writing append only file on disk: File too large."), "{log}");
}
