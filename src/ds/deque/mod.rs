//! `Deque`: a list of strings and integers, quick at both ends, dense in memory.
//!
//! It has two forms, which are also what OBJECT ENCODING shows:
//! - *small*: one [`run`] of entries, grown from size class to size class;
//! - *large*: a [`directory`] of nodes, each a run up to the limit of [`Fill`] or one large
//!   element. Only the runs at the ends carry slack: they are sealed when the end moves on.
//!
//! Which form a list has is not a function of its contents but of its history, as in Redis: it
//! turns large when an addition would exceed the limits of one node ([`Deque::prepare`]) and small
//! again when a command leaves one node of half the limits at most
//! ([`Deque::settle_after_removal`]). The deque turns large by itself; the command says when it is
//! done removing.
//!
//! Push and pop are amortised O(1), and no single one does more than move one node, one chunk of
//! the directory or the ring of chunks. An index is found in O(chunks + nodes of a chunk + elements
//! of a node).
//!
//! The road not taken: nodes linked to each other, as in Redis. That costs 32 bytes a node beside
//! the allocation, a cache miss a node on the way to an index, and the count of a node far from it.
//! Nor are inner nodes compressed: no directive of ours asks for it.

mod directory;
mod edit;
mod fill;
mod iter;
mod node;
mod run;
#[cfg(test)]
mod tests;

use std::fmt;

use super::packed::{Element, Error};
use directory::Directory;
use node::Node;
use run::{Room, Run};

pub use edit::Side;
pub use fill::Fill;
pub use iter::{Backward, Forward, Matches, NodeRef, Nodes, PackedNode};

/// One end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where element 0 is.
    Front,
    /// Where the last element is.
    Back,
}

/// A list of strings and integers.
#[derive(Clone)]
pub struct Deque {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Small(Run),
    Large(Box<Directory>),
}

const _: () = assert!(size_of::<Deque>() == 24);

impl Deque {
    /// A small list of nothing; takes no memory beside itself.
    pub fn new() -> Self {
        Deque { form: Form::Small(Run::new()) }
    }

    /// A large list of nothing, to be filled with so much that it may stay large, and then to be
    /// settled as after a load.
    pub fn new_large() -> Self {
        Deque { form: Form::Large(Box::new(Directory::new())) }
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Small(run) => run.count(),
            Form::Large(directory) => directory.items(),
        }
    }

    /// Whether there are no elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the list has the large form (`quicklist`, not `listpack`).
    #[inline]
    pub fn is_large(&self) -> bool {
        matches!(self.form, Form::Large(_))
    }

    /// Number of nodes; 1 for a small list.
    pub fn node_count(&self) -> usize {
        match &self.form {
            Form::Small(_) => 1,
            Form::Large(directory) => directory.nodes(),
        }
    }

    /// Bytes taken from the allocator, the deque itself left out. Visits every node.
    pub fn allocated(&self) -> usize {
        match &self.form {
            Form::Small(run) => run.allocated(),
            Form::Large(directory) => size_of::<Directory>() + directory.allocated(),
        }
    }

    /// To be told before a command adds `count` elements of `bytes` bytes of text together: turns
    /// the list large if one node would not do. Adding does this for each element by itself;
    /// a command that adds several has to ask for all of them to show the encoding that Redis does.
    #[inline]
    pub fn prepare(&mut self, count: usize, bytes: usize, fill: Fill) {
        if let Form::Small(run) = &self.form {
            let bytes = run.listpack_bytes().saturating_add(bytes);
            if fill.exceeded_by(bytes, run.count().saturating_add(count)) {
                self.enlarge();
            }
        }
    }

    /// To be told after a command has removed or set elements: turns the list small again if one
    /// node of half the limits at most is left.
    #[inline]
    pub fn settle_after_removal(&mut self, fill: Fill) {
        self.settle(fill, 2);
    }

    /// To be told after the last node of a file was added: turns the list small if one node within
    /// the limits is all there is.
    pub fn settle_after_load(&mut self, fill: Fill) {
        self.settle(fill, 1);
    }

    /// Adds an element at the end.
    #[inline]
    pub fn push_back(&mut self, text: &[u8], fill: Fill) {
        self.prepare(1, text.len(), fill);
        match &mut self.form {
            Form::Small(run) => run.push_back(&Element::from_text(text), Room::Tight),
            Form::Large(directory) => directory.push_back(text, fill),
        }
    }

    /// Adds an element at the front.
    #[inline]
    pub fn push_front(&mut self, text: &[u8], fill: Fill) {
        self.prepare(1, text.len(), fill);
        match &mut self.form {
            Form::Small(run) => run.push_front(&Element::from_text(text), Room::Tight),
            Form::Large(directory) => directory.push_front(text, fill),
        }
    }

    /// Takes the first element out, showing it to `visit` on the way.
    #[inline]
    pub fn pop_front<R>(&mut self, visit: impl FnOnce(Element) -> R) -> Option<R> {
        match &mut self.form {
            Form::Small(run) => {
                let result = run.pop_front(visit);
                run.shrink();
                result
            }
            Form::Large(directory) => directory.pop_front(visit),
        }
    }

    /// Takes the last element out, showing it to `visit` on the way.
    #[inline]
    pub fn pop_back<R>(&mut self, visit: impl FnOnce(Element) -> R) -> Option<R> {
        match &mut self.form {
            Form::Small(run) => {
                let result = run.pop_back(visit);
                run.shrink();
                result
            }
            Form::Large(directory) => directory.pop_back(visit),
        }
    }

    /// Element number `index`; a negative one counts from the tail.
    pub fn get(&self, index: i64) -> Option<Element<'_>> {
        let index = self.resolve(index)?;
        Some(match &self.form {
            Form::Small(run) => run.get(index),
            Form::Large(directory) => {
                let (place, at) = directory.locate(index);
                directory.node(place).get(at)
            }
        })
    }

    /// The number from the front of element `index`, a negative one counting from the tail, if
    /// there is such an element.
    pub fn resolve(&self, index: i64) -> Option<usize> {
        let len = self.len();
        let index = match usize::try_from(index) {
            Ok(index) => index,
            Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
        };
        (index < len).then_some(index)
    }

    /// Adds the elements of a listpack from a file as a node; an empty one adds nothing. They are
    /// checked through and through.
    pub fn append_packed_node(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let run = Run::from_listpack(bytes)?;
        if run.count() > 0 {
            self.enlarge().push_node_back(Node::Run(run));
        }
        Ok(())
    }

    /// Adds a large element from a file as a node.
    pub fn append_plain_node(&mut self, text: &[u8]) {
        self.enlarge().push_node_back(Node::Plain(text.into()));
    }

    /// Turns the list large, if it is not.
    fn enlarge(&mut self) -> &mut Directory {
        if let Form::Small(run) = &mut self.form {
            let run = std::mem::replace(run, Run::new());
            self.form = Form::Large(Box::new(Directory::of(run)));
        }
        match &mut self.form {
            Form::Large(directory) => directory,
            Form::Small(_) => unreachable!("turned large above"),
        }
    }

    #[inline]
    fn settle(&mut self, fill: Fill, divisor: usize) {
        if let Form::Large(directory) = &mut self.form
            && directory.nodes() == 1
            && let Some(place) = directory.first()
            && let Node::Run(run) = directory.node(place)
            && fill.suits_small(run.listpack_bytes(), run.count(), divisor)
            && let Node::Run(mut run) = directory.remove_node(place)
        {
            run.seal();
            self.form = Form::Small(run);
        }
    }
}

impl Default for Deque {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Deque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Deque {
    type Item = Element<'a>;
    type IntoIter = Forward<'a>;

    fn into_iter(self) -> Forward<'a> {
        self.iter()
    }
}
