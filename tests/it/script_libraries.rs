//! `cmsgpack` and `struct` of scripts. The expectations are what Redis 8 answers.

use crate::harness::World;

/// Evaluates a script as it is, without the quotes of a line.
fn eval(world: &mut World, code: &str) -> String {
    let client = world.connect();
    let request = format!("*3\r\n$4\r\nEVAL\r\n${}\r\n{code}\r\n$1\r\n0\r\n", code.len());
    world.send_raw(client, request.as_bytes());
    world.received(client).pop().unwrap_or_default()
}

#[track_caller]
fn replies(cases: &[(&str, &str)]) {
    let mut world = World::new();
    for (code, expected) in cases {
        assert_eq!(eval(&mut world, code), *expected, "{code}");
    }
}

/// Bytes as hexadecimal digits.
#[track_caller]
fn packs(cases: &[(&str, &str)]) {
    let mut world = World::new();
    for (code, expected) in cases {
        let hex = format!("return (string.gsub({code}, '.', function(c) return string.format('%02x', c:byte()) end))");
        assert_eq!(eval(&mut world, &hex), format!("\"{expected}\""), "{code}");
    }
}

#[track_caller]
fn fails(cases: &[(&str, &str)]) {
    let mut world = World::new();
    for (code, expected) in cases {
        let reply = eval(&mut world, code);
        let text = reply.strip_prefix("-ERR ").unwrap_or(&reply);
        let text = text.strip_prefix("user_script:1: ").unwrap_or(text);
        assert_eq!(text.split(" script: ").next(), Some(*expected), "{code}");
    }
}

#[test]
fn cmsgpack_packs() {
    packs(&[
        ("cmsgpack.pack(1,2,3)", "010203"),
        ("cmsgpack.pack(nil)", "c0"),
        ("cmsgpack.pack(true,false)", "c3c2"),
        (
            "cmsgpack.pack(-1,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649)",
            "ffe0d0dfd080d1ff7fd18000d2ffff7fffd280000000d3ffffffff7fffffff",
        ),
        (
            "cmsgpack.pack(127,128,255,256,65535,65536,4294967295,4294967296,2^53,2^63,2^64,-2^63)",
            "7fcc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000cf0020000000000000ca5f000000ca5f800000d38000000000000000",
        ),
        (
            "cmsgpack.pack(1.5,0.1,1/0,-1/0,0/0, 1e300, 3.4e38)",
            "ca3fc00000cb3fb999999999999aca7f800000caff800000cbfff8000000000000cb7e37e43c8800759ccb47eff933c78cdfad",
        ),
        (
            r#"cmsgpack.pack("a",string.rep("x",31),string.rep("x",32))"#,
            "a161bf78787878787878787878787878787878787878787878787878787878787878d9207878787878787878787878787878787878787878787878787878787878787878",
        ),
        (r#"cmsgpack.pack(string.rep("x",255)):sub(1,5)"#, "d9ff787878"),
        (r#"cmsgpack.pack(string.rep("x",256)):sub(1,5)"#, "da01007878"),
        (r#"cmsgpack.pack(string.rep("x",65536)):sub(1,6)"#, "db0001000078"),
        ("cmsgpack.pack({})", "90"),
        ("cmsgpack.pack({1,2,3})", "93010203"),
        ("cmsgpack.pack({a=1})", "81a16101"),
        ("cmsgpack.pack({1,2,nil,4})", "83010102020404"),
        ("cmsgpack.pack({[1]=1,[3]=3})", "8201010303"),
        ("cmsgpack.pack({[1.5]=1})", "81ca3fc0000001"),
        ("cmsgpack.pack({[0]=1})", "810001"),
        ("cmsgpack.pack({1,{2,{3}}})", "920192029103"),
        ("cmsgpack.pack(function() end)", "c0"),
        ("cmsgpack.pack(coroutine.create(function() end))", "c0"),
    ]);
}

#[test]
fn cmsgpack_unpacks() {
    replies(&[
        ("local a={} a[1]=a return cmsgpack.unpack(cmsgpack.pack(a))", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"),
        ("local a={} a.x=a return #cmsgpack.pack(a)", ":49"),
        (r#"return {cmsgpack.unpack(cmsgpack.pack(1,"a",{1,2}))}"#, r#"[:1, "a", [:1, :2]]"#),
        (r#"return cmsgpack.unpack("")"#, "(nil)"),
        ("return cmsgpack.unpack(1)", ":49"),
        (r#"return cmsgpack.unpack("\217\1a")"#, r#""a""#),
        (r#"return cmsgpack.unpack("\203\63\240\0\0\0\0\0\0")"#, ":1"),
        (r#"return cmsgpack.unpack("\202\63\128\0\0")"#, ":1"),
        (r#"return cmsgpack.unpack("\204\255")"#, ":255"),
        (r#"return cmsgpack.unpack("\205\255\255")"#, ":65535"),
        (r#"return cmsgpack.unpack("\206\255\255\255\255")"#, ":4294967295"),
        (r#"return tostring(cmsgpack.unpack("\207\255\255\255\255\255\255\255\255"))"#, r#""-1""#),
        (r#"return cmsgpack.unpack("\208\128")"#, ":-128"),
        (r#"return cmsgpack.unpack("\209\128\0")"#, ":-32768"),
        (r#"return cmsgpack.unpack("\210\128\0\0\0")"#, ":-2147483648"),
        (r#"return cmsgpack.unpack("\211\128\0\0\0\0\0\0\0")"#, ":-9223372036854775808"),
        (r#"return cmsgpack.unpack("\192")"#, "(nil)"),
        (r#"return {cmsgpack.unpack("\195\194\192")}"#, "[:1, (nil)]"),
        (r#"return cmsgpack.unpack("\129\161a\1").a"#, ":1"),
        (r#"return cmsgpack.unpack("\222\0\1\161a\1").a"#, ":1"),
        (r#"return cmsgpack.unpack("\218\0\1a")"#, r#""a""#),
        (r#"return cmsgpack.unpack("\219\0\0\0\1a")"#, r#""a""#),
        (r#"return cmsgpack.unpack("\1\2\3")"#, ":1"),
        (r#"return {cmsgpack.unpack_one("\1\2\3")}"#, "[:1, :1]"),
        (r#"return {cmsgpack.unpack_one("\1\2\3",1)}"#, "[:2, :2]"),
        (r#"return {cmsgpack.unpack_one("\1\2\3",2)}"#, "[:-1, :3]"),
        (r#"return {cmsgpack.unpack_one("\1\2\3",3)}"#, "[:-1]"),
        (r#"return {cmsgpack.unpack_limit("\1\2\3",2)}"#, "[:2, :1, :2]"),
        (r#"return {cmsgpack.unpack_limit("\1\2\3",0)}"#, "[:1, :2, :3]"),
        (r#"return {cmsgpack.unpack_limit("\1\2\3",2,1)}"#, "[:-1, :2, :3]"),
        (r#"return {cmsgpack.unpack_limit("\1\2\3",5,1)}"#, "[:-1, :2, :3]"),
        (r#"return {cmsgpack.unpack_one("")}"#, "[:-1]"),
        (
            "return {cmsgpack._NAME,cmsgpack._VERSION,cmsgpack._COPYRIGHT,cmsgpack._DESCRIPTION}",
            r#"["cmsgpack", "lua-cmsgpack 0.4.0", "Copyright (C) 2012, Salvatore Sanfilippo", "MessagePack C implementation for Lua"]"#,
        ),
    ]);
}

#[test]
fn cmsgpack_refuses() {
    fails(&[
        ("return cmsgpack.pack()", "bad argument #0 to 'pack' (MessagePack pack needs input.)"),
        ("return cmsgpack.unpack()", "bad argument #1 to 'unpack' (string expected, got no value)"),
        ("return cmsgpack.unpack({})", "bad argument #1 to 'unpack' (string expected, got table)"),
        (r#"return cmsgpack.unpack("\147")"#, "Missing bytes in input."),
        (r#"return cmsgpack.unpack("\193")"#, "Bad data format in input."),
        (r#"return cmsgpack.unpack("\196\1a")"#, "Bad data format in input."),
        (r#"return cmsgpack.unpack("\197\0\1a")"#, "Bad data format in input."),
        (r#"return cmsgpack.unpack("\220\255\255")"#, "Missing bytes in input."),
        (r#"return cmsgpack.unpack("\212\1\1")"#, "Bad data format in input."),
        (r#"return cmsgpack.unpack("\129\192\1")"#, "table index is nil"),
        (r#"return {cmsgpack.unpack_one("\1\2\3",4)}"#, "Start offset 4 greater than input length 3."),
        (r#"return {cmsgpack.unpack_one("\1\2\3",-1)}"#, "Invalid request to unpack with offset of -1 and limit of 3."),
        (r#"return {cmsgpack.unpack_limit("\1\2\3",-1)}"#, "Invalid request to unpack with offset of 0 and limit of 3."),
        (r#"return {cmsgpack.unpack_limit("\1\2\3")}"#, "bad argument #2 to 'unpack_limit' (number expected, got no value)"),
        (r#"return {cmsgpack.unpack_limit("\1\2\3",1,9)}"#, "Start offset 9 greater than input length 3."),
        ("return {cmsgpack.unpack_one()}", "bad argument #1 to 'unpack_one' (string expected, got no value)"),
    ]);
}

#[test]
fn struct_packs() {
    packs(&[
        (r#"struct.pack("i4",1)"#, "01000000"),
        (r#"struct.pack(">i4",1)"#, "00000001"),
        (r#"struct.pack("<i4",1)"#, "01000000"),
        (r#"struct.pack("i",1)"#, "01000000"),
        (r#"struct.pack("l",1)"#, "0100000000000000"),
        (r#"struct.pack("h",1)"#, "0100"),
        (r#"struct.pack("b",1)"#, "01"),
        (r#"struct.pack("B",255)"#, "ff"),
        (r#"struct.pack("H",65535)"#, "ffff"),
        (r#"struct.pack("L",1)"#, "0100000000000000"),
        (r#"struct.pack("T",1)"#, "0100000000000000"),
        (r#"struct.pack("I",4294967295)"#, "ffffffff"),
        (r#"struct.pack("I",-1)"#, "ffffffff"),
        (r#"struct.pack("f",1.5)"#, "0000c03f"),
        (r#"struct.pack("d",1.5)"#, "000000000000f83f"),
        (r#"struct.pack(">d",1.5)"#, "3ff8000000000000"),
        (r#"struct.pack(">f",1.5)"#, "3fc00000"),
        (r#"struct.pack("c0","abc")"#, "616263"),
        (r#"struct.pack("c2","abc")"#, "6162"),
        (r#"struct.pack("c","abc")"#, "61"),
        (r#"struct.pack("s","abc")"#, "61626300"),
        (r#"struct.pack("s","a\0b")"#, "61006200"),
        (r#"struct.pack("x")"#, "00"),
        (r#"struct.pack("bxb",1,2)"#, "010002"),
        (r#"struct.pack("b b",1,2)"#, "0102"),
        (r#"struct.pack("!4bi4",1,2)"#, "0100000002000000"),
        (r#"struct.pack("!bi4",1,2)"#, "0100000002000000"),
        (r#"struct.pack("!8bd",1,2)"#, "01000000000000000000000000000040"),
        (r#"struct.pack("!16bd",1,2)"#, "01000000000000000000000000000040"),
        (r#"struct.pack("!32b",1)"#, "01"),
        (r#"struct.pack("i8",2^40)"#, "0000000000010000"),
        (r#"struct.pack("i16",1)"#, "01000000000000000000000000000000"),
        (r#"struct.pack("i32",1)"#, "0100000000000000000000000000000000000000000000000000000000000000"),
        (r#"struct.pack("i0",1)"#, ""),
        (r#"struct.pack("i3",-2)"#, "feffff"),
        (r#"struct.pack("i","12")"#, "0c000000"),
        (r#"struct.pack("b",300)"#, "2c"),
        (r#"struct.pack("i4",2^40)"#, "00000000"),
        (r#"struct.pack("i4",1.7)"#, "01000000"),
        (r#"struct.pack("i4",-1.7)"#, "ffffffff"),
        (r#"struct.pack("I",1e20)"#, "00000000"),
        (r#"struct.pack("i8",-1e20)"#, "0000000000000080"),
        (r#"struct.pack("i4 ! i4",1,2)"#, "0100000002000000"),
        (r#"struct.pack("i","0x10")"#, "10000000"),
        (r#"struct.pack(">!4 i2 i4",1,2)"#, "0001000000000002"),
        (r#"struct.pack("s",12)"#, "313200"),
        (r#"struct.pack("c0",12)"#, "3132"),
    ]);
}

#[test]
fn struct_unpacks() {
    replies(&[
        (r#"return {struct.unpack("i4","\1\0\0\0")}"#, "[:1, :5]"),
        (r#"return {struct.unpack(">i4","\1\0\0\0")}"#, "[:16777216, :5]"),
        (r#"return {struct.unpack("i4","\255\255\255\255")}"#, "[:-1, :5]"),
        (r#"return {struct.unpack("I4","\255\255\255\255")}"#, "[:4294967295, :5]"),
        (r#"return {struct.unpack("i4","x\1\0\0\0",2)}"#, "[:1, :6]"),
        (r#"return {struct.unpack("b","ab",2)}"#, "[:98, :3]"),
        (r#"return {struct.unpack("s","abc\0d")}"#, r#"["abc", :5]"#),
        (r#"return {struct.unpack("bc0","\3abcd")}"#, r#"["abc", :5]"#),
        (r#"return {struct.unpack("c2","abc")}"#, r#"["ab", :3]"#),
        (r#"return tostring(struct.unpack("d","\0\0\0\0\0\0\248\63"))"#, r#""1.5""#),
        (r#"return tostring(struct.unpack("f","\0\0\192\63"))"#, r#""1.5""#),
        (r#"return {struct.unpack("bxb","\1\2\3")}"#, "[:1, :3, :4]"),
        (r#"return {struct.unpack("!4bi4","\1\0\0\0\2\0\0\0")}"#, "[:1, :2, :9]"),
        (r#"return {struct.unpack("i16","\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0")}"#, "[:1, :17]"),
        (r#"return {struct.unpack("h","\255\255")}"#, "[:-1, :3]"),
        (r#"return {struct.unpack("H","\255\255")}"#, "[:65535, :3]"),
        (r#"return tostring(struct.unpack("L","\255\255\255\255\255\255\255\255"))"#, r#""1.844674407371e+19""#),
        (r#"return {struct.unpack("","")}"#, "[:1]"),
        (r#"return {struct.unpack("i3","\254\255\255")}"#, "[:-2, :4]"),
        (r#"return struct.size("i4")"#, ":4"),
        (r#"return struct.size("!8bd")"#, ":16"),
        (r#"return struct.size("c10")"#, ":10"),
        (r#"return struct.size("x")"#, ":1"),
        (r#"return struct.size("ibdfhlT")"#, ":35"),
        (r#"return struct.size("z")"#, ":0"),
        (r#"return struct.size("!4bi8")"#, ":12"),
        (r#"return struct.size("c2147483647c2147483647")"#, ":4294967294"),
        (r#"local s="" for i=1,300 do s=s.."b" end return #{struct.unpack(s,string.rep("a",300))}"#, ":301"),
    ]);
}

#[test]
fn struct_refuses() {
    fails(&[
        (r#"return struct.pack("=i4",1)"#, "bad argument #1 to 'pack' (invalid format option '=')"),
        (r#"return struct.pack("n",1.5)"#, "bad argument #1 to 'pack' (invalid format option 'n')"),
        (r#"return struct.pack("c5","abc")"#, "bad argument #3 to 'pack' (string too short)"),
        (r#"return struct.pack("!3b",1)"#, "alignment 3 is not a power of 2"),
        (r#"return struct.pack("!0b",1)"#, "alignment 0 is not a power of 2"),
        (r#"return struct.pack("i33",1)"#, "integral size 33 is larger than limit of 32"),
        (r#"return struct.pack("z",1)"#, "bad argument #1 to 'pack' (invalid format option 'z')"),
        ("return struct.pack()", "bad argument #1 to 'pack' (string expected, got no value)"),
        (r#"return struct.pack("i")"#, "bad argument #2 to 'pack' (number expected, got nil)"),
        (r#"return struct.pack("i","x")"#, "bad argument #2 to 'pack' (number expected, got string)"),
        (r#"return struct.pack("i2147483648",1)"#, "integral size overflow"),
        (r#"return struct.pack("i99999999999",1)"#, "integral size overflow"),
        (r#"return struct.pack("c2147483648","x")"#, "integral size overflow"),
        ("return struct.pack(1,2)", "bad argument #1 to 'pack' (invalid format option '1')"),
        ("return struct.pack({},2)", "bad argument #1 to 'pack' (string expected, got table)"),
        (r#"return struct.pack("s")"#, "bad argument #2 to 'pack' (string expected, got nil)"),
        (r#"return {struct.unpack("i4","\1\0\0")}"#, "bad argument #2 to 'unpack' (data string too short)"),
        (r#"return {struct.unpack("b","a",0)}"#, "bad argument #3 to 'unpack' (offset must be 1 or greater)"),
        (r#"return {struct.unpack("b","a",-1)}"#, "bad argument #2 to 'unpack' (data string too short)"),
        (r#"return {struct.unpack("b","a",3)}"#, "bad argument #2 to 'unpack' (data string too short)"),
        (r#"return {struct.unpack("s","abc")}"#, "unfinished string in data"),
        (r#"return {struct.unpack("c0","abc")}"#, "format 'c0' needs a previous size"),
        (r#"return {struct.unpack("c4","abc")}"#, "bad argument #2 to 'unpack' (data string too short)"),
        (r#"return {struct.unpack("bc0","\9abcd")}"#, "bad argument #2 to 'unpack' (data string too short)"),
        (r#"return {struct.unpack("sc0","abc\0d")}"#, "format 'c0' needs a previous size"),
        (r#"return {struct.unpack("z","")}"#, "bad argument #1 to 'unpack' (invalid format option 'z')"),
        (r#"return {struct.unpack("i")}"#, "bad argument #2 to 'unpack' (string expected, got no value)"),
        ("return {struct.unpack()}", "bad argument #1 to 'unpack' (string expected, got no value)"),
        (r#"return {struct.unpack("b","",1)}"#, "bad argument #2 to 'unpack' (data string too short)"),
        (r#"return {struct.unpack("i2147483647","x")}"#, "integral size 2147483647 is larger than limit of 32"),
        (r#"return struct.size("s")"#, "bad argument #1 to 'size' (option 's' has no fixed size)"),
        (r#"return struct.size("c0")"#, "bad argument #1 to 'size' (option 'c0' has no fixed size)"),
        ("return struct.size()", "bad argument #1 to 'size' (string expected, got no value)"),
        (r#"return struct.unpack("bbb","\1\2")"#, "bad argument #2 to 'unpack' (data string too short)"),
        (r#"return struct.pack("c-1","a")"#, "bad argument #1 to 'pack' (invalid format option '-')"),
        (r#"return struct.pack("d","x")"#, "bad argument #2 to 'pack' (number expected, got string)"),
    ]);
}
