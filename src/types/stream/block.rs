//! One block of a stream: some entries one behind the other, each written as what is different from the one
//! before.
//!
//! ```text
//! block    fields | element ..                  the fields of the block's first entry
//!          entry .. | mark | entry ..
//! entry    header | ID | value ..               (the same fields)
//! entry    header | ID | fields | field | value ..
//! header   0 0 0 form form form own deleted     the bits of a byte, the highest first
//! mark     header | place of the mark before, u32 | the ID that is expected next, 16 bytes
//! ```
//!
//! How the ID follows from that of the entry before is the header's *form* ([`Step`]); in the common ones,
//! the next number in the same millisecond or number 0 of the next, it takes no byte at all. Elements and bare
//! numbers are those of [`code`](super::code). There are no lengths to walk back by: the way back decodes forwards
//! and hands out what it met from the end, and a *mark* now and then, each pointing to the one before, bounds how
//! far that is; a block within the usual limits has none. Deleting an entry sets a bit; nothing ever moves.
//!
//! To the world a block is the listpack that Redis keeps in its place:
//!
//! ```text
//! master   live | deleted | n | field 1 .. field n | 0
//! entry    flags | ms | seq | value 1 .. value n | steps                        (SAME_FIELDS)
//! entry    flags | ms | seq | m | field 1 | value 1 .. field m | value m | steps
//! ```
//!
//! `ms` and `seq` are differences to the block's ID, which is that of its first entry; both wrap around. `steps` is
//! how many elements the entry has before it. A dump is made of it and is turned back by [`Block::from_bytes`],
//! which accepts only bytes in which every entry is complete, every count is right and the IDs ascend. The size of
//! that form decides when a block is full, which is visible; so it is kept, though the form is not.
//!
//! The road not taken: keeping the listpack. An entry of two small numbers takes 14 bytes there, and 3 here.

use super::StreamId;
use super::code::{Reader, Writer, element_len, number_len};
use crate::ds::headed::Headed;
use crate::ds::packed::{self, Builder, Element, Forward, MAX_BYTES};

/// In a listpack: the entry is deleted.
const DELETED: i64 = 1;
/// In a listpack: the entry has the block's fields.
const SAME_FIELDS: i64 = 2;
/// The most that one element can take beside its text.
const ELEMENT_OVERHEAD: usize = 10;

/// In a header: the entry is deleted.
const GONE: u8 = 1;
/// In a header: the entry has fields of its own.
const OWN: u8 = 2;
/// The header of a mark.
const MARK: u8 = 7 << FORM_SHIFT;
const FORM_SHIFT: u32 = 2;
/// Bytes of a mark behind its header.
const MARK_BODY: usize = 20;
/// After so many bytes since the last mark, or at every so many entries, comes a mark.
const MARK_BYTES: usize = 4096;
const MARK_ENTRIES: u32 = 128;

/// Some entries of a stream, at least one. It does not know its own ID: the stream's index does.
#[derive(Clone)]
pub struct Block(Headed<Head>);

#[derive(Clone, Copy)]
struct Head {
    live: u32,
    deleted: u32,
    /// Bytes of the listpack, all but those of its first two elements.
    listpack: u32,
    /// Place of the last entry.
    last_at: u32,
    /// Place of the last mark, 0 for none.
    mark: u32,
    /// ID of the last entry.
    last: [u8; 16],
}

/// Why bytes are not a stream's block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadBlock;

/// The place of an entry in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

/// One entry, borrowed.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Its name.
    pub id: StreamId,
    /// Number of fields.
    pub fields: usize,
    header: u8,
    place: usize,
    shared: Reader<'a>,
    own: Reader<'a>,
}

impl<'a> Entry<'a> {
    /// Fields and values in order.
    pub fn pairs(self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> {
        let Entry { fields, header, mut shared, mut own, .. } = self;
        (0..fields).map(move |_| {
            let field = if header & OWN == 0 { shared.element() } else { own.element() };
            (field, own.element())
        })
    }

    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        self.header & GONE != 0
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        Place(narrow(self.place))
    }

    /// Its elements in a listpack, from its number of fields on or, if it has the block's, its first value on.
    fn elements(&self) -> (usize, Reader<'a>) {
        (if self.header & OWN == 0 { self.fields } else { 2 * self.fields }, self.own.clone())
    }
}

/// How an ID follows from the one that is expected, the next number in the millisecond of the entry before (or,
/// in front of the first entry, the block's own ID).
#[derive(Clone, Copy)]
enum Step {
    /// As expected.
    Next,
    /// So many numbers later.
    Later(u64),
    /// In the next millisecond, number 0.
    NextMs,
    /// So many more milliseconds later, number 0.
    LaterMs(u64),
    /// In the next millisecond, the number of the entry before.
    NextMsSame,
    /// So many more milliseconds later, the number of the entry before.
    LaterMsSame(u64),
    /// So many milliseconds later, that number.
    Any(u64, u64),
}

impl Step {
    /// The step to `id`, which is at or above the ID expected.
    #[inline]
    fn between(expected: StreamId, id: StreamId) -> Step {
        let (ms, same) = (id.ms - expected.ms, expected.seq.wrapping_sub(1));
        match ms {
            0 if id.seq == expected.seq => Step::Next,
            0 => Step::Later(id.seq - expected.seq - 1),
            1 if id.seq == 0 => Step::NextMs,
            1 if id.seq == same => Step::NextMsSame,
            _ if id.seq == 0 => Step::LaterMs(ms - 2),
            _ if id.seq == same => Step::LaterMsSame(ms - 2),
            _ => Step::Any(ms - 1, id.seq),
        }
    }

    /// Its number in a header, and what is written behind that.
    #[inline]
    fn form(self) -> (u8, [Option<u64>; 2]) {
        match self {
            Step::Next => (0, [None, None]),
            Step::Later(seq) => (1, [Some(seq), None]),
            Step::NextMs => (2, [None, None]),
            Step::LaterMs(ms) => (3, [Some(ms), None]),
            Step::NextMsSame => (4, [None, None]),
            Step::LaterMsSame(ms) => (5, [Some(ms), None]),
            Step::Any(ms, seq) => (6, [Some(ms), Some(seq)]),
        }
    }

    /// The ID that a header and what follows it stand for.
    #[inline]
    fn read(header: u8, reader: &mut Reader, expected: StreamId) -> StreamId {
        let (StreamId { ms, seq }, same) = (expected, expected.seq.wrapping_sub(1));
        let later = |ms: u64, more: u64| ms.wrapping_add(more);
        match header >> FORM_SHIFT {
            0 => expected,
            1 => StreamId::new(ms, later(later(seq, 1), reader.number())),
            2 => StreamId::new(later(ms, 1), 0),
            3 => StreamId::new(later(later(ms, 2), reader.number()), 0),
            4 => StreamId::new(later(ms, 1), same),
            5 => StreamId::new(later(later(ms, 2), reader.number()), same),
            _ => StreamId::new(later(later(ms, 1), reader.number()), reader.number()),
        }
    }
}

/// The ID that is expected behind an entry.
#[inline]
fn expected_after(id: StreamId) -> StreamId {
    StreamId { ms: id.ms, seq: id.seq.wrapping_add(1) }
}

/// An entry that is to be written.
struct Draft<I> {
    id: StreamId,
    header: u8,
    numbers: [Option<u64>; 2],
    /// Number of fields, if they are its own.
    own: Option<usize>,
    elements: I,
    /// Bytes that it takes.
    size: usize,
    /// Bytes that it would take in a listpack.
    listpack: usize,
}

impl<'a, I: Iterator<Item = Element<'a>> + Clone> Draft<I> {
    /// `own` is the number of fields if `elements` are fields and values in turn, `None` if they are the values of
    /// the block's fields.
    fn new(master: StreamId, expected: StreamId, id: StreamId, own: Option<usize>, elements: I) -> Self {
        let (form, numbers) = Step::between(expected, id).form();
        let (mut count, mut size, mut listpack) = (3, 1, Element::Int(0).packed_len());
        for element in elements.clone() {
            count += 1;
            size += element_len(&element);
            listpack += element.packed_len();
        }
        size += numbers.iter().flatten().map(|&number| number_len(number)).sum::<usize>();
        if let Some(fields) = own {
            count += 1;
            size += number_len(fields as u64);
            listpack += Element::Int(signed(fields)).packed_len();
        }
        listpack += deltas(master, id).iter().map(Element::packed_len).sum::<usize>() + Element::Int(count).packed_len();
        let header = form << FORM_SHIFT | if own.is_some() { OWN } else { 0 };
        Draft { id, header, numbers, own, elements, size, listpack }
    }

    fn write(&self, writer: &mut Writer) {
        writer.byte(self.header);
        self.numbers.iter().flatten().for_each(|&number| writer.number(number));
        if let Some(fields) = self.own {
            writer.number(fields as u64);
        }
        self.elements.clone().for_each(|element| writer.element(&element));
    }
}

impl Block {
    /// A block of one entry, whose fields are the shared ones; `words` are fields and values in turn. `None`
    /// if they are too many for a block.
    pub fn starting_with<'a>(id: StreamId, words: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> Option<Block> {
        let fields = words.clone().step_by(2);
        let bytes = words.clone().chain(fields.clone()).map(<[u8]>::len).try_fold(0usize, |sum, len| sum.checked_add(len))?;
        let overhead = (words.len() + fields.len() + 12).checked_mul(ELEMENT_OVERHEAD)?;
        if overhead.checked_add(bytes)? > MAX_BYTES {
            return None;
        }
        let values = words.skip(1).step_by(2).map(Element::from_text);
        Some(Block::open(fields.len(), fields.map(Element::from_text), &Draft::new(id, id, id, None, values)))
    }

    /// A block of so many shared fields and one entry.
    fn open<'a, 'b>(
        count: usize,
        fields: impl Iterator<Item = Element<'a>> + Clone,
        first: &Draft<impl Iterator<Item = Element<'b>> + Clone>,
    ) -> Block {
        let size = fields.clone().fold(number_len(count as u64), |size, field| size + element_len(&field));
        let head = [Element::Int(signed(count)), Element::Int(0)].iter().map(Element::packed_len).sum::<usize>();
        let listpack = fields.clone().fold(packed::FRAME + head, |size, field| size + field.packed_len());
        let head = Head { live: 0, deleted: 0, listpack: narrow(listpack), last_at: 0, mark: 0, last: [0; 16] };
        let mut block = Block(Headed::new(head, size + first.size));
        let mut writer = Writer(block.0.bytes_mut());
        writer.number(count as u64);
        fields.for_each(|field| writer.element(&field));
        first.write(&mut writer);
        block.note(size, first);
        block
    }

    /// The block of a dump's bytes and ID, checked through and through.
    pub fn from_bytes(id: StreamId, bytes: &[u8]) -> Result<Block, BadBlock> {
        let elements = packed::elements(bytes).map_err(|_| BadBlock)?;
        Block::from_elements(id, elements).ok_or(BadBlock)
    }

    /// The bytes that go into a dump.
    pub fn to_listpack(&self, master: StreamId) -> Vec<u8> {
        let mut out = Builder::with_capacity(self.listpack_bytes());
        let (count, mut fields) = self.fields();
        let head = self.0.head();
        [i64::from(head.live), i64::from(head.deleted), signed(count)].iter().for_each(|count| out.push_int(*count));
        (0..count).for_each(|_| out.push_element(&fields.element()));
        out.push_int(0);
        for entry in self.entries(master, StreamId::MIN) {
            let (count, mut elements) = entry.elements();
            let own = entry.header & OWN != 0;
            out.push_int(i64::from(entry.is_deleted()) * DELETED + i64::from(!own) * SAME_FIELDS);
            deltas(master, entry.id).iter().for_each(|delta| out.push_element(delta));
            if own {
                out.push_int(signed(entry.fields));
            }
            (0..count).for_each(|_| out.push_element(&elements.element()));
            out.push_int(signed(count + 3 + usize::from(own)));
        }
        debug_assert_eq!(out.bytes(), self.listpack_bytes());
        out.into_listpack()
    }

    /// Bytes taken from the allocator.
    pub fn allocated(&self) -> usize {
        self.0.allocated()
    }

    /// Size of the listpack that the block stands for.
    #[inline]
    fn listpack_bytes(&self) -> usize {
        let head = self.0.head();
        head.listpack as usize + Element::Int(i64::from(head.live)).packed_len() + Element::Int(i64::from(head.deleted)).packed_len()
    }

    /// Size of the block as a listpack, and entries in it, deleted ones included.
    #[inline]
    pub fn fill(&self) -> (usize, i64) {
        (self.listpack_bytes(), i64::from(self.count()))
    }

    /// Entries, deleted ones included.
    #[inline]
    fn count(&self) -> u32 {
        self.0.head().live + self.0.head().deleted
    }

    /// Entries that were not deleted.
    #[inline]
    pub fn live(&self) -> u64 {
        u64::from(self.0.head().live)
    }

    /// ID of the last entry, be it deleted or not.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        StreamId::from_bytes(self.0.head().last)
    }

    /// The shared fields, how many they are and where they begin.
    #[inline]
    fn fields(&self) -> (usize, Reader<'_>) {
        let mut reader = Reader::new(self.0.bytes(), 0);
        (length(reader.number()), reader)
    }

    /// Whether an entry of these words still fits below what a container may hold.
    pub fn has_room_for(&self, words: usize, bytes: usize) -> bool {
        let overhead = (words + 8).checked_mul(ELEMENT_OVERHEAD);
        let total = overhead.and_then(|overhead| overhead.checked_add(bytes)).and_then(|added| added.checked_add(self.listpack_bytes()));
        total.is_some_and(|total| total <= MAX_BYTES)
    }

    /// Adds an entry; `words` are its fields and values in turn, and there is room for them.
    pub fn append<'a>(&mut self, master: StreamId, id: StreamId, words: impl ExactSizeIterator<Item = &'a [u8]> + Clone) {
        let count = words.len() / 2;
        let expected = expected_after(self.last_id());
        let (shared, mut fields) = self.fields();
        let same = shared == count && words.clone().step_by(2).all(|field| fields.element().eq_bytes(field));
        if same {
            self.push(&Draft::new(master, expected, id, None, words.skip(1).step_by(2).map(Element::from_text)));
        } else {
            self.push(&Draft::new(master, expected, id, Some(count), words.map(Element::from_text)));
        }
    }

    /// Adds an entry behind all others, and a mark before it if it is time for one.
    fn push<'a>(&mut self, draft: &Draft<impl Iterator<Item = Element<'a>> + Clone>) {
        let (at, mark, last) = (self.0.len(), self.0.head().mark, self.last_id());
        if self.count().is_multiple_of(MARK_ENTRIES) || at - mark as usize >= MARK_BYTES {
            let mut writer = Writer(self.0.grow(1 + MARK_BODY + draft.size));
            writer.byte(MARK);
            writer.bytes(&mark.to_le_bytes());
            writer.bytes(&expected_after(last).to_bytes());
            draft.write(&mut writer);
            self.0.head_mut().mark = narrow(at);
            self.note(at + 1 + MARK_BODY, draft);
        } else {
            draft.write(&mut Writer(self.0.grow(draft.size)));
            self.note(at, draft);
        }
    }

    /// Counts an entry that was written at a place.
    fn note<'a>(&mut self, at: usize, draft: &Draft<impl Iterator<Item = Element<'a>>>) {
        let head = self.0.head_mut();
        if draft.header & GONE == 0 {
            head.live += 1
        } else {
            head.deleted += 1
        }
        head.listpack += narrow(draft.listpack);
        head.last_at = narrow(at);
        head.last = draft.id.to_bytes();
    }

    /// Where the first entry is.
    fn first(&self) -> usize {
        let (count, mut reader) = self.fields();
        reader.skip(count);
        reader.at()
    }

    /// What a mark says: the place of the mark before, and the ID that is expected behind it.
    fn mark(&self, at: u32) -> (u32, StreamId) {
        let mut reader = Reader::new(self.0.bytes(), at as usize + 1);
        let before = u32::from_le_bytes(reader.bytes(4).try_into().expect("four bytes"));
        (before, StreamId::from_bytes(reader.bytes(16).try_into().expect("sixteen bytes")))
    }

    /// The last mark in front of which all entries are below `from`; 0 for none.
    fn mark_before(&self, master: StreamId, from: StreamId) -> u32 {
        let mut at = if from <= master { 0 } else { self.0.head().mark };
        while at > 0 {
            let (before, expected) = self.mark(at);
            if expected <= from {
                break;
            }
            at = before;
        }
        at
    }

    /// A walk from a mark, or from the first entry for 0.
    fn walk(&self, master: StreamId, mark: u32) -> Entries<'_> {
        let (at, expected) = if mark == 0 { (self.first(), master) } else { (mark as usize, self.mark(mark).1) };
        let (count, shared) = self.fields();
        Entries { count, shared, reader: Reader::new(self.0.bytes(), at), end: self.0.len(), expected }
    }

    /// The entries from the first on, deleted ones included. Some of those below `from` may be left out.
    pub fn entries(&self, master: StreamId, from: StreamId) -> Entries<'_> {
        self.walk(master, self.mark_before(master, from))
    }

    /// The entries from the last back, deleted ones included. Some of those above `to` may be left out.
    pub fn entries_back(&self, master: StreamId, to: StreamId) -> EntriesBack<'_> {
        let head = self.0.head();
        let (mut end, mut mark) = (head.last_at as usize, head.mark);
        let mut met = vec![(end, self.last_id())];
        while mark > 0 && self.mark(mark).1 > to {
            met.clear();
            (end, mark) = (mark as usize, self.mark(mark).0);
        }
        EntriesBack { block: self, master, met, end, mark, done: false }
    }

    /// Marks entries as deleted; `places` are those of entries that are not deleted yet.
    pub fn delete(&mut self, places: &[Place]) {
        let bytes = self.0.bytes_mut();
        for Place(place) in places {
            bytes[*place as usize] |= GONE;
        }
        let (gone, head) = (narrow(places.len()), self.0.head_mut());
        head.live -= gone;
        head.deleted += gone;
    }

    /// The block that the elements of a listpack from outside stand for; `None` if anything is not as it must be.
    fn from_elements(master: StreamId, mut walk: Forward) -> Option<Block> {
        let natural = |walk: &mut Forward| walk.next()?.as_i64().filter(|value| *value >= 0);
        let (live, deleted, count) = (natural(&mut walk)?, natural(&mut walk)?, natural(&mut walk)?);
        let fields = walk.clone();
        pass(&mut walk, count)?;
        (walk.next()?.as_i64()? == 0).then_some(())?;
        let (mut block, mut last, mut expected) = (None::<Block>, None, master);
        while walk.position().is_some() {
            let flags = natural(&mut walk)?;
            (flags <= DELETED | SAME_FIELDS).then_some(())?;
            let ms = master.ms.wrapping_add(walk.next()?.as_i64()? as u64);
            let id = StreamId { ms, seq: master.seq.wrapping_add(walk.next()?.as_i64()? as u64) };
            (last.is_none_or(|last| last < id) && id >= master).then_some(())?;
            last = Some(id);
            let own = if flags & SAME_FIELDS == 0 { Some(natural(&mut walk)?) } else { None };
            let elements = own.map_or(Some(count), |count| count.checked_mul(2))?;
            let content = walk.clone();
            pass(&mut walk, elements)?;
            (walk.next()?.as_i64()? == elements.checked_add(3 + i64::from(own.is_some()))?).then_some(())?;
            let own = own.map(|count| length(count.cast_unsigned()));
            let mut draft = Draft::new(master, expected, id, own, content.take(length(elements.cast_unsigned())));
            if flags & DELETED != 0 {
                draft.header |= GONE;
            }
            expected = expected_after(id);
            match &mut block {
                Some(block) => block.push(&draft),
                None => {
                    let count = length(count.cast_unsigned());
                    block = Some(Block::open(count, fields.clone().take(count), &draft));
                }
            }
        }
        block.filter(|block| (i64::from(block.0.head().live), i64::from(block.0.head().deleted)) == (live, deleted))
    }
}

/// Passes over elements of which there must be so many.
fn pass(walk: &mut Forward, elements: i64) -> Option<()> {
    (0..elements).try_for_each(|_| walk.next().map(|_| ()))
}

/// The ID of an entry in a listpack.
#[inline]
fn deltas(master: StreamId, id: StreamId) -> [Element<'static>; 2] {
    [id.ms.wrapping_sub(master.ms), id.seq.wrapping_sub(master.seq)].map(|delta| Element::Int(delta.cast_signed()))
}

/// The entries of a block in order.
#[derive(Clone)]
pub struct Entries<'a> {
    count: usize,
    shared: Reader<'a>,
    reader: Reader<'a>,
    end: usize,
    expected: StreamId,
}

impl<'a> Entries<'a> {
    /// Passes a mark, if there is one here.
    #[inline]
    fn pass_mark(&mut self) {
        if self.reader.peek() == MARK {
            self.reader.bytes(1 + MARK_BODY);
        }
    }

    /// The entry whose header comes next.
    #[inline]
    fn read(&mut self) -> Entry<'a> {
        let place = self.reader.at();
        let header = self.reader.byte();
        let id = Step::read(header, &mut self.reader, self.expected);
        self.expected = expected_after(id);
        let fields = if header & OWN == 0 { self.count } else { length(self.reader.number()) };
        Entry { id, fields, header, place, shared: self.shared.clone(), own: self.reader.clone() }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.reader.at() == self.end {
            return None;
        }
        self.pass_mark();
        let entry = self.read();
        self.reader.skip(entry.elements().0);
        Some(entry)
    }
}

/// The entries of a block from the last back.
#[derive(Clone)]
pub struct EntriesBack<'a> {
    block: &'a Block,
    master: StreamId,
    /// Entries that were met on the way to `end`, place and ID, and not handed out yet.
    met: Vec<(usize, StreamId)>,
    /// Entries at this place and behind were met.
    end: usize,
    /// The last mark before that, 0 for none.
    mark: u32,
    /// Whether there is nothing before `end`.
    done: bool,
}

impl EntriesBack<'_> {
    /// Meets the entries between the last mark and `end`.
    fn go_back(&mut self) {
        let mut walk = self.block.walk(self.master, self.mark);
        let start = walk.reader.at();
        loop {
            if walk.reader.at() < self.end {
                walk.pass_mark();
            }
            if walk.reader.at() >= self.end {
                break;
            }
            let entry = walk.read();
            walk.reader.skip(entry.elements().0);
            self.met.push((entry.place, entry.id));
        }
        self.done = self.mark == 0;
        if !self.done {
            (self.end, self.mark) = (start, self.block.mark(self.mark).0);
        }
    }
}

impl<'a> Iterator for EntriesBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        while self.met.is_empty() {
            if self.done {
                return None;
            }
            self.go_back();
        }
        let (place, id) = self.met.pop()?;
        let (count, shared) = self.block.fields();
        let bytes = self.block.0.bytes();
        let mut walk = Entries { count, shared, reader: Reader::new(bytes, place), end: bytes.len(), expected: id };
        let entry = walk.read();
        Some(Entry { id, ..entry })
    }
}

#[inline]
fn length(count: u64) -> usize {
    usize::try_from(count).expect("a block was written here or checked on the way in")
}

#[inline]
fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a block is far smaller than 4 GiB")
}

#[inline]
fn signed(count: usize) -> i64 {
    i64::try_from(count).expect("a block is smaller than 2^63")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use crate::ds::packed::Packed;

    fn words(text: &str) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        text.split(' ').map(str::as_bytes).collect::<Vec<_>>().into_iter()
    }

    fn sample() -> (StreamId, Block) {
        let master = StreamId::new(10, 5);
        let mut block = Block::starting_with(master, words("a 1 b x")).expect("it fits");
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

    fn all(block: &Block, master: StreamId) -> Vec<String> {
        block.entries(master, StreamId::MIN).map(shown).collect()
    }

    fn all_back(block: &Block, master: StreamId) -> Vec<String> {
        let mut back: Vec<String> = block.entries_back(master, StreamId::MAX).map(shown).collect();
        back.reverse();
        back
    }

    #[test]
    fn entries_read_both_ways() {
        let (master, mut block) = sample();
        let forward = all(&block, master);
        assert_eq!(forward, ["10-5 \"a\"=1 \"b\"=\"x\"", "11-0 \"a\"=2 \"b\"=\"y\"", "300-9 \"c\"=3"]);
        assert_eq!(all_back(&block, master), forward);
        let place = block.entries(master, StreamId::MIN).nth(1).expect("three entries").place();
        block.delete(&[place]);
        assert_eq!(block.live(), 2);
        assert_eq!(block.fill().1, 3);
        assert!(block.entries(master, StreamId::MIN).nth(1).expect("three entries").is_deleted());
        assert!(Block::from_bytes(master, &block.to_listpack(master)).is_ok());
    }

    /// The bytes are what Redis 8.0 dumps for the same commands.
    #[test]
    fn bytes_are_those_of_redis() {
        let (master, block) = sample();
        let hex: String = block.to_listpack(master).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, EXPECTED);
        assert_eq!(block.fill(), (EXPECTED.len() / 2, 3));
    }

    const EXPECTED: &str = "40000000190003010001020181610281620200010201000100010101817802050102010101dffb02\
        020181790205010001c122020401010181630203010601ff";

    #[test]
    fn two_small_numbers_take_three_bytes() {
        let master = StreamId::new(1_700_000_000_000, 0);
        let mut block = Block::starting_with(master, words("temp 99 hum 49")).expect("it fits");
        for seq in 1..100 {
            let before = block.0.len();
            block.append(master, StreamId { seq, ..master }, words("temp 20 hum 7"));
            assert_eq!(block.0.len() - before, 3);
        }
        assert!(block.allocated() <= 384);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let (master, block) = sample();
        let good = block.to_listpack(master);
        assert!(Block::from_bytes(master, &good).is_ok());
        assert!(Block::from_bytes(StreamId::new(u64::MAX, 0), &good).is_err());
        for at in 0..good.len() {
            for value in 0..=255 {
                let mut bytes = good.clone();
                bytes[at] = value;
                if let Ok(block) = Block::from_bytes(master, &bytes) {
                    assert_eq!(all(&block, master), all_back(&block, master));
                    let again = block.to_listpack(master);
                    assert_eq!(again.len(), block.fill().0);
                    assert_eq!(Block::from_bytes(master, &again).map(|block| all(&block, master)), Ok(all(&block, master)));
                }
            }
        }
        assert!(Block::from_bytes(master, &Packed::new().to_listpack()).is_err());
    }

    /// The layout in which Redis would hold the same entries, built element by element.
    struct Model {
        master: StreamId,
        fields: Vec<Vec<u8>>,
        entries: Vec<(StreamId, bool, Vec<Vec<u8>>)>,
    }

    impl Model {
        fn listpack(&self) -> Vec<u8> {
            let mut out = Packed::new();
            let deleted = self.entries.iter().filter(|(_, deleted, _)| *deleted).count();
            [self.entries.len() - deleted, deleted, self.fields.len()]
                .iter()
                .for_each(|count| out.push_elements(&[Element::Int(*count as i64)]));
            self.fields.iter().for_each(|field| out.push_back(field));
            out.push_elements(&[Element::Int(0)]);
            for (id, deleted, words) in &self.entries {
                let same = words.iter().step_by(2).eq(&self.fields);
                out.push_elements(&[Element::Int(i64::from(*deleted) + 2 * i64::from(same))]);
                out.push_elements(&[Element::Int(id.ms.wrapping_sub(self.master.ms) as i64)]);
                out.push_elements(&[Element::Int(id.seq.wrapping_sub(self.master.seq) as i64)]);
                if same {
                    words.iter().skip(1).step_by(2).for_each(|value| out.push_back(value));
                } else {
                    out.push_elements(&[Element::Int(words.len() as i64 / 2)]);
                    words.iter().for_each(|word| out.push_back(word));
                }
                out.push_elements(&[Element::Int((if same { 3 + words.len() / 2 } else { 4 + words.len() }) as i64)]);
            }
            out.to_listpack()
        }

        fn shown(&self) -> Vec<String> {
            let line = |(id, deleted, words): &(StreamId, bool, Vec<Vec<u8>>)| {
                let mut text = format!("{}-{}{}", id.ms, id.seq, if *deleted { "!" } else { "" });
                for pair in words.chunks(2) {
                    text += &format!(" {:?}={:?}", Element::from_text(&pair[0]), Element::from_text(&pair[1]));
                }
                text
            };
            self.entries.iter().map(line).collect()
        }

        fn agrees_with(&self, block: &Block) {
            let shown = self.shown();
            assert_eq!(all(block, self.master), shown);
            assert_eq!(all_back(block, self.master), shown);
            let listpack = self.listpack();
            assert_eq!(block.to_listpack(self.master), listpack);
            assert_eq!(block.fill(), (listpack.len(), self.entries.len() as i64));
            let read = Block::from_bytes(self.master, &listpack).expect("it is sound");
            assert_eq!(read.0.bytes(), block.0.bytes());
            assert_eq!(read.last_id(), block.last_id());
        }

        /// Walks from somewhere in the middle leave out nothing on the wanted side.
        fn walks_agree(&self, block: &Block, probe: StreamId) {
            let ids = |from_probe: fn(&StreamId, &StreamId) -> bool| {
                self.entries.iter().map(|entry| entry.0).filter(move |id| from_probe(id, &probe)).collect::<Vec<_>>()
            };
            let forward = block.entries(self.master, probe).map(|entry| entry.id).filter(|id| *id >= probe);
            assert!(forward.eq(ids(|id, probe| id >= probe)));
            let back = block.entries_back(self.master, probe).map(|entry| entry.id).filter(|id| *id <= probe);
            assert!(back.eq(ids(|id, probe| id <= probe).into_iter().rev()));
        }
    }

    fn some_word(random: &mut Random) -> Vec<u8> {
        match random.below(20) {
            0..8 => random.below(200).to_string().into_bytes(),
            8..11 => (random.next_u64() as i64 >> random.below(64)).to_string().into_bytes(),
            11..18 => vec![b'a' + random.below(3) as u8; random.below(5) as usize],
            18 => vec![b'x'; random.below(200) as usize],
            _ => vec![b'y'; random.below(6000) as usize],
        }
    }

    fn id_after(random: &mut Random, last: StreamId) -> StreamId {
        let ms = match random.below(12) {
            0..4 => last.ms,
            4..8 => last.ms.saturating_add(1),
            8..11 => last.ms.saturating_add(random.below(1000)),
            _ => last.ms.saturating_add(random.next_u64() >> random.below(64)),
        };
        let least = if ms == last.ms { last.seq.saturating_add(1) } else { 0 };
        let seq = match random.below(12) {
            0..8 => least,
            8 => last.seq,
            9 | 10 => least.saturating_add(random.below(300)),
            _ => random.next_u64() >> random.below(64),
        };
        let id = StreamId::new(ms, seq);
        if id > last { id } else { last.next().unwrap_or(last) }
    }

    #[test]
    fn behaves_as_a_listpack_would() {
        for seed in 0..40 {
            let mut random = Random::from_seed(seed);
            let master = id_after(&mut random, StreamId::MIN);
            let steady = random.below(2) == 0;
            let first: Vec<Vec<u8>> = (0..2 + 2 * random.below(3)).map(|_| some_word(&mut random)).collect();
            let fields: Vec<Vec<u8>> = first.iter().step_by(2).cloned().collect();
            let mut model = Model { master, fields, entries: vec![(master, false, first.clone())] };
            let slices = first.iter().map(Vec::as_slice).collect::<Vec<_>>();
            let mut block = Block::starting_with(master, slices.into_iter()).expect("it fits");
            for _ in 0..random.below(500) {
                let id = id_after(&mut random, block.last_id());
                if id == block.last_id() {
                    break;
                }
                let mut words: Vec<Vec<u8>> = first.clone();
                words.iter_mut().skip(1).step_by(2).for_each(|word| *word = random.below(1000).to_string().into_bytes());
                if !steady && random.below(4) == 0 {
                    words = (0..2 * (1 + random.below(4))).map(|_| some_word(&mut random)).collect();
                }
                block.append(master, id, words.iter().map(Vec::as_slice).collect::<Vec<_>>().into_iter());
                model.entries.push((id, false, words));
                if random.below(3) == 0 {
                    let at = random.below(model.entries.len() as u64) as usize;
                    if !model.entries[at].1 && block.live() > 1 {
                        model.entries[at].1 = true;
                        let place = block.entries(master, StreamId::MIN).nth(at).expect("as many as in the model").place();
                        block.delete(&[place]);
                    }
                }
                if random.below(8) > 0 {
                    continue;
                }
                let probe = model.entries[random.below(model.entries.len() as u64) as usize].0;
                model.walks_agree(&block, if random.below(3) == 0 { probe.next().unwrap_or(probe) } else { probe });
            }
            model.agrees_with(&block);
            model.agrees_with(&block.clone());
        }
    }
}
