//! Places: points of the globe as members of a sorted set, found again by distance, box or polygon.
//!
//! A place's score is its cell of a fine grid (see [`crate::types::geo`]), so a place is a member like any
//! other: ZREM removes it, ZRANGE lists it. The searches are in [`search`].

mod search;

use super::zset::basic::{AddOptions, add_pairs};
use crate::base::number;
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome, float};
use crate::server::error::Error;
use crate::server::row::{Command, Flags, KeySpec, OW_UPDATE, RO_ACCESS, RW_UPDATE};
use crate::types::geo::{LengthUnit, Point, write_distance};
use crate::types::zset::Zset;

/// What the rows of the family have in common.
const ROW: Command = Command { group: "geo", acl: &["geo"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "geoadd",
        summary: "Adds one or more members to a geospatial index. The key is created if it doesn't exist.",
        since: "3.2.0",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, RW_UPDATE)],
        element: 4,
        syntax: "key [condition: NX | XX] [change=CH] {data: longitude:double latitude:double member}...",
        history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")],
        handler: geoadd,
        ..ROW
    },
    Command {
        name: "geodist",
        summary: "Returns the distance between two members of a geospatial index.",
        since: "3.2.0",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        element: 2,
        syntax: "key member1 member2 [unit: M | KM | FT | MI]",
        handler: geodist,
        ..ROW
    },
    Command {
        name: "geohash",
        summary: "Returns members from a geospatial index as geohash strings.",
        since: "3.2.0",
        complexity: "O(1) for each member requested.",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key [member...]",
        handler: geohash,
        ..ROW
    },
    Command {
        name: "geopos",
        summary: "Returns the longitude and latitude of members from a geospatial index.",
        since: "3.2.0",
        complexity: "O(1) for each member requested.",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        element: 2,
        syntax: "key [member...]",
        handler: geopos,
        ..ROW
    },
    Command {
        name: "geosearch",
        summary: "Queries a geospatial index for members inside an area of a box, a circle or a polygon.",
        since: "6.2.0",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        arity: -7,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key <from: FROMMEMBER member | FROMLONLAT {fromlonlat: longitude:double latitude:double}> <by: {circle: BYRADIUS radius:double <unit: M | KM | FT | MI>} | {box: BYBOX width:double height:double <unit: M | KM | FT | MI>}> [order: ASC | DESC] [count-block: COUNT count:integer [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        handler: search::geosearch,
        ..ROW
    },
    Command {
        name: "geosearchstore",
        summary: "Queries a geospatial index for members inside an area of a box or a circle, optionally stores the result.",
        since: "6.2.0",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        arity: -8,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::one(2, RO_ACCESS)],
        syntax: "destination:key source:key <from: FROMMEMBER member | FROMLONLAT {fromlonlat: longitude:double latitude:double}> <by: {circle: BYRADIUS radius:double <unit: M | KM | FT | MI>} | {box: BYBOX width:double height:double <unit: M | KM | FT | MI>}> [order: ASC | DESC] [count-block: COUNT count:integer [ANY]] [STOREDIST]",
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        handler: search::geosearchstore,
        ..ROW
    },
    Command {
        name: "georadius",
        summary: "Queries a geospatial index for members within a distance from a coordinate, optionally stores the result.",
        since: "3.2.0",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        arity: -6,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::one(1, RO_ACCESS), KeySpec::after("STORE", 6, OW_UPDATE), KeySpec::after("STOREDIST", 6, OW_UPDATE)],
        find_keys: Some(|args| searched_and_stored(args, 6)),
        syntax: "key longitude:double latitude:double radius:double <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [{count-block: COUNT count:integer [ANY]}] [order: ASC | DESC] [store: STORE storekey:key/key | STOREDIST storedistkey:key/key]",
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`."), ("7.0.0", "Added support for uppercase unit names.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")),
        handler: search::georadius,
        ..ROW
    },
    Command {
        name: "georadius_ro",
        summary: "Returns members from a geospatial index that are within a distance from a coordinate.",
        since: "3.2.10",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        arity: -6,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key longitude:double latitude:double radius:double <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [{count-block: COUNT count:integer [ANY]}] [order: ASC | DESC]",
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`."), ("7.0.0", "Added support for uppercase unit names.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
        handler: search::georadius_ro,
        ..ROW
    },
    Command {
        name: "georadiusbymember",
        summary: "Queries a geospatial index for members within a distance from a member, optionally stores the result.",
        since: "3.2.0",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::one(1, RO_ACCESS), KeySpec::after("STORE", 5, OW_UPDATE), KeySpec::after("STOREDIST", 5, OW_UPDATE)],
        find_keys: Some(|args| searched_and_stored(args, 5)),
        syntax: "key member radius:double <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [{count-block: COUNT count:integer [ANY]}] [order: ASC | DESC] [store: STORE storekey:key/key | STOREDIST storedistkey:key/key]",
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`."), ("7.0.0", "Added support for uppercase unit names.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments")),
        handler: search::georadiusbymember,
        ..ROW
    },
    Command {
        name: "georadiusbymember_ro",
        summary: "Returns members from a geospatial index that are within a distance from a member.",
        since: "3.2.10",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        arity: -5,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, RO_ACCESS)],
        syntax: "key member radius:double <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [{count-block: COUNT count:integer [ANY]}] [order: ASC | DESC]",
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`."), ("7.0.0", "Added support for uppercase unit names.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")),
        handler: search::georadiusbymember_ro,
        ..ROW
    },
];

/// The key that is searched, and all that STORE and STOREDIST name among the options from there on: the last of them counts, and
/// the specifications find the first.
fn searched_and_stored(args: Args<'_>, options: usize) -> Vec<(usize, &'static [&'static str])> {
    let (mut found, mut at) = (vec![(1, RO_ACCESS)], options);
    while at + 1 < args.len() {
        let stores = args.is(at, "store") || args.is(at, "storedist");
        if stores {
            found.push((at + 1, OW_UPDATE));
        }
        at += if stores || args.is(at, "count") { 2 } else { 1 };
    }
    found
}

/// Two arguments as a point that a set may hold.
fn point(longitude: &[u8], latitude: &[u8]) -> Result<Point, Error> {
    let (longitude, latitude) = (float(longitude)?, float(latitude)?);
    let outside = || Error::new(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"));
    Point::new(longitude, latitude).ok_or_else(outside)
}

fn unit(name: &[u8]) -> Result<LengthUnit, Error> {
    LengthUnit::from_name(name).ok_or(Error::fixed("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

/// A distance as a bulk string with four decimals.
fn write_length(reply: &mut Reply<'_>, metres: f64, unit: LengthUnit) {
    let mut text = Vec::with_capacity(24);
    write_distance(&mut text, unit.from_metres(metres));
    reply.bulk(&text);
}

/// Longitude and latitude as a pair.
fn write_point(reply: &mut Reply<'_>, point: Point) {
    reply.array(2);
    reply.double(point.longitude);
    reply.double(point.latitude);
}

fn geoadd(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut options = AddOptions::default();
    let mut at = 2;
    while let Some(word) = args.get(at) {
        match word.to_ascii_lowercase().as_slice() {
            b"nx" => options.only_new = true,
            b"xx" => options.only_existing = true,
            b"ch" => options.count_changed = true,
            _ => break,
        }
        at += 1;
    }
    let places = args.len() - at;
    if places == 0 || !places.is_multiple_of(3) || options.only_new && options.only_existing {
        return Err(Error::SYNTAX);
    }
    let pair = |at: usize| Ok::<_, Error>((point(args.at(at), args.at(at + 1))?.score(), args.at(at + 2)));
    let pairs = (at..args.len()).step_by(3).map(pair).collect::<Result<Vec<_>, _>>()?;
    if add_pairs(ctx, args.at(1), &options, &pairs)? > 0 {
        propagate_as_zadd(ctx, args.slice(1..at), &pairs);
    }
    DONE
}

/// The scores are what replicas get: they do not depend on how a coordinate is rounded.
fn propagate_as_zadd(ctx: &mut Ctx<'_>, key_and_options: Args<'_>, pairs: &[(f64, &[u8])]) {
    if !ctx.db.space().effects.recording {
        return;
    }
    let scores: Vec<Vec<u8>> = pairs
        .iter()
        .map(|(score, _)| {
            let mut text = Vec::new();
            number::write_f64(&mut text, *score);
            text
        })
        .collect();
    let mut words: Vec<&[u8]> = vec![b"zadd"];
    words.extend(key_and_options.iter());
    for (score, (_, member)) in scores.iter().zip(pairs) {
        words.extend([score.as_slice(), member]);
    }
    ctx.propagate(&words);
}

fn geodist(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let unit = match args.len() {
        4 => LengthUnit::Metres,
        5 => unit(args.at(4))?,
        _ => return Err(Error::SYNTAX),
    };
    let zset = ctx.db.read::<Zset>(args.at(1))?;
    let place = |member| zset.as_ref().and_then(|zset| zset.score(member)).map(Point::from_score);
    match place(args.at(2)).zip(place(args.at(3))) {
        Some((from, to)) => write_length(&mut ctx.reply, from.distance(to), unit),
        None => ctx.reply.null(),
    }
    DONE
}

fn geohash(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let zset = ctx.db.read::<Zset>(args.at(1))?;
    ctx.reply.array(args.len() - 2);
    for member in args.from(2).iter() {
        match zset.as_ref().and_then(|zset| zset.score(member)) {
            Some(score) => ctx.reply.bulk(&Point::from_score(score).text()),
            None => ctx.reply.null(),
        }
    }
    DONE
}

fn geopos(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let zset = ctx.db.read::<Zset>(args.at(1))?;
    ctx.reply.array(args.len() - 2);
    for member in args.from(2).iter() {
        match zset.as_ref().and_then(|zset| zset.score(member)) {
            Some(score) => write_point(&mut ctx.reply, Point::from_score(score)),
            None => ctx.reply.null_array(),
        }
    }
    DONE
}
