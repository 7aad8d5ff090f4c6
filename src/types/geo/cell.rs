//! The grid: the map is halved again and again, by longitude and latitude at once.
//!
//! After `step` halvings a cell is numbered by `2 * step` bits: those of its column (longitude) at the
//! odd places, those of its row (latitude) at the even places, place 0 being the lowest. Cells that lie
//! in one cell of a coarser grid thus share its number as a prefix: they are a range.
//!
//! Columns and rows are moved without taking the number apart: with the other's places filled with
//! ones a carry runs through them, and what leaves the map comes in on its other side.
//!
//! A point exactly on the map's northern or eastern edge belongs to a cell one beyond the last.
//! Redis stores such points so, and so do we: scores must agree.

use super::{LATITUDE_LIMIT, LONGITUDE_LIMIT, Point};

/// The finest grid: 52 bits, as many as a double keeps with ease.
pub(super) const FINEST: u32 = 26;

const COLUMN_PLACES: u64 = 0xAAAA_AAAA_AAAA_AAAA;
const ROW_PLACES: u64 = 0x5555_5555_5555_5555;

/// A cell of the grid of 2^`step` columns and rows, `step` from 1 to [`FINEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    bits: u64,
    step: u32,
}

/// A direction on the map: to the lower or to the higher coordinate, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Down,
    Stay,
    Up,
}

/// A rectangle of the map, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

impl Area {
    const MAP: Area = Area { west: -LONGITUDE_LIMIT, east: LONGITUDE_LIMIT, south: -LATITUDE_LIMIT, north: LATITUDE_LIMIT };

    /// The point in the middle, held on the map.
    pub(super) fn middle(self) -> Point {
        let longitude = (self.west + self.east) / 2.0;
        let latitude = (self.south + self.north) / 2.0;
        Point { longitude: longitude.clamp(-LONGITUDE_LIMIT, LONGITUDE_LIMIT), latitude: latitude.clamp(-LATITUDE_LIMIT, LATITUDE_LIMIT) }
    }

    /// Number of the cell of `step` halvings of this area with `point`, which lies in the area.
    fn number(self, point: Point, step: u32) -> u64 {
        let column = (point.longitude - self.west) / (self.east - self.west);
        let row = (point.latitude - self.south) / (self.north - self.south);
        let cells = f64::from(1u32 << step);
        // Only the fractions are dropped: both products are from 0 to 2^26.
        let (column, row) = ((column * cells) as u32, (row * cells) as u32);
        spread(row) | spread(column) << 1
    }
}

impl Cell {
    /// The cell with `point`, which lies on the map.
    pub(super) fn containing(point: Point, step: u32) -> Cell {
        Cell { bits: Area::MAP.number(point, step), step }
    }

    /// The cell of the finest grid that a score names.
    pub(super) fn from_score(score: f64) -> Cell {
        const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
        // GEOPOS and GEODIST take any sorted set. Negative scores become their two's complement and
        // scores from 2^64 on become zero, as on the processors that Redis is mostly run on.
        let bits = if score < TWO_TO_63 {
            (score as i64).cast_unsigned()
        } else if score < TWO_TO_63 * 2.0 {
            score as u64
        } else {
            0
        };
        Cell { bits, step: FINEST }
    }

    /// The cell's first number in the finest grid.
    pub(super) fn aligned(self) -> u64 {
        self.bits << (2 * (FINEST - self.step))
    }

    /// The first number in the finest grid behind the cell.
    pub(super) fn aligned_end(self) -> u64 {
        (self.bits + 1) << (2 * (FINEST - self.step))
    }

    /// The part of the map that it is.
    pub(super) fn area(self) -> Area {
        let map = Area::MAP;
        let (width, height) = (map.east - map.west, map.north - map.south);
        let cells = f64::from(1u32 << self.step);
        let edge = |number: u32| f64::from(number) / cells;
        let (row, column) = (gather(self.bits), gather(self.bits >> 1));
        Area {
            west: map.west + edge(column) * width,
            east: map.west + edge(column.wrapping_add(1)) * width,
            south: map.south + edge(row) * height,
            north: map.south + edge(row.wrapping_add(1)) * height,
        }
    }

    /// The cell next to it, round the edge of the map if need be.
    pub(super) fn neighbour(self, east: Move, north: Move) -> Cell {
        let places = u64::MAX >> (64 - 2 * self.step);
        let column = shift(self.bits & COLUMN_PLACES, COLUMN_PLACES, places, east);
        let row = shift(self.bits & ROW_PLACES, ROW_PLACES, places, north);
        Cell { bits: column | row, step: self.step }
    }
}

/// Moves a column or row, whose bits are at its `own` places, by one.
fn shift(coordinate: u64, own: u64, places: u64, direction: Move) -> u64 {
    let gaps = !own & places;
    let moved = match direction {
        Move::Stay => return coordinate,
        Move::Up => coordinate + (gaps + 1),
        Move::Down => (coordinate | gaps).wrapping_sub(gaps + 1),
    };
    moved & own & places
}

/// The geohash of `point` in its usual text form. That form's grid reaches to the poles, so the point is
/// numbered anew. Eleven characters need 55 bits; 52 are there, and as in Redis the last one is `0`.
pub(super) fn text(point: Point) -> [u8; 11] {
    const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let globe = Area { south: -90.0, north: 90.0, ..Area::MAP };
    let bits = globe.number(point, FINEST);
    let mut text = [b'0'; 11];
    for (place, character) in text[..10].iter_mut().enumerate() {
        let five = bits >> (47 - 5 * place) & 0x1F;
        *character = ALPHABET[usize::try_from(five).expect("below 32")];
    }
    text
}

/// The widths of the groups, halved, that bits are parted into on the way between 32 dense
/// bits and 64 with gaps, each with the places that then hold bits.
const PARTINGS: [(u32, u64); 5] =
    [(16, 0x0000_FFFF_0000_FFFF), (8, 0x00FF_00FF_00FF_00FF), (4, 0x0F0F_0F0F_0F0F_0F0F), (2, 0x3333_3333_3333_3333), (1, ROW_PLACES)];

/// Puts 32 bits at the even places.
fn spread(bits: u32) -> u64 {
    PARTINGS.iter().fold(u64::from(bits), |bits, (width, places)| (bits | bits << width) & places)
}

/// Takes 32 bits from the even places.
fn gather(bits: u64) -> u32 {
    let halves = PARTINGS.iter().rev().skip(1);
    let dense = halves.fold(bits & ROW_PLACES, |bits, (width, places)| (bits | bits >> (width / 2)) & places);
    let dense = (dense | dense >> 16) & u64::from(u32::MAX);
    u32::try_from(dense).expect("32 bits were kept")
}
