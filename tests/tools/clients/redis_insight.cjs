// What RedisInsight asks a server when a database is added and opened, and what it makes of the replies: `redis_insight.cjs PORT`,
// run by `interop`. The application itself is on no registry; these are its calls, in its order, through the library that it uses.
const assert = require("node:assert");
const Redis = require("ioredis");

const rows = (text, split, separator) => Object.fromEntries(text.split(split).filter((line) => line.includes(separator))
  .map((line) => [line.slice(0, line.indexOf(separator)), line.slice(line.indexOf(separator) + 1)]));

/** INFO as sections of fields: empty lines separate, `# Name` begins. */
function sections(info) {
  return Object.fromEntries(info.split("\r\n\r\n").map((part) => {
    const [head, ...lines] = part.trim().split("\r\n");
    assert.match(head, /^# \w+$/);
    return [head.slice(2).toLowerCase(), rows(lines.join("\n"), "\n", ":")];
  }));
}

async function added(client) {
  // neither a Sentinel nor a cluster: errors, not replies of another shape
  await assert.rejects(client.call("sentinel", "masters"), /^ReplyError: ERR unknown command/);
  await assert.rejects(client.call("cluster", "info"), /cluster support disabled/);
  const modules = await client.call("module", "list");
  assert.ok(Array.isArray(modules));
  // where modules cannot be listed, their commands are looked for: those that do not exist are null
  assert.deepEqual(await client.call("command", "info", "ft.info", "json.get", "ts.info"), [null, null, null]);
  const info = sections(await client.call("info"));
  assert.match(info.server.redis_version, /^\d+\.\d+\.\d+$/);
  assert.equal(info.server.redis_mode, "standalone");
  assert.equal(info.replication.role, "master");
  for (const [section, field] of [["server", "uptime_in_seconds"], ["memory", "used_memory"], ["memory", "number_of_cached_scripts"],
    ["clients", "connected_clients"], ["stats", "keyspace_hits"], ["stats", "keyspace_misses"], ["stats", "instantaneous_ops_per_sec"],
    ["stats", "instantaneous_input_kbps"], ["stats", "instantaneous_output_kbps"], ["cpu", "used_cpu_sys"], ["cpu", "used_cpu_user"]]) {
    assert.ok(Number.isFinite(Number(info[section][field])), `${section} ${field}`);
  }
  assert.deepEqual(await client.call("config", "get", "databases"), ["databases", "16"]);
  const clients = (await client.call("client", "list")).split("\n").filter(Boolean).map((line) => rows(line, " ", "="));
  const own = clients.find((one) => one.name === "redisinsight-common-8f3a");
  assert.ok(own && own.user === "default" && own.db === "0" && Number(own.age) >= 0, "the connection finds itself by its name");
}

async function browsed(client) {
  await client.call("set", "text", "hello");
  await client.call("set", "short", "x", "EX", "1000");
  await client.call("hset", "hash", "field", "value");
  await client.call("rpush", "list", "a", "b");
  await client.call("sadd", "set", "m");
  await client.call("zadd", "zset", "1.5", "m");
  await client.call("xadd", "stream", "1-1", "k", "v");
  await client.call("xgroup", "create", "stream", "readers", "0");
  await client.call("xreadgroup", "group", "readers", "one", "streams", "stream", ">");
  assert.equal(await client.call("dbsize"), 7);
  assert.equal(rows(sections(await client.call("info", "keyspace")).keyspace.db0, ",", "=").keys, "7");

  // the list of keys: a scan, then type, size and deadline of each in one pipeline
  const found = [];
  for (let cursor = "0", first = true; first || cursor !== "0"; first = false) {
    const [next, keys] = await client.call("scan", cursor, "match", "*", "count", "10000");
    found.push(...keys);
    cursor = next;
  }
  assert.equal(found.length, 7);
  const details = await client.pipeline(found.flatMap((key) => [["call", "memory", "usage", key, "samples", "0"], ["call", "ttl", key], ["call", "type", key]])).exec();
  found.forEach((key, index) => {
    const [[, size], [, ttl], [, type]] = details.slice(index * 3, index * 3 + 3);
    assert.ok(size > 0 && size < 8192, `${key} takes ${size}`);
    assert.ok(key === "short" ? ttl > 990 : ttl === -1, `${key} lives ${ttl}`);
    assert.equal(type, { text: "string", short: "string" }[key] ?? key);
  });
  assert.deepEqual(await client.call("scan", "0", "match", "*", "count", "10000", "type", "hash"), ["0", ["hash"]]);

  // what each kind of key shows
  assert.equal(await client.call("strlen", "text"), 5);
  assert.equal(await client.call("getrange", "text", "0", "4"), "hello");
  assert.deepEqual(await client.call("hscan", "hash", "0", "match", "*", "count", "500"), ["0", ["field", "value"]]);
  assert.deepEqual(await client.call("httl", "hash", "fields", "1", "field"), [-1]);
  assert.deepEqual(await client.call("lrange", "list", "0", "499"), ["a", "b"]);
  assert.deepEqual(await client.call("sscan", "set", "0", "match", "*", "count", "500"), ["0", ["m"]]);
  assert.deepEqual(await client.call("zrange", "zset", "0", "499", "withscores"), ["m", "1.5"]);
  const stream = await client.call("xinfo", "stream", "stream");
  assert.equal(stream[stream.indexOf("length") + 1], 1);
  assert.deepEqual(await client.call("xrevrange", "stream", "+", "-", "count", "500"), [["1-1", ["k", "v"]]]);
  const [group] = await client.call("xinfo", "groups", "stream");
  assert.deepEqual([group[group.indexOf("name") + 1], group[group.indexOf("pending") + 1]], ["readers", 1]);
  const [consumer] = await client.call("xinfo", "consumers", "stream", "readers");
  assert.equal(consumer[consumer.indexOf("name") + 1], "one");
  assert.equal((await client.call("xpending", "stream", "readers", "-", "+", "500", "one"))[0][0], "1-1");
  assert.equal(await client.call("object", "encoding", "hash"), "listpack");
}

async function watched(client, port) {
  // the slow log, with its settings
  const settings = await client.call("config", "get", "slowlog*");
  assert.equal(settings[settings.indexOf("slowlog-log-slower-than") + 1], "10000");
  assert.equal(settings[settings.indexOf("slowlog-max-len") + 1], "128");
  await client.call("config", "set", "slowlog-log-slower-than", "0");
  await client.call("get", "text");
  const [entry] = (await client.call("slowlog", "get", "50")).filter((one) => one[3][0] === "get");
  assert.ok(entry.length === 6 && entry[3][1] === "text", "number, time, duration, words, address, name");
  await client.call("config", "set", "slowlog-log-slower-than", "10000");
  assert.equal(await client.call("slowlog", "reset"), "OK");

  // the profiler
  const profiler = await client.monitor();
  const seen = new Promise((resolve) => profiler.on("monitor", (time, words, source, database) => words[0] === "get" && resolve([words, database])));
  await client.call("get", "text");
  assert.deepEqual(await seen, [["get", "text"], "0"]);

  // messages
  const listener = new Redis({ port });
  const heard = new Promise((resolve) => listener.on("pmessage", (...words) => resolve(words)));
  await listener.psubscribe("*");
  assert.equal(await client.publish("channel", "ochre"), 1);
  assert.deepEqual(await heard, ["*", "channel", "ochre"]);
  for (const each of [profiler, listener]) each.disconnect();
}

async function play() {
  const port = Number(process.argv[2]);
  const client = new Redis({ port, connectionName: "redisinsight-common-8f3a", db: 0, maxRetriesPerRequest: 1 });
  await added(client);
  await browsed(client);
  await watched(client, port);
  client.disconnect();
}

play().catch((error) => { console.error(error); process.exit(1); });
