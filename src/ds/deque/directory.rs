//! The directory of a long list: its nodes in order, in chunks of up to [`CHUNK`].
//!
//! Two levels keep every step short. A single ring of nodes would have to be copied whole when it
//! grows, 240 MB of it for ten million large elements; here a step copies at most one chunk (24 KB)
//! or the ring of chunks (80 KB at ten million nodes). Counts of elements a chunk make
//! the way to an index short as well, where Redis follows links from node to node.
//!
//! Invariants: no chunk is empty; no run is empty between two calls; `items` of a chunk and of the
//! directory are the sums of their nodes'. So nodes are changed only through [`Directory::edit`]
//! and the methods for the ends, which keep the sums.

use std::collections::VecDeque;

use super::super::packed::entry::Element;
use super::fill::Fill;
use super::node::Node;
use super::run::{Room, Run};

/// Most nodes of a chunk.
const CHUNK: usize = 1024;

/// Where a node is. Good until nodes before it come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    chunk: usize,
    node: usize,
}

impl Place {
    /// The place right behind, in the same chunk; a node need not be there.
    pub(super) fn behind(self) -> Place {
        Place { node: self.node + 1, ..self }
    }
}

#[derive(Clone)]
struct Chunk {
    nodes: VecDeque<Node>,
    items: usize,
}

impl Chunk {
    fn of(nodes: VecDeque<Node>) -> Box<Self> {
        let items = nodes.iter().map(Node::count).sum();
        Box::new(Chunk { nodes, items })
    }

    /// Takes out as many nodes from number `first` on as have `most` elements together, but not all.
    fn split_nodes(&mut self, first: usize, most: usize) -> Box<Self> {
        let mut items = 0;
        let within = |node: &&Node| {
            items += node.count();
            items <= most
        };
        let count = self.nodes.iter().skip(first).take_while(within).count();
        let taken = Chunk::of(self.nodes.drain(first..first + count).collect());
        self.items -= taken.items;
        self.shrink();
        taken
    }

    /// Gives memory back after nodes were taken out.
    fn shrink(&mut self) {
        let left = self.nodes.len();
        if left < self.nodes.capacity() / 4 {
            self.nodes.shrink_to(2 * left);
        }
    }
}

/// Nodes in order.
#[derive(Clone)]
pub(super) struct Directory {
    /// Boxed, so that the ring of ten thousand chunks is doubled in tens of microseconds.
    chunks: VecDeque<Box<Chunk>>,
    nodes: usize,
    items: usize,
}

impl Directory {
    /// A directory of nothing.
    pub(super) fn new() -> Self {
        Directory { chunks: VecDeque::new(), nodes: 0, items: 0 }
    }

    /// A directory of one run, or of nothing if the run is empty.
    pub(super) fn of(run: Run) -> Self {
        let mut directory = Directory::new();
        if run.count() > 0 {
            directory.push_node_back(Node::Run(run));
        }
        directory
    }

    /// Number of elements.
    #[inline]
    pub(super) fn items(&self) -> usize {
        self.items
    }

    /// Number of nodes.
    #[inline]
    pub(super) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Bytes taken from the allocator for the directory and its nodes.
    pub(super) fn allocated(&self) -> usize {
        let ring = self.chunks.capacity() * size_of::<Box<Chunk>>();
        let chunks = self.chunks.iter().map(|chunk| {
            let nodes: usize = chunk.nodes.iter().map(Node::allocated).sum();
            size_of::<Chunk>() + chunk.nodes.capacity() * size_of::<Node>() + nodes
        });
        ring + chunks.sum::<usize>()
    }

    #[cfg(test)]
    pub(super) fn assert_sound(&self) {
        for chunk in &self.chunks {
            assert!((1..=CHUNK).contains(&chunk.nodes.len()));
            assert!(chunk.nodes.iter().all(|node| node.count() > 0));
            assert_eq!(chunk.items, chunk.nodes.iter().map(Node::count).sum());
        }
        let nodes = self.chunks.iter().map(|chunk| chunk.nodes.len());
        assert_eq!(self.nodes, nodes.sum());
        assert_eq!(self.items, self.chunks.iter().map(|chunk| chunk.items).sum());
    }

    #[inline]
    pub(super) fn push_back(&mut self, text: &[u8], fill: Fill) {
        if let Some(chunk) = self.chunks.back_mut()
            && let Some(node) = chunk.nodes.back_mut()
            && let Some(run) = node.taking(text.len(), fill)
        {
            run.push_back(&Element::from_text(text), room_at_end(0, fill));
            chunk.items += 1;
            self.items += 1;
            return;
        }
        self.push_new_back(text, fill);
    }

    #[inline]
    pub(super) fn push_front(&mut self, text: &[u8], fill: Fill) {
        if let Some(chunk) = self.chunks.front_mut()
            && let Some(node) = chunk.nodes.front_mut()
            && let Some(run) = node.taking(text.len(), fill)
        {
            run.push_front(&Element::from_text(text), room_at_end(0, fill));
            chunk.items += 1;
            self.items += 1;
            return;
        }
        self.push_new_front(text, fill);
    }

    #[inline]
    pub(super) fn pop_front<R>(&mut self, visit: impl FnOnce(Element) -> R) -> Option<R> {
        let chunk = self.chunks.front_mut()?;
        if let Node::Run(run) = chunk.nodes.front_mut()?
            && run.count() > 1
        {
            chunk.items -= 1;
            self.items -= 1;
            return run.pop_front(visit);
        }
        self.remove_node(self.first()?).take_only(visit)
    }

    #[inline]
    pub(super) fn pop_back<R>(&mut self, visit: impl FnOnce(Element) -> R) -> Option<R> {
        let chunk = self.chunks.back_mut()?;
        if let Node::Run(run) = chunk.nodes.back_mut()?
            && run.count() > 1
        {
            chunk.items -= 1;
            self.items -= 1;
            return run.pop_back(visit);
        }
        self.remove_node(self.last()?).take_only(visit)
    }

    /// The node and the number in it of element `index`, which there is; from the nearer end.
    pub(super) fn locate(&self, index: usize) -> (Place, usize) {
        debug_assert!(index < self.items);
        if index < self.items / 2 { self.locate_from_front(index) } else { self.locate_from_back(self.items - 1 - index) }
    }

    fn locate_from_front(&self, mut rest: usize) -> (Place, usize) {
        for (chunk_at, chunk) in self.chunks.iter().enumerate() {
            if rest >= chunk.items {
                rest -= chunk.items;
                continue;
            }
            for (node_at, node) in chunk.nodes.iter().enumerate() {
                if rest < node.count() {
                    let place = Place { chunk: chunk_at, node: node_at };
                    return (place, rest);
                }
                rest -= node.count();
            }
        }
        unreachable!("the index is below the sum of the counts")
    }

    /// As from the front, but `rest` counts the elements behind the one looked for.
    fn locate_from_back(&self, mut rest: usize) -> (Place, usize) {
        for (chunk_at, chunk) in self.chunks.iter().enumerate().rev() {
            if rest >= chunk.items {
                rest -= chunk.items;
                continue;
            }
            for (node_at, node) in chunk.nodes.iter().enumerate().rev() {
                if rest < node.count() {
                    let place = Place { chunk: chunk_at, node: node_at };
                    return (place, node.count() - 1 - rest);
                }
                rest -= node.count();
            }
        }
        unreachable!("the index is below the sum of the counts")
    }

    pub(super) fn node(&self, place: Place) -> &Node {
        &self.chunks[place.chunk].nodes[place.node]
    }

    /// Changes a node, keeping the sums.
    pub(super) fn edit<R>(&mut self, place: Place, change: impl FnOnce(&mut Node) -> R) -> R {
        let chunk = &mut self.chunks[place.chunk];
        let node = &mut chunk.nodes[place.node];
        let before = node.count();
        let result = change(node);
        let after = node.count();
        chunk.items = chunk.items - before + after;
        self.items = self.items - before + after;
        result
    }

    pub(super) fn first(&self) -> Option<Place> {
        self.at_or_after(Place { chunk: 0, node: 0 })
    }

    pub(super) fn last(&self) -> Option<Place> {
        let chunk = self.chunks.len().checked_sub(1)?;
        let node = self.chunks[chunk].nodes.len() - 1;
        Some(Place { chunk, node })
    }

    /// The place itself if a node is there, else that of the node which comes next.
    pub(super) fn at_or_after(&self, place: Place) -> Option<Place> {
        if place.node < self.chunks.get(place.chunk)?.nodes.len() {
            return Some(place);
        }
        let chunk = place.chunk + 1;
        (chunk < self.chunks.len()).then_some(Place { chunk, node: 0 })
    }

    pub(super) fn after(&self, place: Place) -> Option<Place> {
        self.at_or_after(place.behind())
    }

    pub(super) fn before(&self, place: Place) -> Option<Place> {
        if place.node > 0 {
            return Some(Place { node: place.node - 1, ..place });
        }
        let chunk = place.chunk.checked_sub(1)?;
        let node = self.chunks[chunk].nodes.len() - 1;
        Some(Place { chunk, node })
    }

    /// Puts a node at `place`, before the one there, and says where it came to lie.
    pub(super) fn insert_node(&mut self, place: Place, node: Node) -> Place {
        let mut place = place;
        if self.chunks[place.chunk].nodes.len() >= CHUNK {
            let right = self.chunks[place.chunk].nodes.split_off(CHUNK / 2);
            let right = Chunk::of(right);
            self.chunks[place.chunk].items -= right.items;
            self.chunks.insert(place.chunk + 1, right);
            if place.node > CHUNK / 2 {
                place = Place { chunk: place.chunk + 1, node: place.node - CHUNK / 2 };
            }
        }
        let chunk = &mut self.chunks[place.chunk];
        let items = node.count();
        chunk.nodes.insert(place.node, node);
        chunk.items += items;
        self.items += items;
        self.nodes += 1;
        place
    }

    /// Takes a node out. What follows it moves to its place, or to the start of the next chunk.
    pub(super) fn remove_node(&mut self, place: Place) -> Node {
        let chunk = &mut self.chunks[place.chunk];
        let node = chunk.nodes.remove(place.node).expect("a place is that of a node");
        chunk.items -= node.count();
        self.items -= node.count();
        self.nodes -= 1;
        if chunk.nodes.is_empty() {
            self.chunks.remove(place.chunk);
        } else {
            chunk.shrink();
        }
        node
    }

    /// Moves as many whole nodes from `place` on as have `most` elements together to the end of
    /// another directory: of one chunk, or whole chunks. Gives the number of elements.
    pub(super) fn move_nodes(&mut self, place: Place, most: usize, to: &mut Directory) -> usize {
        let moved: VecDeque<Box<Chunk>> = if place.node == 0 && self.chunks[place.chunk].items <= most {
            let sums = self.chunks.iter().skip(place.chunk).scan(0, |sum, chunk| {
                *sum += chunk.items;
                Some(*sum)
            });
            let chunks = sums.take_while(|&sum| sum <= most).count();
            self.chunks.drain(place.chunk..place.chunk + chunks).collect()
        } else {
            VecDeque::from([self.chunks[place.chunk].split_nodes(place.node, most)])
        };
        let (mut nodes, mut items) = (0, 0);
        for chunk in &moved {
            nodes += chunk.nodes.len();
            items += chunk.items;
        }
        self.nodes -= nodes;
        self.items -= items;
        to.nodes += nodes;
        to.items += items;
        to.chunks.extend(moved);
        items
    }

    pub(super) fn push_node_back(&mut self, node: Node) {
        let items = node.count();
        match self.chunks.back_mut() {
            Some(chunk) if chunk.nodes.len() < CHUNK => {
                chunk.nodes.push_back(node);
                chunk.items += items;
            }
            _ => self.chunks.push_back(Chunk::of(VecDeque::from([node]))),
        }
        self.items += items;
        self.nodes += 1;
    }

    fn push_node_front(&mut self, node: Node) {
        let items = node.count();
        match self.chunks.front_mut() {
            Some(chunk) if chunk.nodes.len() < CHUNK => {
                chunk.nodes.push_front(node);
                chunk.items += items;
            }
            _ => self.chunks.push_front(Chunk::of(VecDeque::from([node]))),
        }
        self.items += items;
        self.nodes += 1;
    }

    #[cold]
    fn push_new_back(&mut self, text: &[u8], fill: Fill) {
        let mut size = 0;
        if let Some(place) = self.last() {
            self.edit(place, Node::seal);
            size = self.node(place).allocated();
        }
        self.push_node_back(Node::holding(text, room_at_end(size, fill), fill));
    }

    #[cold]
    fn push_new_front(&mut self, text: &[u8], fill: Fill) {
        let mut size = 0;
        if let Some(place) = self.first() {
            self.edit(place, Node::seal);
            size = self.node(place).allocated();
        }
        if fill.is_large(text.len()) {
            return self.push_node_front(Node::Plain(text.into()));
        }
        let mut run = Run::new();
        run.push_front(&Element::from_text(text), room_at_end(size, fill));
        self.push_node_front(Node::Run(run));
    }
}

/// How an end of the list grows: a new node starts at the size of the one before it, an eighth of
/// the limit at most, and doubles up to the limit.
#[inline]
fn room_at_end(size_before: usize, fill: Fill) -> Room {
    let most = fill.node_bytes();
    Room::Doubling { least: size_before.min(most / 8), most }
}

impl Node {
    /// Shows the only element of a node to `visit`.
    fn take_only<R>(self, visit: impl FnOnce(Element) -> R) -> Option<R> {
        match &self {
            Node::Plain(bytes) => Some(visit(Element::Bytes(bytes))),
            Node::Run(run) => run.first().map(visit),
        }
    }
}
