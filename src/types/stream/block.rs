//! One block of a stream: some entries in one packed container, laid out as Redis does, so that a dump
//! holds the bytes as they lie in memory.
//!
//! ```text
//! master   live | deleted | n | field 1 .. field n | 0
//! entry    flags | ms | seq | value 1 .. value n | steps                        (SAME_FIELDS)
//! entry    flags | ms | seq | m | field 1 | value 1 .. field m | value m | steps
//! ```
//!
//! `ms` and `seq` are differences to the block's ID, which is that of its first entry; both wrap around. `steps` is how many elements the entry has before it, for the walk backwards: the 0 that ends
//! the master entry stops that walk. Deleting an entry sets a flag and moves a count from `live` to
//! `deleted`; nothing else moves.
//!
//! Bytes from outside are accepted by [`Block::from_bytes`] only when every entry is complete, every
//! count is right and the IDs ascend; after that a walk takes the layout for granted.

use super::StreamId;
use crate::ds::packed::{Element, Forward, MAX_BYTES, Packed, Position};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// The most that one element can take beside its text.
const ELEMENT_OVERHEAD: usize = 10;

/// Some entries of a stream. It does not know its own ID: the stream's index does.
#[derive(Clone, Debug)]
pub struct Block(Packed);

/// Why bytes are not a stream's block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadBlock;

/// One entry, borrowed.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Its name.
    pub id: StreamId,
    /// Number of fields.
    pub fields: usize,
    deleted: bool,
    place: Position,
    shared: Option<Forward<'a>>,
    own: Forward<'a>,
}

impl<'a> Entry<'a> {
    /// Fields and values in order.
    pub fn pairs(self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> {
        let Entry { fields, mut shared, mut own, .. } = self;
        (0..fields).map(move |_| {
            let field = match &mut shared {
                Some(shared) => shared.next(),
                None => own.next(),
            };
            (field.expect("an entry has its fields"), own.next().expect("an entry has its values"))
        })
    }

    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }
}

impl Block {
    /// A block without entries whose shared fields are every other one of `words`. `None` if there are too
    /// many of them for a block.
    pub fn new<'a>(words: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> Option<Block> {
        let count = words.len() / 2;
        let fields = words.clone().step_by(2);
        let bytes = words.map(<[u8]>::len).try_fold(0usize, |sum, len| sum.checked_add(len))?;
        let room = (4 + count).checked_mul(2 * ELEMENT_OVERHEAD)?.checked_add(bytes)?;
        if room > MAX_BYTES {
            return None;
        }
        let mut packed = Packed::new();
        let head = [0, 0, signed(count)].map(Element::Int);
        packed.extend(head.into_iter().chain(fields.map(Element::from_text)).chain([Element::Int(0)]));
        Some(Block(packed))
    }

    /// The block of a dump's bytes and ID, checked through and through.
    pub fn from_bytes(id: StreamId, bytes: &[u8]) -> Result<Block, BadBlock> {
        let block = Block(Packed::from_bytes(bytes).map_err(|_| BadBlock)?);
        block.check(id).ok_or(BadBlock)?;
        Ok(block)
    }

    /// The bytes, as they go into a dump.
    pub fn to_listpack(&self) -> Vec<u8> {
        self.0.to_listpack()
    }

    /// Bytes taken from the allocator.
    pub fn allocated(&self) -> usize {
        self.0.allocated()
    }

    /// Size of the block, and entries in it, deleted ones included.
    #[inline]
    pub fn fill(&self) -> (usize, i64) {
        let (live, deleted) = self.counts();
        (self.0.bytes(), live.saturating_add(deleted))
    }

    /// Entries that were not deleted.
    #[inline]
    pub fn live(&self) -> u64 {
        u64::try_from(self.counts().0).expect("a count is not negative")
    }

    #[inline]
    fn counts(&self) -> (i64, i64) {
        let mut head = self.0.iter();
        (int(head.next()), int(head.next()))
    }

    /// The shared fields, and behind them the first entry.
    fn master(&self) -> (usize, Forward<'_>) {
        let mut walk = self.0.iter();
        walk.next();
        walk.next();
        (size(int(walk.next())), walk)
    }

    /// Whether an entry of these words still fits below what a container may hold.
    pub fn has_room_for(&self, words: usize, bytes: usize) -> bool {
        self.0.has_room_for(words + 8, bytes)
    }

    /// Adds an entry; `words` are its fields and values in turn, and there is room for them.
    pub fn append<'a>(&mut self, master: StreamId, id: StreamId, words: impl ExactSizeIterator<Item = &'a [u8]> + Clone) {
        let count = words.len() / 2;
        let (shared, fields) = self.master();
        let same = shared == count && fields.zip(words.clone().step_by(2)).all(|(shared, field)| shared.eq_bytes(field));
        let deltas = [id.ms.wrapping_sub(master.ms), id.seq.wrapping_sub(master.seq)].map(|delta| Element::Int(delta as i64));
        if same {
            let head = [Element::Int(SAME_FIELDS), deltas[0], deltas[1]].into_iter();
            let values = words.skip(1).step_by(2).map(Element::from_text);
            self.0.extend(head.chain(values).chain([Element::Int(signed(count + 3))]));
        } else {
            let head = [Element::Int(0), deltas[0], deltas[1], Element::Int(signed(count))].into_iter();
            self.0.extend(head.chain(words.map(Element::from_text)).chain([Element::Int(signed(2 * count + 4))]));
        }
        let live = self.0.first().expect("a block has a master entry");
        self.0.replace_element(live, &Element::Int(self.counts().0 + 1));
    }

    /// The entry at a place, and the place behind it.
    fn read(&self, master: StreamId, place: Position) -> (Entry<'_>, Option<Position>) {
        let mut walk = self.0.iter_from(place);
        let flags = int(walk.next());
        let ms = master.ms.wrapping_add(int(walk.next()) as u64);
        let seq = master.seq.wrapping_add(int(walk.next()) as u64);
        let (shared, fields, elements) = if flags & SAME_FIELDS != 0 {
            let (count, fields) = self.master();
            (Some(fields), count, count)
        } else {
            let count = size(int(walk.next()));
            (None, count, 2 * count)
        };
        let own = walk.clone();
        for _ in 0..elements + 1 {
            walk.next();
        }
        let entry = Entry { id: StreamId { ms, seq }, fields, deleted: flags & DELETED != 0, place, shared, own };
        (entry, walk.position())
    }

    /// The place of the first entry, if there is any.
    fn first(&self) -> Option<Position> {
        let (fields, mut walk) = self.master();
        for _ in 0..fields + 1 {
            walk.next();
        }
        walk.position()
    }

    /// The entries from the first on, deleted ones included.
    pub fn entries(&self, master: StreamId) -> Entries<'_> {
        Entries { block: self, master, at: self.first() }
    }

    /// The entries from the last back, deleted ones included.
    pub fn entries_back(&self, master: StreamId) -> EntriesBack<'_> {
        EntriesBack { block: self, master, end: None, done: false }
    }

    /// Flags entries as deleted; `ids` are places that [`Block::entries`] gave, of entries that are not
    /// deleted yet.
    pub fn delete(&mut self, places: &[Place]) {
        for Place(place) in places {
            let flags = self.0.at(*place).as_i64().expect("an entry opens with its flags");
            self.0.replace_element(*place, &Element::Int(flags | DELETED));
        }
        let (live, deleted) = self.counts();
        let gone = signed(places.len());
        let first = self.0.first().expect("a block has a master entry");
        self.0.replace_element(first, &Element::Int(live - gone));
        let second = self.0.next(first).expect("a block has a master entry");
        self.0.replace_element(second, &Element::Int(deleted + gone));
    }

    /// Walks bytes from outside; `None` if anything is not as it must be.
    fn check(&self, master: StreamId) -> Option<()> {
        let mut walk = self.0.iter();
        let natural = |walk: &mut Forward| walk.next()?.as_i64().filter(|value| *value >= 0);
        let (live, deleted, fields) = (natural(&mut walk)?, natural(&mut walk)?, natural(&mut walk)?);
        for _ in 0..fields {
            walk.next()?;
        }
        (walk.next()?.as_i64()? == 0).then_some(())?;
        let (mut seen_live, mut seen_deleted, mut last) = (0i64, 0i64, None);
        while walk.position().is_some() {
            let flags = natural(&mut walk)?;
            (flags <= DELETED | SAME_FIELDS).then_some(())?;
            let ms = master.ms.wrapping_add(walk.next()?.as_i64()? as u64);
            let id = StreamId { ms, seq: master.seq.wrapping_add(walk.next()?.as_i64()? as u64) };
            (last.is_none_or(|last| last < id) && id >= master).then_some(())?;
            last = Some(id);
            let (elements, head) = if flags & SAME_FIELDS != 0 { (fields, 3) } else { (natural(&mut walk)?.checked_mul(2)?, 4) };
            for _ in 0..elements {
                walk.next()?;
            }
            (walk.next()?.as_i64()? == elements.checked_add(head)?).then_some(())?;
            if flags & DELETED != 0 { seen_deleted += 1 } else { seen_live += 1 }
        }
        (seen_live == live && seen_deleted == deleted && last.is_some()).then_some(())
    }
}

/// The place of an entry in its block, good until an entry before it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(Position);

impl Entry<'_> {
    /// Where it is.
    pub fn place(&self) -> Place {
        Place(self.place)
    }
}

/// The entries of a block in order.
#[derive(Clone)]
pub struct Entries<'a> {
    block: &'a Block,
    master: StreamId,
    at: Option<Position>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        let (entry, next) = self.block.read(self.master, self.at?);
        self.at = next;
        Some(entry)
    }
}

/// The entries of a block from the last back.
#[derive(Clone)]
pub struct EntriesBack<'a> {
    block: &'a Block,
    master: StreamId,
    /// The entry that came last.
    end: Option<Position>,
    done: bool,
}

impl<'a> Iterator for EntriesBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        if self.done {
            return None;
        }
        let mut walk = match self.end {
            Some(end) => self.block.0.iter_back_from(end),
            None => self.block.0.iter_back(),
        };
        let steps = int(walk.next());
        if steps == 0 {
            self.done = true;
            return None;
        }
        for _ in 0..steps {
            walk.next();
        }
        let place = walk.position().expect("an entry lies behind the master entry");
        self.end = Some(place);
        Some(self.block.read(self.master, place).0)
    }
}

#[inline]
fn int(element: Option<Element>) -> i64 {
    element.and_then(|element| element.as_i64()).expect("a block was written here or checked on the way in")
}

#[inline]
fn size(count: i64) -> usize {
    usize::try_from(count).expect("a block was written here or checked on the way in")
}

#[inline]
fn signed(count: usize) -> i64 {
    i64::try_from(count).expect("a block is smaller than 2^63")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        text.split(' ').map(str::as_bytes).collect::<Vec<_>>().into_iter()
    }

    fn sample() -> (StreamId, Block) {
        let master = StreamId::new(10, 5);
        let mut block = Block::new(words("a 1 b x")).expect("it fits");
        block.append(master, master, words("a 1 b x"));
        block.append(master, StreamId::new(11, 0), words("a 2 b y"));
        block.append(master, StreamId::new(300, 9), words("c 3"));
        (master, block)
    }

    fn shown(entry: Entry) -> String {
        let mut text = format!("{}-{}{}", entry.id.ms, entry.id.seq, if entry.is_deleted() { "!" } else { "" });
        for (field, value) in entry.pairs() {
            text += &format!(" {field:?}={value:?}");
        }
        text
    }

    #[test]
    fn entries_read_both_ways() {
        let (master, mut block) = sample();
        let forward: Vec<String> = block.entries(master).map(shown).collect();
        assert_eq!(forward, ["10-5 \"a\"=1 \"b\"=\"x\"", "11-0 \"a\"=2 \"b\"=\"y\"", "300-9 \"c\"=3"]);
        let mut back: Vec<String> = block.entries_back(master).map(shown).collect();
        back.reverse();
        assert_eq!(back, forward);
        let place = block.entries(master).nth(1).expect("three entries").place();
        block.delete(&[place]);
        assert_eq!(block.live(), 2);
        assert_eq!(block.fill().1, 3);
        assert!(block.entries(master).nth(1).expect("three entries").is_deleted());
        assert!(Block::from_bytes(master, &block.to_listpack()).is_ok());
    }

    /// The bytes are what Redis 8.0 dumps for the same commands.
    #[test]
    fn bytes_are_those_of_redis() {
        let (_, block) = sample();
        let hex: String = block.to_listpack().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, EXPECTED);
    }

    const EXPECTED: &str = "40000000190003010001020181610281620200010201000100010101817802050102010101dffb02\
        020181790205010001c122020401010181630203010601ff";

    #[test]
    fn damaged_bytes_are_refused() {
        let (master, block) = sample();
        assert!(Block::from_bytes(master, &block.to_listpack()).is_ok());
        assert!(Block::from_bytes(StreamId::new(u64::MAX, 0), &block.to_listpack()).is_err());
        let good = block.to_listpack();
        for at in 0..good.len() {
            for value in [0, 1, 2, 3, 0x7f, 0x80, 0x81, 0xf0, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                if let Ok(block) = Block::from_bytes(master, &bytes) {
                    assert_eq!(block.entries(master).map(shown).count(), block.entries_back(master).map(shown).count());
                }
            }
        }
        assert!(Block::from_bytes(master, &Packed::new().to_listpack()).is_err());
    }
}
