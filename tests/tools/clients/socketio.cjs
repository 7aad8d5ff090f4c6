// Two socket.io servers that share rooms through the Redis adapter: `socketio.cjs PORT`, run by `interop`.
const assert = require("node:assert");
const http = require("node:http");
const { Server } = require("socket.io");
const { createAdapter } = require("@socket.io/redis-adapter");
const { io } = require("socket.io-client");
const Redis = require("ioredis");

const redis = [];
const connect = () => { redis.push(new Redis({ port: Number(process.argv[2]) })); return redis.at(-1); };

async function node() {
  const web = http.createServer();
  const server = new Server(web, { adapter: createAdapter(connect(), connect()) });
  server.on("connection", (socket) => { socket.join("room"); socket.on("say", (text) => server.to("room").emit("said", text)); });
  await new Promise((resolve) => web.listen(0, "127.0.0.1", resolve));
  return { server, web, url: `http://127.0.0.1:${web.address().port}` };
}

async function play() {
  const nodes = [await node(), await node()];
  const clients = nodes.map(({ url }) => io(url));
  await Promise.all(clients.map((client) => new Promise((resolve) => client.on("connect", resolve))));
  while ((await nodes[0].server.in("room").fetchSockets()).length < 2) { /* the other node's answer counts as well */ }
  const heard = new Promise((resolve) => clients[1].on("said", resolve));
  clients[0].emit("say", "ochre");
  assert.equal(await heard, "ochre");
  assert.equal((await nodes[1].server.fetchSockets()).length, 2);
  clients.forEach((client) => client.disconnect());
  for (const { server } of nodes) await server.close();
  redis.forEach((client) => client.disconnect());
}

play().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
