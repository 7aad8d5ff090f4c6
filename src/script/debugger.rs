//! The debugger of scripts: what its user asks for and what it says.
//!
//! A script under a debugger is left at a line as one that runs too long is left anywhere ([`super::lane`]): its stack
//! stands, and the loop goes on. So a session needs no loop of its own that reads a socket, as it does in Redis.
//!
//! ```text
//! a line ─▶ Debugger::reach ─▶ Wish::Console ─▶ Host::console: what was said goes out, the next words come in
//!              stops there           ▲                  │
//!                                    └── Debugger::command ──▶ step, continue, abort: the script goes on
//! ```
//!
//! This module knows no Lua: lines, breakpoints, the form of what is said. What looks into the script, its variables
//! and its stack, is [`super::inspect`].
//!
//! What is said is a list of lines, sent as one array of statuses: what redis-cli's `--ldb` reads. A line break within
//! one becomes a space.

use crate::base::number;
use crate::base::text::write_quoted;
use crate::resp::request::Args;

/// Breakpoints that a session may have.
const BREAKPOINTS: usize = 64;
/// To how many bytes a value or a reply is cut, unless told otherwise; and the least that one may ask for.
const TRIM: usize = 256;
const LEAST_TRIM: usize = 60;
/// Lines that are shown on each side of the current one.
const AROUND: usize = 5;
/// Words of a command that are shown.
const WORDS: usize = 10;
/// Arrays of a reply that are shown within each other.
const DEPTH: usize = 64;

/// A session. See the module's essay.
pub(super) struct Debugger {
    source: Vec<Vec<u8>>,
    breakpoints: Vec<usize>,
    /// Whether the next line stops the script.
    stepping: bool,
    /// Whether it does because the script has said so.
    wished: bool,
    /// Whether it does because the script ran for too long.
    tired: bool,
    /// Whether code of its user runs, not the script.
    evaluating: bool,
    /// The line that was reached last.
    line: usize,
    /// To how many bytes values are cut; 0 for never.
    trim: usize,
    /// Whether the user knows that they are.
    hinted: bool,
    said: Vec<Vec<u8>>,
    /// A line in the making.
    speech: Vec<u8>,
}

/// What a command of the user asks of the script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing, or it was answered.
    Nothing,
    /// That it goes on.
    GoOn,
    /// That it ends.
    Abort,
    /// To show a variable, or those of the innermost function.
    Print(Option<Vec<u8>>),
    /// To show where it is.
    Trace,
    /// To evaluate this.
    Evaluate(Vec<u8>),
    /// To run the command that follows the first word.
    Command,
}

impl Debugger {
    /// For a script, which stops at its first line.
    pub(super) fn new(script: &[u8]) -> Debugger {
        let end = script.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        Debugger {
            source: script[..end].split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect(),
            breakpoints: Vec::new(),
            stepping: true,
            wished: false,
            tired: false,
            evaluating: false,
            line: 0,
            trim: TRIM,
            hinted: false,
            said: Vec::new(),
            speech: Vec::new(),
        }
    }

    /// The script has come to a line: whether it stops there, which is then said.
    pub(super) fn reach(&mut self, line: usize) -> bool {
        self.line = line;
        let broken = self.breakpoints.contains(&line);
        let reason = if self.wished {
            "redis.breakpoint() called"
        } else if broken {
            "break point"
        } else if self.tired {
            "timeout reached, infinite loop?"
        } else if self.stepping {
            "step over"
        } else {
            return false;
        };
        (self.stepping, self.wished) = (false, false);
        self.say(format!("* Stopped at {line}, stop reason = {reason}"));
        self.show(line);
        true
    }

    /// The next line stops the script.
    pub(super) fn stop_soon(&mut self) {
        self.wished = true;
    }

    /// The script has run for so long that its user should know.
    pub(super) fn tire(&mut self) {
        self.tired = true;
    }

    /// Code of its user runs now, or has run.
    pub(super) fn set_evaluating(&mut self, evaluating: bool) {
        self.evaluating = evaluating;
    }

    /// Whether code of its user runs.
    pub(super) fn is_evaluating(&self) -> bool {
        self.evaluating
    }

    /// Nobody is there any more: nothing stops the script. Gives whether it had run for too long.
    pub(super) fn desert(&mut self) -> bool {
        (self.stepping, self.wished) = (false, false);
        self.breakpoints.clear();
        std::mem::take(&mut self.tired)
    }

    /// The line that was reached last.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Whether commands of the script are shown as they run.
    pub(super) fn shows_commands(&self) -> bool {
        self.stepping
    }

    /// A command that its user runs is shown.
    pub(super) fn show_commands(&mut self, shown: bool) {
        self.stepping = shown;
    }

    /// Says a line.
    pub(super) fn say(&mut self, line: impl Into<Vec<u8>>) {
        self.said.push(line.into());
    }

    /// Says a line that may be long.
    fn say_trimmed(&mut self, mut line: Vec<u8>) {
        if self.trim == 0 || line.len() <= self.trim {
            return self.say(line);
        }
        line.truncate(self.trim);
        line.extend_from_slice(b" ...");
        self.say(line);
        if !std::mem::replace(&mut self.hinted, true) {
            self.say("<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.");
        }
    }

    /// Adds to the line in the making.
    pub(super) fn speak(&mut self, part: &[u8]) {
        self.speech.extend_from_slice(part);
    }

    /// Says the line in the making.
    pub(super) fn end_speech(&mut self) {
        let line = std::mem::take(&mut self.speech);
        self.say_trimmed(line);
    }

    /// As [`Debugger::end_speech`], at full length.
    pub(super) fn end_speech_whole(&mut self) {
        let line = std::mem::take(&mut self.speech);
        self.say(line);
    }

    /// What was said since this was last asked, in wire form; nothing if it was nothing.
    pub(super) fn take_said(&mut self) -> Vec<u8> {
        let said = std::mem::take(&mut self.said);
        let mut wire = Vec::new();
        if !said.is_empty() {
            wire.extend_from_slice(format!("*{}\r\n", said.len()).as_bytes());
        }
        for line in said {
            wire.push(b'+');
            wire.extend(line.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
            wire.extend_from_slice(b"\r\n");
        }
        wire
    }

    /// Says a line of the script.
    pub(super) fn show(&mut self, line: usize) {
        let text = line.checked_sub(1).and_then(|at| self.source.get(at));
        let text = text.map_or(b"<out of range source code line>".as_slice(), Vec::as_slice);
        let mark = match (line == self.line, self.breakpoints.contains(&line)) {
            (true, true) => "->#",
            (true, false) => "-> ",
            (false, true) => "  #",
            (false, false) => "   ",
        };
        let shown = [format!("{mark}{line:<3} ").as_bytes(), text].concat();
        self.say(shown);
    }

    fn list(&mut self, around: usize, more: usize) {
        let first = around.saturating_sub(more).max(1);
        for line in first..=around.saturating_add(more).min(self.source.len()) {
            self.show(line);
        }
    }

    /// Does what its user asks for, as far as that needs no look into the script.
    pub(super) fn command(&mut self, words: Args<'_>) -> Asked {
        let is = |short: &str, long: &str| words.is(0, short) || words.is(0, long);
        match words.len() {
            _ if is("h", "help") => HELP.iter().for_each(|line| self.say(*line)),
            _ if is("s", "step") || is("n", "next") => {
                (self.stepping, self.tired) = (true, false);
                return Asked::GoOn;
            }
            _ if is("c", "continue") => {
                self.tired = false;
                return Asked::GoOn;
            }
            _ if is("t", "trace") => return Asked::Trace,
            _ if is("m", "maxlen") => self.set_trim(words.get(1)),
            _ if is("b", "break") => self.set_breakpoints(words),
            _ if is("e", "eval") => {
                let code: Vec<&[u8]> = words.from(1).iter().collect();
                return Asked::Evaluate(code.join(&b' '));
            }
            _ if is("a", "abort") => return Asked::Abort,
            2.. if is("r", "redis") => return Asked::Command,
            1 | 2 if is("p", "print") => return Asked::Print(words.get(1).map(<[u8]>::to_vec)),
            _ if is("l", "list") => {
                let number = |at: usize| words.get(at).map(leading_number);
                let around = number(1).and_then(|line| usize::try_from(line).ok()).filter(|&line| line > 0);
                match number(2).map(usize::try_from) {
                    Some(Err(_)) => {}
                    more => self.list(around.unwrap_or(self.line), more.and_then(Result::ok).unwrap_or(AROUND)),
                }
            }
            _ if is("w", "whole") => self.list(1, self.source.len()),
            _ => self.say("<error> Unknown Redis Lua debugger command or wrong number of arguments."),
        }
        Asked::Nothing
    }

    fn set_trim(&mut self, word: Option<&[u8]>) {
        if let Some(word) = word {
            self.hinted = true;
            self.trim = match leading_number(word) {
                0 => 0,
                bytes => usize::try_from(bytes).unwrap_or(0).max(LEAST_TRIM),
            };
        }
        match self.trim {
            0 => self.say("<value> replies are unlimited."),
            bytes => self.say(format!("<value> replies are truncated at {bytes} bytes.")),
        }
    }

    fn set_breakpoints(&mut self, words: Args<'_>) {
        if words.len() == 1 {
            let lines = self.breakpoints.clone();
            if lines.is_empty() {
                self.say("No breakpoints set. Use 'b <line>' to add one.");
            } else {
                self.say(format!("{} breakpoints set:", lines.len()));
            }
            lines.into_iter().for_each(|line| self.show(line));
            return;
        }
        for word in words.from(1).iter() {
            let Some(number) = number::parse_i64(word) else {
                self.say([b"Invalid argument:'", word, b"'"].concat());
                continue;
            };
            let line = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
            let known = self.breakpoints.iter().position(|&other| other == line);
            match number.signum() {
                0 => {
                    self.breakpoints.clear();
                    self.say("All breakpoints removed.");
                }
                1 if self.breakpoints.len() == BREAKPOINTS => self.say("Too many breakpoints set."),
                1 if known.is_some() || line > self.source.len() => self.say("Wrong line number."),
                1 => {
                    self.breakpoints.push(line);
                    self.list(line, 1);
                }
                _ => match known {
                    Some(at) => {
                        self.breakpoints.remove(at);
                        self.say("Breakpoint removed.");
                    }
                    None => self.say("No breakpoint in the specified line."),
                },
            }
        }
    }

    /// Says which command runs.
    pub(super) fn say_command(&mut self, words: Args<'_>) {
        let mut line = b"<redis>".to_vec();
        for word in words.iter().take(WORDS) {
            line.push(b' ');
            line.extend_from_slice(word);
        }
        if words.len() > WORDS {
            line.extend_from_slice(format!(" ... ({} more)", words.len() - WORDS).as_bytes());
        }
        self.say(line);
    }

    /// Says what became of it: an error that kept it from running, or a reply in wire form.
    pub(super) fn say_reply(&mut self, reply: &[u8], refused: bool) {
        if let Some(error) = reply.strip_prefix(b"-") {
            let text = error.strip_suffix(b"\r\n").unwrap_or(error);
            self.say_error(text);
            if refused {
                return;
            }
        }
        let mut line = b"<reply> ".to_vec();
        write_human(&mut line, reply, 0);
        self.say_trimmed(line);
    }

    /// Says an error, which has a code.
    pub(super) fn say_error(&mut self, text: &[u8]) {
        let line = match text.strip_prefix(b"ERR ") {
            Some(text) => [b"<error> ", text].concat(),
            None => [b"<error> -", text].concat(),
        };
        self.say(line);
    }
}

/// The number that a word begins with, 0 if none.
fn leading_number(word: &[u8]) -> i64 {
    let sign = usize::from(matches!(word.first(), Some(b'-' | b'+')));
    let digits = word[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&word[..sign + digits]).ok().and_then(|text| text.parse().ok());
    number.unwrap_or(0)
}

/// Writes a reply for people. Gives what follows it.
fn write_human<'a>(line: &mut Vec<u8>, reply: &'a [u8], depth: usize) -> &'a [u8] {
    let end = memchr::memchr(b'\r', reply).unwrap_or(reply.len());
    let (head, rest) = (&reply[..end], reply.get(end + 2..).unwrap_or_default());
    let Some((&kind, text)) = head.split_first() else { return rest };
    let length = number::parse_i64(text).and_then(|length| usize::try_from(length).ok());
    match (kind, length) {
        (b'$' | b'*', None) => line.extend_from_slice(b"NULL"),
        (b'$', Some(length)) => {
            write_quoted(line, rest.get(..length).unwrap_or_default());
            return rest.get(length + 2..).unwrap_or_default();
        }
        (b'=', Some(length)) => {
            write_quoted(line, rest.get(4..length).unwrap_or_default());
            return rest.get(length + 2..).unwrap_or_default();
        }
        (b'+' | b'-', _) => write_quoted(line, head),
        (b'_', _) => line.extend_from_slice(b"(null)"),
        (b'#', _) => line.extend_from_slice(if text == b"t" { b"#true" } else { b"#false" }),
        (b',', _) => {
            line.extend_from_slice(b"(double) ");
            line.extend_from_slice(text);
        }
        (b'*' | b'~' | b'%' | b'>', Some(length)) if depth < DEPTH => return write_many(line, rest, (kind, length), depth),
        _ => line.extend_from_slice(text),
    }
    rest
}

fn write_many<'a>(line: &mut Vec<u8>, mut rest: &'a [u8], (kind, length): (u8, usize), depth: usize) -> &'a [u8] {
    let (open, close): (&[u8], u8) = match kind {
        b'%' => (b"{", b'}'),
        b'~' => (b"~(", b')'),
        _ => (b"[", b']'),
    };
    line.extend_from_slice(open);
    for at in 0..length {
        if at > 0 {
            line.push(b',');
        }
        rest = write_human(line, rest, depth + 1);
        if kind == b'%' {
            line.extend_from_slice(b" => ");
            rest = write_human(line, rest, depth + 1);
        }
    }
    line.push(close);
    rest
}

const HELP: &[&str] = &[
    "Commands, each by its name or its first letter:",
    "help                  Show this.",
    "step, next            Run this line and stop at the next one.",
    "continue              Run on to a breakpoint, or to the end.",
    "list [line] [lines]   Show the script around a line, 5 lines on each side",
    "                      unless told; line 0 is the current one.",
    "whole                 Show all of the script.",
    "print                 Show the local variables of the innermost function.",
    "print <name>          Show a local variable of any function, KEYS or ARGV.",
    "break                 Show the breakpoints.",
    "break <line> ...      Stop at a line from now on; -<line>: no more; 0: at none.",
    "trace                 Show which functions have called each other, and where.",
    "eval <code>           Run Lua code, which sees no local variables.",
    "redis <command>       Run a command.",
    "maxlen [bytes]        Cut values and replies to a length, 0 for never.",
    "abort                 End the script with an error. What it has changed is kept",
    "                      in a sync session, and gone in any other.",
    "",
    "In a script:",
    "redis.debug(...)      Show values here.",
    "redis.breakpoint()    Stop at the next line.",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::request::OwnedRequest;

    fn ask(debugger: &mut Debugger, line: &str) -> (Asked, String) {
        let asked = debugger.command(OwnedRequest::from_words(line.split(' ').map(str::as_bytes)).args());
        (asked, String::from_utf8_lossy(&debugger.take_said()).into_owned())
    }

    #[test]
    fn lines_stop_where_they_should() {
        let mut debugger = Debugger::new(b"one\ntwo\nthree\r\n\n");
        assert_eq!(debugger.source.len(), 3);
        assert!(debugger.reach(1) && !debugger.reach(2));
        assert_eq!(ask(&mut debugger, "b 3 9 x 3").0, Asked::Nothing);
        assert!(debugger.reach(3));
        assert_eq!(ask(&mut debugger, "b -3 -3 0").0, Asked::Nothing);
        assert!(!debugger.reach(3));
        debugger.stop_soon();
        assert!(debugger.reach(1) && !debugger.reach(2));
        debugger.tire();
        assert!(debugger.reach(1));
        assert!(debugger.desert() && !debugger.reach(1));
    }

    #[test]
    fn no_words_are_too_much() {
        let mut debugger = Debugger::new(b"");
        for words in [
            "",
            "l -9223372036854775808 9223372036854775807",
            "l 99999999999999999999",
            "b 9223372036854775807 -9223372036854775808",
            "m 99999999999999999999",
            "m -1",
            "redis",
            "p a b c",
            "e",
            "whole 3",
            "list 9223372036854775807 9223372036854775807",
        ] {
            ask(&mut debugger, words);
        }
        let empty = OwnedRequest::default();
        assert_eq!(debugger.command(empty.args()), Asked::Nothing);
    }

    #[test]
    fn replies_are_shown_for_people() {
        for (reply, shown) in [
            ("+OK\r\n", "\"+OK\""),
            ("$-1\r\n", "NULL"),
            ("*-1\r\n", "NULL"),
            ("_\r\n", "(null)"),
            (":3\r\n", "3"),
            ("#t\r\n", "#true"),
            (",1.5\r\n", "(double) 1.5"),
            ("*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "[\"a\",[1]]"),
            ("%1\r\n$1\r\nf\r\n$1\r\nv\r\n", "{\"f\" => \"v\"}"),
            ("~1\r\n$1\r\nx\r\n", "~(\"x\")"),
            ("*5\r\n$9\r\na", "[\"\",,,,]"),
            ("", ""),
        ] {
            let mut line = Vec::new();
            write_human(&mut line, reply.as_bytes(), 0);
            assert_eq!(String::from_utf8_lossy(&line), shown, "{reply:?}");
        }
    }
}
