"""The ordinary calls of redis-py against a server: `redis_py.py PORT PROTOCOL`, run by `interop`."""
import sys
import threading

import redis

client = redis.Redis(port=int(sys.argv[1]), protocol=int(sys.argv[2]), decode_responses=True)
assert client.ping()

assert client.set("s", "v", ex=100, nx=True) is True and client.set("s", "w", nx=True) is None
assert client.get("s") == "v" and 0 < client.ttl("s") <= 100 and client.get("none") is None
assert client.incrby("n", 5) == 5 and client.incrbyfloat("n", 0.5) == 5.5
assert client.mset({"a": 1, "b": 2}) and client.mget("a", "b", "c") == ["1", "2", None]
assert client.delete("a", "b", "c") == 2 and client.exists("a") == 0
assert client.setbit("bits", 7, 1) == 0 and client.bitcount("bits") == 1

assert client.rpush("l", *"abc") == 3 and client.lrange("l", 0, -1) == ["a", "b", "c"]
assert client.lpos("l", "c") == 2 and client.lmove("l", "m", "LEFT", "RIGHT") == "a"
assert client.blpop(["none", "m"], timeout=1) == (["m", "a"] if sys.argv[2] == "3" else ("m", "a"))
assert client.blpop("none", timeout=0.05) is None

assert client.hset("h", mapping={"x": 1, "y": 2}) == 2 and client.hgetall("h") == {"x": "1", "y": "2"}
assert client.hincrby("h", "x", 4) == 5 and sorted(client.hkeys("h")) == ["x", "y"]
assert client.sadd("t", "p", "q") == 2 and client.smembers("t") == {"p", "q"} and client.sismember("t", "p")
assert client.zadd("z", {"one": 1, "two": 2, "half": 0.5}) == 3 and client.zscore("z", "half") == 0.5
pairs = [tuple(pair) for pair in client.zrange("z", 0, -1, withscores=True)]
assert pairs == [("half", 0.5), ("one", 1.0), ("two", 2.0)], pairs
assert client.geoadd("g", (2.3522, 48.8566, "Paris")) == 1 and abs(client.geopos("g", "Paris")[0][0] - 2.3522) < 1e-4
assert client.pfadd("p", "a", "b") == 1 and client.pfcount("p") == 2

first = client.xadd("x", {"k": "v"})
assert client.xrange("x") == [(first, {"k": "v"})] and client.xlen("x") == 1
assert client.xgroup_create("x", "readers", id="0")
read = client.xreadgroup("readers", "me", {"x": ">"})
assert first in str(read) and client.xack("x", "readers", first) == 1

with client.pipeline(transaction=True) as pipe:
    assert pipe.set("q", 1).incr("q").get("q").execute() == [True, 2, "2"]
with client.pipeline() as pipe:
    pipe.watch("q")
    client.set("q", 10)
    pipe.multi()
    pipe.incr("q")
    try:
        pipe.execute()
        raise SystemExit("a watched key had changed, and the transaction ran")
    except redis.WatchError:
        pass
try:
    client.lpush("s", 1)
    raise SystemExit("a string took a list's command")
except redis.ResponseError as error:
    assert "WRONGTYPE" in str(error)

listener = client.pubsub()
listener.subscribe("talk")
assert listener.get_message(timeout=2)["type"] == "subscribe"
assert client.publish("talk", "hello") == 1
assert listener.get_message(timeout=2)["data"] == "hello"
listener.close()

waiter = threading.Timer(0.05, lambda: redis.Redis(port=int(sys.argv[1])).rpush("later", "now"))
waiter.start()
assert list(client.brpop("later", timeout=5)) == ["later", "now"]
waiter.join()

assert client.info()["redis_version"] and client.config_get("maxmemory") and client.client_list()
assert set(client.scan_iter(count=3)) == set(client.keys())
assert client.object("encoding", "l") == "listpack" and client.type("z") == "zset"
assert client.dbsize() > 0 and client.flushall() and client.dbsize() == 0
