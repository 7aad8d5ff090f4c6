//! Sets: members without order, each once.
//!
//! | form | kept as | OBJECT ENCODING |
//! |---|---|---|
//! | [`Set::Ints`] | integers in order, in one block | `intset` |
//! | [`Set::Packed`] | members in order of insertion, in one packed block | `listpack` |
//! | [`Set::Large`] | a table of blocks | `hashtable` |
//!
//! A set only ever goes down this list: a member that is no integer turns integers into a packed block,
//! and a member too many or too long (see [`Bounds`]) makes a table. All choices of form are Redis's, since
//! clients see the form and, of the first two, the order.
//!
//! Whatever is drawn is drawn with equal chance, at a cost that grows with what is drawn and not with
//! the set, but for a packed block, which is walked.
#![allow(unsafe_code)]

mod large;
mod member;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

pub use crate::ds::packed::Element;
pub use large::{Large, Texts};

use super::{Kind, Stored, Type};
use crate::base::random::Random;
use crate::ds::intset::{self, Intset};
use crate::ds::packed::{Builder, Forward, Packed, parse_int};
use crate::ds::table::KeyHasher;

/// Members that are looked for side by side in [`Set::retain_contained`].
pub const PROBES: usize = 16;

/// Up to where a set keeps its form, and how members are hashed beyond.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most members of a set of integers.
    pub ints: usize,
    /// Most members of a packed set.
    pub packed: usize,
    /// Most bytes of a member of a packed set.
    pub member: usize,
    /// The process's hash.
    pub hasher: KeyHasher,
}

impl Bounds {
    fn ints(&self) -> usize {
        self.ints.min(intset::MAX_LEN - 1)
    }
}

/// A set. See the module's essay.
#[derive(Clone)]
pub enum Set {
    /// Integers, ascending.
    Ints(Intset),
    /// Members one after the other.
    Packed(Packed),
    /// Blocks in a table.
    Large(Box<Large>),
}

impl Set {
    /// An empty set of integers.
    pub fn new() -> Set {
        Set::Ints(Intset::new())
    }

    /// An empty set in the packed form.
    pub fn packed() -> Set {
        Set::Packed(Packed::new())
    }

    /// An empty set of the form that suits about `hint` members of which `first` is one.
    pub fn for_members(first: &[u8], hint: usize, bounds: Bounds) -> Set {
        if hint <= bounds.ints && parse_int(first).is_some() {
            Set::new()
        } else if hint <= bounds.packed {
            Set::packed()
        } else {
            Set::large(bounds.hasher)
        }
    }

    /// An empty set in the large form.
    pub fn large(hasher: KeyHasher) -> Set {
        Set::Large(Box::new(Large::new(hasher)))
    }

    /// A set of integers that a file held, in the form that the bounds allow.
    pub fn from_ints(ints: Intset, bounds: Bounds) -> Set {
        let mut set = Set::Ints(ints);
        if set.len() > bounds.ints() {
            set.enlarge(bounds.hasher);
        }
        set
    }

    /// A set of the members that a file held in one packed block, in the form that the bounds allow. `None` if
    /// one is there twice.
    pub fn from_packed(packed: Packed, bounds: Bounds) -> Option<Set> {
        let (mut seen, mut longest) = (HashSet::with_capacity(packed.len()), 0);
        for member in packed.iter() {
            longest = longest.max(member.len_text());
            if !seen.insert(member.to_vec()) {
                return None;
            }
        }
        let mut set = Set::Packed(packed);
        if set.len() > bounds.packed || longest > bounds.member {
            set.enlarge(bounds.hasher);
        }
        Some(set)
    }

    /// The integers, if they are kept as such.
    pub fn as_ints(&self) -> Option<&Intset> {
        if let Set::Ints(ints) = self { Some(ints) } else { None }
    }

    /// The packed block of the packed form.
    pub fn as_packed(&self) -> Option<&Packed> {
        if let Set::Packed(packed) = self { Some(packed) } else { None }
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Set::Ints(_) => "intset",
            Set::Packed(_) => "listpack",
            Set::Large(_) => "hashtable",
        }
    }

    /// Bytes taken from the allocator.
    pub fn bytes(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.allocated(),
            Set::Packed(packed) => packed.allocated(),
            Set::Large(large) => large.bytes(),
        }
    }

    /// Whether a member is there.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => parse_int(member).is_some_and(|value| ints.contains(value)),
            Set::Packed(packed) => packed.first().is_some_and(|first| packed.find(member, first, 0).is_some()),
            Set::Large(large) => large.contains(member),
        }
    }

    /// As [`Set::contains`], for a member of another set.
    #[inline]
    pub fn contains_element(&self, member: Element) -> bool {
        match (self, member) {
            (Set::Ints(ints), Element::Int(value)) => ints.contains(value),
            _ => self.contains(member.text(&mut [0; 21])),
        }
    }

    /// Keeps those of up to [`PROBES`] members of another set that are in this one, too.
    pub fn retain_contained(&self, members: &mut Vec<Element<'_>>) {
        match self {
            Set::Large(large) => large.retain_contained(members),
            _ => members.retain(|member| self.contains_element(*member)),
        }
    }

    /// Makes the set large if about `hint` more members would not fit its form.
    pub fn expect_members(&mut self, hint: usize, bounds: Bounds) {
        let most = match self {
            Set::Ints(_) => bounds.ints,
            Set::Packed(_) => bounds.packed,
            Set::Large(_) => return,
        };
        if hint > most {
            self.enlarge(bounds.hasher);
        }
    }

    /// Adds a member; says whether it was new.
    #[inline]
    pub fn add(&mut self, member: &[u8], bounds: Bounds) -> bool {
        match self {
            Set::Large(large) => large.add(member),
            Set::Packed(packed) => {
                if packed.first().is_some_and(|first| packed.find(member, first, 0).is_some()) {
                    return false;
                }
                if packed.len() < bounds.packed && member.len() <= bounds.member && packed.has_room_for(1, member.len()) {
                    packed.push_back(member);
                } else {
                    self.enlarge(bounds.hasher).add_new(member);
                }
                true
            }
            Set::Ints(_) => match parse_int(member) {
                Some(value) => self.add_int(value, bounds),
                None => {
                    self.add_text_to_ints(member, bounds);
                    true
                }
            },
        }
    }

    /// As [`Set::add`], for a member of another set.
    pub fn add_element(&mut self, member: Element, bounds: Bounds) -> bool {
        match (&self, member) {
            (Set::Ints(_), Element::Int(value)) => self.add_int(value, bounds),
            _ => self.add(member.text(&mut [0; 21]), bounds),
        }
    }

    /// Adds an integer to a set of integers.
    fn add_int(&mut self, value: i64, bounds: Bounds) -> bool {
        let Set::Ints(ints) = self else { unreachable!("the caller has looked") };
        let new = ints.insert(value);
        if new && ints.len() > bounds.ints() {
            self.enlarge(bounds.hasher);
        }
        new
    }

    /// Adds what is no integer to a set of integers.
    fn add_text_to_ints(&mut self, member: &[u8], bounds: Bounds) {
        let Set::Ints(ints) = &*self else { unreachable!("the caller has looked") };
        let digits = |value: Option<i64>| value.map_or(0, |value| Element::Int(value).len_text());
        let longest = digits(ints.min()).max(digits(ints.max()));
        if ints.len() < bounds.packed && member.len() <= bounds.member && longest <= bounds.member {
            let mut packed = Builder::with_capacity(ints.bytes() + member.len() + 16);
            for value in ints.iter() {
                packed.push_int(value);
            }
            packed.push(member);
            if packed.fits() {
                *self = Set::Packed(packed.finish());
                return;
            }
        }
        self.enlarge(bounds.hasher).add_new(member);
    }

    /// Makes a set of the large form of one that is not.
    #[cold]
    fn enlarge(&mut self, hasher: KeyHasher) -> &mut Large {
        let mut large = Large::new(hasher);
        for member in self.iter() {
            large.add_new(member.text(&mut [0; 21]));
        }
        *self = Set::Large(Box::new(large));
        match self {
            Set::Large(large) => large,
            _ => unreachable!("it was just made"),
        }
    }

    /// Turns a set into integers if all its members are, and no more than the bounds allow.
    pub fn reduce_to_ints(&mut self, bounds: Bounds) {
        if matches!(self, Set::Ints(_)) || self.len() > bounds.ints() {
            return;
        }
        let Some(mut values) = self.iter().map(|member| member.as_i64()).collect::<Option<Vec<i64>>>() else { return };
        values.sort_unstable();
        let mut ints = Intset::new();
        for value in values {
            ints.insert(value);
        }
        *self = Set::Ints(ints);
    }

    /// Removes a member; says whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => parse_int(member).is_some_and(|value| ints.remove(value)),
            Set::Packed(packed) => {
                let place = packed.first().and_then(|first| packed.find(member, first, 0));
                if let Some(place) = place {
                    packed.remove(place, 1);
                }
                place.is_some()
            }
            Set::Large(large) => large.take(member).is_some(),
        }
    }

    /// As [`Set::remove`], for a member of another set.
    pub fn remove_element(&mut self, member: Element) -> bool {
        self.remove(member.text(&mut [0; 21]))
    }

    /// The members: integers ascending, packed ones in their order, others in none that means anything.
    pub fn iter(&self) -> Members<'_> {
        match self {
            Set::Ints(ints) => Members::Ints { ints, at: 0 },
            Set::Packed(packed) => Members::Packed(packed.iter()),
            Set::Large(large) => Members::Large(large.iter()),
        }
    }

    /// Visits the members of one step of a scan; gives the next cursor, 0 at the end. A small set is visited
    /// whole.
    pub fn scan<'s>(&'s self, cursor: u64, mut visit: impl FnMut(Element<'s>)) -> u64 {
        match self {
            Set::Large(large) => large.scan(cursor, |member| visit(Element::Bytes(member))),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// A member drawn with equal chance; `None` from an empty set.
    pub fn random(&self, random: &mut Random) -> Option<Element<'_>> {
        match self {
            Set::Large(large) => large.random(random).map(Element::Bytes),
            _ if self.is_empty() => None,
            Set::Ints(ints) => ints.get(random.index(ints.len())).map(Element::Int),
            Set::Packed(packed) => packed.get(isize::try_from(random.index(packed.len())).expect("a count of bytes in memory")),
        }
    }

    /// `count` draws with equal chance, each among all members; `visit` gets them one by one. The set is
    /// not empty.
    pub fn draw(&self, count: usize, random: &mut Random, mut visit: impl FnMut(Element<'_>)) {
        if let (Set::Packed(packed), true) = (self, count > 1) {
            let members: Vec<Element> = packed.iter().collect();
            (0..count).for_each(|_| visit(members[random.index(members.len())]));
            return;
        }
        for _ in 0..count {
            visit(self.random(random).expect("the set is not empty"));
        }
    }

    /// Visits `count` different members, any set of them with equal chance; all if there are no more.
    pub fn sample(&self, count: usize, random: &mut Random, visit: impl FnMut(Element<'_>)) {
        let len = self.len();
        match self {
            // few of many: draw until they differ
            Set::Large(large) if count < len / 3 => large.sample(count, random).into_iter().map(Element::Bytes).for_each(visit),
            _ if count >= len => self.iter().for_each(visit),
            _ => {
                let mut choice = Choice::new(len, count);
                self.iter().filter(|_| choice.takes(random)).for_each(visit);
            }
        }
    }

    /// Removes a member that is drawn with equal chance, and gives it; `None` from an empty set.
    pub fn pop_one(&mut self, random: &mut Random) -> Option<Vec<u8>> {
        match self {
            Set::Large(large) => large.take_random(random).map(|taken| taken.text().to_vec()),
            Set::Ints(ints) => {
                let value = ints.get((!ints.is_empty()).then(|| random.index(ints.len()))?)?;
                ints.remove(value);
                Some(Element::Int(value).to_vec())
            }
            Set::Packed(packed) => {
                let index = (!packed.is_empty()).then(|| random.index(packed.len()))?;
                let place = packed.seek(isize::try_from(index).expect("a count of bytes in memory"))?;
                let member = packed.at(place).to_vec();
                packed.remove(place, 1);
                Some(member)
            }
        }
    }

    /// Removes `count` members, any set of them with equal chance, and gives them to `visit`. There are more than
    /// that many.
    pub fn pop(&mut self, count: usize, bounds: Bounds, random: &mut Random, mut visit: impl FnMut(Element<'_>)) {
        let left = self.len().checked_sub(count).filter(|&left| left > 0).expect("there are more members");
        if left.saturating_mul(5) <= count {
            self.pop_most(left, bounds, random, visit);
            return;
        }
        if let Set::Large(large) = self {
            for _ in 0..count {
                let taken = large.take_random(random).expect("there are more members");
                visit(Element::Bytes(taken.text()));
            }
        } else {
            self.part(Choice::new(left + count, count), random, visit);
        }
    }

    /// Removes all but `left` members. What is left of a large set moves to a new one, which may take a
    /// smaller form.
    fn pop_most(&mut self, left: usize, bounds: Bounds, random: &mut Random, visit: impl FnMut(Element<'_>)) {
        if let Set::Large(large) = self {
            let mut rest = Set::packed();
            for _ in 0..left {
                let kept = large.take_random(random).expect("as many are left");
                rest.add(kept.text(), bounds);
            }
            let popped = std::mem::replace(self, rest);
            popped.iter().for_each(visit);
        } else {
            let count = self.len() - left;
            self.part(Choice::new(left + count, count), random, visit);
        }
    }

    /// Removes from a small set the members that `choice` takes.
    fn part(&mut self, mut choice: Choice, random: &mut Random, mut visit: impl FnMut(Element<'_>)) {
        match self {
            Set::Ints(ints) => ints.retain(|value| {
                let taken = choice.takes(random);
                if taken {
                    visit(Element::Int(value));
                }
                !taken
            }),
            Set::Packed(packed) => {
                let mut rest = Builder::with_capacity(packed.bytes());
                for member in packed.iter() {
                    if choice.takes(random) {
                        visit(member);
                    } else {
                        rest.push_element(&member);
                    }
                }
                *packed = rest.finish();
            }
            Set::Large(_) => unreachable!("large sets are drawn from one by one"),
        }
    }
}

/// Choosing some of so many members that pass by, any set of them with equal chance (selection sampling,
/// Knuth's Algorithm S).
struct Choice {
    ahead: usize,
    wanted: usize,
}

impl Choice {
    fn new(members: usize, wanted: usize) -> Choice {
        assert!(wanted <= members, "no more are chosen than there are");
        Choice { ahead: members, wanted }
    }

    /// Whether the next member is chosen.
    fn takes(&mut self, random: &mut Random) -> bool {
        let takes = self.wanted > 0 && random.index(self.ahead) < self.wanted;
        self.ahead -= 1;
        self.wanted -= usize::from(takes);
        takes
    }
}

/// Iterator over the members of a set.
pub enum Members<'a> {
    /// Integers, ascending.
    Ints {
        /// All of them.
        ints: &'a Intset,
        /// The next.
        at: usize,
    },
    /// Members of a packed block.
    Packed(Forward<'a>),
    /// Members of a table.
    Large(Texts<'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Members::Ints { ints, at } => {
                let value = ints.get(*at)?;
                *at += 1;
                Some(Element::Int(value))
            }
            Members::Packed(members) => members.next(),
            Members::Large(members) => members.next().map(Element::Bytes),
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Set::new()
    }
}

// SAFETY: each form is rebuilt from the word that it gave.
unsafe impl Stored for Set {
    const TYPE: Type = Type::Set;

    fn into_raw(self) -> (Kind, u64) {
        match self {
            Set::Ints(ints) => (Kind::SetIntset, ints.into_raw()),
            Set::Packed(packed) => (Kind::SetPacked, packed.into_raw()),
            Set::Large(large) => (Kind::SetTable, Box::into_raw(large) as u64),
        }
    }

    unsafe fn from_raw(kind: Kind, payload: u64) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            match kind {
                Kind::SetIntset => Set::Ints(Intset::from_raw(payload)),
                Kind::SetPacked => Set::Packed(Packed::from_raw(payload)),
                Kind::SetTable => Set::Large(Box::from_raw(payload as *mut Large)),
                _ => unreachable!("the kind of a set"),
            }
        }
    }

    #[inline]
    fn len(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.len(),
            Set::Packed(packed) => packed.len(),
            Set::Large(large) => large.len(),
        }
    }
}
