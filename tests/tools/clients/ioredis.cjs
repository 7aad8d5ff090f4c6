// The ordinary calls of ioredis against a server: `ioredis.cjs PORT`, run by `interop`.
const assert = require("node:assert");
const Redis = require("ioredis");

async function play() {
  const port = Number(process.argv[2]);
  const client = new Redis({ port });
  assert.equal(await client.set("s", "v", "EX", 100, "NX"), "OK");
  assert.equal(await client.set("s", "w", "NX"), null);
  assert.equal(await client.get("s"), "v");
  assert.equal(await client.incrby("n", 5), 5);
  assert.deepEqual(await client.mget("s", "none"), ["v", null]);
  assert.equal(await client.hset("h", { x: 1, y: 2 }), 2);
  assert.deepEqual(await client.hgetall("h"), { x: "1", y: "2" });
  assert.equal(await client.zadd("z", 1, "a", 2, "b"), 2);
  assert.deepEqual(await client.zrange("z", 0, -1, "WITHSCORES"), ["a", "1", "b", "2"]);
  assert.deepEqual(await client.getBuffer("s"), Buffer.from("v"));

  assert.deepEqual(await client.pipeline().set("q", 1).incr("q").get("q").exec(), [[null, "OK"], [null, 2], [null, "2"]]);
  assert.deepEqual(await client.multi().incr("q").lpush("s", "x").exec().then((all) => [all[0], /WRONGTYPE/.test(all[1][0])]), [[null, 3], true]);
  await assert.rejects(client.lpush("s", "x"), /WRONGTYPE/);

  const listener = new Redis({ port });
  const heard = new Promise((resolve) => listener.on("pmessage", (pattern, channel, text) => resolve([pattern, channel, text])));
  await listener.psubscribe("news.*");
  assert.equal(await client.publish("news.today", "ochre"), 1);
  assert.deepEqual(await heard, ["news.*", "news.today", "ochre"]);

  const waiter = new Redis({ port });
  const popped = waiter.brpop("later", 10);
  await client.lpush("later", "now");
  assert.deepEqual(await popped, ["later", "now"]);

  const id = await client.xadd("x", "*", "k", "v");
  assert.deepEqual(await client.xread("COUNT", 1, "STREAMS", "x", 0), [["x", [[id, ["k", "v"]]]]]);
  const found = [];
  for await (const keys of client.scanStream({ count: 3 })) found.push(...keys);
  assert.deepEqual([...new Set(found)].sort(), (await client.keys("*")).sort());

  // a connection that is killed comes back by itself
  const own = await waiter.client("ID");
  await client.client("KILL", "ID", own);
  assert.equal(await waiter.ping(), "PONG");
  for (const each of [client, listener, waiter]) each.disconnect();
}

play().catch((error) => { console.error(error); process.exit(1); });
