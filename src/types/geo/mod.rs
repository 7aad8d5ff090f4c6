//! Places on the globe, kept as the scores of a sorted set.
//!
//! A score is a 52-bit number, exact in a double, made of 26 bits of longitude and 26 of latitude in
//! turns ([`cell`]). So a rectangle of the map is a range of scores, and a search ([`search`]) reads
//! at most nine such ranges and tests each member in them.
//!
//! What clients see must agree with Redis to the last digit, so the formulas here keep the order of
//! their operations: to rearrange one changes its rounding. The earth is a sphere, distances follow the
//! haversine formula, and latitude ends where the square Mercator map does.
//!
//! Coordinates are printed as scores are ([`crate::base::number::write_f64`]), distances by
//! [`write_distance`].

pub mod cell;
pub mod search;

use crate::base::number;

/// The greatest longitude, and negated the least.
pub const LONGITUDE_LIMIT: f64 = 180.0;

/// The greatest latitude, and negated the least: where the Web Mercator map (EPSG:3857) ends.
pub const LATITUDE_LIMIT: f64 = 85.051_128_78;

/// The earth's radius in metres, as Redis has it.
const EARTH_RADIUS: f64 = 6_372_797.560_856;

/// A point on the globe, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Degrees east.
    pub longitude: f64,
    /// Degrees north.
    pub latitude: f64,
}

impl Point {
    /// A point, if GEOADD takes its coordinates.
    pub fn new(longitude: f64, latitude: f64) -> Option<Point> {
        let valid = (-LONGITUDE_LIMIT..=LONGITUDE_LIMIT).contains(&longitude) && (-LATITUDE_LIMIT..=LATITUDE_LIMIT).contains(&latitude);
        valid.then_some(Point { longitude, latitude })
    }

    /// The score under which the point is stored: its cell of the finest grid.
    pub fn score(self) -> f64 {
        // Exact but for points on the map's eastern edge, which have a 54th bit; Redis rounds those, too.
        cell::Cell::containing(self, cell::FINEST).aligned() as f64
    }

    /// The middle of the finest cell that a score names. Any score is read as some point, as in Redis.
    pub fn from_score(score: f64) -> Point {
        cell::Cell::from_score(score).area().middle()
    }

    /// The eleven characters that GEOHASH shows, which other geohash software understands.
    pub fn text(self) -> [u8; 11] {
        cell::text(self)
    }

    /// The distance in metres, by the haversine formula.
    pub fn distance(self, other: Point) -> f64 {
        let longitude = self.longitude.to_radians_as_redis();
        let other_longitude = other.longitude.to_radians_as_redis();
        let east = ((other_longitude - longitude) / 2.0).sin();
        if east == 0.0 {
            return self.latitude_distance(other);
        }
        let latitude = self.latitude.to_radians_as_redis();
        let other_latitude = other.latitude.to_radians_as_redis();
        let north = ((other_latitude - latitude) / 2.0).sin();
        let chord = north * north + latitude.cos() * other_latitude.cos() * east * east;
        // Rounding can carry opposite points past the diameter.
        2.0 * EARTH_RADIUS * chord.sqrt().min(1.0).asin()
    }

    /// The distance in metres between the points' parallels.
    fn latitude_distance(self, other: Point) -> f64 {
        let difference = other.latitude.to_radians_as_redis() - self.latitude.to_radians_as_redis();
        EARTH_RADIUS * difference.abs()
    }
}

/// Degrees to radians and back with Redis's rounding: one factor, computed first.
trait Angle {
    fn to_radians_as_redis(self) -> f64;
    fn to_degrees_as_redis(self) -> f64;
}

const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

impl Angle for f64 {
    fn to_radians_as_redis(self) -> f64 {
        self * RADIANS_PER_DEGREE
    }

    fn to_degrees_as_redis(self) -> f64 {
        self / RADIANS_PER_DEGREE
    }
}

/// A unit of length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthUnit {
    /// `m`
    Metres,
    /// `km`
    Kilometres,
    /// `ft`
    Feet,
    /// `mi`
    Miles,
}

impl LengthUnit {
    /// The unit of that name, in either case.
    pub fn from_name(name: &[u8]) -> Option<LengthUnit> {
        const NAMES: [(&[u8], LengthUnit); 4] =
            [(b"m", LengthUnit::Metres), (b"km", LengthUnit::Kilometres), (b"ft", LengthUnit::Feet), (b"mi", LengthUnit::Miles)];
        NAMES.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, unit)| unit)
    }

    /// Its length in metres.
    pub fn metres(self) -> f64 {
        match self {
            LengthUnit::Metres => 1.0,
            LengthUnit::Kilometres => 1000.0,
            LengthUnit::Feet => 0.3048,
            LengthUnit::Miles => 1609.34,
        }
    }

    /// Metres as this unit.
    pub fn from_metres(self, metres: f64) -> f64 {
        metres / self.metres()
    }
}

/// Appends a distance with the four digits after the point that GEODIST shows, ties to even.
pub fn write_distance(out: &mut Vec<u8>, distance: f64) {
    const DIGITS: u64 = 10_000;
    let scaled = (distance * 10_000.0).round_ties_even();
    if scaled < 0.0 {
        out.push(b'-');
    }
    // Saturates; no distance on the globe, in any unit, comes near the limit.
    let scaled = scaled.abs() as u64;
    number::write_u64(out, scaled / DIGITS);
    out.push(b'.');
    let fraction = scaled % DIGITS;
    for place in [1000, 100, 10, 1] {
        let digit = u8::try_from(fraction / place % 10).expect("below ten");
        out.push(b'0' + digit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: f64 = 3_479_099_956_230_698.0;
    const CATANIA: f64 = 3_479_447_370_796_909.0;

    fn printed(metres: f64) -> String {
        let mut out = Vec::new();
        write_distance(&mut out, metres);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn scores_coordinates_and_texts_are_those_of_a_live_server() {
        let (east, north) = (LONGITUDE_LIMIT, LATITUDE_LIMIT);
        let cases = [
            (13.361389, 38.115556, PALERMO, "13.361389338970184 38.1155563954963 sqc8b49rny0"),
            (15.087269, 37.502669, CATANIA, "15.087267458438873 37.50266842333162 sqdtr74hyu0"),
            (east, north, 13_510_798_882_111_488.0, "180 85.05112878 bp05b5048p0"),
            (-east, -north, 0.0, "-179.99999731779099 -85.05112751263943 00bh0hbj200"),
            (179.9999, 10.0, 4_134_140_898_114_999.0, "179.99990075826645 10.00000092823273 xczbzuryjx0"),
            (0.0, 0.0, 3_377_699_720_527_872.0, "2.682209014892578e-6 1.2673605809254695e-6 s0000000000"),
        ];
        for (longitude, latitude, score, shown) in cases {
            let point = Point::new(longitude, latitude).expect("on the map");
            assert_eq!(point.score(), score);
            let stored = Point::from_score(score);
            let mut text = Vec::new();
            number::write_f64(&mut text, stored.longitude);
            text.push(b' ');
            number::write_f64(&mut text, stored.latitude);
            text.push(b' ');
            text.extend_from_slice(&stored.text());
            assert_eq!(String::from_utf8_lossy(&text), shown);
        }
    }

    #[test]
    fn points_off_the_map_are_refused() {
        let off = [(180.1, 0.0), (-180.1, 0.0), (0.0, 85.06), (0.0, -85.06), (f64::NAN, 0.0)];
        for (longitude, latitude) in off {
            assert_eq!(Point::new(longitude, latitude), None);
        }
    }

    #[test]
    fn any_score_is_a_point() {
        for score in [f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300, -1e300, 1.8e19, 0.5] {
            let point = Point::from_score(score);
            assert!(Point::new(point.longitude, point.latitude).is_some(), "{score}");
        }
    }

    #[test]
    fn distances_are_those_of_a_live_server() {
        let metres = Point::from_score(PALERMO).distance(Point::from_score(CATANIA));
        let units = [("m", "166274.1516"), ("mi", "103.3182"), ("FT", "545518.8700")];
        for (name, shown) in units {
            let unit = LengthUnit::from_name(name.as_bytes()).expect("a unit");
            assert_eq!(printed(unit.from_metres(metres)), shown);
        }
        assert_eq!(LengthUnit::from_name(b"yd"), None);
        let on_meridian = [0.0, 1.0].map(|latitude| Point::new(7.0, latitude).expect("on the map"));
        assert_eq!(printed(on_meridian[0].distance(on_meridian[1])), "111226.3000");
        let opposite = [(0.0, 30.0), (180.0, -30.0)].map(|(longitude, latitude)| Point::new(longitude, latitude).expect("on the map"));
        assert!(opposite[0].distance(opposite[1]) > 20_000_000.0);
    }

    #[test]
    fn four_digits_are_printed_ties_to_even() {
        let cases = [(0.0, "0.0000"), (0.00005, "0.0000"), (0.09375, "0.0938"), (0.03125, "0.0312"), (12.5, "12.5000"), (-1.5, "-1.5000")];
        for (distance, shown) in cases {
            assert_eq!(printed(distance), shown);
        }
    }
}
