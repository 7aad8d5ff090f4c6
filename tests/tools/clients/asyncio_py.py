"""The ordinary calls of redis-py's asyncio client: `asyncio_py.py PORT PROTOCOL`, run by `interop`."""
import asyncio
import sys

import redis.asyncio as redis


async def play():
    client = redis.Redis(port=int(sys.argv[1]), protocol=int(sys.argv[2]), decode_responses=True)
    assert await client.ping()
    assert await client.set("s", "v", ex=100) and await client.get("s") == "v"
    assert await client.hset("h", mapping={"x": 1}) == 1 and await client.hgetall("h") == {"x": "1"}
    async with client.pipeline(transaction=True) as pipe:
        assert await pipe.incr("n").incr("n").execute() == [1, 2]
    numbers = await asyncio.gather(*(client.incr("many") for _ in range(50)))
    assert sorted(numbers) == list(range(1, 51))

    # one waits, another pushes
    waits = asyncio.create_task(client.blpop(["later"], timeout=10))
    await asyncio.sleep(0)
    await client.rpush("later", "now")
    assert list(await waits) == ["later", "now"]

    async with client.pubsub() as listener:
        await listener.psubscribe("news.*")
        assert (await listener.get_message(timeout=5))["type"] == "psubscribe"
        assert await client.publish("news.today", "ochre") == 1
        heard = await listener.get_message(timeout=5)
        assert (heard["type"], heard["channel"], heard["data"]) == ("pmessage", "news.today", "ochre"), heard

    await client.xadd("x", {"k": "v"})
    read = await client.xread({"x": "0"}, block=1000)
    assert "'k': 'v'" in str(read)
    assert [key async for key in client.scan_iter(match="man*")] == ["many"]
    await client.aclose()


asyncio.run(play())
