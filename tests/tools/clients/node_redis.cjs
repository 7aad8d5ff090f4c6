// The ordinary calls of node-redis against a server: `node_redis.cjs PORT`, run by `interop`.
const assert = require("node:assert");
const { createClient } = require("redis");

async function play() {
  const client = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
  client.on("error", (error) => { throw error; });
  await client.connect();
  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.set("s", "v", { EX: 100 }), "OK");
  assert.equal(await client.get("s"), "v");
  assert.equal(await client.rPush("l", ["a", "b"]), 2);
  assert.deepEqual(await client.lRange("l", 0, -1), ["a", "b"]);
  assert.equal(await client.hSet("h", { x: "1", y: "2" }), 2);
  assert.deepEqual({ ...(await client.hGetAll("h")) }, { x: "1", y: "2" });
  assert.equal(await client.zAdd("z", [{ score: 1, value: "a" }, { score: 2, value: "b" }]), 2);
  assert.deepEqual(await client.zRangeWithScores("z", 0, -1), [{ score: 1, value: "a" }, { score: 2, value: "b" }]);
  const id = await client.xAdd("x", "*", { k: "v" });
  assert.equal((await client.xRange("x", "-", "+"))[0].id, id);
  assert.deepEqual(await client.multi().set("q", "1").incr("q").exec(), ["OK", 2]);

  const listener = client.duplicate();
  await listener.connect();
  const heard = new Promise((resolve) => listener.subscribe("talk", resolve));
  while ((await client.publish("talk", "hello")) === 0) { /* the subscription is on its way */ }
  assert.equal(await heard, "hello");

  const waiter = client.duplicate();
  await waiter.connect();
  const popped = waiter.blPop("later", 5);
  await client.rPush("later", "now");
  assert.deepEqual({ ...(await popped) }, { key: "later", element: "now" });
  await assert.rejects(client.lPush("s", "x"), /WRONGTYPE/);
  for (const each of [client, listener, waiter]) each.destroy ? each.destroy() : await each.disconnect();
}

play().catch((error) => { console.error(error); process.exit(1); });
