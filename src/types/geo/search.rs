//! GEOSEARCH: which scores to look at, and which members are within.
//!
//! The shape's bounding box says how coarse a grid is needed so that the cell with the centre and its
//! eight neighbours cover the shape. Their ranges of scores ([`Search::ranges`]) are read one by one, and
//! each member in them is tested exactly ([`Search::distance_if_within`]).
//!
//! The order of the ranges is that of unsorted replies, and where Redis's choice of cells is not
//! perfect (near the poles and the 180th meridian, where the box may lie partly beyond the map) the same
//! members are missed, for the choice is the same.
//!
//! The road not taken: ranges fitted more tightly round the shape. They would read fewer members, but
//! in another order.

use super::cell::{Area, Cell, FINEST, Move};
use super::{Angle, EARTH_RADIUS, LATITUDE_LIMIT, LONGITUDE_LIMIT, LengthUnit, Point};

/// What is searched.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    /// All points up to a distance.
    Circle {
        /// The distance, in the search's unit.
        radius: f64,
    },
    /// All points up to half the width east or west and half the height north or south.
    Rectangle {
        /// In the search's unit.
        width: f64,
        /// In the search's unit.
        height: f64,
    },
    /// All points inside a polygon on the flat map, closed by an edge from the last vertex to the first.
    Polygon {
        /// Its vertices.
        vertices: Vec<Point>,
    },
}

/// A range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The first score in it.
    pub min: f64,
    /// The first score behind it.
    pub end: f64,
}

/// A shape at its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    center: Point,
    shape: Shape,
    unit: LengthUnit,
    bounds: Area,
}

impl Search {
    /// A search for the points up to `radius` from `center`.
    pub fn circle(center: Point, radius: f64, unit: LengthUnit) -> Search {
        let extent = unit.metres() * radius;
        Search { center, shape: Shape::Circle { radius }, unit, bounds: bounds_around(center, extent, extent) }
    }

    /// A search in a rectangle with `center` in its middle.
    pub fn rectangle(center: Point, width: f64, height: f64, unit: LengthUnit) -> Search {
        let (half_width, half_height) = (unit.metres() * width / 2.0, unit.metres() * height / 2.0);
        Search { center, shape: Shape::Rectangle { width, height }, unit, bounds: bounds_around(center, half_width, half_height) }
    }

    /// A search in a polygon of at least three vertices. Its centre, from which distances are measured,
    /// is the direction of the vertices' sum.
    pub fn polygon(vertices: Vec<Point>) -> Search {
        Search { center: centroid(&vertices), bounds: bounds_of(&vertices), shape: Shape::Polygon { vertices }, unit: LengthUnit::Metres }
    }

    /// From where distances are measured.
    pub fn center(&self) -> Point {
        self.center
    }

    /// The unit of the search's lengths, and of the reply's distances.
    pub fn unit(&self) -> LengthUnit {
        self.unit
    }

    /// The distance in metres between the centre and the member with that score, if the
    /// member is within the shape.
    pub fn distance_if_within(&self, score: f64) -> Option<f64> {
        let point = Point::from_score(score);
        let within = match &self.shape {
            Shape::Circle { radius } => {
                let distance = self.center.distance(point);
                return (distance <= radius * self.unit.metres()).then_some(distance);
            }
            Shape::Rectangle { width, height } => {
                let unit = self.unit.metres();
                self.rectangle_holds(point, width * unit, height * unit)
            }
            Shape::Polygon { vertices } => polygon_holds(vertices, point),
        };
        within.then(|| self.center.distance(point))
    }

    /// The sides of the rectangle are meridians apart from the centre's as measured at the
    /// point's latitude.
    fn rectangle_holds(&self, point: Point, width: f64, height: f64) -> bool {
        let below_center = Point { longitude: self.center.longitude, latitude: point.latitude };
        point.latitude_distance(self.center) <= height / 2.0 && point.distance(below_center) <= width / 2.0
    }

    /// The ranges of scores to look at, at most nine, in the order of Redis's replies.
    pub fn ranges(&self) -> impl Iterator<Item = ScoreRange> + use<> {
        let mut previous = None;
        self.cells().into_iter().flatten().enumerate().filter_map(move |(at, cell)| {
            // On coarse grids two neighbours can be the same cell.
            let repeated = previous == Some(cell);
            previous = (at > 0).then_some(cell);
            // Exact but for cells beyond the map's edge, whose scores are rounded in the same way.
            (!repeated).then(|| ScoreRange { min: cell.aligned() as f64, end: cell.aligned_end() as f64 })
        })
    }

    /// The centre's cell and its neighbours, without those that the bounding box does not reach.
    fn cells(&self) -> [Option<Cell>; 9] {
        use Move::{Down, Stay, Up};
        const DIRECTIONS: [(Move, Move); 9] =
            [(Stay, Stay), (Stay, Up), (Stay, Down), (Up, Stay), (Down, Stay), (Up, Up), (Down, Up), (Up, Down), (Down, Down)];
        let step = self.step();
        let cell = Cell::containing(self.center_on_map(), step);
        let area = cell.area();
        let reached = |east: Move, north: Move| {
            let bounds = self.bounds;
            step < 2
                || !(north == Down && area.south < bounds.south
                    || north == Up && area.north > bounds.north
                    || east == Down && area.west < bounds.west
                    || east == Up && area.east > bounds.east)
        };
        DIRECTIONS.map(|(east, north)| reached(east, north).then(|| cell.neighbour(east, north)))
    }

    /// How fine a grid may be whose nine cells cover the bounding box: an estimate from the
    /// radius, made one coarser where the cells turn out to be too small.
    fn step(&self) -> u32 {
        let step = estimate_step(self.radius_metres(), self.center.latitude);
        let cell = Cell::containing(self.center_on_map(), step);
        let north = cell.neighbour(Move::Stay, Move::Up).area().north;
        let south = cell.neighbour(Move::Stay, Move::Down).area().south;
        let east = cell.neighbour(Move::Up, Move::Stay).area().east;
        let west = cell.neighbour(Move::Down, Move::Stay).area().west;
        let too_small = north < self.bounds.north || south > self.bounds.south || east < self.bounds.east || west > self.bounds.west;
        if too_small && step > 1 { step - 1 } else { step }
    }

    /// How far from the centre the shape may reach.
    fn radius_metres(&self) -> f64 {
        match &self.shape {
            Shape::Circle { radius } => radius * self.unit.metres(),
            Shape::Rectangle { width, height } => {
                let (half_width, half_height) = (width / 2.0, height / 2.0);
                (half_width * half_width + half_height * half_height).sqrt() * self.unit.metres()
            }
            Shape::Polygon { .. } => {
                let Area { west, east, south, north } = self.bounds;
                [(west, north), (east, north), (west, south), (east, south)]
                    .map(|(longitude, latitude)| Point { longitude, latitude })
                    .into_iter()
                    .fold(0.0, |most, corner| self.center.distance(corner).max(most))
            }
        }
    }

    /// The centroid of a polygon round a pole may lie beyond the map's edge.
    fn center_on_map(&self) -> Point {
        let Point { longitude, latitude } = self.center;
        Point { longitude: longitude.clamp(-LONGITUDE_LIMIT, LONGITUDE_LIMIT), latitude: latitude.clamp(-LATITUDE_LIMIT, LATITUDE_LIMIT) }
    }
}

/// The finest step at which two cells are as long as the radius on the Mercator map; coarser towards
/// the poles, where cells are narrow.
fn estimate_step(radius_metres: f64, latitude: f64) -> u32 {
    const HALF_MERCATOR_WIDTH: f64 = 20_037_726.37;
    if radius_metres == 0.0 {
        return FINEST;
    }
    let mut doublings = 0;
    let mut reach = radius_metres;
    // A radius that is so small as never to get there needs the finest grid in any case.
    while reach < HALF_MERCATOR_WIDTH && doublings < 2 * FINEST {
        reach *= 2.0;
        doublings += 1;
    }
    let towards_pole = match latitude.abs() {
        latitude if latitude > 80.0 => 2,
        latitude if latitude > 66.0 => 1,
        _ => 0,
    };
    u32::saturating_sub(doublings, 1 + towards_pole).clamp(1, FINEST)
}

/// The bounding box of what reaches so many metres from the centre. Degrees of longitude are
/// shorter towards the poles, so its width is that on the side of the nearer pole.
fn bounds_around(center: Point, width: f64, height: f64) -> Area {
    let Point { longitude, latitude } = center;
    let latitude_delta = (height / EARTH_RADIUS).to_degrees_as_redis();
    let widest = if latitude < 0.0 { latitude - latitude_delta } else { latitude + latitude_delta };
    let narrowing = widest.to_radians_as_redis().cos();
    let longitude_delta = (width / EARTH_RADIUS / narrowing).to_degrees_as_redis();
    Area {
        west: longitude - longitude_delta,
        east: longitude + longitude_delta,
        south: latitude - latitude_delta,
        north: latitude + latitude_delta,
    }
}

fn bounds_of(vertices: &[Point]) -> Area {
    let nothing = Area { west: LONGITUDE_LIMIT, east: -LONGITUDE_LIMIT, south: LATITUDE_LIMIT, north: -LATITUDE_LIMIT };
    vertices.iter().fold(nothing, |bounds, vertex| Area {
        west: bounds.west.min(vertex.longitude),
        east: bounds.east.max(vertex.longitude),
        south: bounds.south.min(vertex.latitude),
        north: bounds.north.max(vertex.latitude),
    })
}

/// The point of the globe in the direction of the sum of all vertices, seen from the earth's centre.
fn centroid(vertices: &[Point]) -> Point {
    let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
    for vertex in vertices {
        let longitude = vertex.longitude.to_radians_as_redis();
        let latitude = vertex.latitude.to_radians_as_redis();
        x += latitude.cos() * longitude.cos();
        y += latitude.cos() * longitude.sin();
        z += latitude.sin();
    }
    Point { longitude: y.atan2(x).to_degrees_as_redis(), latitude: z.atan2((x * x + y * y).sqrt()).to_degrees_as_redis() }
}

/// Whether a ray from `point` to the east crosses an odd number of edges. The well-known test of
/// W. R. Franklin (PNPOLY): an edge counts when its ends are on different sides of the ray's line, one
/// exactly on the line being south of it.
fn polygon_holds(vertices: &[Point], point: Point) -> bool {
    let mut inside = false;
    let mut from = vertices.last();
    for to in vertices {
        if let Some(from) = from.replace(to) {
            let crosses = (to.latitude > point.latitude) != (from.latitude > point.latitude);
            inside ^= crosses && point.longitude < longitude_on_edge(*to, *from, point.latitude);
        }
    }
    inside
}

/// Where the line through two points, which is not a parallel, meets a latitude.
fn longitude_on_edge(a: Point, b: Point, latitude: f64) -> f64 {
    (b.longitude - a.longitude) * (latitude - a.latitude) / (b.latitude - a.latitude) + a.longitude
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    const PLACES: [(&str, f64, f64); 8] = [
        ("Palermo", 13.361389, 38.115556),
        ("Catania", 15.087269, 37.502669),
        ("corner", 180.0, 85.05112878),
        ("low", -180.0, -85.05112878),
        ("e", 179.9999, 10.0),
        ("w", -179.9999, 10.0),
        ("zero", 0.0, 0.0),
        ("Paris", 2.3522, 48.8566),
    ];

    fn point(longitude: f64, latitude: f64) -> Point {
        Point::new(longitude, latitude).expect("on the map")
    }

    /// What a command does: names and distances in the order of an unsorted reply.
    fn found(search: &Search) -> String {
        let mut members = PLACES.map(|(name, longitude, latitude)| (point(longitude, latitude).score(), name));
        members.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut shown = Vec::new();
        for range in search.ranges() {
            for (score, name) in &members {
                let within = (range.min <= *score && *score < range.end).then(|| search.distance_if_within(*score));
                if let Some(metres) = within.flatten() {
                    let mut text = format!("{name} ").into_bytes();
                    super::super::write_distance(&mut text, search.unit().from_metres(metres));
                    shown.push(String::from_utf8(text).expect("ASCII"));
                }
            }
        }
        shown.join(", ")
    }

    #[test]
    fn replies_are_those_of_a_live_server() {
        let km = LengthUnit::Kilometres;
        let sicily = "Palermo 190.4424, Catania 56.4413";
        assert_eq!(found(&Search::circle(point(15.0, 37.0), 200.0, km)), sicily);
        assert_eq!(found(&Search::rectangle(point(15.0, 37.0), 400.0, 400.0, km)), sicily);
        let world = "zero 1112.2629, Palermo 3399.9663, Catania 3412.0629, Paris 4327.4185, \
                     e 17796.2079, w 17796.2079, low 11673.0748";
        assert_eq!(found(&Search::circle(point(0.0, 10.0), 30_000.0, km)), world);
        let over_the_edge = Search::circle(point(179.9999, 10.0), 100.0, LengthUnit::Metres);
        assert_eq!(found(&over_the_edge), "e 0.1325, w 21.8245");
        let at_zero = Point::from_score(point(0.0, 0.0).score());
        assert_eq!(found(&Search::circle(at_zero, 0.0, km)), "zero 0.0000");
    }

    #[test]
    fn polygons_are_those_of_a_live_server() {
        let vertices = |corners: &[(f64, f64)]| corners.iter().map(|(longitude, latitude)| point(*longitude, *latitude)).collect();
        let box_of_sicily = [(12.0, 37.0), (16.0, 37.0), (16.0, 39.0), (12.0, 39.0)];
        let search = Search::polygon(vertices(&box_of_sicily));
        assert_eq!(found(&search), "Palermo 56987.4933, Catania 111411.0839");
        let dart = [(-10.0, -10.0), (20.0, 60.0), (20.0, -10.0), (5.0, 40.0), (0.0, 60.0)];
        let search = Search::polygon(vertices(&dart));
        assert_eq!(found(&search), "Palermo 1198945.2306, Catania 1241688.6918, Paris 2229408.4286");
    }

    #[test]
    fn a_polygon_round_the_pole_finds_what_is_in_it() {
        let corners = [(-170.0, 80.0), (0.0, 80.0), (170.0, 80.0), (170.0, 85.0), (0.0, 85.0), (-170.0, 85.0)];
        let vertices = corners.map(|(longitude, latitude)| point(longitude, latitude));
        let search = Search::polygon(vertices.to_vec());
        assert!(search.center().latitude > LATITUDE_LIMIT);
        let member = point(100.0, 82.0).score();
        assert!(search.distance_if_within(member).is_some());
        let reached = |range: ScoreRange| (range.min..range.end).contains(&member);
        assert!(search.ranges().any(reached));
    }

    #[test]
    fn ranges_hold_every_member_within_a_circle_far_from_the_edges() {
        let mut random = Random::from_seed(77);
        for _ in 0..2000 {
            let center = point(random.unit() * 300.0 - 150.0, random.unit() * 120.0 - 60.0);
            let radius = (random.unit() * 14.0).exp();
            let search = Search::circle(center, radius, LengthUnit::Metres);
            let spread = radius / 60_000.0;
            let mut near = |middle: f64| middle + (random.unit() - 0.5) * spread;
            let (longitude, latitude) = (near(center.longitude), near(center.latitude));
            let Some(member) = Point::new(longitude, latitude) else {
                continue;
            };
            let score = member.score();
            if search.distance_if_within(score).is_some() {
                let reached = |range: ScoreRange| range.min <= score && score < range.end;
                assert_eq!(search.ranges().filter(|range| reached(*range)).count(), 1);
            }
        }
    }

    #[test]
    fn odd_lengths_do_not_panic() {
        let center = point(180.0, LATITUDE_LIMIT);
        for length in [0.0, -0.0, 1e-320, 1e300, f64::INFINITY, f64::NAN, -5.0] {
            let circle = Search::circle(center, length, LengthUnit::Miles);
            assert!(circle.ranges().count() <= 9);
            let rectangle = Search::rectangle(center, length, 1.0, LengthUnit::Feet);
            assert!(rectangle.ranges().count() <= 9);
        }
    }
}
