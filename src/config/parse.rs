//! From configuration file, standard input and command line to a [`Config`].
//!
//! All three are lines of `name value ...`, and the last one that sets a directive wins: first the
//! file, then standard input, then the options of the command line, each `--name value ...` being
//! one line. Only `save` adds up: the first line drops the default rules, later ones add to it,
//! across all three.
//!
//! ```text
//! [FILE | -] [--name value ...] [-]
//! -v | --version | -h | --help | --check-config [FILE | -] [--name value ...]
//! ```
//!
//! Invariants: no input panics; files include each other at most [`MAX_DEPTH`] deep and
//! [`MAX_FILES`] times in all, so a cycle ends with an error. An error names the file and line it
//! stands on, also when that file was included by another. Redis names the line only, and counts it
//! in the concatenation of all it has read; that is the one thing not imitated.
//!
//! Reading goes through [`Files`], so that tests need no disk.

use std::io::{self, Read};

use super::directives::{self, Adds, Config, Renaming, UserLine};
use super::shape::Shape;
use crate::base::{glob, text};

/// How deep files may include each other.
pub const MAX_DEPTH: usize = 16;
/// How many files one start may read.
pub const MAX_FILES: usize = 1000;

/// Directives that older versions had, which Redis still passes over when they have one value.
const RETIRED: [&[u8]; 3] = [b"list-max-ziplist-entries", b"list-max-ziplist-value", b"lua-replicate-commands"];
/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Startup {
    /// Serve with this configuration.
    Serve(Box<Config>),
    /// Print the version.
    Version,
    /// Print [`help`](super::manual::help).
    Help,
    /// Say whether this configuration is sound, which it is as far as it concerns no commands.
    Check(Box<Config>),
}

/// Where configuration text comes from.
pub trait Files {
    /// The content of a file.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
    /// All of standard input.
    fn read_stdin(&self) -> io::Result<Vec<u8>>;
    /// The names in a directory.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;
    /// The same path, independent of the working directory.
    fn absolute(&self, path: &str) -> String;
}

/// The files of this machine.
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        io::stdin().lock().read_to_end(&mut content)?;
        Ok(content)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(directory)?;
        // Names that are not UTF-8 cannot be written in a pattern, so they match none.
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.collect())
    }

    fn absolute(&self, path: &str) -> String {
        let absolute = std::path::absolute(path).ok().and_then(|path| path.to_str().map(str::to_string));
        absolute.unwrap_or_else(|| path.to_string())
    }
}

/// Reads the arguments that follow the program's name. An error is the whole message for the
/// operator; the exit code is the caller's business.
pub fn start(arguments: &[Vec<u8>], files: &dyn Files) -> Result<Startup, String> {
    let (first, rest) = match arguments {
        [] => (&b""[..], arguments),
        [first, rest @ ..] => (first.as_slice(), rest),
    };
    match first {
        b"-v" | b"--version" => Ok(Startup::Version),
        b"-h" | b"--help" => Ok(Startup::Help),
        b"--check-config" if rest.is_empty() => Err("--check-config needs a file to check\n".into()),
        b"--check-config" => load(rest, files).map(|config| Startup::Check(Box::new(config))),
        _ => load(arguments, files).map(|config| Startup::Serve(Box::new(config))),
    }
}

/// The configuration that a command line without a leading command such as `--help` gives.
fn load(arguments: &[Vec<u8>], files: &dyn Files) -> Result<Config, String> {
    let mut loader = Loader { files, config: Config::default(), adds: Adds::Nothing, files_read: 0 };
    let options = match arguments {
        [path, rest @ ..] if !path.starts_with(b"-") => {
            let path = std::str::from_utf8(path);
            let path = path.map_err(|_| "the name of the file is not UTF-8\n")?;
            loader.load_file(path, 0)?;
            loader.config.config_file = Some(files.absolute(path));
            rest
        }
        _ => arguments,
    };
    let command_line = CommandLine::read(options, options.len() == arguments.len());
    if command_line.reads_stdin {
        let content = files.read_stdin().map_err(|error| cannot_open("-", &error))?;
        loader.load_text(&content, &Origin::Stdin, 0)?;
    }
    for line in &command_line.lines {
        let line = Line { origin: &Origin::CommandLine, number: 0, text: line };
        loader.load_line(&line, 0).map_err(|error| error.report(&line))?;
    }
    Ok(loader.config)
}

/// The options of a command line as lines of a configuration file.
struct CommandLine {
    lines: Vec<Vec<u8>>,
    reads_stdin: bool,
}

impl CommandLine {
    /// An argument that opens with `--` starts a line, unless the line before still lacks a value:
    /// then it is that value, as a password may well be. `--save` alone stands for `--save ''`. A
    /// single `-` counts as standard input where it stands first on the command line, or last.
    fn read(options: &[Vec<u8>], at_start: bool) -> CommandLine {
        let mut line = CommandLine { lines: Vec::new(), reads_stdin: false };
        let mut has_value = true;
        for (at, argument) in options.iter().enumerate() {
            let is_last = at + 1 == options.len();
            let is_first = at == 0 && at_start;
            if argument == b"-" && (is_first || is_last) {
                line.reads_stdin = true;
            } else if has_value && argument.starts_with(b"--") {
                let empties_save =
                    argument.eq_ignore_ascii_case(b"--save") && options.get(at + 1).is_none_or(|next| next.starts_with(b"--"));
                let mut words = argument[2..].to_vec();
                words.extend_from_slice(if empties_save { b" \"\"" } else { b"" });
                has_value = empties_save || holds_value(argument);
                line.lines.push(words);
            } else {
                line.append_value(argument);
                has_value = true;
            }
        }
        line
    }

    fn append_value(&mut self, value: &[u8]) {
        if self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
        let line = self.lines.last_mut().expect("a line was just made sure of");
        if !line.is_empty() {
            line.push(b' ');
        }
        text::write_quoted(line, value);
    }
}

/// Whether an argument as `--port 6380` brings its value along.
fn holds_value(argument: &[u8]) -> bool {
    text::split_arguments(argument).map_or(true, |words| words.len() != 1)
}

/// Where a line stands.
enum Origin {
    File(String),
    Stdin,
    CommandLine,
}

/// Why a line was refused.
enum LineError {
    /// The reason; the place is this line.
    Here(String),
    /// The whole report, about a line of an included file.
    Elsewhere(String),
}

impl From<String> for LineError {
    fn from(reason: String) -> LineError {
        LineError::Here(reason)
    }
}

impl From<&str> for LineError {
    fn from(reason: &str) -> LineError {
        LineError::Here(reason.to_string())
    }
}

/// A line and where it stands.
struct Line<'a> {
    origin: &'a Origin,
    number: usize,
    text: &'a [u8],
}

impl Line<'_> {
    /// What to tell the operator before the reason why the line was refused.
    fn blame(&self) -> String {
        let number = self.number;
        let place = match self.origin {
            Origin::File(path) => format!("configuration file, at line {number} of {path}"),
            Origin::Stdin => format!("configuration file, at line {number} of standard input"),
            Origin::CommandLine => "command line".to_string(),
        };
        format!(
            "\n*** FATAL CONFIG FILE ERROR (Ruddle {}) ***\nReading the {place}\n>>> '{}'\n",
            env!("CARGO_PKG_VERSION"),
            String::from_utf8_lossy(self.text),
        )
    }
}

impl LineError {
    /// The message for the operator.
    fn report(self, line: &Line<'_>) -> String {
        match self {
            LineError::Here(reason) => line.blame() + &reason + "\n",
            LineError::Elsewhere(report) => report,
        }
    }
}

fn cannot_open(path: &str, error: &io::Error) -> String {
    format!("Fatal error, can't open config file '{path}': {}\n", text::reason(error))
}

/// A configuration in the making.
struct Loader<'files> {
    files: &'files dyn Files,
    config: Config,
    /// Whether the next `save` line adds to the rules.
    adds: Adds,
    files_read: usize,
}

impl Loader<'_> {
    fn load_file(&mut self, path: &str, depth: usize) -> Result<(), String> {
        self.files_read += 1;
        let content = self.files.read(path).map_err(|error| cannot_open(path, &error))?;
        self.load_text(&content, &Origin::File(path.to_string()), depth)
    }

    fn load_text(&mut self, content: &[u8], origin: &Origin, depth: usize) -> Result<(), String> {
        for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
            let line = Line { origin, number: index + 1, text: trim_line(line) };
            self.load_line(&line, depth).map_err(|error| error.report(&line))?;
        }
        Ok(())
    }

    fn load_line(&mut self, line: &Line<'_>, depth: usize) -> Result<(), LineError> {
        if line.text.is_empty() || line.text[0] == b'#' {
            return Ok(());
        }
        let words = text::split_arguments(line.text);
        let words = words.map_err(|_| "Unbalanced quotes in configuration line")?;
        let [name, values @ ..] = words.as_slice() else {
            return Ok(());
        };
        match directives::find(name) {
            Some((row, _)) => self.assign(row, values).map_err(LineError::Here),
            None => self.load_other(line, &name.to_ascii_lowercase(), values, depth),
        }
    }

    fn assign(&mut self, row: &directives::Row, values: &[Vec<u8>]) -> Result<(), String> {
        // One quoted value may hold all words: --replicaof "127.0.0.1 6379".
        let split = match values {
            [only] if row.shape.takes_many() && !only.is_empty() => {
                text::split_arguments(only).map_err(|_| "Unbalanced quotes in configuration line")?
            }
            _ => values.to_vec(),
        };
        row.assign(&mut self.config, &split, self.adds)?;
        if matches!(row.shape, Shape::Save) {
            self.adds = Adds::ToEarlier;
        }
        Ok(())
    }

    /// The directives that only a file may hold and that CONFIG GET does not know.
    fn load_other(&mut self, line: &Line<'_>, name: &[u8], values: &[Vec<u8>], depth: usize) -> Result<(), LineError> {
        match (name, values) {
            (b"include", [path]) => self.include(path, depth),
            (b"rename-command", [from, to]) => {
                let word = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
                let (Ok(from), Ok(to)) = (word(from), word(to)) else {
                    return Err("names of commands must be valid UTF-8 text".into());
                };
                self.config.renamed_commands.push(Renaming { from, to, blame: line.blame() });
                Ok(())
            }
            (b"loadmodule", [_, ..]) => Err("loadmodule is not available: this server loads no modules".into()),
            (b"user", [user, rules @ ..]) => {
                self.config.users.push(UserLine { name: user.as_slice().into(), rules: rules.to_vec(), blame: line.blame() });
                Ok(())
            }
            (retired, [_]) if RETIRED.contains(&retired) => Ok(()),
            _ => Err("Bad directive or wrong number of arguments".into()),
        }
    }

    fn include(&mut self, path: &[u8], depth: usize) -> Result<(), LineError> {
        let pattern = std::str::from_utf8(path).map_err(|_| "the name of the file is not UTF-8")?;
        if depth + 1 >= MAX_DEPTH {
            return Err(format!("files include each other more than {MAX_DEPTH} deep").into());
        }
        let paths = match pattern.contains(['*', '?', '[']) {
            true => expand(pattern, self.files),
            false => vec![pattern.to_string()],
        };
        for path in paths {
            if self.files_read >= MAX_FILES {
                return Err(format!("more than {MAX_FILES} files are included").into());
            }
            self.load_file(&path, depth + 1).map_err(LineError::Elsewhere)?;
        }
        Ok(())
    }
}

/// Strips what surrounds the words of a line.
pub(super) fn trim_line(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().position(|byte| !blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

/// The existing paths that match a pattern, sorted as the shell does. A wildcard does not match a
/// leading dot.
fn expand(pattern: &str, files: &dyn Files) -> Vec<String> {
    let (root, relative) = match pattern.strip_prefix('/') {
        Some(relative) => ("/", relative),
        None => ("", pattern),
    };
    let mut found = vec![root.to_string()];
    for part in relative.split('/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|parent| step(parent, part, files)).collect();
    }
    found
}

/// The paths one level below `parent` that match one part of a pattern.
fn step(parent: &str, part: &str, files: &dyn Files) -> Vec<String> {
    let join = |name: &str| match parent {
        "" | "/" => format!("{parent}{name}"),
        _ => format!("{parent}/{name}"),
    };
    if !part.contains(['*', '?', '[']) {
        return vec![join(part)];
    }
    let directory = if parent.is_empty() { "." } else { parent };
    let mut names = files.list(directory).unwrap_or_default();
    names.retain(|name| {
        let shown = !name.starts_with('.') || part.starts_with('.');
        shown && glob::matches(part.as_bytes(), name.as_bytes(), glob::Case::Sensitive)
    });
    names.sort();
    names.iter().map(|name| join(name)).collect()
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
