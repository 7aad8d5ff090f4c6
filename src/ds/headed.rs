//! `Headed`: a head of fixed shape and a run of bytes that grows at its end, in one allocation behind one
//! pointer.
//!
//! ```text
//! head: H | length  u32 | bytes ..
//! ```
//!
//! The capacity is not stored: it is the size class of what is in use, as in [`super::packed`]. So an
//! allocation never holds more than its class, and growth by appending is geometric.
//!
//! Invariants: the block's capacity is the class of `START + length`, and so many of its bytes are
//! initialised.
//!
//! The road not taken: a `Box` of a head and a `Vec`. That is 24 bytes of handle, a second allocation, and a
//! vector that doubles.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::packed::block::{allocate, class_size, release, resize};

/// A head and bytes behind it.
pub struct Headed<H: Copy> {
    block: NonNull<u8>,
    owns: PhantomData<H>,
}

// SAFETY: the handle owns its block alone and shares nothing through it.
unsafe impl<H: Copy + Send> Send for Headed<H> {}
// SAFETY: shared references only read the block.
unsafe impl<H: Copy + Sync> Sync for Headed<H> {}

impl<H: Copy> Headed<H> {
    /// Where the length lies.
    const LENGTH: usize = {
        assert!(align_of::<H>() <= 8 && size_of::<H>().is_multiple_of(4), "the length is aligned behind the head");
        size_of::<H>()
    };
    /// Where the bytes begin.
    const START: usize = Self::LENGTH + size_of::<u32>();

    fn capacity(len: usize) -> usize {
        class_size(Self::START + len)
    }

    /// A head and `len` zeros.
    pub fn new(head: H, len: usize) -> Self {
        let mut new = Headed { block: allocate(Self::capacity(len)), owns: PhantomData };
        // SAFETY: the block is new, aligned to 8, and has room for the head and `len` bytes.
        unsafe {
            new.block.cast::<H>().write(head);
            ptr::write_bytes(new.block.as_ptr().add(Self::START), 0, len);
        }
        new.set_len(len);
        new
    }

    /// The head.
    #[inline]
    pub fn head(&self) -> &H {
        // SAFETY: every block opens with an initialised head, aligned to 8.
        unsafe { self.block.cast::<H>().as_ref() }
    }

    /// The head, to change.
    #[inline]
    pub fn head_mut(&mut self) -> &mut H {
        // SAFETY: as in `head`, and the handle is borrowed for changing.
        unsafe { self.block.cast::<H>().as_mut() }
    }

    /// Number of bytes behind the head.
    #[inline]
    pub fn len(&self) -> usize {
        // SAFETY: the length lies behind the head, aligned to 4 as `LENGTH` asserts.
        unsafe { self.block.byte_add(Self::LENGTH).cast::<u32>().read() as usize }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn set_len(&mut self, len: usize) {
        let len = u32::try_from(len).expect("owners bound what they store far below 4 GiB");
        // SAFETY: as in `len`.
        unsafe { self.block.byte_add(Self::LENGTH).cast::<u32>().write(len) }
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: that many bytes lie in the block and are initialised, for as long as it is borrowed.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().add(Self::START), self.len()) }
    }

    /// The bytes, to change.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the handle is borrowed for changing.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr().add(Self::START), self.len()) }
    }

    /// Adds `added` zeros at the end, for the caller to write over.
    #[inline]
    pub fn grow(&mut self, added: usize) -> &mut [u8] {
        let old = self.len();
        let (old_class, new_class) = (Self::capacity(old), Self::capacity(old + added));
        if old_class != new_class {
            // SAFETY: the capacity is the class of what is in use, and the old pointer is replaced here.
            self.block = unsafe { resize(self.block, old_class, new_class) };
        }
        // SAFETY: the class has room for `added` more bytes.
        unsafe { ptr::write_bytes(self.block.as_ptr().add(Self::START + old), 0, added) };
        self.set_len(old + added);
        &mut self.bytes_mut()[old..]
    }

    /// Bytes taken from the allocator.
    pub fn allocated(&self) -> usize {
        Self::capacity(self.len())
    }
}

impl<H: Copy> Clone for Headed<H> {
    fn clone(&self) -> Self {
        let mut copy = Headed::new(*self.head(), self.len());
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }
}

impl<H: Copy> Drop for Headed<H> {
    fn drop(&mut self) {
        // SAFETY: the block is ours, its capacity is the class of what is in use, and this is the end.
        unsafe { release(self.block, Self::capacity(self.len())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    #[test]
    fn behaves_as_a_pair_of_a_head_and_a_vector() {
        let mut random = Random::from_seed(3);
        for _ in 0..20 {
            let mut headed = Headed::new((7u32, [1u8; 4]), 3);
            let mut model = vec![0u8; 3];
            for step in 0..200u32 {
                let added = random.below(40) as usize;
                let gap = headed.grow(added);
                assert_eq!(gap, vec![0; added]);
                let byte = random.below(256) as u8;
                gap.fill(byte);
                model.resize(model.len() + added, byte);
                headed.head_mut().0 += step;
                let at = random.below(model.len() as u64) as usize;
                headed.bytes_mut()[at] ^= 1;
                model[at] ^= 1;
                assert_eq!((headed.bytes(), headed.len()), (&model[..], model.len()));
            }
            let copy = headed.clone();
            let head = (7 + 199 * 200 / 2, [1; 4]);
            drop(headed);
            assert_eq!((copy.bytes(), *copy.head()), (&model[..], head));
            assert!(copy.allocated() >= 12 + model.len() && !copy.is_empty());
        }
    }
}
