//! The manifest: which files make up the append-only file, and in which order they are read.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b        the data set as it was once
//! file appendonly.aof.1.incr.aof seq 1 type h        superseded: about to be removed
//! file appendonly.aof.3.incr.aof seq 3 type i        what was done since
//! file appendonly.aof.4.incr.aof seq 4 type i        the last one is appended to
//! ```
//!
//! It is Redis's own format, to the byte. One base at most; increments in rising order. A manifest is only
//! ever replaced as a whole, by a rename, so the files it names are at any moment a complete history.
//!
//! Words after the three known ones are skipped, as in Redis: later versions may say more of a file.

use crate::base::number;
use crate::base::text;

/// Bytes of a file's name at most: 255 characters of three bytes, more than any file system takes.
const NAME_MAX: usize = 765;
/// Bytes of a line at most, its end included, where a byte that is written as four (`\x7f`) counts once. (Redis counts it four
/// times, and refuses lines that it has written itself.)
const LINE_MAX: usize = 1024;

/// A file of the append-only file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name within the directory.
    pub name: String,
    /// Its number among those of its kind, from 1.
    pub sequence: u64,
}

/// How a base is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseFormat {
    /// As a snapshot.
    Snapshot,
    /// As commands.
    Commands,
}

/// The files. See the module's essay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The data set that the increments start from; none is an empty one.
    pub base: Option<Part>,
    /// What was done since, in order; the last one is appended to.
    pub increments: Vec<Part>,
    /// Files that nothing needs any more.
    pub history: Vec<Part>,
    last_base: u64,
    last_increment: u64,
}

/// Why a text is no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadManifest {
    /// The line at fault, from 1, with its text; none if it is not one line's.
    pub line: Option<(usize, String)>,
    /// What is wrong.
    pub problem: &'static str,
}

const FORMAT: &str = "Invalid AOF manifest file format";

impl Manifest {
    /// Reads a manifest's text.
    pub fn parse(text: &[u8]) -> Result<Manifest, BadManifest> {
        let mut manifest = Manifest::default();
        if text.is_empty() {
            return Err(BadManifest { line: None, problem: "Found an empty AOF manifest" });
        }
        for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if line[0] == b'#' {
                continue;
            }
            let escaped = memchr::memmem::find_iter(line, b"\\x").count();
            if line.len().saturating_sub(3 * escaped) > LINE_MAX || line.last() != Some(&b'\n') {
                return Err(BadManifest { line: None, problem: "The AOF manifest file contains too long line" });
            }
            let line = line.trim_ascii();
            manifest.add_line(line).map_err(|problem| {
                let shown = (!line.is_empty()).then(|| (index + 1, String::from_utf8_lossy(line).into_owned()));
                BadManifest { line: shown, problem }
            })?;
        }
        Ok(manifest)
    }

    fn add_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let words = text::split_arguments(line).map_err(|_| FORMAT)?;
        if words.len() < 6 || words.len() % 2 != 0 {
            return Err(FORMAT);
        }
        let (mut name, mut sequence, mut kind) = (None, None, None);
        for pair in words.chunks_exact(2) {
            match pair[0].to_ascii_lowercase().as_slice() {
                b"file" => name = Some(file_name(&pair[1])?),
                b"seq" => sequence = number::parse_u64(&pair[1]).filter(|&sequence| sequence > 0 && sequence < u64::MAX),
                b"type" => kind = pair[1].first().copied(),
                _ => {}
            }
        }
        let (Some(name), Some(sequence), Some(kind)) = (name, sequence, kind) else { return Err(FORMAT) };
        self.add(Part { name, sequence }, kind)
    }

    fn add(&mut self, part: Part, kind: u8) -> Result<(), &'static str> {
        match kind {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => {
                self.last_base = part.sequence;
                self.base = Some(part);
            }
            b'h' => self.history.push(part),
            b'i' if part.sequence <= self.last_increment => return Err("Found a non-monotonic sequence number"),
            b'i' => {
                self.last_increment = part.sequence;
                self.increments.push(part);
            }
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// Its text.
    pub fn to_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let parts = self.base.iter().map(|part| (part, 'b'));
        let parts = parts.chain(self.history.iter().map(|part| (part, 'h')));
        for (part, kind) in parts.chain(self.increments.iter().map(|part| (part, 'i'))) {
            out.extend_from_slice(b"file ");
            let plain = part.name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'\''));
            if plain {
                out.extend_from_slice(part.name.as_bytes());
            } else {
                text::write_quoted(&mut out, part.name.as_bytes());
            }
            out.extend_from_slice(format!(" seq {} type {kind}\n", part.sequence).as_bytes());
        }
        out
    }

    /// Whether it names no file that holds data.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// The files that hold the data, in the order in which they are read.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.increments)
    }

    /// Makes the base this file; gives its name. The base before it is history.
    pub fn new_base(&mut self, stem: &str, format: BaseFormat) -> String {
        self.last_base += 1;
        let ending = if format == BaseFormat::Snapshot { "rdb" } else { "aof" };
        let name = format!("{stem}.{}.base.{ending}", self.last_base);
        let before = self.base.replace(Part { name: name.clone(), sequence: self.last_base });
        // history is written from the newest on, as Redis does
        self.history.splice(0..0, before);
        name
    }

    /// Makes an old file, of before there were manifests, the base.
    pub fn adopt_base(&mut self, name: &str) {
        self.last_base = 1;
        self.base = Some(Part { name: name.to_string(), sequence: 1 });
    }

    /// The number that the next increment gets.
    pub fn next_increment(&self) -> u64 {
        self.last_increment + 1
    }

    /// Adds an increment; gives its name.
    pub fn new_increment(&mut self, stem: &str) -> String {
        self.last_increment += 1;
        let name = format!("{stem}.{}.incr.aof", self.last_increment);
        self.increments.push(Part { name: name.clone(), sequence: self.last_increment });
        name
    }

    /// A new base holds what the increments held, but for the last `keep`: the others are history.
    pub fn retire_increments(&mut self, keep: usize) {
        let retired = self.increments.len().saturating_sub(keep);
        self.history.splice(0..0, self.increments.drain(..retired));
    }
}

/// A name without a path in it.
fn file_name(word: &[u8]) -> Result<String, &'static str> {
    let name = std::str::from_utf8(word).map_err(|_| FORMAT)?;
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(FORMAT);
    }
    if name.contains(['/', '\\', '\0']) || name == "." || name == ".." {
        return Err("File can't be a path, just a filename");
    }
    Ok(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> &'static str {
        Manifest::parse(text.as_bytes()).expect_err(text).problem
    }

    #[test]
    fn what_is_written_is_read() {
        let mut manifest = Manifest::default();
        manifest.new_increment("a b");
        assert_eq!(manifest.new_base("a b", BaseFormat::Snapshot), "a b.1.base.rdb");
        assert_eq!(manifest.new_increment("a b"), "a b.2.incr.aof");
        manifest.new_base("a b", BaseFormat::Commands);
        manifest.retire_increments(1);
        let text = String::from_utf8(manifest.to_text()).expect("text");
        assert_eq!(
            text,
            "file \"a b.2.base.aof\" seq 2 type b\nfile \"a b.1.incr.aof\" seq 1 type h\nfile \"a b.1.base.rdb\" seq 1 type h\nfile \"a b.2.incr.aof\" seq 2 type i\n"
        );
        assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest));
    }

    #[test]
    fn a_name_of_any_letters_is_read_back() {
        let mut manifest = Manifest::default();
        manifest.new_increment(&"ж".repeat(120));
        manifest.history.push(Part { name: "\u{7f}".repeat(NAME_MAX), sequence: u64::MAX - 1 });
        assert_eq!(Manifest::parse(&manifest.to_text()), Ok(manifest));
    }

    #[test]
    fn comments_and_unknown_words_are_skipped() {
        let manifest = Manifest::parse(b"# c\r\nFILE x seq 3 type i new word\r\n").expect("a manifest");
        assert_eq!(manifest.increments, [Part { name: "x".into(), sequence: 3 }]);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        assert_eq!(problem(""), "Found an empty AOF manifest");
        assert_eq!(problem("file a seq 1 type b"), "The AOF manifest file contains too long line");
        assert_eq!(problem(&format!("file {} seq 1 type b\n", "a".repeat(LINE_MAX))), "The AOF manifest file contains too long line");
        assert_eq!(problem(&format!("file {} seq 1 type b\n", "a".repeat(NAME_MAX + 1))), FORMAT);
        for line in [
            "",
            "file a seq 1",
            "file a seq 1 type b x",
            "filx a seq 1 type b",
            "file a seq 0 type b",
            "file a seq -1 type b",
            "file \"a seq 1 type b",
        ] {
            assert_eq!(problem(&format!("{line}\n")), FORMAT, "{line}");
        }
        assert_eq!(problem("file a/b seq 1 type b\n"), "File can't be a path, just a filename");
        assert_eq!(problem("file .. seq 1 type b\n"), "File can't be a path, just a filename");
        assert_eq!(problem("file a seq 1 type x\n"), "Unknown AOF file type");
        assert_eq!(problem("file a seq 1 type b\nfile b seq 2 type b\n"), "Found duplicate base file information");
        assert_eq!(problem("file a seq 2 type i\nfile b seq 2 type i\n"), "Found a non-monotonic sequence number");
    }
}
