//! The notation of a row's `syntax`, and its parser: what COMMAND DOCS tells of a command's arguments.
//!
//! The notation reads like the usage lines in manuals, with names and types added:
//!
//! ```text
//! word            a string argument of that name; `key` alone is a key
//! word:type       type is string, integer, double, key, pattern or unix-time
//! word/shown      shown to people under another name than the one it has for programs
//! word#1          names a key of the row's key specification 1; keys count up from 0 by themselves
//! TOKEN           a literal word. In sequence before an argument it introduces it: `COUNT count:integer`
//! name=TOKEN      a literal word under a name of its own; it stands alone, it introduces nothing
//! '*'             a literal word that is not in capitals
//! [...]           optional
//! <a | b>         one of several; <name: a | b>. In brackets, [a | b] is one of several or none
//! {a b}           several that belong together; {name: a b}. In brackets, [a b] are both or neither
//! x...            one or more times
//! x...+TOKEN      one or more times, the token repeated each time
//! ```
//!
//! Every row is parsed by a test, so the parser's errors are for whoever writes a row. A tree is made
//! when somebody asks for it and not kept: that is rare, and the notation is small.

use super::row::{BeginSearch, Command};

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    /// Any text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Double,
    /// A key's name.
    Key,
    /// A glob-style pattern.
    Pattern,
    /// Seconds or milliseconds since 1970.
    UnixTime,
    /// A literal word.
    PureToken,
    /// One of its inner arguments.
    OneOf,
    /// All of its inner arguments.
    Block,
}

impl ArgumentType {
    /// The word in COMMAND DOCS.
    pub fn word(self) -> &'static str {
        match self {
            ArgumentType::String => "string",
            ArgumentType::Integer => "integer",
            ArgumentType::Double => "double",
            ArgumentType::Key => "key",
            ArgumentType::Pattern => "pattern",
            ArgumentType::UnixTime => "unix-time",
            ArgumentType::PureToken => "pure-token",
            ArgumentType::OneOf => "oneof",
            ArgumentType::Block => "block",
        }
    }

    fn named(word: &str) -> Option<ArgumentType> {
        use ArgumentType::*;
        [String, Integer, Double, Key, Pattern, UnixTime].into_iter().find(|known| known.word() == word)
    }
}

/// Whether and how often an argument occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occurrence {
    /// It may be left out.
    pub optional: bool,
    /// It may be repeated.
    pub multiple: bool,
    /// Its token is repeated with it.
    pub multiple_token: bool,
}

/// A node of a command's tree of arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name for programs.
    pub name: String,
    /// What it is.
    pub kind: ArgumentType,
    /// Its name for people, if it is another.
    pub shown: Option<&'static str>,
    /// The literal word that it is, or that introduces it.
    pub token: Option<&'static str>,
    /// Which of the row's key specifications covers it.
    pub key_spec: Option<usize>,
    /// Whether and how often.
    pub occurrence: Occurrence,
    /// What it is made of.
    pub arguments: Vec<Argument>,
}

/// The arguments of a row.
///
/// # Errors
/// What is wrong with the row's syntax.
pub fn arguments(row: &Command) -> Result<Vec<Argument>, String> {
    let mut parser = Parser { lexemes: split(row.syntax)?, at: 0, next_key: 0 };
    let mut arguments = parser.sequence()?;
    if let Some(lexeme) = parser.peek() {
        return Err(format!("{lexeme:?} has nothing to close"));
    }
    // a shard channel is found like a key and is none
    let searched = row.keys.iter().any(|spec| !matches!(spec.begin, BeginSearch::Unknown) && !spec.flags.contains(&"not_key"));
    let last = forget_unspecified(&mut arguments, row.keys.len());
    if searched && last.is_none() {
        return Err("no argument is a key, but the row has keys".to_string());
    }
    Ok(arguments)
}

/// The arguments as people write them: `key value [NX|XX] [EX seconds|PX milliseconds]`.
pub fn usage(arguments: &[Argument]) -> String {
    let words: Vec<String> = arguments.iter().map(usage_of).collect();
    words.join(" ")
}

fn usage_of(argument: &Argument) -> String {
    let inner = || -> Vec<String> { argument.arguments.iter().map(usage_of).collect() };
    let Occurrence { optional, multiple, multiple_token } = argument.occurrence;
    let bare = match argument.kind {
        ArgumentType::PureToken => String::new(),
        ArgumentType::OneOf if optional || multiple => inner().join("|"),
        ArgumentType::OneOf => format!("<{}>", inner().join("|")),
        ArgumentType::Block => inner().join(" "),
        _ => argument.shown.unwrap_or(&argument.name).to_string(),
    };
    let word = match argument.token {
        Some(token) if bare.is_empty() => token.to_string(),
        Some(token) => format!("{} {bare}", if token.is_empty() { "\"\"" } else { token }),
        None => bare.clone(),
    };
    let again = if multiple_token { &word } else { &bare };
    let word = if multiple { format!("{word} [{again} ...]") } else { word };
    if optional { format!("[{word}]") } else { word }
}

/// Keys that no specification covers get no number. Gives the greatest number left.
fn forget_unspecified(arguments: &mut [Argument], specs: usize) -> Option<usize> {
    let mut last = None;
    for argument in arguments {
        argument.key_spec = argument.key_spec.filter(|&index| index < specs);
        last = last.max(argument.key_spec).max(forget_unspecified(&mut argument.arguments, specs));
    }
    last
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lexeme {
    /// One of the brackets and the bar.
    Sign(u8),
    /// `name:` at the start of a group.
    GroupName(&'static str),
    /// A word that introduces or is a literal.
    Token { name: Option<&'static str>, text: &'static str },
    /// An argument.
    Word(&'static str),
    /// `...`, with the token that is repeated.
    Repeated(Option<&'static str>),
}

fn split(mut text: &'static str) -> Result<Vec<Lexeme>, String> {
    let mut lexemes = Vec::new();
    loop {
        text = text.trim_start_matches(' ');
        let Some(&first) = text.as_bytes().first() else { return Ok(lexemes) };
        if b"<>[]{}|".contains(&first) {
            lexemes.push(Lexeme::Sign(first));
            text = &text[1..];
        } else if let Some(rest) = text.strip_prefix("...") {
            let (token, rest) = match rest.strip_prefix('+') {
                Some(rest) => rest.split_at(end_of_word(rest)),
                None => ("", rest),
            };
            lexemes.push(Lexeme::Repeated(Some(token).filter(|token| !token.is_empty())));
            text = rest;
        } else {
            let (word, rest) = text.split_at(end_of_word(text));
            lexemes.push(lexeme(word)?);
            text = rest;
        }
    }
}

/// Where a word ends; a quoted literal may hold anything.
fn end_of_word(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut quoted = false;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            _ if quoted => {}
            b' ' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'|' => return at,
            b'.' if bytes[at..].starts_with(b"...") => return at,
            _ => {}
        }
    }
    bytes.len()
}

fn lexeme(word: &'static str) -> Result<Lexeme, String> {
    if let Some(name) = word.strip_suffix(':') {
        return Ok(Lexeme::GroupName(name));
    }
    let (name, text) = match word.split_once('=') {
        Some((name, text)) if !name.starts_with('\'') => (Some(name), text),
        _ => (None, word),
    };
    if let Some(quoted) = text.strip_prefix('\'') {
        let text = quoted.strip_suffix('\'').ok_or_else(|| format!("{word}: no closing quote"))?;
        return Ok(Lexeme::Token { name, text });
    }
    let capitals = text.bytes().any(|b| b.is_ascii_uppercase()) && !text.bytes().any(|b| b.is_ascii_lowercase());
    match (capitals, name) {
        (true, _) => Ok(Lexeme::Token { name, text }),
        (false, None) => Ok(Lexeme::Word(word)),
        (false, Some(_)) => Err(format!("{word}: a literal in lower case wants quotes")),
    }
}

struct Parser {
    lexemes: Vec<Lexeme>,
    at: usize,
    next_key: usize,
}

impl Parser {
    fn peek(&self) -> Option<Lexeme> {
        self.lexemes.get(self.at).copied()
    }

    fn take(&mut self, lexeme: Lexeme) -> bool {
        let found = self.peek() == Some(lexeme);
        self.at += usize::from(found);
        found
    }

    /// Arguments up to a closing bracket, a bar, or the end.
    fn sequence(&mut self) -> Result<Vec<Argument>, String> {
        let mut arguments = Vec::new();
        while !matches!(self.peek(), None | Some(Lexeme::Sign(b'>' | b']' | b'}' | b'|'))) {
            let mut argument = self.argument()?;
            if let Some(Lexeme::Repeated(token)) = self.peek() {
                self.at += 1;
                argument.occurrence.multiple = true;
                argument.occurrence.multiple_token = token.is_some();
                if token.is_some() && token != argument.token {
                    return Err(format!("{}: another token is repeated than the one it has", argument.name));
                }
            }
            arguments.push(argument);
        }
        Ok(arguments)
    }

    fn argument(&mut self) -> Result<Argument, String> {
        let lexeme = self.peek().ok_or("an argument is missing")?;
        self.at += 1;
        match lexeme {
            Lexeme::Word(word) => self.word(word),
            Lexeme::Token { name, text } => {
                let introduces = name.is_none() && matches!(self.peek(), Some(Lexeme::Word(_) | Lexeme::Sign(b'<' | b'{')));
                let mut argument = match introduces {
                    true => self.argument()?,
                    false => Argument::new(name.map_or_else(|| text.to_ascii_lowercase(), str::to_string), ArgumentType::PureToken),
                };
                argument.token = Some(text);
                Ok(argument)
            }
            Lexeme::Sign(open @ (b'<' | b'[' | b'{')) => self.group(open),
            other => Err(format!("{other:?} has no place here")),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<Argument, String> {
        let (word, spec) = match word.split_once('#') {
            Some((word, spec)) => (word, Some(spec.parse().map_err(|_| format!("{word}#{spec}: no number"))?)),
            None => (word, None),
        };
        let (word, shown) = match word.split_once('/') {
            Some((word, shown)) => (word, Some(shown)),
            None => (word, None),
        };
        let (name, kind) = match word.split_once(':') {
            Some((name, kind)) => (name, ArgumentType::named(kind).ok_or_else(|| format!("{word}: no such type"))?),
            None if word == "key" => (word, ArgumentType::Key),
            None => (word, ArgumentType::String),
        };
        let mut argument = Argument::new(name.to_string(), kind);
        argument.shown = shown;
        argument.key_spec = spec;
        if kind == ArgumentType::Key && spec.is_none() {
            argument.key_spec = Some(self.next_key);
            self.next_key += 1;
        }
        Ok(argument)
    }

    /// What an opening bracket starts, up to its closing one.
    fn group(&mut self, open: u8) -> Result<Argument, String> {
        let name = match self.peek() {
            Some(Lexeme::GroupName(name)) => {
                self.at += 1;
                Some(name)
            }
            _ => None,
        };
        let mut alternatives = vec![self.sequence()?];
        while self.take(Lexeme::Sign(b'|')) {
            alternatives.push(self.sequence()?);
        }
        let close = if open == b'{' { b'}' } else { open + 2 };
        if !self.take(Lexeme::Sign(close)) {
            return Err(format!("a group wants its {:?} where {:?} stands", char::from(close), self.peek()));
        }
        if alternatives.iter().any(Vec::is_empty) {
            return Err("an empty group or alternative".to_string());
        }
        let one_of = open == b'<' || alternatives.len() > 1;
        let mut argument = match (one_of, name) {
            (true, _) => {
                let choices = alternatives.into_iter().map(|alternative| together(alternative, None));
                Argument::group(ArgumentType::OneOf, name, choices.collect())
            }
            (false, _) => {
                let inner = alternatives.pop().expect("there is one");
                if open == b'{' { Argument::group(ArgumentType::Block, name, inner) } else { together(inner, name) }
            }
        };
        argument.occurrence.optional |= open == b'[';
        Ok(argument)
    }
}

/// One argument of several: itself if it is alone and the group has no name.
fn together(mut arguments: Vec<Argument>, name: Option<&'static str>) -> Argument {
    if arguments.len() == 1 && name.is_none() {
        return arguments.pop().expect("there is one");
    }
    Argument::group(ArgumentType::Block, name, arguments)
}

impl Argument {
    fn new(name: String, kind: ArgumentType) -> Argument {
        Argument { name, kind, shown: None, token: None, key_spec: None, occurrence: Occurrence::default(), arguments: Vec::new() }
    }

    /// A group; one without a name is called after its first member.
    fn group(kind: ArgumentType, name: Option<&'static str>, arguments: Vec<Argument>) -> Argument {
        let name = name.map_or_else(|| arguments[0].name.clone(), str::to_string);
        Argument { arguments, ..Argument::new(name, kind) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree on one line: name, type unless string, token, spec, occurrence, members.
    fn shown(arguments: &[Argument]) -> String {
        let parts = arguments.iter().map(|argument| {
            let mut text = argument.name.clone();
            if argument.kind != ArgumentType::String {
                text += &format!(":{}", argument.kind.word());
            }
            if let Some(shown) = argument.shown {
                text += &format!("/{shown}");
            }
            if let Some(token) = argument.token {
                text += &format!("={token}");
            }
            if let Some(spec) = argument.key_spec {
                text += &format!("#{spec}");
            }
            let Occurrence { optional, multiple, multiple_token } = argument.occurrence;
            text += if optional { "?" } else { "" };
            text += if multiple { "*" } else { "" };
            text += if multiple_token { "+" } else { "" };
            if !argument.arguments.is_empty() {
                text += &format!("({})", shown(&argument.arguments));
            }
            text
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(syntax: &'static str, expected: &str) {
        let keys: &[super::super::row::KeySpec] = &[const { super::super::row::KeySpec::one(1, &[]) }; 3];
        let row = Command { syntax, keys: if syntax.contains("key") { keys } else { &[] }, ..Command::BASE };
        let got = arguments(&row).map_or_else(|error| format!("error: {error}"), |tree| shown(&tree));
        assert_eq!(got, expected, "{syntax}");
    }

    #[test]
    fn the_notation_gives_the_tree() {
        check("", "");
        check("key value", "key:key#0 value");
        check("key count:integer/n...", "key:key#0 count:integer/n*");
        check("[NX]", "nx:pure-token=NX?");
        check("change=CH name='*' '='", "change:pure-token=CH name:pure-token=* =:pure-token==");
        check("[COUNT count:integer]", "count:integer=COUNT?");
        check("[condition: NX | XX] [a | b c]", "condition:oneof?(nx:pure-token=NX xx:pure-token=XX) a:oneof?(a b:block(b c))");
        check("[LIMIT {limit: offset:integer count:integer}]", "limit:block=LIMIT?(offset:integer count:integer)");
        check("[block: COUNT n:integer [ANY]]", "block:block?(n:integer=COUNT any:pure-token=ANY?)");
        check("[GET pattern:pattern#1...+GET] key", "pattern:pattern=GET#1?*+ key:key#0");
        check("key1:key key2:key#0 to:key", "key1:key#0 key2:key#0 to:key#1");
        check("{data: key value}...", "data:block*(key:key#0 value)");
        check("ON OFF", "on:pure-token=ON off:pure-token=OFF");
        check("ON [x]", "on:pure-token=ON x?");
    }

    #[test]
    fn a_wrong_row_is_told_so() {
        for wrong in ["<a | b", "a]", "[]", "<a | >", "x:number", "x=y", "'a", "x...+GET", "| a"] {
            let row = Command { syntax: wrong, ..Command::BASE };
            assert!(arguments(&row).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_row_parses() {
        for (_, command) in crate::command::registry().iter() {
            if let Err(error) = arguments(command.row) {
                panic!("{}: {error}: {}", command.full_name, command.row.syntax);
            }
        }
    }
}
