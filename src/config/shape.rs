//! The notation of a directive: how its words become a [`Value`], what is out of bounds, and how a
//! value is shown by CONFIG GET and written by CONFIG REWRITE.
//!
//! Invariants: parsing what is shown gives the value back, and so does parsing what is written. A
//! shape knows nothing about a particular directive; error texts are Redis's to the letter, since
//! tools and test suites match on them.
//!
//! The same shape serves a file, the command line and CONFIG SET. They differ in how text becomes
//! words, which is [`Shape::words_of_set`] for CONFIG SET and the line splitter for the others.

use super::values::{ClientClass, ClientMemory, KeyspaceEvents, MaxMemory, OutputLimit, OutputLimits, SavePoint, Value};
use super::words::SHUTDOWN_WORDS;
use crate::base::{number, text};

/// How an integer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// Plain digits.
    Decimal,
    /// Octal digits, as file modes are.
    Octal,
    /// Bytes, with a unit such as `mb` if wanted.
    Memory,
}

/// The form a directive's value has.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// `yes` or `no`.
    Bool,
    /// A whole number within bounds; what passes is then pulled into `kept`.
    Number {
        /// How the number is written.
        notation: Notation,
        /// The bounds that an error names.
        bounds: (i128, i128),
        /// The range into which an allowed value is silently moved.
        kept: (i128, i128),
    },
    /// One word of a vocabulary.
    Word(&'static [&'static str]),
    /// Actions on a termination signal, see [`SHUTDOWN_WORDS`].
    ShutdownActions,
    /// Any text; the function refuses what makes no sense.
    Text(fn(&str) -> Result<(), &'static str>),
    /// A text that is absent when it is empty, and then has no line in a rewritten file.
    OptionalText,
    /// Bytes that no log may show; absent when empty.
    Secret,
    /// Snapshot rules: pairs of seconds and changes.
    Save,
    /// Addresses to listen on.
    Addresses,
    /// Class, hard limit, soft limit, soft seconds; any number of times.
    OutputLimits,
    /// Host and port, or `no one`.
    ReplicaOf,
    /// Letters of keyspace event classes.
    Events,
    /// Numbers from 0 to 100.
    Percentiles,
    /// Bytes or `auto`.
    MaxMemory,
    /// Bytes or a percentage.
    ClientMemory,
    /// Three adjustments for the kernel's out-of-memory killer.
    OomValues,
}

/// The most addresses `bind` takes.
const MAX_ADDRESSES: usize = 16;

/// Plain integers from `min` to `max`.
pub const fn int(min: i128, max: i128) -> Shape {
    Shape::Number { notation: Notation::Decimal, bounds: (min, max), kept: (min, max) }
}

/// Byte counts from `min` to `max`.
pub const fn memory(min: i128, max: i128) -> Shape {
    Shape::Number { notation: Notation::Memory, bounds: (min, max), kept: (min, max) }
}

/// The bound of a C `int`, which Redis's own bounds are made of.
pub const INT: i128 = i32::MAX as i128;
/// The bound of a signed 64-bit number.
pub const LONG: i128 = i64::MAX as i128;
/// The bound of an unsigned 32-bit number.
pub const UINT: i128 = u32::MAX as i128;

impl Shape {
    /// Whether the directive takes several words on a line.
    pub fn takes_many(&self) -> bool {
        matches!(
            self,
            Shape::ShutdownActions
                | Shape::Save
                | Shape::Addresses
                | Shape::OutputLimits
                | Shape::ReplicaOf
                | Shape::Percentiles
                | Shape::OomValues
        )
    }

    /// Splits the one argument of CONFIG SET into words: at every single space, as Redis does, so
    /// that two spaces in a row make an empty word.
    pub fn words_of_set(&self, argument: &[u8]) -> Vec<Vec<u8>> {
        if !self.takes_many() {
            return vec![argument.to_vec()];
        }
        if argument.is_empty() {
            return Vec::new();
        }
        argument.split(|&byte| byte == b' ').map(<[u8]>::to_vec).collect()
    }

    /// The value that `words` give. `base` is what they add to, for the shapes that add: earlier
    /// snapshot rules, the limits of the classes not named.
    pub fn parse(&self, words: &[Vec<u8>], base: &Value) -> Result<Value, String> {
        if self.takes_many() {
            return self.parse_many(words, base);
        }
        let [word] = words else {
            return Err("wrong number of arguments".to_string());
        };
        match self {
            Shape::Bool => parse_bool(word),
            Shape::Number { notation, bounds, kept } => {
                let number = parse_number(*notation, word, *bounds)?;
                Ok(Value::Int(number.clamp(kept.0, kept.1)))
            }
            Shape::Word(vocabulary) => word_index(vocabulary, word).map(Value::Word),
            Shape::Text(rule) => {
                let valid = std::str::from_utf8(word).map_err(|_| NOT_TEXT.to_string())?;
                rule(valid)?;
                Ok(Value::Text(word.clone()))
            }
            Shape::OptionalText => match std::str::from_utf8(word) {
                Ok(_) => Ok(Value::Text(word.clone())),
                Err(_) => Err(NOT_TEXT.to_string()),
            },
            Shape::Events => KeyspaceEvents::from_letters(word)
                .map(Value::Events)
                .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_string()),
            Shape::MaxMemory => parse_max_memory(word),
            Shape::ClientMemory => parse_client_memory(word),
            _ => Ok(Value::Text(word.clone())),
        }
    }

    /// [`Shape::parse`] for the shapes that take several words.
    fn parse_many(&self, words: &[Vec<u8>], base: &Value) -> Result<Value, String> {
        // One empty word, as in `save ""`, stands for none.
        let clears = matches!(self, Shape::Save | Shape::Addresses | Shape::Percentiles);
        let words = match words {
            [only] if clears && only.is_empty() => &[],
            _ => words,
        };
        match self {
            Shape::Save => parse_save(words, base),
            Shape::Addresses => parse_addresses(words),
            Shape::OutputLimits => parse_output_limits(words, base),
            Shape::ReplicaOf => parse_replica_of(words),
            Shape::Percentiles => parse_percentiles(words),
            Shape::OomValues => parse_oom_values(words),
            _ => parse_shutdown_actions(words),
        }
    }

    /// The text that CONFIG GET shows.
    pub fn show(&self, value: &Value) -> Vec<u8> {
        match (self, value) {
            (_, Value::Bool(on)) => yes_no(*on).into(),
            (Shape::Number { notation: Notation::Octal, .. }, Value::Int(mode)) => format!("{mode:o}").into(),
            (_, Value::Int(number)) => number.to_string().into(),
            (Shape::Word(vocabulary), Value::Word(at)) => vocabulary[*at].into(),
            (_, Value::Flags(bits)) => shutdown_text(*bits).into(),
            (_, Value::Text(bytes)) => bytes.clone(),
            (_, Value::Words(list)) => list.join(" ").into(),
            (_, Value::Save(points)) => joined(points.iter().map(save_text)).into(),
            (_, Value::Limits(limits)) => {
                let one = |class: ClientClass| {
                    let limit = limits[class];
                    let (hard, soft) = (limit.hard_bytes, limit.soft_bytes);
                    format!("{} {hard} {soft} {}", class.shown(), limit.soft_seconds)
                };
                joined(ClientClass::ALL.into_iter().map(one)).into()
            }
            (_, Value::ReplicaOf(None)) => Vec::new(),
            (_, Value::ReplicaOf(Some((host, port)))) => format!("{host} {port}").into(),
            (_, Value::Events(events)) => events.letters().into(),
            (_, Value::Percentiles(list)) => joined(list.iter().map(percentile_text)).into(),
            (_, Value::MaxMemory(limit)) => limit.bytes.to_string().into(),
            (_, Value::ClientMemory(limit)) => client_memory_text(*limit, u64::to_string).into(),
            (_, Value::Word(_)) => value.wrong_shape(),
        }
    }

    /// The text of the value after the name on the line that CONFIG REWRITE writes, one for each
    /// line that the value needs. An empty list means that the file must not have a line for it.
    pub fn write(&self, value: &Value) -> Vec<Vec<u8>> {
        match (self, value) {
            (Shape::Number { notation: Notation::Memory, .. }, Value::Int(bytes)) => {
                vec![memory_text(*bytes).into()]
            }
            (Shape::OptionalText | Shape::Secret, Value::Text(bytes)) if bytes.is_empty() => vec![],
            (Shape::OomValues, Value::Text(_)) => vec![self.show(value)],
            (_, Value::Text(bytes)) => vec![quoted(bytes)],
            (_, Value::Words(list)) if list.is_empty() => vec![b"\"\"".to_vec()],
            (_, Value::Words(list)) => {
                vec![joined(list.iter().map(|word| written_word(word))).into()]
            }
            (_, Value::Save(points)) if points.is_empty() => vec![b"\"\"".to_vec()],
            (_, Value::Save(points)) => points.iter().map(|rule| save_text(rule).into()).collect(),
            (_, Value::Limits(limits)) => {
                let line = |class| limit_line(class, limits[class]);
                ClientClass::ALL.into_iter().map(line).collect()
            }
            (_, Value::ReplicaOf(None)) => vec![],
            (_, Value::ReplicaOf(Some((host, port)))) => {
                vec![format!("{} {port}", written_word(host)).into()]
            }
            (_, Value::Events(events)) => vec![quoted(events.written().as_bytes())],
            (_, Value::Percentiles(list)) if list.is_empty() => vec![b"\"\"".to_vec()],
            (_, Value::MaxMemory(limit)) if limit.auto => vec![b"auto".to_vec()],
            (_, Value::MaxMemory(limit)) => vec![memory_text(i128::from(limit.bytes)).into()],
            (_, Value::ClientMemory(limit)) => {
                vec![client_memory_text(*limit, |&bytes| memory_text(i128::from(bytes))).into()]
            }
            _ => vec![self.show(value)],
        }
    }
}

/// The refusal of bytes that are not UTF-8 where text is wanted.
const NOT_TEXT: &str = "argument must be valid UTF-8 text";
/// The refusal of a byte count.
const NOT_MEMORY: &str = "argument must be a memory value";

/// `bytes` in quotes, as the line splitter reads them back.
fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    text::write_quoted(&mut out, bytes);
    out
}

fn yes_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" ")
}

fn save_text(point: &SavePoint) -> String {
    format!("{} {}", point.seconds, point.changes)
}

/// A word of a list on a written line: quoted only when the plain word would not be read back.
fn written_word(word: &str) -> String {
    let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && !word.contains(['"', '\'', '\\']) {
        return word.to_string();
    }
    String::from_utf8(quoted(word.as_bytes())).expect("quoting leaves printable ASCII")
}

fn limit_line(class: ClientClass, limit: OutputLimit) -> Vec<u8> {
    let hard = memory_text(i128::from(limit.hard_bytes));
    let soft = memory_text(i128::from(limit.soft_bytes));
    format!("{} {hard} {soft} {}", class.written(), limit.soft_seconds).into()
}

/// Bytes in the largest unit that divides them.
fn memory_text(bytes: i128) -> String {
    let units = [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")];
    let whole = units.iter().find(|(size, _)| bytes != 0 && bytes % size == 0);
    whole.map_or_else(|| bytes.to_string(), |(size, unit)| format!("{}{unit}", bytes / size))
}

fn client_memory_text(limit: ClientMemory, bytes_text: fn(&u64) -> String) -> String {
    match limit {
        ClientMemory::Bytes(bytes) => bytes_text(&bytes),
        ClientMemory::Percent(percent) => format!("{percent}%"),
    }
}

/// Six decimals without the zeros at the end.
fn percentile_text(percentile: &f64) -> String {
    let fixed = format!("{percentile:.6}");
    fixed.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn shutdown_text(bits: u32) -> String {
    if bits == 0 {
        return SHUTDOWN_WORDS[0].to_string();
    }
    let actions = SHUTDOWN_WORDS[1..].iter().enumerate();
    joined(actions.filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, word)| word.to_string()))
}

fn parse_bool(word: &[u8]) -> Result<Value, String> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(Value::Bool(true))
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(Value::Bool(false))
    } else {
        Err("argument must be 'yes' or 'no'".to_string())
    }
}

fn word_index(vocabulary: &[&str], word: &[u8]) -> Result<usize, String> {
    let found = vocabulary.iter().position(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    found.ok_or_else(|| format!("argument(s) must be one of the following: {}", vocabulary.join(", ")))
}

fn parse_shutdown_actions(words: &[Vec<u8>]) -> Result<Value, String> {
    if words.is_empty() {
        word_index(SHUTDOWN_WORDS, b"")?;
    }
    let mut bits = 0;
    for word in words {
        let at = word_index(SHUTDOWN_WORDS, word)?;
        bits |= if at == 0 { 0 } else { 1 << (at - 1) };
    }
    if bits & 3 == 3 {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".to_string());
    }
    Ok(Value::Flags(bits))
}

fn parse_number(notation: Notation, word: &[u8], bounds: (i128, i128)) -> Result<i128, String> {
    let number = match notation {
        Notation::Decimal => number::parse_i64(word).map(i128::from).ok_or("argument couldn't be parsed into an integer")?,
        Notation::Octal => parse_octal(word).ok_or("argument couldn't be parsed as an octal number")?,
        Notation::Memory => text::parse_memory(word).map(i128::from).ok_or(NOT_MEMORY)?,
    };
    let (min, max) = bounds;
    if (min..=max).contains(&number) {
        return Ok(number);
    }
    Err(match notation {
        Notation::Octal => format!("argument must be between {min:o} and {max:o} inclusive"),
        _ => format!("argument must be between {min} and {max} inclusive"),
    })
}

fn parse_octal(word: &[u8]) -> Option<i128> {
    let digits = std::str::from_utf8(word).ok()?;
    i64::from_str_radix(digits, 8).ok().map(i128::from)
}

fn parse_max_memory(word: &[u8]) -> Result<Value, String> {
    if word.eq_ignore_ascii_case(b"auto") {
        return Ok(Value::MaxMemory(MaxMemory { bytes: 0, auto: true }));
    }
    let bytes = text::parse_memory(word).ok_or(NOT_MEMORY)?;
    Ok(Value::MaxMemory(MaxMemory { bytes, auto: false }))
}

/// Redis keeps a percentage as a negative number, so a number of bytes that has wrapped around to one is taken for it.
fn parse_client_memory(word: &[u8]) -> Result<Value, String> {
    let neither = "argument must be a memory or percent value";
    let number = match word.strip_suffix(b"%") {
        Some(digits) => -number::parse_i64(digits).filter(|&n| n >= 0).ok_or(neither)?,
        None => text::parse_memory(word).ok_or(neither)?.cast_signed(),
    };
    Ok(Value::ClientMemory(match u64::try_from(number) {
        Ok(bytes) => ClientMemory::Bytes(bytes),
        Err(_) => {
            let percent = u8::try_from(number.unsigned_abs()).ok().filter(|&percent| percent <= 100);
            ClientMemory::Percent(percent.ok_or("percentage argument must be less or equal to 100")?)
        }
    }))
}

fn parse_save(words: &[Vec<u8>], base: &Value) -> Result<Value, String> {
    let Value::Save(earlier) = base else { base.wrong_shape() };
    if words.is_empty() {
        return Ok(Value::Save(Vec::new()));
    }
    let invalid = || "Invalid save parameters".to_string();
    let mut points = earlier.clone();
    for pair in words.chunks(2) {
        let [seconds, changes] = pair else {
            return Err(invalid());
        };
        let number = |word: &[u8]| number::parse_i64(word).and_then(|n| u64::try_from(n).ok());
        let seconds = number(seconds).filter(|&n| n >= 1).ok_or_else(invalid)?;
        let changes = number(changes).ok_or_else(invalid)?;
        points.push(SavePoint { seconds, changes });
    }
    Ok(Value::Save(points))
}

fn parse_addresses(words: &[Vec<u8>]) -> Result<Value, String> {
    if words.len() > MAX_ADDRESSES {
        return Err("Too many bind addresses specified.".to_string());
    }
    let decoded = words.iter().map(|word| String::from_utf8(word.clone()));
    let addresses: Result<Vec<String>, _> = decoded.collect();
    addresses.map(Value::Words).map_err(|_| NOT_TEXT.to_string())
}

fn parse_output_limits(words: &[Vec<u8>], base: &Value) -> Result<Value, String> {
    let Value::Limits(OutputLimits(mut limits)) = *base else { base.wrong_shape() };
    let groups = words.chunks_exact(4);
    if !groups.remainder().is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".to_string());
    }
    for group in groups {
        let class = ClientClass::named(&group[0]).ok_or("Invalid client class specified in buffer limit configuration.")?;
        let limit = parse_limit(group).ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        match class {
            ClientClass::Normal => limits[0] = limit,
            ClientClass::Replica => limits[1] = limit,
            ClientClass::Pubsub => limits[2] = limit,
        }
    }
    Ok(Value::Limits(OutputLimits(limits)))
}

fn parse_limit(group: &[Vec<u8>]) -> Option<OutputLimit> {
    Some(OutputLimit {
        hard_bytes: text::parse_memory(&group[1])?,
        soft_bytes: text::parse_memory(&group[2])?,
        soft_seconds: number::parse_i64(&group[3]).and_then(|n| u64::try_from(n).ok())?,
    })
}

fn parse_replica_of(words: &[Vec<u8>]) -> Result<Value, String> {
    let [host, port] = words else {
        return Err("wrong number of arguments".to_string());
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Value::ReplicaOf(None));
    }
    let port = number::parse_i64(port).and_then(|n| u16::try_from(n).ok());
    let port = port.ok_or("Invalid master port")?;
    let host = String::from_utf8(host.clone()).map_err(|_| NOT_TEXT)?;
    Ok(Value::ReplicaOf(Some((host, port))))
}

fn parse_percentiles(words: &[Vec<u8>]) -> Result<Value, String> {
    let mut list = Vec::with_capacity(words.len());
    for word in words {
        let number = number::parse_f64(word);
        let number = number.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&number) {
            let text = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
            return Err(text.to_string());
        }
        // Six decimals are what is shown and written; keeping more would not survive a rewrite.
        list.push((number * 1e6).round() / 1e6);
    }
    Ok(Value::Percentiles(list))
}

fn parse_oom_values(words: &[Vec<u8>]) -> Result<Value, String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".to_string());
    }
    let in_range = |word: &Vec<u8>| number::parse_i64(word).filter(|n| (-2000..=2000).contains(n));
    let Some(numbers) = words.iter().map(in_range).collect::<Option<Vec<i64>>>() else {
        let text = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
        return Err(text.to_string());
    };
    Ok(Value::Text(numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(" ").into_bytes()))
}

/// Accepts any text.
pub fn any_text(_: &str) -> Result<(), &'static str> {
    Ok(())
}

/// Accepts the name of a snapshot file.
pub fn snapshot_name(name: &str) -> Result<(), &'static str> {
    match is_bare_name(name) {
        true => Ok(()),
        false => Err("dbfilename can't be a path, just a filename"),
    }
}

/// Accepts the base name of the append-only files.
pub fn append_file_name(name: &str) -> Result<(), &'static str> {
    match (name.is_empty(), is_bare_name(name)) {
        (true, _) => Err("appendfilename can't be empty"),
        (false, false) => Err("appendfilename can't be a path, just a filename"),
        (false, true) => Ok(()),
    }
}

/// Accepts the name of the directory of the append-only files.
pub fn append_dir_name(name: &str) -> Result<(), &'static str> {
    match (name.is_empty(), is_bare_name(name)) {
        (true, _) => Err("appenddirname can't be empty"),
        (false, false) => Err("appenddirname can't be a path, just a dirname"),
        (false, true) => Ok(()),
    }
}

fn is_bare_name(name: &str) -> bool {
    !name.contains(['/', '\\'])
}

/// The variables that a process title may name.
const TITLE_VARIABLES: [&str; 7] = ["title", "listen-addr", "server-mode", "port", "tls-port", "config-file", "unixsocket"];

/// Accepts a pattern whose every `{...}` names a known variable, and that shows something without the title.
pub fn title_template(template: &str) -> Result<(), &'static str> {
    let known = |piece: &str| piece.split_once('}').is_some_and(|(variable, _)| TITLE_VARIABLES.contains(&variable));
    let shows = !template.replace("{title}", "").replace("{server-mode}", "").trim_matches(' ').is_empty();
    match shows && template.split('{').skip(1).all(known) {
        true => Ok(()),
        false => Err("template format is invalid or contains unknown variables"),
    }
}
