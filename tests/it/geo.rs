//! Places: the geo commands.

use crate::harness::{World, check, check3};

#[test]
fn places_are_added_as_scores() {
    check(&[
        ("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2"),
        ("GEOADD g 13.361389 38.115556 Palermo", ":0"),
        ("GEOADD g NX 1 1 Palermo", ":0"),
        ("GEOADD g XX CH 13.5 38 Palermo", ":1"),
        ("GEOADD g CH 2 2 new 13.6 38 Palermo", ":2"),
        ("GEOADD g NX CH 3 3 newer 3 3 new", ":1"),
        ("GEOADD g XX 3 3 nobody", ":0"),
        (
            "ZRANGE g 0 -1 WITHSCORES",
            r#"["new", "3378191666521995", "newer", "3379368329318596", "Palermo", "3479098943557231", "Catania", "3479447370796909"]"#,
        ),
        ("TYPE g", "+zset"),
        ("GEOADD absent XX 1 1 a", ":0"),
        ("EXISTS absent", ":0"),
        ("GEOADD g NX XX 1 1 a", "-ERR syntax error"),
        ("GEOADD g 1 1", "-ERR wrong number of arguments for 'geoadd' command"),
        ("GEOADD g 1 1 a 2", "-ERR syntax error"),
        ("GEOADD g NX CH CH", "-ERR syntax error"),
        ("GEOADD g FOO 1 1 a", "-ERR syntax error"),
        ("GEOADD g 181 1 a", "-ERR invalid longitude,latitude pair 181.000000,1.000000"),
        ("GEOADD g 1 86 a", "-ERR invalid longitude,latitude pair 1.000000,86.000000"),
        ("GEOADD g -180.5 -85.06 a", "-ERR invalid longitude,latitude pair -180.500000,-85.060000"),
        ("GEOADD g inf 1 a", "-ERR invalid longitude,latitude pair inf,1.000000"),
        ("GEOADD g 180 85.05112878 edge", ":1"),
        ("GEOADD g 1 x a", "-ERR value is not a valid float"),
        ("GEOADD g 1 1 a 200 1 b", "-ERR invalid longitude,latitude pair 200.000000,1.000000"),
        ("GEOADD g", "-ERR wrong number of arguments for 'geoadd' command"),
        ("SET s 1", "+OK"),
        ("GEOADD s 1 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("GEOADD s 200 1 a", "-ERR invalid longitude,latitude pair 200.000000,1.000000"),
        ("ZSCORE g edge", r#""13510798882111488""#),
    ]);
}

#[test]
fn positions_hashes_and_distances() {
    check(&[
        (
            "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania -122.4 37.7 SF 180 85.05112878 corner -180 -85.05112878 low 0 0 zero",
            ":6",
        ),
        (
            "GEOPOS g Palermo Catania nobody SF corner low zero",
            r#"[["13.361389338970184", "38.1155563954963"], ["15.087267458438873", "37.50266842333162"], (nil array), ["-122.39999860525131", "37.699999000307315"], ["180", "85.05112878"], ["-179.99999731779099", "-85.05112751263943"], ["2.682209014892578e-6", "1.2673605809254695e-6"]]"#,
        ),
        ("GEOPOS g", "[]"),
        ("GEOPOS absent a b", "[(nil array), (nil array)]"),
        (
            "GEOHASH g Palermo Catania nobody SF corner low zero",
            r#"["sqc8b49rny0", "sqdtr74hyu0", (nil), "9q8yqxp43m0", "bp05b5048p0", "00bh0hbj200", "s0000000000"]"#,
        ),
        ("GEOHASH g", "[]"),
        ("GEOHASH absent a", "[(nil)]"),
        ("GEODIST g Palermo Catania", r#""166274.1516""#),
        ("GEODIST g Palermo Catania km", r#""166.2742""#),
        ("GEODIST g Palermo Catania MI", r#""103.3182""#),
        ("GEODIST g Palermo Catania ft", r#""545518.8700""#),
        ("GEODIST g Palermo Catania FOO", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEODIST g Palermo Catania m x", "-ERR syntax error"),
        ("GEODIST g Palermo nobody", "(nil)"),
        ("GEODIST g Palermo Palermo", r#""0.0000""#),
        ("GEODIST g corner low", r#""18919844.5891""#),
        ("GEODIST absent a b", "(nil)"),
        ("GEODIST absent a b FOO", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEODIST g Palermo", "-ERR wrong number of arguments for 'geodist' command"),
        ("SET s 1", "+OK"),
        ("GEOPOS s a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("GEOHASH s a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("GEODIST s a b", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("ZADD z 1 one -5 minus 1e300 huge inf endless", ":4"),
        (
            "GEOPOS z one minus huge endless",
            r#"[["-179.99999731779099", "-85.05112497791825"], ["180", "85.05112878"], ["-179.99999731779099", "-85.05112751263943"], ["-179.99999731779099", "-85.05112751263943"]]"#,
        ),
        ("GEOHASH z one", r#"["00bh0hbj210"]"#),
    ]);
}

#[test]
fn geosearch() {
    check(&[
        ("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1 17.241510 38.788135 edge2", ":4"),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC", r#"["Catania", "Palermo"]"#),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km DESC WITHDIST", r#"[["Palermo", "190.4424"], ["Catania", "56.4413"]]"#),
        (
            "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST",
            r#"[["Catania", "56.4413", ["15.087267458438873", "37.50266842333162"]], ["Palermo", "190.4424", ["13.361389338970184", "38.1155563954963"]], ["edge2", "279.7403", ["17.241510450839996", "38.78813451624225"]], ["edge1", "279.7405", ["12.75848776102066", "38.78813451624225"]]]"#,
        ),
        (
            "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHHASH",
            r#"[["Catania", :3479447370796909], ["Palermo", :3479099956230698], ["edge2", :3481342659049484], ["edge1", :3479273021651468]]"#,
        ),
        (
            "GEOSEARCH g FROMMEMBER Palermo BYRADIUS 200 km ASC WITHDIST WITHHASH WITHCOORD",
            r#"[["Palermo", "0.0000", :3479099956230698, ["13.361389338970184", "38.1155563954963"]], ["edge1", "91.4007", :3479273021651468, ["12.75848776102066", "38.78813451624225"]], ["Catania", "166.2742", :3479447370796909, ["15.087267458438873", "37.50266842333162"]]]"#,
        ),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 0 m", r#"["Palermo"]"#),
        ("GEOSEARCH g ASC BYBOX 100 200 mi FROMMEMBER Palermo", r#"["Palermo", "edge1"]"#),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 2000 km COUNT 2", r#"["Catania", "Palermo"]"#),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 2000 km COUNT 2 DESC", r#"["edge1", "edge2"]"#),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 2000 km COUNT 2 ANY", r#"["Palermo", "edge1"]"#),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 2000 km COUNT 2 ANY ASC", r#"["Palermo", "edge1"]"#),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 20000 FT COUNT 10", "[]"),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 m", "[]"),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1e300 km ASC", r#"["Catania", "Palermo", "edge2", "edge1"]"#),
        ("GEOSEARCH absent FROMLONLAT 15 37 BYRADIUS 200 km", "[]"),
        ("GEOSEARCH absent FROMMEMBER nobody BYRADIUS 200 km", "[]"),
    ]);
}

#[test]
fn geosearch_errors() {
    check(&[
        ("GEOADD g 13.361389 38.115556 Palermo", ":1"),
        ("GEOSEARCH g FROMMEMBER nobody BYRADIUS 200 km", "-ERR could not decode requested zset member"),
        ("GEOSEARCH g FROMMEMBER Palermo ASC DESC ASC", "-ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH"),
        ("GEOSEARCH g BYRADIUS 200 km ASC ASC", "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH"),
        ("geosearch g BYBOX 200 200 km ASC", "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch"),
        ("GEOSEARCH g FROMMEMBER Palermo FROMLONLAT 1 1 BYRADIUS 1 m", "-ERR syntax error"),
        ("GEOSEARCH g FROMLONLAT 1 1 FROMMEMBER Palermo BYRADIUS 1 m", "-ERR syntax error"),
        ("GEOSEARCH g FROMLONLAT 1 1 FROMLONLAT 2 2 BYRADIUS 1 m", "[]"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m BYBOX 1 1 m", "-ERR syntax error"),
        ("GEOSEARCH g FROMMEMBER Palermo BYBOX 1 1 m BYRADIUS 1 m", "-ERR syntax error"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS x m", "-ERR need numeric radius"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS -1 m", "-ERR radius cannot be negative"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 miles", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS -1 miles", "-ERR radius cannot be negative"),
        ("GEOSEARCH g FROMMEMBER Palermo BYBOX x 1 m", "-ERR need numeric width"),
        ("GEOSEARCH g FROMMEMBER Palermo BYBOX 1 x m", "-ERR need numeric height"),
        ("GEOSEARCH g FROMMEMBER Palermo BYBOX -1 1 m", "-ERR height or width cannot be negative"),
        ("GEOSEARCH g FROMMEMBER Palermo BYBOX 1 -1 m", "-ERR height or width cannot be negative"),
        ("GEOSEARCH g FROMMEMBER Palermo BYBOX 1 1 yards", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEOSEARCH g FROMLONLAT x 1 BYBOX 1 1 m", "-ERR value is not a valid float"),
        ("GEOSEARCH g FROMLONLAT 200 1 BYBOX 1 1 m", "-ERR invalid longitude,latitude pair 200.000000,1.000000"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m COUNT 0", "-ERR COUNT must be > 0"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m COUNT -1", "-ERR COUNT must be > 0"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m COUNT x", "-ERR value is not an integer or out of range"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m COUNT", "-ERR syntax error"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m ANY", "-ERR the ANY argument requires COUNT argument"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m FOO", "-ERR syntax error"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m STORE x", "-ERR syntax error"),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m STOREDIST", "-ERR syntax error"),
        ("GEOSEARCH g FROMMEMBER Palermo", "-ERR wrong number of arguments for 'geosearch' command"),
        ("SET s 1", "+OK"),
        ("GEOSEARCH s FROMLONLAT 1 1 BYRADIUS x m", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("GEOSEARCH absent FROMMEMBER a BYRADIUS x m", "-ERR need numeric radius"),
        ("GEOSEARCH absent BYRADIUS 1 m ASC ASC", "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH"),
    ]);
}

#[test]
fn geosearchstore() {
    check(&[
        ("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1 17.241510 38.788135 edge2", ":4"),
        ("GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 200 km", ":2"),
        ("ZRANGE to 0 -1 WITHSCORES", r#"["Palermo", "3479099956230698", "Catania", "3479447370796909"]"#),
        ("GEOSEARCHSTORE to g FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST", ":4"),
        (
            "ZRANGE to 0 -1 WITHSCORES",
            r#"["Catania", "56.4412578701582", "Palermo", "190.44242984775784", "edge2", "279.7403417843143", "edge1", "279.7404521356343"]"#,
        ),
        ("GEOSEARCHSTORE to g FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST COUNT 1", ":1"),
        ("ZRANGE to 0 -1 WITHSCORES", r#"["Catania", "56.4412578701582"]"#),
        ("GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 1 m", ":0"),
        ("EXISTS to", ":0"),
        ("GEOSEARCHSTORE g g FROMLONLAT 15 37 BYRADIUS 200 km ASC COUNT 1", ":1"),
        ("ZRANGE g 0 -1", r#"["Catania"]"#),
        ("GEOSEARCHSTORE to absent FROMLONLAT 15 37 BYRADIUS 1 m", ":0"),
        ("GEOSEARCHSTORE g absent FROMMEMBER x BYRADIUS 1 m", ":0"),
        ("EXISTS g", ":0"),
        (
            "GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 1 m WITHDIST",
            "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        ),
        (
            "GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 1 m WITHCOORD",
            "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        ),
        (
            "GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 1 m WITHHASH",
            "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        ),
        ("GEOSEARCHSTORE to g FROMLONLAT 15 37", "-ERR wrong number of arguments for 'geosearchstore' command"),
        ("GEOSEARCHSTORE to g FROMLONLAT 15 37 ASC DESC", "-ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCHSTORE"),
        ("GEOSEARCHSTORE to g FROMLONLAT 15 37 BYRADIUS 1 m FOO", "-ERR syntax error"),
        ("SET s 1", "+OK"),
        ("GEOSEARCHSTORE to s FROMLONLAT 15 37 BYRADIUS 1 m", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("GEOSEARCHSTORE s absent FROMLONLAT 15 37 BYRADIUS 1 m", ":0"),
        ("EXISTS s", ":0"),
    ]);
}

#[test]
fn georadius() {
    check(&[
        ("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2"),
        ("GEORADIUS g 15 37 200 km", r#"["Palermo", "Catania"]"#),
        ("GEORADIUS g 15 37 200 km WITHDIST DESC", r#"[["Palermo", "190.4424"], ["Catania", "56.4413"]]"#),
        (
            "GEORADIUS g 15 37 200 km WITHCOORD WITHDIST WITHHASH ASC COUNT 1",
            r#"[["Catania", "56.4413", :3479447370796909, ["15.087267458438873", "37.50266842333162"]]]"#,
        ),
        ("GEORADIUS g 15 37 200 km COUNT 1 ANY", r#"["Palermo"]"#),
        ("GEORADIUS g 15 37 200 km STORE to", ":2"),
        ("ZRANGE to 0 -1 WITHSCORES", r#"["Palermo", "3479099956230698", "Catania", "3479447370796909"]"#),
        ("GEORADIUS g 15 37 200 km STOREDIST to", ":2"),
        ("ZRANGE to 0 -1 WITHSCORES", r#"["Catania", "56.4412578701582", "Palermo", "190.44242984775784"]"#),
        ("GEORADIUS g 15 37 200 km STORE to STOREDIST to2 COUNT 1", ":1"),
        ("ZRANGE to2 0 -1 WITHSCORES", r#"["Catania", "56.4412578701582"]"#),
        (
            "GEORADIUS g 15 37 200 km STORE to WITHDIST",
            "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        ),
        ("GEORADIUS g 15 37 200 km STORE", "-ERR syntax error"),
        ("GEORADIUS g 15 37 200 km ANY", "-ERR the ANY argument requires COUNT argument"),
        ("GEORADIUS g 15 37 200 km FOO", "-ERR syntax error"),
        ("GEORADIUS g 15 37 200 km BYRADIUS 1 m", "-ERR syntax error"),
        ("GEORADIUS g 15 37 x km", "-ERR need numeric radius"),
        ("GEORADIUS g 15 37 -1 km", "-ERR radius cannot be negative"),
        ("GEORADIUS g 15 37 1 parsec", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEORADIUS g 15 100 1 km", "-ERR invalid longitude,latitude pair 15.000000,100.000000"),
        ("GEORADIUS g x 100 1 km", "-ERR value is not a valid float"),
        ("GEORADIUS g 15 37 200", "-ERR wrong number of arguments for 'georadius' command"),
        ("GEORADIUS_RO g 15 37 200 km ASC", r#"["Catania", "Palermo"]"#),
        ("GEORADIUS_RO g 15 37 200 km STORE to", "-ERR syntax error"),
        ("GEORADIUS_RO g 15 37 200 km STOREDIST to", "-ERR syntax error"),
        ("GEORADIUS absent 15 37 200 km", "[]"),
        ("GEORADIUS absent 15 37 x km", "-ERR need numeric radius"),
        ("GEORADIUS absent 15 37 200 km STORE to", ":0"),
        ("EXISTS to", ":0"),
        ("GEORADIUSBYMEMBER g Palermo 200 km", r#"["Palermo", "Catania"]"#),
        ("GEORADIUSBYMEMBER g Palermo 200 km WITHDIST ASC", r#"[["Palermo", "0.0000"], ["Catania", "166.2742"]]"#),
        ("GEORADIUSBYMEMBER g Palermo 200 km STOREDIST to", ":2"),
        ("ZRANGE to 0 -1 WITHSCORES", r#"["Palermo", "0", "Catania", "166.27415156960032"]"#),
        ("GEORADIUSBYMEMBER g nobody 200 km", "-ERR could not decode requested zset member"),
        ("GEORADIUSBYMEMBER g Palermo x km", "-ERR need numeric radius"),
        ("GEORADIUSBYMEMBER g Palermo 1 x", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEORADIUSBYMEMBER absent nobody x km", "[]"),
        ("GEORADIUSBYMEMBER absent nobody x km FOO", "-ERR syntax error"),
        ("GEORADIUSBYMEMBER_RO g Palermo 200 km DESC", r#"["Catania", "Palermo"]"#),
        ("GEORADIUSBYMEMBER_RO g Palermo 200 km STORE to", "-ERR syntax error"),
        ("SET s 1", "+OK"),
        ("GEORADIUS s 15 37 x km", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("GEORADIUSBYMEMBER s a x km", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn coordinates_are_doubles_in_resp3() {
    check3(&[
        ("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2"),
        ("GEOPOS g Palermo nobody", "[[,13.361389338970184, ,38.1155563954963], (null)]"),
        ("GEOHASH g Palermo nobody", r#"["sqc8b49rny0", (null)]"#),
        ("GEODIST g Palermo Catania", r#""166274.1516""#),
        ("GEODIST g Palermo nobody", "(null)"),
        (
            "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST WITHHASH",
            r#"[["Catania", "56.4413", :3479447370796909, [,15.087267458438873, ,37.50266842333162]], ["Palermo", "190.4424", :3479099956230698, [,13.361389338970184, ,38.1155563954963]]]"#,
        ),
        ("GEORADIUS g 15 37 1 m", "[]"),
    ]);
}

#[test]
fn a_polygon_is_searched_in_as_valkey_does() {
    let mut world = World::new();
    let client = world.connect();
    let few = "-ERR GEOSEARCH BYPOLYGON must have at least 3 vertices";
    let script = [
        ("GEOADD g 1 1 a 2 2 b 30 30 c", ":3"),
        ("GEOSEARCH g BYPOLYGON 3 0 0 10 0 0 10", r#"["a", "b"]"#),
        ("GEOSEARCH g BYPOLYGON 3 0 0 10 0 0 10 WITHDIST", r#"[["a", "368515.3468"], ["b", "211245.3344"]]"#),
        ("GEOSEARCH g BYPOLYGON 3 0 0 10 0 0 10 COUNT 1", r#"["b"]"#),
        ("GEOSEARCH g BYPOLYGON 3 0 0 10 0 0 10 BYPOLYGON 3 0 0 1 0 0 1", "[]"),
        ("GEOSEARCHSTORE d g BYPOLYGON 3 0 0 10 0 0 10 ASC", ":2"),
        ("GEOSEARCH g BYPOLYGON 2 0 0 10 0", few),
        ("GEOSEARCH g BYPOLYGON 4 0 0 10 0 0 10", few),
        ("GEOSEARCH g BYPOLYGON -1 0 0 10 0 0 10", few),
        ("GEOSEARCH g BYPOLYGON x 0 0 10 0 0 10", "-ERR invalid number of vertices"),
        ("GEOSEARCH g BYPOLYGON 3 0 0 10 0 200 5", "-ERR invalid longitude,latitude pair 200.000000,5.000000"),
        ("GEOSEARCH g BYPOLYGON 3 a 0 10 0 200 5", "-ERR value is not a valid float"),
        ("GEOSEARCH g FROMLONLAT 1 1 BYPOLYGON 3 0 0 10 0 0 10", "-ERR syntax error"),
        ("GEOSEARCH g BYPOLYGON 3 0 0 10 0 0 10 FROMLONLAT 1 1", "-ERR syntax error"),
        ("GEOSEARCH g BYPOLYGON 3 0 0 10 0 0 10 BYRADIUS 3 km", "-ERR syntax error"),
        ("GEOSEARCH absent BYPOLYGON 3 0 0 10 0 0 10", "[]"),
    ];
    for (line, expected) in script {
        assert_eq!(world.ask(client, line), expected, "reply to {line}");
    }
}
