//! `Node`: what the directory of a long list holds: a run of entries, or one large element by
//! itself. Moving a large element is moving its pointer, and no run has to be moved around it.

use super::super::packed::entry::{Element, Needle};
use super::End;
use super::fill::Fill;
use super::run::{Room, Run};

/// A run, or one large element.
#[derive(Clone)]
pub(super) enum Node {
    /// One element too large for a run.
    Plain(Box<[u8]>),
    /// One element or more.
    Run(Run),
}

const _: () = assert!(size_of::<Node>() == 24);

impl Node {
    /// A node of `text` alone.
    pub(super) fn holding(text: &[u8], room: Room, fill: Fill) -> Self {
        if fill.is_large(text.len()) {
            return Node::Plain(text.into());
        }
        let mut run = Run::new();
        run.push_back(&Element::from_text(text), room);
        Node::Run(run)
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        match self {
            Node::Plain(_) => 1,
            Node::Run(run) => run.count(),
        }
    }

    /// Bytes taken from the allocator.
    pub(super) fn allocated(&self) -> usize {
        match self {
            Node::Plain(bytes) => bytes.len(),
            Node::Run(run) => run.allocated(),
        }
    }

    /// The run, if one element of `len` bytes more may go into it.
    #[inline]
    pub(super) fn taking(&mut self, len: usize, fill: Fill) -> Option<&mut Run> {
        match self {
            Node::Run(run) if fill.allows(run.used(), run.count(), len) => Some(run),
            _ => None,
        }
    }

    /// Element number `index`, which there is.
    pub(super) fn get(&self, index: usize) -> Element<'_> {
        match self {
            Node::Plain(bytes) => Element::Bytes(bytes),
            Node::Run(run) => run.get(index),
        }
    }

    /// Gives slack back.
    pub(super) fn seal(&mut self) {
        if let Node::Run(run) = self {
            run.seal();
        }
    }

    /// Whether `next` may be added to this node.
    pub(super) fn merges_with(&self, next: &Node, fill: Fill) -> bool {
        match (self, next) {
            (Node::Run(left), Node::Run(right)) => !fill.exceeded_by(left.listpack_bytes() + right.used(), left.count() + right.count()),
            _ => false,
        }
    }

    /// Removes matches as [`Run::remove_matches`]; says how many, and whether nothing is left.
    pub(super) fn remove_matches(&mut self, needle: &Needle, limit: usize, from: End) -> Removed {
        match self {
            Node::Plain(bytes) => {
                let hit = limit > 0 && needle.matches(&Element::Bytes(bytes));
                Removed { count: usize::from(hit), emptied: hit }
            }
            Node::Run(run) => Removed { count: run.remove_matches(needle, limit, from), emptied: run.count() == 0 },
        }
    }
}

/// What removing matches from a node did.
pub(super) struct Removed {
    pub(super) count: usize,
    pub(super) emptied: bool,
}
