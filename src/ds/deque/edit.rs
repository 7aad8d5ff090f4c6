//! Changes in the middle of a list: set, insert, and removing ranges and matches.
//!
//! Nodes that an insertion has to split are merged with their neighbours again where the fill
//! allows, so that repeated insertions do not leave crumbs. Removals merge nothing. Both are as in
//! Redis, to the node, and have to be: the form of a list (see [`Deque::settle_after_removal`])
//! depends on its number of nodes, and users see the form.

use super::super::packed::entry::{Element, Needle};
use super::directory::{Directory, Place};
use super::fill::Fill;
use super::node::Node;
use super::run::Room;
use super::{Deque, End, Form};

/// How many times the limit a node may grow to by setting its elements.
const OVERGROWN: usize = 8;

/// Which side of an element another one is put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Nearer to the front.
    Before,
    /// Nearer to the back.
    After,
}

impl Side {
    /// The number that an element put on this side of number `pivot` gets.
    fn of(self, pivot: usize) -> usize {
        match self {
            Side::Before => pivot,
            Side::After => pivot + 1,
        }
    }
}

impl Deque {
    /// Changes element number `index`; says whether there is one. As in Redis the list turns large
    /// for a text that would not fit even if there is no such element.
    pub fn set(&mut self, index: usize, text: &[u8], fill: Fill) -> bool {
        self.prepare(1, text.len(), fill);
        if index >= self.len() {
            return false;
        }
        match &mut self.form {
            Form::Small(run) => run.replace(index, &Element::from_text(text)),
            Form::Large(directory) => directory.set(index, text, fill),
        }
        true
    }

    /// Puts an element next to number `pivot`; says whether there is such an element.
    pub fn insert(&mut self, pivot: usize, side: Side, text: &[u8], fill: Fill) -> bool {
        if pivot >= self.len() {
            return false;
        }
        self.prepare(1, text.len(), fill);
        match &mut self.form {
            Form::Small(run) => run.insert(side.of(pivot), &Element::from_text(text)),
            Form::Large(directory) => directory.insert(pivot, side, text, fill),
        }
        true
    }

    /// Removes up to `count` elements from number `start` on, and gives the nodes that went as a
    /// whole: to free them may take long, to move them does not.
    pub fn cut(&mut self, start: usize, count: usize) -> Deque {
        let count = count.min(self.len().saturating_sub(start));
        if count > 0 {
            match &mut self.form {
                Form::Small(run) => run.remove(start, count),
                Form::Large(directory) => {
                    let removed = directory.cut(start, count);
                    return Deque { form: Form::Large(Box::new(removed)) };
                }
            }
        }
        Deque::new()
    }

    /// Removes up to `limit` of the elements whose text is `text`, beginning at one end; says how
    /// many there were.
    pub fn remove_matching(&mut self, text: &[u8], limit: usize, from: End) -> usize {
        let needle = Needle::new(text);
        match &mut self.form {
            Form::Small(run) => run.remove_matches(&needle, limit, from),
            Form::Large(directory) => match from {
                End::Front => directory.remove_matching_forward(&needle, limit),
                End::Back => directory.remove_matching_backward(&needle, limit),
            },
        }
    }
}

impl Directory {
    fn set(&mut self, index: usize, text: &[u8], fill: Fill) {
        let (place, at) = self.locate(index);
        let large = fill.is_large(text.len());
        let done = self.edit(place, |node| match node {
            Node::Run(run) if !large => {
                run.replace(at, &Element::from_text(text));
                true
            }
            Node::Plain(bytes) if large => {
                *bytes = text.into();
                true
            }
            _ => false,
        });
        if done {
            self.split_overgrown(place, fill);
        } else {
            self.insert(index, Side::After, text, fill);
            self.cut(index, 1);
            // As Redis does it: only if something was left in front of the large element.
            if large && at > 0 {
                let (place, _) = self.locate(index);
                self.merge_around(place, fill);
            }
        }
    }

    /// A node whose elements were set to longer ones may grow beyond the limit, as in Redis; but
    /// not so far that moving it becomes a matter of its own.
    fn split_overgrown(&mut self, place: Place, fill: Fill) {
        if let Node::Run(run) = self.node(place)
            && run.count() > 1
            && run.used() > OVERGROWN * fill.node_bytes()
        {
            let middle = run.middle();
            self.split(place, middle);
        }
    }

    /// Splits a run before its element `at`, and is the place of the right part.
    fn split(&mut self, place: Place, at: usize) -> Place {
        let right = self.edit(place, |node| match node {
            Node::Run(run) => run.split_off(at),
            Node::Plain(_) => unreachable!("one element has no middle"),
        });
        self.insert_node(place.behind(), Node::Run(right))
    }

    /// Where the element goes decides how the list falls into nodes, and so when it turns small
    /// again; this follows Redis step by step: into the pivot's node if that takes it; else at the
    /// edge of a node into the neighbour or a new node between; else the pivot's node is split.
    fn insert(&mut self, pivot: usize, side: Side, text: &[u8], fill: Fill) {
        let element = Element::from_text(text);
        let (place, at) = self.locate(pivot);
        let at = side.of(at);
        let taken = self.edit(place, |node| {
            let run = node.taking(text.len(), fill);
            run.map(|run| run.insert(at, &element)).is_some()
        });
        if taken {
            return;
        }
        if at == 0 {
            self.insert_at_edge(self.before(place), place, text, fill);
        } else if at == self.node(place).count() {
            self.insert_at_edge(self.after(place), place.behind(), text, fill);
        } else {
            self.insert_in_split(place, at, side, text, fill);
        }
    }

    /// Puts an element into the neighbour, at the edge that faces `gap`, or else into a node of
    /// its own in the gap.
    fn insert_at_edge(&mut self, neighbour: Option<Place>, gap: Place, text: &[u8], fill: Fill) {
        let taken = neighbour.is_some_and(|neighbour| {
            let at_its_end = self.before(gap) == Some(neighbour);
            self.edit(neighbour, |node| {
                let run = node.taking(text.len(), fill);
                run.map(|run| {
                    let at = if at_its_end { run.count() } else { 0 };
                    run.insert(at, &Element::from_text(text));
                })
                .is_some()
            })
        });
        if !taken {
            self.insert_node(gap, Node::holding(text, Room::Tight, fill));
        }
    }

    /// Splits a full run before its element `at`, and puts an element between the parts: by itself
    /// if it is large, else into the part without the pivot.
    fn insert_in_split(&mut self, place: Place, at: usize, side: Side, text: &[u8], fill: Fill) {
        let right = self.split(place, at);
        if fill.is_large(text.len()) {
            self.insert_node(right, Node::holding(text, Room::Tight, fill));
            return;
        }
        let left = self.before(right).expect("the left part of the split");
        let (center, part) = match side {
            Side::Before => (right, left),
            Side::After => (left, right),
        };
        self.edit(part, |node| match node {
            Node::Run(run) => run.insert(if side == Side::Before { run.count() } else { 0 }, &Element::from_text(text)),
            Node::Plain(_) => unreachable!("a part of a run"),
        });
        self.merge_around(center, fill);
    }

    /// Merges what fits together among a node, two before it and two behind it.
    fn merge_around(&mut self, center: Place, fill: Fill) {
        let mut center = center;
        if let Some(before) = self.before(center)
            && let Some(earlier) = self.before(before)
            && self.merge_with_next(earlier, fill)
        {
            center = self.after(earlier).expect("the center is behind it");
        }
        if let Some(next) = self.after(center) {
            self.merge_with_next(next, fill);
        }
        if let Some(before) = self.before(center)
            && self.merge_with_next(before, fill)
        {
            center = before;
        }
        self.merge_with_next(center, fill);
    }

    fn merge_with_next(&mut self, place: Place, fill: Fill) -> bool {
        let Some(next) = self.after(place) else {
            return false;
        };
        if !self.node(place).merges_with(self.node(next), fill) {
            return false;
        }
        if let Node::Run(right) = self.remove_node(next) {
            self.edit(place, |node| match node {
                Node::Run(left) => left.absorb(&right),
                Node::Plain(_) => unreachable!("only runs merge"),
            });
        }
        true
    }

    /// Removes elements, which there are: parts of nodes where they are, whole nodes and whole
    /// chunks by moving them into another directory.
    fn cut(&mut self, start: usize, count: usize) -> Directory {
        let mut removed = Directory::new();
        let (first, mut at) = self.locate(start);
        let mut place = Some(first);
        let mut left = count;
        while left > 0
            && let Some(here) = place
        {
            let there = self.node(here).count();
            if at > 0 || left < there {
                let taken = left.min(there - at);
                self.edit(here, |node| match node {
                    Node::Run(run) => run.remove(at, taken),
                    Node::Plain(_) => unreachable!("a part of one element is no element"),
                });
                place = self.after(here);
                left -= taken;
                at = 0;
            } else {
                left -= self.move_nodes(here, left, &mut removed);
                place = self.at_or_after(here);
            }
        }
        removed
    }

    fn remove_matching_forward(&mut self, needle: &Needle, limit: usize) -> usize {
        let mut removed = 0;
        let mut place = self.first();
        while removed < limit
            && let Some(here) = place
        {
            let done = self.edit(here, |node| node.remove_matches(needle, limit - removed, End::Front));
            removed += done.count;
            place = if done.emptied {
                self.remove_node(here);
                self.at_or_after(here)
            } else {
                self.after(here)
            };
        }
        removed
    }

    fn remove_matching_backward(&mut self, needle: &Needle, limit: usize) -> usize {
        let mut removed = 0;
        let mut place = self.last();
        while removed < limit
            && let Some(here) = place
        {
            let done = self.edit(here, |node| node.remove_matches(needle, limit - removed, End::Back));
            removed += done.count;
            // Nodes before this one keep their places when it goes.
            place = self.before(here);
            if done.emptied {
                self.remove_node(here);
            }
        }
        removed
    }
}
