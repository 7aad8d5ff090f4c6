//! A small hash in one packed block: pairs of field and value or, once a field had a deadline, triplets
//! of field, value and deadline.
//!
//! Triplets are in order of deadlines, and those without one (written as 0) come last: so the earliest
//! deadline is the third element, and what is due is a prefix. This is Redis's layout, byte for byte.

use super::{FieldTtl, Item, is_there};
use crate::base::clock::Millis;
use crate::ds::packed::{Builder, Element, Forward, Packed, Position};
use crate::types::string::StringRef;

/// Elements of a pair.
pub(super) const PAIR: usize = 2;
/// Elements of a triplet.
pub(super) const TRIPLET: usize = 3;

/// An element as a string value.
#[inline]
fn string(element: Element<'_>) -> StringRef<'_> {
    match element {
        Element::Bytes(bytes) => StringRef::Bytes(bytes),
        Element::Int(value) => StringRef::Integer(value),
    }
}

/// The deadline in the third element of a triplet.
fn deadline_in(element: Element<'_>) -> Option<Millis> {
    element.as_i64().filter(|&word| word > 0).map(Millis)
}

/// The place of a field.
#[inline]
fn find(packed: &Packed, width: usize, field: &[u8]) -> Option<Position> {
    packed.find(field, packed.first()?, width - 1)
}

fn after(packed: &Packed, place: Position) -> Position {
    packed.next(place).expect("groups are whole")
}

/// Value and deadline of the group at `place`.
fn at(packed: &Packed, width: usize, place: Position) -> (Element<'_>, Option<Millis>) {
    let value = after(packed, place);
    let deadline = if width == PAIR { None } else { deadline_in(packed.at(after(packed, value))) };
    (packed.at(value), deadline)
}

/// Value and deadline of a field.
#[inline]
pub(super) fn get<'a>(packed: &'a Packed, width: usize, field: &[u8]) -> Option<(StringRef<'a>, Option<Millis>)> {
    let (value, deadline) = at(packed, width, find(packed, width, field)?);
    Some((string(value), deadline))
}

/// The earliest deadline among triplets.
pub(super) fn earliest(packed: &Packed) -> Option<Millis> {
    deadline_in(packed.get(2)?)
}

/// Sets a field among pairs; gives whether it was not there.
#[inline]
pub(super) fn set_pair(packed: &mut Packed, field: &[u8], value: &[u8]) -> bool {
    match find(packed, PAIR, field) {
        Some(place) => {
            let place = after(packed, place);
            packed.replace(place, value);
            false
        }
        None => {
            packed.push_elements(&[Element::from_text(field), Element::from_text(value)]);
            true
        }
    }
}

/// Sets a field among triplets; gives whether it was not there.
pub(super) fn set_triplet(packed: &mut Packed, field: &[u8], value: &[u8], ttl: FieldTtl, horizon: Millis) -> bool {
    let Some(place) = find(packed, TRIPLET, field) else {
        insert_triplet(packed, field, value, ttl.of_new());
        return true;
    };
    let (_, old) = at(packed, TRIPLET, place);
    let there = is_there(old, horizon);
    let deadline = if there { ttl.of_old(old) } else { ttl.of_new() };
    if deadline == old {
        let place = after(packed, place);
        packed.replace(place, value);
    } else {
        packed.remove(place, TRIPLET);
        insert_triplet(packed, field, value, deadline);
    }
    !there
}

/// Sets or clears the deadline of a field among triplets, which is there.
pub(super) fn set_deadline(packed: &mut Packed, field: &[u8], deadline: Option<Millis>) {
    let place = find(packed, TRIPLET, field).expect("the caller has found the field");
    let (value, old) = at(packed, TRIPLET, place);
    if deadline != old {
        let value = value.to_vec();
        packed.remove(place, TRIPLET);
        insert_triplet(packed, field, &value, deadline);
    }
}

/// Puts a new triplet in its place among the others.
fn insert_triplet(packed: &mut Packed, field: &[u8], value: &[u8], deadline: Option<Millis>) {
    let word = deadline.map_or(0, |deadline| deadline.0);
    let triplet = [Element::from_text(field), Element::from_text(value), Element::Int(word)];
    let next = deadline.and_then(|deadline| {
        let mut place = packed.first();
        while let Some(group) = place {
            let stamp = after(packed, after(packed, group));
            if deadline_in(packed.at(stamp)).is_none_or(|other| other > deadline) {
                break;
            }
            place = packed.next(stamp);
        }
        place
    });
    match next {
        Some(place) => {
            packed.insert_elements_before(place, &triplet);
        }
        None => packed.push_elements(&triplet),
    }
}

/// Removes a field if it is there.
pub(super) fn remove(packed: &mut Packed, width: usize, field: &[u8], horizon: Millis) -> bool {
    let Some(place) = find(packed, width, field) else { return false };
    let there = is_there(at(packed, width, place).1, horizon);
    if there {
        packed.remove(place, width);
    }
    there
}

/// Removes up to `most` triplets whose deadline is not after `horizon`.
pub(super) fn expire(packed: &mut Packed, horizon: Millis, most: usize, mut removed: impl FnMut(&[u8], Millis)) -> usize {
    let mut count = 0;
    let mut items = Items::new(packed, TRIPLET);
    while let Some(Item { field, deadline: Some(deadline), .. }) = items.next() {
        if count == most || deadline > horizon {
            break;
        }
        removed(&field.text(), deadline);
        count += 1;
    }
    packed.delete_range(0, count * TRIPLET);
    count
}

/// Pairs as triplets without deadlines.
pub(super) fn with_deadlines(packed: &Packed) -> Packed {
    let mut builder = Builder::with_capacity(packed.bytes() + packed.len());
    for (index, element) in packed.iter().enumerate() {
        builder.push_element(&element);
        if index % PAIR == 1 {
            builder.push_int(0);
        }
    }
    builder.finish()
}

/// The groups of a packed block.
#[derive(Clone)]
pub(super) struct Items<'a> {
    elements: Forward<'a>,
    width: usize,
}

impl<'a> Items<'a> {
    /// All groups of `width` elements.
    pub(super) fn new(packed: &'a Packed, width: usize) -> Self {
        Items { elements: packed.iter(), width }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;
    fn next(&mut self) -> Option<Item<'a>> {
        let field = string(self.elements.next()?);
        let value = string(self.elements.next()?);
        let deadline = if self.width == PAIR { None } else { deadline_in(self.elements.next()?) };
        Some(Item { field, value, deadline })
    }
}
