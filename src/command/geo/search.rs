//! Searching places: GEOSEARCH and the older GEORADIUS, with their storing forms.
//!
//! All six are one command with different ways of saying where. The arguments are read while the set is
//! at hand, since a member may be the centre; errors come in the order of Redis, which looks at the
//! key first.

use super::{point, unit, write_length, write_point};
use crate::base::number;
use crate::command::zset::range::store;
use crate::command::zset::{thresholds, write_member};
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::Stored;
use crate::types::geo::search::Search;
use crate::types::geo::{LengthUnit, Point};
use crate::types::zset::{Element, Gather, ScoreBound, Zset};

/// Which of the commands it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The centre and shape are said by options; with a target, whose key comes first, or without.
    Search { stores: bool },
    /// A circle round coordinates.
    Radius { may_store: bool },
    /// A circle round a member.
    RadiusByMember { may_store: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// What of each place is replied beside its name.
#[derive(Clone, Copy, Debug, Default)]
struct Details {
    distance: bool,
    hash: bool,
    coordinates: bool,
}

impl Details {
    fn count(self) -> usize {
        [self.distance, self.hash, self.coordinates].into_iter().filter(|&shown| shown).count()
    }
}

/// What a stored place's score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoreAs {
    Place,
    Distance,
}

/// The middle of a circle or box.
#[derive(Clone, Copy, Debug)]
enum Center {
    At(Point),
    /// A member of a set that does not exist.
    Nowhere,
}

#[derive(Clone, Debug)]
enum Shape {
    Circle(f64, LengthUnit),
    Box(f64, f64, LengthUnit),
    Polygon(Vec<Point>),
}

/// A request while it is read.
struct Request<'a> {
    form: Form,
    center: Option<Center>,
    center_by_member: bool,
    shape: Option<Shape>,
    details: Details,
    order: Option<Order>,
    count: Option<usize>,
    any: bool,
    target: Option<(&'a [u8], StoreAs)>,
}

impl<'a> Request<'a> {
    fn parse(args: Args<'a>, form: Form, zset: Option<&Zset>) -> Result<Self, Error> {
        let mut request = Request {
            form,
            center: None,
            center_by_member: false,
            shape: None,
            details: Details::default(),
            order: None,
            count: None,
            any: false,
            target: None,
        };
        let first = match form {
            Form::Search { stores: false } => 2,
            Form::Search { stores: true } => {
                request.target = Some((args.at(1), StoreAs::Place));
                3
            }
            Form::Radius { .. } => {
                request.center = Some(Center::At(point(args.at(2), args.at(3))?));
                request.shape = Some(circle(args.at(4), args.at(5))?);
                6
            }
            Form::RadiusByMember { .. } => {
                // without a set not even the radius is looked at
                request.center = Some(center_at(zset, args.at(2))?);
                if zset.is_some() {
                    request.shape = Some(circle(args.at(3), args.at(4))?);
                }
                5
            }
        };
        let options = args.from(first);
        let mut at = 0;
        while at < options.len() {
            at += request.parse_option(options.from(at), zset)?;
        }
        request.check(args.at(0))?;
        Ok(request)
    }

    /// Reads one option with what belongs to it; gives how many words that were.
    fn parse_option(&mut self, words: Args<'a>, zset: Option<&Zset>) -> Result<usize, Error> {
        let may_store = matches!(self.form, Form::Radius { may_store: true } | Form::RadiusByMember { may_store: true });
        let name = words.at(0).to_ascii_lowercase();
        match (name.as_slice(), words.len() - 1) {
            (b"withdist", _) => self.details.distance = true,
            (b"withhash", _) => self.details.hash = true,
            (b"withcoord", _) => self.details.coordinates = true,
            (b"any", _) => self.any = true,
            (b"asc", _) => self.order = Some(Order::Nearest),
            (b"desc", _) => self.order = Some(Order::Farthest),
            (b"count", 1..) => {
                let count = integer(words.at(1))?;
                let none = Error::fixed("ERR COUNT must be > 0");
                self.count = Some(usize::try_from(count).ok().filter(|&count| count > 0).ok_or(none)?);
                return Ok(2);
            }
            (b"store", 1..) if may_store => {
                self.target = Some((words.at(1), StoreAs::Place));
                return Ok(2);
            }
            (b"storedist", 1..) if may_store => {
                self.target = Some((words.at(1), StoreAs::Distance));
                return Ok(2);
            }
            (b"storedist", _) if self.form == (Form::Search { stores: true }) => {
                self.target = self.target.map(|(key, _)| (key, StoreAs::Distance));
            }
            (name, left) => {
                return if matches!(self.form, Form::Search { .. }) {
                    self.parse_area(name, left, words, zset)
                } else {
                    Err(Error::SYNTAX)
                };
            }
        }
        Ok(1)
    }

    /// Reads one of the options of GEOSEARCH that say where.
    fn parse_area(&mut self, name: &[u8], left: usize, words: Args<'a>, zset: Option<&Zset>) -> Result<usize, Error> {
        let polygon = matches!(self.shape, Some(Shape::Polygon(_)));
        let by_member = self.center.is_none() || self.center_by_member;
        let by_coordinates = self.center.is_none() || !self.center_by_member;
        match (name, left, &self.shape) {
            (b"frommember", 1.., _) if by_member && !polygon => {
                self.center = Some(center_at(zset, words.at(1))?);
                self.center_by_member = true;
                Ok(2)
            }
            (b"fromlonlat", 2.., _) if by_coordinates && !polygon => {
                self.center = Some(Center::At(point(words.at(1), words.at(2))?));
                Ok(3)
            }
            (b"byradius", 2.., None | Some(Shape::Circle(..))) => {
                self.shape = Some(circle(words.at(1), words.at(2))?);
                Ok(3)
            }
            (b"bybox", 3.., None | Some(Shape::Box(..))) => {
                self.shape = Some(rectangle(words.at(1), words.at(2), words.at(3))?);
                Ok(4)
            }
            (b"bypolygon", 1.., None | Some(Shape::Polygon(_))) if self.center.is_none() => {
                let vertices = vertices(words)?;
                let taken = 2 + vertices.len() * 2;
                self.shape = Some(Shape::Polygon(vertices));
                Ok(taken)
            }
            _ => Err(Error::SYNTAX),
        }
    }

    /// What can only be said once all options are read. `name` is the command as it was typed.
    fn check(&self, name: &[u8]) -> Result<(), Error> {
        let searches = matches!(self.form, Form::Search { .. });
        if self.target.is_some() && self.details.count() > 0 {
            let what = if searches { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(Error::new(format!("ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")));
        }
        let polygon = matches!(self.shape, Some(Shape::Polygon(_)));
        if searches && self.center.is_none() && !polygon {
            return Err(Error::quoting("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {}", &[name]));
        }
        if searches && self.shape.is_none() {
            return Err(Error::quoting("ERR exactly one of BYRADIUS and BYBOX can be specified for {}", &[name]));
        }
        if self.any && self.count.is_none() {
            return Err(Error::fixed("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// The search, unless its centre is nowhere.
    fn search(&mut self) -> Option<Search> {
        match (self.shape.take()?, self.center) {
            (Shape::Polygon(vertices), _) => Some(Search::polygon(vertices)),
            (Shape::Circle(radius, unit), Some(Center::At(center))) => Some(Search::circle(center, radius, unit)),
            (Shape::Box(width, height, unit), Some(Center::At(center))) => Some(Search::rectangle(center, width, height, unit)),
            _ => None,
        }
    }

    /// The places found, in the order and number asked for.
    fn find<'z>(&self, zset: &'z Zset, search: &Search) -> Vec<Place<'z>> {
        let mut places = Vec::new();
        let enough = self.count.filter(|_| self.any).unwrap_or(usize::MAX);
        'ranges: for range in search.ranges() {
            let ranks = zset.ranks_by_score(ScoreBound::Inclusive(range.min), ScoreBound::Exclusive(range.end));
            for (member, score) in zset.range(ranks) {
                if places.len() >= enough {
                    break 'ranges;
                }
                if let Some(metres) = search.distance_if_within(score) {
                    places.push(Place { member, score, metres });
                }
            }
        }
        let wanted = self.count.unwrap_or(usize::MAX);
        let nearest_first = self.count.is_some() && !self.any;
        if let Some(order) = self.order.or(nearest_first.then_some(Order::Nearest)) {
            let compare = |a: &Place<'_>, b: &Place<'_>| match order {
                Order::Nearest => a.metres.total_cmp(&b.metres),
                Order::Farthest => b.metres.total_cmp(&a.metres),
            };
            if wanted < places.len() {
                places.select_nth_unstable_by(wanted, compare);
                places.truncate(wanted);
            }
            places.sort_by(compare);
        }
        places.truncate(wanted);
        places
    }
}

fn center_at(zset: Option<&Zset>, member: &[u8]) -> Result<Center, Error> {
    let Some(zset) = zset else { return Ok(Center::Nowhere) };
    let score = zset.score(member).ok_or(Error::fixed("ERR could not decode requested zset member"))?;
    Ok(Center::At(Point::from_score(score)))
}

fn circle(radius: &[u8], unit_name: &[u8]) -> Result<Shape, Error> {
    let radius = number::parse_f64(radius).ok_or(Error::fixed("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(Error::fixed("ERR radius cannot be negative"));
    }
    Ok(Shape::Circle(radius, unit(unit_name)?))
}

fn rectangle(width: &[u8], height: &[u8], unit_name: &[u8]) -> Result<Shape, Error> {
    let width = number::parse_f64(width).ok_or(Error::fixed("ERR need numeric width"))?;
    let height = number::parse_f64(height).ok_or(Error::fixed("ERR need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err(Error::fixed("ERR height or width cannot be negative"));
    }
    Ok(Shape::Box(width, height, unit(unit_name)?))
}

/// `BYPOLYGON count longitude latitude ...`
fn vertices(words: Args<'_>) -> Result<Vec<Point>, Error> {
    let count = number::parse_i64(words.at(1)).ok_or(Error::fixed("ERR invalid number of vertices"))?;
    let fits = |count: &usize| (3..=(words.len() - 2) / 2).contains(count);
    let few = Error::fixed("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
    let count = usize::try_from(count).ok().filter(fits).ok_or(few)?;
    let coordinates = words.slice(2..2 + count * 2);
    (0..count).map(|at| point(coordinates.at(at * 2), coordinates.at(at * 2 + 1))).collect()
}

/// A place that was found.
struct Place<'z> {
    member: Element<'z>,
    score: f64,
    metres: f64,
}

fn write_places(reply: &mut Reply<'_>, places: &[Place<'_>], details: Details, unit: LengthUnit) {
    reply.array(places.len());
    for place in places {
        if details.count() > 0 {
            reply.array(details.count() + 1);
        }
        write_member(reply, place.member);
        if details.distance {
            write_length(reply, place.metres, unit);
        }
        if details.hash {
            // saturates where a score is no place's
            reply.integer(place.score as i64);
        }
        if details.coordinates {
            write_point(reply, Point::from_score(place.score));
        }
    }
}

fn run(ctx: &mut Ctx<'_>, args: Args<'_>, form: Form) -> Outcome {
    let source = if form == (Form::Search { stores: true }) { 2 } else { 1 };
    let (thresholds, hasher) = (thresholds(ctx.state), ctx.db.space().hasher());
    let zset = ctx.db.read::<Zset>(args.at(source))?;
    let mut request = Request::parse(args, form, zset.as_deref())?;
    let search = request.search();
    let unit = search.as_ref().map_or(LengthUnit::Metres, Search::unit);
    let places = match (&zset, &search) {
        (Some(zset), Some(search)) => request.find(zset, search),
        _ => Vec::new(),
    };
    let Some((key, store_as)) = request.target else {
        write_places(&mut ctx.reply, &places, request.details, unit);
        return DONE;
    };
    let mut gather = Gather::new(hasher);
    for place in places {
        let score = if store_as == StoreAs::Distance { unit.from_metres(place.metres) } else { place.score };
        gather.put(place.member.text(&mut [0; 21]), |_| score);
    }
    let stored = gather.finish().compact(thresholds);
    debug_assert!(stored.len() <= request.count.unwrap_or(usize::MAX));
    let event = if matches!(form, Form::Search { .. }) { "geosearchstore" } else { "georadiusstore" };
    store(ctx, key, Some(stored), event);
    DONE
}

pub(super) fn geosearch(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Form::Search { stores: false })
}

pub(super) fn geosearchstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Form::Search { stores: true })
}

pub(super) fn georadius(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Form::Radius { may_store: true })
}

pub(super) fn georadius_ro(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Form::Radius { may_store: false })
}

pub(super) fn georadiusbymember(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Form::RadiusByMember { may_store: true })
}

pub(super) fn georadiusbymember_ro(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Form::RadiusByMember { may_store: false })
}
