//! Walks over a list: its nodes, its elements in either direction, the numbers of those that match.

use super::super::packed;
use super::super::packed::FRAME;
use super::super::packed::entry::{Element, Needle};
use super::super::packed::write_listpack;
use super::directory::{Directory, Place};
use super::node::Node;
use super::run::Run;
use super::{Deque, End, Form};

/// One node, as a file stores it.
#[derive(Clone, Copy)]
pub enum NodeRef<'a> {
    /// One large element: its text.
    Plain(&'a [u8]),
    /// Elements that a listpack holds.
    Packed(PackedNode<'a>),
}

/// The elements of one node, ready to be framed as a listpack.
#[derive(Clone, Copy)]
pub struct PackedNode<'a> {
    entries: &'a [u8],
    count: usize,
}

impl<'a> PackedNode<'a> {
    fn of(run: &'a Run) -> Self {
        PackedNode { entries: run.entries(), count: run.count() }
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Size of the listpack in bytes.
    pub fn bytes(&self) -> usize {
        self.entries.len() + FRAME
    }

    /// Appends the listpack.
    pub fn write_listpack(&self, out: &mut Vec<u8>) {
        write_listpack(self.entries, self.count, out);
    }

    /// The elements from the first on.
    pub fn iter(&self) -> packed::Forward<'a> {
        packed::Forward::new(self.entries, 0)
    }
}

impl<'a> NodeRef<'a> {
    fn of(node: &'a Node) -> Self {
        match node {
            Node::Plain(bytes) => NodeRef::Plain(bytes),
            Node::Run(run) => NodeRef::Packed(PackedNode::of(run)),
        }
    }
}

/// The nodes of a list in order.
pub struct Nodes<'a>(Rest<'a>);

/// The nodes that a walk has still before it.
#[derive(Clone)]
enum Rest<'a> {
    None,
    One(&'a Run),
    From(&'a Directory, Place),
}

impl<'a> Rest<'a> {
    #[inline]
    fn take(&mut self, step: fn(&Directory, Place) -> Option<Place>) -> Option<NodeRef<'a>> {
        match *self {
            Rest::None => None,
            Rest::One(run) => {
                *self = Rest::None;
                Some(NodeRef::Packed(PackedNode::of(run)))
            }
            Rest::From(directory, place) => {
                *self = match step(directory, place) {
                    Some(next) => Rest::From(directory, next),
                    None => Rest::None,
                };
                Some(NodeRef::of(directory.node(place)))
            }
        }
    }

    /// Nodes from the one of element `index` on, and that element's number in it.
    fn at(deque: &'a Deque, index: usize) -> (Self, usize) {
        match &deque.form {
            _ if index >= deque.len() => (Rest::None, 0),
            Form::Small(run) => (Rest::One(run), index),
            Form::Large(directory) => {
                let (place, at) = directory.locate(index);
                (Rest::From(directory, place), at)
            }
        }
    }
}

impl<'a> Iterator for Nodes<'a> {
    type Item = NodeRef<'a>;

    fn next(&mut self) -> Option<NodeRef<'a>> {
        self.0.take(Directory::after)
    }
}

/// The elements of a list from one on.
#[derive(Clone)]
pub struct Forward<'a> {
    rest: Rest<'a>,
    plain: Option<&'a [u8]>,
    run: packed::Forward<'a>,
}

impl<'a> Forward<'a> {
    fn from(deque: &'a Deque, index: usize) -> Self {
        let (rest, at) = Rest::at(deque, index);
        let mut walk = Forward { rest, plain: None, run: packed::Forward::new(&[], 0) };
        walk.enter();
        if at > 0 {
            walk.run.nth(at - 1);
        }
        walk
    }

    fn enter(&mut self) -> bool {
        match self.rest.take(Directory::after) {
            None => return false,
            Some(NodeRef::Plain(bytes)) => self.plain = Some(bytes),
            Some(NodeRef::Packed(node)) => self.run = node.iter(),
        }
        true
    }
}

impl<'a> Iterator for Forward<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            if let Some(element) = self.run.next() {
                return Some(element);
            }
            if let Some(bytes) = self.plain.take() {
                return Some(Element::Bytes(bytes));
            }
            if !self.enter() {
                return None;
            }
        }
    }
}

/// The elements of a list from one back to the first.
#[derive(Clone)]
pub struct Backward<'a> {
    rest: Rest<'a>,
    plain: Option<&'a [u8]>,
    run: packed::Backward<'a>,
}

impl<'a> Backward<'a> {
    fn from(deque: &'a Deque, index: usize) -> Self {
        let (rest, at) = Rest::at(deque, index);
        let mut walk = Backward { rest, plain: None, run: packed::Backward::new(&[], 0) };
        if let Some(behind) = walk.enter().and_then(|count| count.checked_sub(at + 1))
            && behind > 0
        {
            walk.run.nth(behind - 1);
        }
        walk
    }

    /// Goes on to the next node; says how many elements it has.
    fn enter(&mut self) -> Option<usize> {
        Some(match self.rest.take(Directory::before)? {
            NodeRef::Plain(bytes) => {
                self.plain = Some(bytes);
                1
            }
            NodeRef::Packed(node) => {
                self.run = packed::Backward::new(node.entries, node.entries.len());
                node.count
            }
        })
    }
}

impl<'a> Iterator for Backward<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            if let Some(element) = self.run.next() {
                return Some(element);
            }
            if let Some(bytes) = self.plain.take() {
                return Some(Element::Bytes(bytes));
            }
            self.enter()?;
        }
    }
}

/// The numbers of the elements that are a text, from one end on.
pub struct Matches<'a> {
    walk: Walk<'a>,
    needle: Needle<'a>,
    /// Elements looked at.
    seen: usize,
    /// Elements to look at in all.
    most: usize,
    len: usize,
}

enum Walk<'a> {
    Forward(Forward<'a>),
    Backward(Backward<'a>),
}

impl Iterator for Matches<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.seen < self.most {
            let element = match &mut self.walk {
                Walk::Forward(walk) => walk.next(),
                Walk::Backward(walk) => walk.next(),
            }?;
            self.seen += 1;
            if self.needle.matches(&element) {
                return Some(match self.walk {
                    Walk::Forward(_) => self.seen - 1,
                    Walk::Backward(_) => self.len - self.seen,
                });
            }
        }
        None
    }
}

impl Deque {
    /// The elements from the first on.
    pub fn iter(&self) -> Forward<'_> {
        Forward::from(self, 0)
    }

    /// The elements from number `index` on; none if there is no such element.
    pub fn iter_from(&self, index: usize) -> Forward<'_> {
        Forward::from(self, index)
    }

    /// The elements from the last back to the first.
    pub fn iter_back(&self) -> Backward<'_> {
        Backward::from(self, self.len().wrapping_sub(1))
    }

    /// The elements from number `index` back to the first; none if there is no such element.
    pub fn iter_back_from(&self, index: usize) -> Backward<'_> {
        Backward::from(self, index)
    }

    /// The numbers of the elements whose text is `text`, from one end on, looking at no more than
    /// `most` elements. `skip` and `take` of the iterator are rank and count.
    pub fn positions<'a>(&'a self, text: &'a [u8], from: End, most: usize) -> Matches<'a> {
        Matches {
            walk: match from {
                End::Front => Walk::Forward(self.iter()),
                End::Back => Walk::Backward(self.iter_back()),
            },
            needle: Needle::new(text),
            seen: 0,
            most,
            len: self.len(),
        }
    }

    /// The nodes in order, as a file stores them. A list without elements has none.
    pub fn nodes(&self) -> Nodes<'_> {
        Nodes(Rest::at(self, 0).0)
    }
}
