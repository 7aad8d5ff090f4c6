//! The block of a hash field: lengths, optional deadline, field and value in one allocation.
//!
//! ```text
//! byte 0      HAS_DEADLINE, WIDE_FIELD, WIDE_VALUE
//! then        field length, value length: a byte each, or four if WIDE
//! [6 bytes]   deadline in Unix milliseconds, below 2^48
//! then        the field, the value
//! ```
//!
//! The allocation is always a whole size class of the allocator, so a value is overwritten in place as
//! long as neither the class nor the flags change. Nothing in a block is aligned.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::base::clock::Millis;
use crate::ds::packed::class_size;
use crate::ds::table::Block;

const HAS_DEADLINE: u8 = 1;
const WIDE_FIELD: u8 = 2;
const WIDE_VALUE: u8 = 4;
const DEADLINE_BYTES: usize = 6;

/// The latest deadline that a field may have, as in Redis.
pub const MAX_DEADLINE: Millis = Millis((1 << 46) - 1);

const _: () = assert!(MAX_DEADLINE.0 < 1 << (8 * DEADLINE_BYTES), "a deadline fits its bytes");

/// Flags and lengths of a block.
#[derive(Clone, Copy)]
struct Shape {
    flags: u8,
    field_len: usize,
    value_len: usize,
}

impl Shape {
    fn new(field_len: usize, value_len: usize, deadline: Option<Millis>) -> Shape {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(deadline.is_some(), HAS_DEADLINE) | flag(field_len > 255, WIDE_FIELD) | flag(value_len > 255, WIDE_VALUE);
        Shape { flags, field_len, value_len }
    }

    #[inline]
    fn value_len_at(self) -> usize {
        if self.flags & WIDE_FIELD == 0 { 2 } else { 5 }
    }

    #[inline]
    fn deadline_at(self) -> usize {
        self.value_len_at() + if self.flags & WIDE_VALUE == 0 { 1 } else { 4 }
    }

    #[inline]
    fn field_at(self) -> usize {
        self.deadline_at() + if self.flags & HAS_DEADLINE == 0 { 0 } else { DEADLINE_BYTES }
    }

    #[inline]
    fn value_at(self) -> usize {
        self.field_at() + self.field_len
    }

    fn size(self) -> usize {
        class_size(self.value_at() + self.value_len)
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(self.size(), 8).expect("a field and a value are below 2^33 bytes")
    }
}

/// An owned block.
pub(super) struct Field(NonNull<u8>);

/// A borrowed block.
#[derive(Clone, Copy)]
pub struct FieldRef<'a> {
    raw: NonNull<u8>,
    life: PhantomData<&'a u8>,
}

impl<'a> FieldRef<'a> {
    /// The block at an address that a table gave.
    ///
    /// # Safety
    /// `raw` is a live block that neither moves nor changes during `'a`.
    pub unsafe fn new(raw: NonNull<u8>) -> Self {
        FieldRef { raw, life: PhantomData }
    }

    #[inline]
    fn bytes(self, at: usize, len: usize) -> &'a [u8] {
        // SAFETY: `at` and `len` come from the block's own shape.
        unsafe { std::slice::from_raw_parts(self.raw.as_ptr().add(at), len) }
    }

    #[inline]
    fn length(self, at: usize, wide: bool) -> usize {
        // SAFETY: the lengths lie within the block, at places that its flags tell; reads are unaligned.
        unsafe {
            let start = self.raw.as_ptr().add(at);
            if wide { u32::from_le_bytes(start.cast::<[u8; 4]>().read()) as usize } else { usize::from(start.read()) }
        }
    }

    #[inline]
    fn shape(self) -> Shape {
        let flags = self.bytes(0, 1)[0];
        let mut shape = Shape { flags, field_len: self.length(1, flags & WIDE_FIELD != 0), value_len: 0 };
        shape.value_len = self.length(shape.value_len_at(), flags & WIDE_VALUE != 0);
        shape
    }

    /// The field's name.
    #[inline]
    pub fn field(self) -> &'a [u8] {
        let shape = self.shape();
        self.bytes(shape.field_at(), shape.field_len)
    }

    /// Its value.
    #[inline]
    pub fn value(self) -> &'a [u8] {
        let shape = self.shape();
        self.bytes(shape.value_at(), shape.value_len)
    }

    /// When it expires.
    #[inline]
    pub fn deadline(self) -> Option<Millis> {
        let shape = self.shape();
        (shape.flags & HAS_DEADLINE != 0).then(|| {
            let mut word = [0; 8];
            word[..DEADLINE_BYTES].copy_from_slice(self.bytes(shape.deadline_at(), DEADLINE_BYTES));
            Millis(i64::from_le_bytes(word))
        })
    }

    /// Bytes of the allocation.
    pub fn allocated(self) -> usize {
        self.shape().size()
    }
}

impl Field {
    /// A new block. The deadline is at most [`MAX_DEADLINE`] and not before 1970.
    pub(super) fn new(field: &[u8], value: &[u8], deadline: Option<Millis>) -> Field {
        let shape = Shape::new(field.len(), value.len(), deadline);
        let layout = shape.layout();
        // SAFETY: the layout is not empty.
        let Some(raw) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let block = Field(raw);
        block.write(0, &[shape.flags]);
        block.write_length(1, field.len(), shape.flags & WIDE_FIELD != 0);
        block.write_deadline(shape, deadline);
        block.write(shape.field_at(), field);
        block.write_value(shape, value);
        block
    }

    /// The block at an address that a table gave, borrowed for changing.
    ///
    /// # Safety
    /// `raw` is a live block that nothing else uses meanwhile; the table stays its owner.
    pub(super) unsafe fn borrow_mut(raw: NonNull<u8>) -> ManuallyDrop<Field> {
        ManuallyDrop::new(Field(raw))
    }

    /// The block, borrowed.
    pub(super) fn get(&self) -> FieldRef<'_> {
        FieldRef { raw: self.0, life: PhantomData }
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        // SAFETY: callers write within the shape that the block was allocated for.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_ptr().add(at), bytes.len()) }
    }

    fn write_length(&self, at: usize, len: usize, wide: bool) {
        let word = u32::try_from(len).expect("fields and values are below 4 GB").to_le_bytes();
        self.write(at, if wide { &word } else { &word[..1] });
    }

    fn write_deadline(&self, shape: Shape, deadline: Option<Millis>) {
        if let Some(deadline) = deadline {
            assert!((0..=MAX_DEADLINE.0).contains(&deadline.0), "callers check deadlines");
            self.write(shape.deadline_at(), &deadline.0.to_le_bytes()[..DEADLINE_BYTES]);
        }
    }

    fn write_value(&self, shape: Shape, value: &[u8]) {
        self.write_length(shape.value_len_at(), value.len(), shape.flags & WIDE_VALUE != 0);
        self.write(shape.value_at(), value);
    }

    /// Puts another value and deadline into the block, if its shape allows it.
    #[inline]
    pub(super) fn try_overwrite(&mut self, value: &[u8], deadline: Option<Millis>) -> bool {
        let old = self.get().shape();
        let new = Shape::new(old.field_len, value.len(), deadline);
        if new.flags != old.flags || new.size() != old.size() {
            return false;
        }
        self.write_deadline(new, deadline);
        self.write_value(new, value);
        true
    }

    /// Changes the deadline in place, if the block has one.
    pub(super) fn try_set_deadline(&mut self, deadline: Option<Millis>) -> bool {
        let shape = self.get().shape();
        let same_form = deadline.is_some() == (shape.flags & HAS_DEADLINE != 0);
        if same_form {
            self.write_deadline(shape, deadline);
        }
        same_form
    }
}

impl Clone for Field {
    fn clone(&self) -> Self {
        let old = self.get();
        Field::new(old.field(), old.value(), old.deadline())
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let layout = self.get().shape().layout();
        // SAFETY: allocated with the layout of its shape; `try_overwrite` keeps the size class.
        unsafe { dealloc(self.0.as_ptr(), layout) }
    }
}

// SAFETY: a block is the only owner of its memory.
unsafe impl Send for Field {}

// SAFETY: the block's address is stable until it is freed, allocator addresses have at most 48 bits,
// and no method changes the field's name.
unsafe impl Block for Field {
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Field(raw)
    }
    #[inline]
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        FieldRef { raw, life: PhantomData }.field()
    }
}
