//! The block of a key: header, deadline, key and, for short strings and integers, the value, in one
//! allocation.
//!
//! ```text
//! byte 0      kind (4 bits), HAS_DEADLINE, LONG, mark of the last sweep (2 bits, see `expiry`)
//! bytes 1–3   heat: LRU clock or LFU counter, 24 bits
//! short form  byte 4: key length; bytes 5–6: length of an embedded value; [6 bytes: deadline]
//! long form   bytes 4–7: key length; bytes 8–11: value length; [8 bytes: deadline]
//! then        key, then the value: its bytes, an integer (8 bytes), or a payload (8 bytes, see `types`)
//! ```
//!
//! The deadline is in Unix milliseconds. The short form serves keys of at most 255 bytes, values of at
//! most 64 KB and deadlines below 2^48; a block is in the long form only if it must. Nothing in a block
//! is aligned: what is read is a few bytes that share a cache line.
//!
//! A block's allocation is always a whole size class of the allocator, so a value may change in place
//! as long as the class stays the same.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

use crate::base::clock::Millis;
use crate::ds::packed::class_size;
use crate::ds::table::Block;
use crate::keyspace::expiry::Deadlines;
use crate::types::hash::Hash;
use crate::types::string::{RawString, StringRef};
use crate::types::{Kind, Stored, Type, Value};

const KIND: u8 = 0x0f;
const HAS_DEADLINE: u8 = 0x10;
const LONG: u8 = 0x20;
const MARK: u8 = 0xc0;
const SHORT_HEADER: usize = 7;
const LONG_HEADER: usize = 12;
const SHORT_DEADLINE_END: i64 = 1 << 48;

/// The longest string that OBJECT ENCODING calls `embstr`.
const EMBSTR_MAX: usize = 44;

/// The longest string kept inside its key's block.
pub const MAX_EMBEDDED: usize = 4096;

/// What a new block holds.
pub enum Payload<'a> {
    /// A string to be embedded, at most [`MAX_EMBEDDED`] bytes.
    Embedded(&'a [u8]),
    /// An integer.
    Integer(i64),
    /// A stored value of another kind.
    Stored(Kind, u64),
}

impl<'a> Payload<'a> {
    /// The payload for a string: inside the block if it is short.
    pub fn string(value: StringRef<'a>) -> Self {
        match value {
            StringRef::Integer(value) => Payload::Integer(value),
            StringRef::Bytes(bytes) if bytes.len() <= MAX_EMBEDDED => Payload::Embedded(bytes),
            StringRef::Bytes(bytes) => {
                let (kind, payload) = RawString::new(bytes.to_vec()).into_raw();
                Payload::Stored(kind, payload)
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Payload::Embedded(_) => Kind::Embedded,
            Payload::Integer(_) => Kind::Integer,
            Payload::Stored(kind, _) => *kind,
        }
    }

    fn len(&self) -> usize {
        match self {
            Payload::Embedded(bytes) => bytes.len(),
            Payload::Integer(_) | Payload::Stored(..) => 8,
        }
    }
}

/// Lengths and offsets of a block.
#[derive(Clone, Copy)]
struct Shape {
    flags: u8,
    key_len: usize,
    value_len: usize,
}

impl Shape {
    fn new(key_len: usize, deadline: Option<Millis>, payload: &Payload) -> Shape {
        let long = key_len > 255 || payload.len() > 65_535 || deadline.is_some_and(|d| !(0..SHORT_DEADLINE_END).contains(&d.0));
        let flags = payload.kind() as u8 | if deadline.is_some() { HAS_DEADLINE } else { 0 } | if long { LONG } else { 0 };
        Shape { flags, key_len, value_len: payload.len() }
    }

    #[inline]
    fn deadline_at(self) -> usize {
        if self.flags & LONG != 0 { LONG_HEADER } else { SHORT_HEADER }
    }

    #[inline]
    fn key_at(self) -> usize {
        match self.flags & (LONG | HAS_DEADLINE) {
            0 => SHORT_HEADER,
            HAS_DEADLINE => SHORT_HEADER + 6,
            LONG => LONG_HEADER,
            _ => LONG_HEADER + 8,
        }
    }

    #[inline]
    fn value_at(self) -> usize {
        self.key_at() + self.key_len
    }

    fn size(self) -> usize {
        class_size(self.value_at() + self.value_len)
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(self.size(), 8).expect("a key and an embedded value are below 2^33 bytes")
    }
}

/// An owned block.
pub struct Entry(NonNull<u8>);

/// A borrowed block.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    raw: NonNull<u8>,
    life: PhantomData<&'a u8>,
}

/// A value borrowed from a block, as its Rust type.
pub struct View<'a, T> {
    value: ManuallyDrop<T>,
    life: PhantomData<&'a T>,
}

impl<T> Deref for View<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'a> EntryRef<'a> {
    /// The block at an address that a table gave.
    ///
    /// # Safety
    /// `raw` is a live block, and neither it nor the table changes during `'a` but through a guard that
    /// borrows the table.
    pub unsafe fn new(raw: NonNull<u8>) -> Self {
        EntryRef { raw, life: PhantomData }
    }

    /// The address, to change the block through.
    pub fn raw(self) -> NonNull<u8> {
        self.raw
    }

    #[inline]
    fn bytes(self, at: usize, len: usize) -> &'a [u8] {
        // SAFETY: `at` and `len` come from the block's own shape.
        unsafe { std::slice::from_raw_parts(self.raw.as_ptr().add(at), len) }
    }

    #[inline]
    fn word<const N: usize>(self, at: usize) -> [u8; N] {
        // SAFETY: as `bytes`; the read is unaligned by type.
        unsafe { self.raw.as_ptr().add(at).cast::<[u8; N]>().read() }
    }

    #[inline]
    fn flags(self) -> u8 {
        self.word::<1>(0)[0]
    }

    #[inline]
    fn shape(self) -> Shape {
        let flags = self.flags();
        let (key_len, value_len) = if flags & LONG == 0 {
            (usize::from(self.word::<1>(4)[0]), usize::from(u16::from_le_bytes(self.word(5))))
        } else {
            (u32::from_le_bytes(self.word(4)) as usize, u32::from_le_bytes(self.word(8)) as usize)
        };
        Shape { flags, key_len, value_len }
    }

    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        let shape = self.shape();
        self.bytes(shape.key_at(), shape.key_len)
    }

    /// Type and encoding.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind::from_bits(self.flags() & KIND)
    }

    /// Whether neither the key nor anything in its value has a deadline.
    #[inline]
    pub fn is_lasting(self) -> bool {
        self.flags() & HAS_DEADLINE == 0 && !self.kind().expires_within()
    }

    /// When the key expires.
    #[inline]
    pub fn deadline(self) -> Option<Millis> {
        let flags = self.flags();
        if flags & HAS_DEADLINE == 0 {
            None
        } else if flags & LONG == 0 {
            let mut word = [0; 8];
            word[..6].copy_from_slice(&self.word::<6>(SHORT_HEADER));
            Some(Millis(i64::from_le_bytes(word)))
        } else {
            Some(Millis(i64::from_le_bytes(self.word(LONG_HEADER))))
        }
    }

    /// The deadline of the key, and the earliest of the fields of its hash.
    #[inline]
    pub fn deadlines(self) -> Deadlines {
        Deadlines { key: self.deadline(), fields: self.field_deadline() }
    }

    /// The earliest deadline of the fields of a hash.
    #[inline]
    pub fn field_deadline(self) -> Option<Millis> {
        if self.kind().expires_within() { self.view::<Hash>()?.earliest_deadline() } else { None }
    }

    /// The mark of the last sweep of the deadline index that saw these deadlines; 0 since they changed.
    pub fn mark(self) -> u8 {
        self.flags() >> 6
    }

    /// LRU clock or LFU counter, 24 bits.
    pub fn heat(self) -> u32 {
        let [a, b, c] = self.word::<3>(1);
        u32::from_le_bytes([a, b, c, 0])
    }

    fn payload(self) -> u64 {
        u64::from_le_bytes(self.word(self.shape().value_at()))
    }

    /// The string, if it is one.
    #[inline]
    pub fn string(self) -> Option<StringRef<'a>> {
        let shape = self.shape();
        match Kind::from_bits(shape.flags & KIND) {
            Kind::Embedded => Some(StringRef::Bytes(self.bytes(shape.value_at(), shape.value_len))),
            Kind::Integer => Some(StringRef::Integer(i64::from_le_bytes(self.word(shape.value_at())))),
            // SAFETY: a raw string's payload is its box, which lives as long as the block.
            Kind::Raw => Some(StringRef::Bytes(unsafe { &*(self.payload() as *const Vec<u8>) })),
            _ => None,
        }
    }

    /// The value as `T`, if it has that type.
    pub fn view<T: Stored>(self) -> Option<View<'a, T>> {
        let kind = self.kind();
        if kind.type_of() != T::TYPE || matches!(kind, Kind::Embedded | Kind::Integer) {
            return None;
        }
        // SAFETY: the payload has this kind; the copy is never dropped, and borrows the block.
        let value = ManuallyDrop::new(unsafe { T::from_raw(kind, self.payload()) });
        Some(View { value, life: PhantomData })
    }

    /// The value that lives outside the block; none if it is inside.
    pub fn value(self) -> Option<View<'a, Value>> {
        let kind = self.kind();
        if matches!(kind, Kind::Embedded | Kind::Integer) {
            return None;
        }
        // SAFETY: the payload has this kind; the copy is never dropped, and borrows the block.
        let value = ManuallyDrop::new(unsafe { Value::from_raw(kind, self.payload()) });
        Some(View { value, life: PhantomData })
    }

    /// What `OBJECT ENCODING` answers.
    pub fn encoding(self) -> &'static str {
        match self.string() {
            Some(StringRef::Integer(_)) => "int",
            Some(StringRef::Bytes(bytes)) if self.kind() == Kind::Embedded && bytes.len() <= EMBSTR_MAX => "embstr",
            Some(StringRef::Bytes(_)) => "raw",
            None => self.value().expect("only strings live in the block").encoding(),
        }
    }

    /// Bytes of what the payload points to; of a collection's elements so many are measured, if they have
    /// allocations of their own.
    pub fn outside_bytes(self, samples: usize) -> usize {
        self.value().map_or(0, |value| value.bytes(samples))
    }

    /// Bytes of the block, its slot in the table, and what its value has besides; see [`EntryRef::outside_bytes`].
    pub fn footprint(self, samples: usize) -> usize {
        const SLOT: usize = 8;
        SLOT + self.allocated() + self.outside_bytes(samples)
    }

    /// Bytes of the block's allocation, without what a payload points to.
    pub fn allocated(self) -> usize {
        self.shape().size()
    }
}

impl Entry {
    /// A new block.
    pub fn new(key: &[u8], deadline: Option<Millis>, payload: Payload, heat: u32) -> Entry {
        let shape = Shape::new(key.len(), deadline, &payload);
        let layout = shape.layout();
        // SAFETY: the layout is not empty.
        let Some(raw) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let entry = Entry(raw);
        entry.write(0, &[shape.flags]);
        entry.set_heat(heat);
        if shape.flags & LONG == 0 {
            let key_len = u8::try_from(key.len()).expect("the short form holds short keys");
            let value_len = u16::try_from(shape.value_len).expect("the short form holds short values");
            entry.write(4, &[key_len]);
            entry.write(5, &value_len.to_le_bytes());
        } else {
            entry.write(4, &u32::try_from(key.len()).expect("keys are below 4 GB").to_le_bytes());
            entry.write(8, &u32::try_from(shape.value_len).expect("values are below 4 GB").to_le_bytes());
        }
        if let Some(deadline) = deadline {
            entry.write_deadline(shape, deadline);
        }
        entry.write(shape.key_at(), key);
        entry.write_payload(shape, &payload);
        entry
    }

    /// A block for another key with a copy of the value.
    pub fn copy(source: EntryRef<'_>, key: &[u8], deadline: Option<Millis>, heat: u32) -> Entry {
        let payload = match (source.string(), source.value()) {
            (_, Some(value)) => {
                let (kind, payload) = value.duplicate().into_raw();
                Payload::Stored(kind, payload)
            }
            (Some(text), None) => Payload::string(text),
            (None, None) => unreachable!("only strings live in the block"),
        };
        Entry::new(key, deadline, payload, heat)
    }

    /// The block at an address that a table gave, borrowed for changing.
    ///
    /// # Safety
    /// `raw` is a live block that nothing else uses meanwhile; the table stays its owner.
    pub unsafe fn borrow_mut(raw: NonNull<u8>) -> ManuallyDrop<Entry> {
        ManuallyDrop::new(Entry(raw))
    }

    /// The block, borrowed.
    pub fn get(&self) -> EntryRef<'_> {
        EntryRef { raw: self.0, life: PhantomData }
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        debug_assert!(at + bytes.len() <= isize::MAX as usize);
        // SAFETY: callers write within the shape that the block was allocated for.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_ptr().add(at), bytes.len()) }
    }

    fn write_deadline(&self, shape: Shape, deadline: Millis) {
        let word = deadline.0.to_le_bytes();
        self.write(shape.deadline_at(), if shape.flags & LONG == 0 { &word[..6] } else { &word });
    }

    fn write_payload(&self, shape: Shape, payload: &Payload) {
        match payload {
            Payload::Embedded(bytes) => self.write(shape.value_at(), bytes),
            Payload::Integer(value) => self.write(shape.value_at(), &value.to_le_bytes()),
            Payload::Stored(_, word) => self.write(shape.value_at(), &word.to_le_bytes()),
        }
    }

    /// Sets the LRU clock or LFU counter.
    #[inline]
    pub fn set_heat(&self, heat: u32) {
        self.write(1, &heat.to_le_bytes()[..3]);
    }

    /// Marks the deadlines as seen by a sweep: 1 to 3; 0 once they changed.
    pub fn set_mark(&self, mark: u8) {
        self.write(0, &[self.get().flags() & !MARK | mark << 6]);
    }

    /// Sets the deadline in place if the block has a field for it that fits.
    pub fn try_set_deadline(&mut self, deadline: Option<Millis>) -> bool {
        let shape = self.get().shape();
        let has = shape.flags & HAS_DEADLINE != 0;
        match deadline {
            None => !has,
            Some(d) if has && (shape.flags & LONG != 0 || (0..SHORT_DEADLINE_END).contains(&d.0)) => {
                self.write_deadline(shape, d);
                self.set_mark(0);
                true
            }
            Some(_) => false,
        }
    }

    /// Puts a string or integer over one that is inside the block, if the shape allows it.
    #[inline]
    pub fn try_overwrite(&mut self, deadline: Option<Millis>, payload: &Payload) -> bool {
        let old = self.get().shape();
        let fits_old = matches!(Kind::from_bits(old.flags & KIND), Kind::Embedded | Kind::Integer);
        if !fits_old || matches!(payload, Payload::Stored(..)) {
            return false;
        }
        let new = Shape::new(old.key_len, deadline, payload);
        if (new.flags ^ old.flags) & (LONG | HAS_DEADLINE) != 0 || new.flags & LONG != 0 || new.size() != old.size() {
            return false;
        }
        self.write(0, &[new.flags]);
        self.write(5, &u16::try_from(new.value_len).expect("the short form").to_le_bytes());
        if let Some(deadline) = deadline {
            self.write_deadline(new, deadline);
        }
        self.write_payload(new, payload);
        true
    }

    /// Puts a stored value where another one's payload was taken from.
    pub fn set_payload(&mut self, kind: Kind, payload: u64) {
        let shape = self.get().shape();
        self.write(0, &[shape.flags & !KIND | kind as u8]);
        self.write(shape.value_at(), &payload.to_le_bytes());
    }

    /// Takes the value out; the block must then get another payload or be freed with [`Entry::free_block`].
    ///
    /// # Safety
    /// The value is not taken twice.
    pub unsafe fn take<T: Stored>(&mut self) -> T {
        let entry = self.get();
        // SAFETY: the payload has the block's kind; the caller's promise makes this the only owner.
        unsafe { T::from_raw(entry.kind(), entry.payload()) }
    }

    /// The block rebuilt with another key or deadline around the same value.
    pub fn rebuild(self, key: Option<&[u8]>, deadline: Option<Millis>) -> Entry {
        let old = self.get();
        let payload = match old.string() {
            Some(StringRef::Integer(value)) => Payload::Integer(value),
            Some(StringRef::Bytes(bytes)) if old.kind() == Kind::Embedded => Payload::Embedded(bytes),
            _ => Payload::Stored(old.kind(), old.payload()),
        };
        let new = Entry::new(key.unwrap_or(old.key()), deadline, payload, old.heat());
        self.free_block();
        new
    }

    /// Frees the block without the value that its payload points to.
    pub fn free_block(self) {
        let layout = self.get().shape().layout();
        let raw = ManuallyDrop::new(self).0;
        // SAFETY: allocated with the layout of its shape; `try_overwrite` keeps the size class.
        unsafe { dealloc(raw.as_ptr(), layout) }
    }

    /// Takes the block apart: the value if it lives outside the block, else nothing.
    pub fn into_value(self) -> Option<Value> {
        let entry = self.get();
        let value = match entry.kind() {
            Kind::Embedded | Kind::Integer => None,
            // SAFETY: the block gives the payload up and is freed.
            kind => Some(unsafe { Value::from_raw(kind, entry.payload()) }),
        };
        self.free_block();
        value
    }

    /// The type.
    pub fn type_of(&self) -> Type {
        self.get().kind().type_of()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        drop(Entry(self.0).into_value());
    }
}

// SAFETY: a block is the only owner of its memory, and every value type owns what it points to.
unsafe impl Send for Entry {}

// SAFETY: the block's address is stable until it is freed or a table is told that it moved, allocator
// addresses have at most 48 bits, and no method changes a key.
unsafe impl Block for Entry {
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Entry(raw)
    }
    #[inline]
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        EntryRef { raw, life: PhantomData }.key()
    }
}
