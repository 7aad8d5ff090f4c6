//! What must hold for any bytes that come from a disk or by RESTORE: no panic, no memory beyond what they are worth,
//! and what was understood can be written and is understood again.
//!
//! [`Maker`] makes inputs that get far: every form of a value there is, of parts chosen at random, so that the parts
//! do not fit each other (an entry that is pending for two consumers, counts of deleted entries that are wrong,
//! scores that are no numbers, lengths beyond the end), and then a few bytes changed.

use ruddle::base::clock::{Millis, Now};
use ruddle::base::crc::crc64;
use ruddle::base::memory;
use ruddle::base::random::Random;
use ruddle::config::Startup;
use ruddle::ds::packed::{Builder, Packed};
use ruddle::keyspace::DbIndex;
use ruddle::persist::aof::manifest::Manifest;
use ruddle::persist::aof::reader::{CommandReader, Next};
use ruddle::persist::rdb::dump::Sums;
use ruddle::persist::rdb::input::Input;
use ruddle::persist::rdb::load::{self, Overdue, Pace, Twice};
use ruddle::persist::rdb::read_value::{self, Shapes};
use ruddle::persist::rdb::{dump, output::Output, types};
use ruddle::persist::storage::ReadFile;
use ruddle::server::registry::Registry;
use ruddle::server::users::file;
use ruddle::server::users::rules::Rulebook;
use ruddle::server::users::user::User;
use ruddle::server::{Server, Stopwatch};

/// Bytes of memory that a byte of input may cost, and what any input may.
const WORTH: usize = 400;
const FREE: usize = 256 * 1024;

fn no_time() -> u64 {
    0
}

/// A server to load into.
pub struct Reader {
    server: Server,
    shapes: Shapes,
}

impl Reader {
    /// A server with small thresholds, so that small inputs cross them.
    pub fn new() -> Reader {
        let words = ["--hash-max-listpack-entries", "16", "--set-max-listpack-entries", "16", "--zset-max-listpack-entries", "16"];
        let arguments: Vec<Vec<u8>> = words.map(|word| word.as_bytes().to_vec()).to_vec();
        let Ok(Startup::Serve(config)) = ruddle::config::start(&arguments, &ruddle::config::Disk) else { panic!("directives only") };
        let server = Server::new(*config, ruddle::command::registry(), 1, Now::default(), Stopwatch(no_time));
        let shapes = Shapes::new(&server.state.config, server.keyspace.hasher());
        Reader { server, shapes }
    }

    /// The payload of a RESTORE without its end; says whether it is one.
    pub fn payload(&mut self, body: &[u8]) -> bool {
        let valkey = body.first().is_some_and(|byte| byte & 0x80 != 0);
        let version: u16 = if valkey { 80 } else { 12 };
        let mut payload = body.to_vec();
        if let Some(first) = payload.first_mut() {
            *first &= 0x7f;
        }
        payload.extend_from_slice(&version.to_le_bytes());
        payload.extend_from_slice(&crc64(&payload).to_le_bytes());
        assert_eq!(dump::check(&payload, Sums::Checked), Some(u32::from(version)));
        let (before, mut text) = (memory::used(), Vec::new());
        let Ok(value) = dump::read(&payload, u32::from(version), &self.shapes, &mut text) else { return false };
        let taken = memory::used().saturating_sub(before);
        assert!(taken <= FREE + WORTH * payload.len(), "{taken} bytes for {}", payload.len());
        let entry = read_value::entry(b"key", Some(Millis(1 << 50)), 0, value, &text);
        let keyspace = &mut self.server.keyspace;
        let hash = keyspace.prepare_load(DbIndex(0), entry.get().key());
        keyspace.load(DbIndex(0), hash, entry);
        let database = &keyspace.databases()[0];
        let written = dump::write(database.entries().next().expect("just loaded"), true);
        let version = dump::check(&written, Sums::Checked).expect("a payload of our own");
        let again = dump::read(&written, version, &self.shapes, &mut text);
        assert!(again.is_ok(), "what was written of it is refused: {:?}", again.err());
        keyspace.flush(DbIndex(0));
        keyspace.effects.garbage.clear();
        true
    }

    /// A snapshot without its signature and its checksum; says whether it is one.
    pub fn snapshot(&mut self, body: &[u8]) -> bool {
        let version = match body.first() {
            Some(byte) if byte & 1 == 0 => &b"REDIS0012"[..],
            Some(2..128) => b"REDIS0007",
            _ => b"VALKEY080",
        };
        let mut bytes = [version, body.get(1..).unwrap_or_default()].concat();
        bytes.extend_from_slice(&[0; 8]);
        let length = bytes.len();
        let mut file = Slow(bytes, 0);
        let mut input = Input::of_file(&mut file, true);
        let mut plan = load::Plan {
            shapes: self.shapes,
            overdue: Overdue::Keep,
            twice: Twice::Replace,
            relaxed: false,
            key_delay: 0,
            pulse: &mut |_, _| Pace::GoOn,
        };
        let before = memory::used();
        let loaded = load::load(&mut input, &mut self.server.keyspace, &mut plan);
        let taken = memory::used().saturating_sub(before);
        assert!(taken <= FREE + 256 * 1024 + WORTH * length, "{taken} bytes for {length}");
        for db in 0..self.server.keyspace.databases().len() {
            let db = DbIndex(u32::try_from(db).expect("sixteen"));
            self.server.keyspace.flush(db);
        }
        self.server.keyspace.effects.garbage.clear();
        loaded.is_ok()
    }
}

/// A file that gives a few bytes at a time.
struct Slow(Vec<u8>, usize);

impl ReadFile for Slow {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let count = bytes.len().min(self.0.len() - self.1).min(97);
        bytes[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
        self.1 += count;
        Ok(count)
    }

    fn length(&self) -> std::io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}

/// Any bytes are a manifest or not, and one that was understood says the same when it is written.
pub fn manifest(bytes: &[u8]) -> bool {
    let Ok(manifest) = Manifest::parse(bytes) else { return false };
    let text = manifest.to_text();
    if !text.is_empty() {
        assert_eq!(Manifest::parse(&text).map(|again| again.to_text()), Ok(text));
    }
    true
}

/// Reads files of users.
pub struct Users(Registry);

impl Users {
    pub fn new() -> Users {
        Users(ruddle::command::registry())
    }

    /// Any bytes are a file of users, or are refused with a reason. What was understood is written; what is understood of that,
    /// which is the same but for a pattern that reads like another rule (`%RW~*`), is written as it was read.
    pub fn file(&self, bytes: &[u8]) -> bool {
        let book = Rulebook { registry: &self.0, all_channels: bytes.len().is_multiple_of(2) };
        let text = |users: &[User]| users.iter().map(User::line).collect::<Vec<_>>().join(&b'\n');
        match file::parse(bytes, "users", book) {
            Ok(users) => {
                if let Ok(again) = file::parse(&text(&users), "users", book) {
                    let written = text(&again);
                    assert_eq!(file::parse(&written, "users", book).map(|users| text(&users)), Ok(written));
                }
                !users.is_empty()
            }
            Err(reason) => {
                assert!(reason.ends_with("was performed"), "{reason}");
                false
            }
        }
    }
}

/// Any bytes are commands up to somewhere; says whether to the end.
pub fn commands(bytes: &[u8]) -> bool {
    let mut reader = CommandReader::new(Box::new(Slow(bytes.to_vec(), 0)), Vec::new(), 0);
    loop {
        let before = reader.offset();
        match reader.read().expect("memory") {
            Next::Command(_) | Next::Note(_) => {}
            Next::End => return true,
            Next::CutOff | Next::Damage => return false,
        }
        assert!(reader.offset() > before && reader.offset() <= bytes.len() as u64, "it goes on, and not beyond the end");
    }
}

/// Makes inputs.
pub struct Maker {
    /// Chance.
    pub random: Random,
}

impl Maker {
    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.index(choices.len())]
    }

    fn word(&mut self) -> Vec<u8> {
        let n = self.random.below(20).to_string();
        let known = ["a", "b", "c", "", "nan", "-nan", "inf", "-inf", "1e400", "0", "-0", "1.5", "007", "9223372036854775807", "field"];
        match self.random.below(10) {
            0 => vec![b'x'; self.random.index(300)],
            1..4 => n.into_bytes(),
            _ => self.pick(&known).as_bytes().to_vec(),
        }
    }

    fn number(&mut self) -> u64 {
        let odd = [0, 1, 2, 3, 4, 5, 63, 64, 16383, u64::MAX, u64::MAX - 1, i64::MAX as u64, 1 << 32, 1 << 46];
        if self.random.below(6) == 0 { self.pick(&odd) } else { self.random.below(6) }
    }

    fn signed(&mut self) -> i64 {
        let number = self.number();
        if self.random.below(8) == 0 { number.cast_signed().wrapping_neg() } else { number.cast_signed() }
    }

    fn element(&mut self, builder: &mut Builder) {
        if self.random.below(2) == 0 {
            let value = self.signed();
            builder.push_int(value);
        } else {
            let word = self.word();
            builder.push(&word);
        }
    }

    fn listpack(&mut self, width: usize) -> Vec<u8> {
        let mut builder = Builder::new();
        let extra = usize::from(self.random.below(12) == 0);
        for n in 0..self.random.index(24) * width + extra {
            // first words that differ, mostly, so that a collection of them is sound
            if n % width == 0 && self.random.below(20) != 0 {
                builder.push(format!("m{n:03}").as_bytes());
            } else if width > 1 && self.random.below(8) != 0 {
                let value = self.random.below(1000).cast_signed();
                builder.push_int(value);
            } else {
                self.element(&mut builder);
            }
        }
        let packed: Packed = builder.finish();
        packed.to_listpack()
    }

    fn ziplist(&mut self, width: usize) -> Vec<u8> {
        let (mut bytes, mut before, mut last) = (vec![0; 10], 0usize, 10);
        let count = self.random.index(10) * width;
        for _ in 0..count {
            last = bytes.len();
            if before < 254 {
                bytes.push(u8::try_from(before).expect("below 254"));
            } else {
                bytes.push(254);
                bytes.extend_from_slice(&u32::try_from(before).expect("small").to_le_bytes());
            }
            match self.random.below(6) {
                0 => bytes.push(0xF1 + u8::try_from(self.random.below(13)).expect("small")),
                1 => bytes.extend_from_slice(&[0xFE, 200]),
                2 => bytes.extend_from_slice(&[0xC0, 1, 2]),
                3 => bytes.extend_from_slice(&[0xF0, 1, 2, 3]),
                _ => {
                    let word = self.word();
                    let length = u16::try_from(word.len()).expect("short");
                    if length < 64 {
                        bytes.push(u8::try_from(length).expect("below 64"));
                    } else {
                        bytes.extend_from_slice(&(0x4000 | length).to_be_bytes());
                    }
                    bytes.extend(word);
                }
            }
            before = bytes.len() - last;
        }
        bytes.push(0xFF);
        let total = u32::try_from(bytes.len()).expect("small").to_le_bytes();
        bytes[..4].copy_from_slice(&total);
        bytes[4..8].copy_from_slice(&u32::try_from(last).expect("small").to_le_bytes());
        bytes[8..10].copy_from_slice(&u16::try_from(count).expect("small").to_le_bytes());
        bytes
    }

    fn zipmap(&mut self) -> Vec<u8> {
        let count = self.random.index(6);
        let mut bytes = vec![u8::try_from(count).expect("small")];
        for n in 0..count {
            for half in 0..2 {
                let mut word = self.word();
                if half == 0 {
                    word.extend(n.to_string().bytes());
                }
                if word.len() < 254 && self.random.below(8) != 0 {
                    bytes.push(u8::try_from(word.len()).expect("below 254"));
                } else {
                    // the wide form, at times with a length that nothing holds
                    let length = if self.random.below(3) == 0 {
                        self.pick(&[u32::MAX, 1 << 31, 300])
                    } else {
                        u32::try_from(word.len()).expect("small")
                    };
                    bytes.push(254);
                    bytes.extend_from_slice(&length.to_le_bytes());
                }
                let free = if half == 1 { u8::try_from(self.random.below(4)).expect("small") } else { 0 };
                if half == 1 {
                    bytes.push(if self.random.below(20) == 0 { 255 } else { free });
                }
                bytes.extend(word);
                bytes.extend(std::iter::repeat_n(0, usize::from(free)));
            }
        }
        bytes.push(0xFF);
        bytes
    }

    /// A block of a stream: its first entry names fields, the others follow it or not.
    fn block(&mut self) -> Vec<u8> {
        let (entries, fields) = (self.random.index(4), self.random.index(3));
        let mut builder = Builder::new();
        let deleted = self.random.index(2);
        let lie = self.random.below(8) == 0;
        builder.push_int((entries + usize::from(lie)).cast_signed() as i64);
        builder.push_int(if self.random.below(10) == 0 { self.signed() } else { deleted.cast_signed() as i64 });
        builder.push_int(fields.cast_signed() as i64);
        (0..fields).for_each(|n| builder.push(format!("f{n}").as_bytes()));
        builder.push_int(0);
        for n in 0..entries + deleted {
            let same = self.random.below(2) == 0;
            let flags = i64::from(n < deleted) | if same { 2 } else { 0 };
            builder.push_int(if self.random.below(20) == 0 { self.signed() } else { flags });
            builder.push_int(0);
            builder.push_int(if self.random.below(20) == 0 { self.signed() } else { n.cast_signed() as i64 });
            let mut words = 3;
            let count = if same { fields } else { self.random.index(3) };
            if !same {
                builder.push_int(count.cast_signed() as i64);
                words += 1;
            }
            for _ in 0..count * if same { 1 } else { 2 } {
                self.element(&mut builder);
                words += 1;
            }
            builder.push_int(if self.random.below(30) == 0 { self.signed() } else { words });
        }
        builder.finish().to_listpack()
    }

    fn id(&mut self) -> [u8; 16] {
        let (ms, seq) = (self.random.below(4), self.random.below(4));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&ms.to_be_bytes());
        bytes[8..].copy_from_slice(&seq.to_be_bytes());
        bytes
    }

    fn stream(&mut self, out: &mut Output<'_>, form: u8) {
        let blocks = self.random.index(3);
        out.count(blocks);
        let mut entries = 0;
        for n in 0..blocks {
            let mut key = [0; 16];
            key[7] = u8::try_from(n + 1).expect("small");
            let block = self.block();
            // what its first element says
            entries += u64::from(block.get(6).copied().unwrap_or(0) & 0x7f);
            out.string(&key);
            out.string(&block);
        }
        out.length(if self.random.below(10) == 0 { self.number() } else { entries });
        let last = 5 + self.random.below(3);
        out.length(last);
        out.length(0);
        if form >= 2 {
            let first = if self.random.below(3) == 0 { self.number() } else { u64::from(blocks > 0) };
            out.length(first);
            out.length(self.random.below(2));
            out.length(self.random.below(3));
            out.length(0);
            out.length(entries + self.random.below(3));
        }
        let groups = self.random.index(3);
        out.count(groups);
        for n in 0..groups {
            out.string(format!("g{n}").as_bytes());
            out.length(self.random.below(4));
            out.length(0);
            if form >= 2 {
                out.length(self.number());
            }
            let mut pending: Vec<[u8; 16]> = (0..self.random.index(4)).map(|_| self.id()).collect();
            pending.sort_unstable();
            if self.random.below(8) != 0 {
                pending.dedup();
            }
            out.count(pending.len());
            for id in &pending {
                out.bytes(id);
                out.millis(self.signed());
                out.length(self.number());
            }
            let consumers = self.random.index(3);
            out.count(consumers);
            let mut left = pending.clone();
            for c in 0..consumers {
                out.string(format!("c{}", if self.random.below(20) == 0 { 0 } else { c }).as_bytes());
                out.millis(self.signed());
                if form >= 3 {
                    out.millis(self.signed());
                }
                // mostly each entry for one consumer, at times for two or none
                let mine: Vec<[u8; 16]> = match self.random.below(8) {
                    0 => pending.clone(),
                    1 => vec![self.id()],
                    _ if c + 1 == consumers => std::mem::take(&mut left),
                    _ => left.split_off(self.random.index(left.len() + 1)),
                };
                out.count(mine.len());
                mine.iter().for_each(|id| out.bytes(id));
            }
        }
    }

    /// A type and a value, as a payload of RESTORE has them; the highest bit of the type stands for Valkey.
    pub fn value(&mut self) -> Vec<u8> {
        let mut out = Output::to_memory(self.random.below(2) == 0);
        let type_byte = u8::try_from(self.random.below(26)).expect("small");
        self.contents(&mut out, type_byte);
        let valkey = type_byte == types::HASH_DEADLINES_FIRST && self.random.below(2) == 0;
        let mut bytes = vec![if valkey { type_byte | 0x80 } else { type_byte }];
        bytes.extend(out.into_bytes());
        self.damage(&mut bytes);
        bytes
    }

    fn contents(&mut self, out: &mut Output<'_>, type_byte: u8) {
        let count = self.random.index(24);
        match type_byte {
            types::LIST | types::SET => {
                out.count(count);
                for n in 0..count {
                    let word = if self.random.below(12) == 0 { self.word() } else { format!("e{n}").into_bytes() };
                    out.string(&word);
                }
            }
            types::ZSET | types::ZSET_2 | types::HASH => {
                out.count(count);
                for n in 0..count {
                    out.string(format!("e{}", if self.random.below(30) == 0 { 0 } else { n }).as_bytes());
                    match type_byte {
                        types::HASH => {
                            let word = self.word();
                            out.string(&word);
                        }
                        types::ZSET_2 => {
                            let score = self.pick(&[0.0, 1.5, -0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 7.0, 8.0]);
                            out.double(score);
                        }
                        _ => {
                            let form = self.pick(&[253, 254, 255, 1]);
                            out.byte(form);
                            if form == 1 {
                                out.byte(b'7');
                            }
                        }
                    }
                }
            }
            types::HASH_ZIPMAP => {
                let bytes = self.zipmap();
                out.string(&bytes);
            }
            types::LIST_ZIPLIST => {
                let bytes = self.ziplist(1);
                out.string(&bytes);
            }
            types::ZSET_ZIPLIST | types::HASH_ZIPLIST => {
                let bytes = self.ziplist(2);
                out.string(&bytes);
            }
            types::SET_INTSET => {
                let mut bytes = [self.pick(&[2u32, 4, 8, 3]).to_le_bytes(), u32::try_from(count).expect("small").to_le_bytes()].concat();
                (0..count).for_each(|n| bytes.extend_from_slice(&u16::try_from(n).expect("small").to_le_bytes()));
                out.string(&bytes);
            }
            types::LIST_QUICKLIST => {
                let nodes = self.random.index(4);
                out.count(nodes);
                for _ in 0..nodes {
                    let bytes = self.ziplist(1);
                    out.string(&bytes);
                }
            }
            types::LIST_QUICKLIST_2 => {
                let nodes = self.random.index(4);
                out.count(nodes);
                for _ in 0..nodes {
                    out.length(if self.random.below(20) == 0 { self.number() } else { 2 });
                    let bytes = self.listpack(1);
                    out.string(&bytes);
                }
            }
            types::HASH_LISTPACK | types::ZSET_LISTPACK => {
                let bytes = self.listpack(2);
                out.string(&bytes);
            }
            types::SET_LISTPACK => {
                let bytes = self.listpack(1);
                out.string(&bytes);
            }
            types::STREAM => self.stream(out, 1),
            types::STREAM_2 => self.stream(out, 2),
            types::STREAM_3 => self.stream(out, 3),
            types::HASH_DEADLINES_FIRST | types::HASH_DEADLINES => {
                if type_byte == types::HASH_DEADLINES {
                    out.millis(self.signed());
                }
                out.count(count);
                for n in 0..count {
                    out.length(self.number());
                    out.string(format!("f{n}").as_bytes());
                    let word = self.word();
                    out.string(&word);
                }
            }
            types::HASH_LISTPACK_DEADLINES_FIRST | types::HASH_LISTPACK_DEADLINES => {
                if type_byte == types::HASH_LISTPACK_DEADLINES {
                    out.millis(self.signed());
                }
                let bytes = self.listpack(3);
                out.string(&bytes);
            }
            _ => {
                let word = self.word();
                out.string(&word);
            }
        }
    }

    /// Changes a few bytes, two times of three none.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        if self.random.below(3) != 0 {
            return;
        }
        for _ in 0..1 + self.random.index(3) {
            let at = self.random.index(bytes.len().max(1));
            match self.random.below(8) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => {
                    bytes.remove(at);
                }
                2 => bytes.insert(at.min(bytes.len()), self.pick(&[0, 0xff, 0x80, 0x81, 0xc3, 254])),
                3 if at < bytes.len() => bytes[at] ^= 1 << self.random.below(8),
                _ if at < bytes.len() => bytes[at] = self.random.next_u64().to_le_bytes()[0],
                _ => {}
            }
        }
    }

    /// A snapshot's body, behind a byte that chooses the version.
    pub fn snapshot(&mut self) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(self.random.below(256)).expect("small")];
        for key in 0..self.random.index(6) {
            let mut out = Output::to_memory(false);
            match self.random.below(16) {
                0 => {
                    out.byte(254);
                    out.length(self.number());
                }
                1 => {
                    out.byte(251);
                    out.length(self.number());
                    out.length(self.number());
                }
                2 => {
                    out.byte(252);
                    out.millis(self.signed());
                }
                3 => {
                    out.byte(250);
                    out.string(b"redis-ver");
                    let word = self.word();
                    out.string(&word);
                }
                4 => {
                    out.byte(248);
                    out.length(self.number());
                    out.byte(249);
                    out.byte(7);
                }
                5 => {
                    out.byte(245);
                    let word = self.word();
                    out.string(&word);
                }
                6 => {
                    out.byte(247);
                    (0..3).for_each(|_| out.length(self.number()));
                    for _ in 0..self.random.index(4) {
                        out.length(1 + self.random.below(5));
                        out.length(self.number());
                    }
                    out.length(0);
                }
                7 => {
                    out.byte(self.pick(&[243, 244, 246, 253]));
                    out.length(self.number());
                }
                _ => {
                    let type_byte = u8::try_from(self.random.below(26)).expect("small");
                    out.byte(type_byte);
                    out.string(format!("key{key}").as_bytes());
                    self.contents(&mut out, type_byte);
                }
            }
            bytes.extend(out.into_bytes());
        }
        bytes.push(0xFF);
        self.damage(&mut bytes);
        bytes
    }

    /// A file of words.
    pub fn text(&mut self, tokens: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.random.index(12) {
            bytes.extend_from_slice(self.pick(tokens));
        }
        self.damage(&mut bytes);
        bytes
    }
}

/// Pieces of files of users.
pub const USERS: &[&[u8]] = &[
    b"user a ",
    b"user b on >p ~k* +@all\n",
    b"\nuser c ",
    b"user d (+get ~x) (&* -@all) ",
    b"on nopass ",
    b"#c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2 ",
    b"+@all ",
    b"-@write ",
    b"+config|get ",
    b"-config ",
    b"+select|0 ",
    b"+get|",
    b"~k* ",
    b"%R~r* ",
    b"%RW~* ",
    b"&c* ",
    b"allkeys resetkeys ",
    b"reset ",
    b"clearselectors ",
    b"(",
    b") ",
    b"\" ",
    b"\t",
    b"\0",
    b"\n",
];

/// Pieces of manifests.
pub const MANIFEST: &[&[u8]] = &[
    b"file a seq 1 type b\n",
    b"file b seq 2 type i\n",
    b"file c seq 3 type i startoffset 5\n",
    b"file h seq 1 type h\n",
    b"file ",
    b"seq ",
    b"type ",
    b"\"a b\" ",
    b"'x' ",
    b"# note\n",
    b"\n",
    b"../up ",
    b"18446744073709551615 ",
    b"-1 ",
    b"i",
    b"b",
    b"\0",
    b"\xff",
    b"\\x41",
];

/// Pieces of files of commands.
pub const COMMANDS: &[&[u8]] = &[
    b"*1\r\n$4\r\nPING\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
    b"*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n",
    b"*1\r\n$5\r\nMULTI\r\n",
    b"*1\r\n$4\r\nEXEC\r\n",
    b"#TS:1700000000\r\n",
    b"#",
    b"*2\r\n",
    b"$3\r\n",
    b"$536870912\r\n",
    b"*2147483647\r\n",
    b"abc",
    b"\r\n",
    b"\0",
    b"\0\0\0\0",
];
