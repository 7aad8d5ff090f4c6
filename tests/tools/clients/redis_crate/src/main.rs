//! The ordinary calls of the `redis` crate against a server: `interop-redis-crate PORT`, run by `interop`.

use std::collections::HashMap;

use redis::{Commands, RedisResult, pipe};

fn main() -> RedisResult<()> {
    let port = std::env::args().nth(1).expect("a port");
    for protocol in ["resp2", "resp3"] {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/?protocol={protocol}"))?;
        let mut connection = client.get_connection()?;
        redis::cmd("FLUSHALL").exec(&mut connection)?;
        let _: () = connection.set_ex("s", "v", 100)?;
        let text: Option<String> = connection.get("s")?;
        assert_eq!(text.as_deref(), Some("v"));
        let none: Option<String> = connection.get("none")?;
        assert_eq!(none, None);
        let _: () = connection.hset_multiple("h", &[("x", 1), ("y", 2)])?;
        let all: HashMap<String, i64> = connection.hgetall("h")?;
        assert_eq!(all, HashMap::from([("x".to_string(), 1), ("y".to_string(), 2)]));
        let _: () = connection.zadd_multiple("z", &[(1.5, "a"), (2.5, "b")])?;
        let ranked: Vec<(String, f64)> = connection.zrange_withscores("z", 0, -1)?;
        assert_eq!(ranked, [("a".to_string(), 1.5), ("b".to_string(), 2.5)]);
        let (first, second): (i64, i64) = pipe().atomic().incr("n", 1).incr("n", 1).query(&mut connection)?;
        assert_eq!((first, second), (1, 2));
        let _: () = connection.rpush("l", &["a", "b"])?;
        let popped: Option<(String, String)> = connection.blpop("l", 1.0)?;
        assert_eq!(popped, Some(("l".to_string(), "a".to_string())));
        let mut keys: Vec<String> = connection.scan()?.collect::<RedisResult<Vec<String>>>()?;
        keys.sort();
        assert_eq!(keys, ["h", "l", "n", "s", "z"]);
        let wrong: RedisResult<i64> = connection.lpush("s", 1);
        assert_eq!(wrong.expect_err("a string").code(), Some("WRONGTYPE"));

        let mut listening = client.get_connection()?;
        let mut listener = listening.as_pubsub();
        listener.subscribe("talk")?;
        let heard: i64 = connection.publish("talk", "ochre")?;
        assert_eq!(heard, 1);
        assert_eq!(listener.get_message()?.get_payload::<String>()?, "ochre");
    }
    Ok(())
}
