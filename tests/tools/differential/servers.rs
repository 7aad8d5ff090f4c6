//! The two servers: how they are started, and how a story is played to both.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ruddle::resp::reader::Reply;

use super::compare::{self, Difference, Judge, Verdict};
use super::link::{Link, Words, encode};
use super::story::{Story, Unit};

/// The tokens that a server documents for each of its commands.
pub type Documented = HashMap<String, HashSet<String>>;

/// A server that was started here and ends with this.
pub struct Peer {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // it may have ended already, and then there is nothing to do
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Peer {
    /// The server under test.
    pub fn start_binary(binary: &str) -> io::Result<Peer> {
        Peer::start(&format!("{binary} --port {{port}} --bind 127.0.0.1 --save '' --appendonly no --dir {{dir}}"), "ours")
    }

    /// A real server, by the name that `tests/tools/peers` knows.
    pub fn start_named(name: &str) -> io::Result<Peer> {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/peers");
        let output = Command::new(tool).arg(name).stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))) {
            Some(command) => Peer::start(command, name),
            None => Err(io::Error::other(format!("tests/tools/peers brought no {name}"))),
        }
    }

    fn start(template: &str, name: &str) -> io::Result<Peer> {
        let port = free_port()?;
        let folder = std::env::temp_dir().join(format!("differential-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let command = template.replace("{port}", &port.to_string()).replace("{dir}", &folder.display().to_string());
        let command = format!("exec {command} --enable-debug-command yes --proto-max-bulk-len 1mb");
        let child = Command::new("sh").args(["-c", &command]).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let peer = Peer { child, port, folder };
        for _ in 0..100 {
            if peer.link(false).is_ok() {
                return Ok(peer);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(io::Error::other(format!("{name} does not answer: {command}")))
    }

    /// A connection.
    pub fn link(&self, resp3: bool) -> io::Result<Link> {
        let mut link = Link::open(self.port)?;
        link.ask(if resp3 { &["HELLO", "3"] } else { &["PING"] })?;
        Ok(link)
    }

    /// What it calls itself.
    pub fn version(&self) -> io::Result<String> {
        let reply = self.link(false)?.ask(&["INFO", "server"])?.to_string();
        let version =
            ["valkey_version:", "redis_version:"].iter().find_map(|name| Some(reply.split_once(name)?.1.split("\\r").next()?.to_string()));
        Ok(version.unwrap_or(reply))
    }

    /// The commands it has, with the tokens of each.
    pub fn documented(&self) -> io::Result<Documented> {
        let mut found = Documented::new();
        if let Reply::Map(commands) = self.link(true)?.ask(&["COMMAND", "DOCS"])? {
            for (name, facts) in &commands {
                document(&mut found, name, facts);
            }
        }
        Ok(found)
    }
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) | Reply::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

fn document(found: &mut Documented, name: &Reply, facts: &Reply) {
    let mut tokens = HashSet::new();
    collect_tokens(facts, &mut tokens);
    found.insert(text(name), tokens);
    if let Reply::Map(facts) = facts
        && let Some((_, Reply::Map(children))) = facts.iter().find(|(name, _)| text(name) == "subcommands")
    {
        for (name, facts) in children {
            document(found, name, facts);
        }
    }
}

fn collect_tokens(reply: &Reply, tokens: &mut HashSet<String>) {
    match reply {
        Reply::Array(inner) | Reply::Set(inner) => inner.iter().for_each(|inner| collect_tokens(inner, tokens)),
        Reply::Map(pairs) => {
            for (name, value) in pairs {
                if text(name) == "token" {
                    tokens.insert(text(value).to_ascii_uppercase());
                }
                collect_tokens(value, tokens);
            }
        }
        _ => {}
    }
}

/// This server and the real one.
pub struct Pair {
    /// This server.
    pub ours: Peer,
    /// The real one.
    pub theirs: Peer,
    /// Whether the real one is the version that is the specification.
    pub strict: bool,
}

/// What came of a story.
#[derive(Default)]
pub struct Outcome {
    /// Replies that were compared.
    pub compared: u64,
    /// Those among them that a rule of [`compare::LENIENT`] had to accept.
    pub lenient: u64,
    /// Those that differ on purpose.
    pub deliberate: Vec<&'static str>,
    /// Where the story ended, if it did not come to its end.
    pub difference: Option<Difference>,
}

impl Pair {
    /// Plays requests of a story to both, from empty data.
    pub fn play(&mut self, story: &Story, units: &[Unit]) -> io::Result<Outcome> {
        let (mut ours, mut theirs) = (self.ours.link(story.resp3)?, self.theirs.link(story.resp3)?);
        for words in &story.settings {
            ours.ask_words(words)?;
            theirs.ask_words(words)?;
        }
        let requests: Vec<&Words> = units.iter().flat_map(Unit::requests).collect();
        let (mut outcome, mut judge) = (Outcome::default(), Judge::new(self.strict));
        let (mut step, mut bytes) = (0, Vec::new());
        for batch in requests.chunks(story.pipeline) {
            bytes.clear();
            batch.iter().for_each(|words| encode(&mut bytes, words));
            ours.send(&bytes)?;
            theirs.send(&bytes)?;
            for words in batch {
                let named = |who: &str, error: io::Error| {
                    io::Error::new(error.kind(), format!("seed {} step {step}: {who}: {error}: {}", story.seed, compare::typed(words)))
                };
                let replies =
                    (ours.receive().map_err(|error| named("ours", error))?, theirs.receive().map_err(|error| named("theirs", error))?);
                outcome.compared += 1;
                match judge.judge(words, &replies.0, &replies.1)? {
                    Verdict::Equal => {}
                    Verdict::Lenient => outcome.lenient += 1,
                    Verdict::Deliberate(name) => outcome.deliberate.push(name),
                    Verdict::Different => {
                        let (ours, theirs) = replies;
                        outcome.difference = Some(Difference { step, words: (*words).clone(), ours, theirs });
                        return Ok(outcome);
                    }
                }
                step += 1;
            }
        }
        Ok(outcome)
    }
}
