// send-json.mjs ADDRESS PORT: sends the datagrams of the JSON lines on stdin with node:dgram, as fast as the kernel takes them.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';

/** How many sends are under way at a time. */
const BURST = 64;

const [address, port] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', sendBufferSize: 4 << 20 });
socket.connect(Number(port), address);
await once(socket, 'connect');
const beginMs = performance.now();
let sent = 0;
let underWay = [];
for await (const line of createInterface({ input: process.stdin })) {
  const { type, data, base64 } = JSON.parse(line);
  if (type !== 'datagram') continue;
  const payload = data === undefined ? Buffer.from(base64, 'base64') : Buffer.from(data);
  underWay.push(new Promise((resolve, reject) => socket.send(payload, (error) => (error ? reject(error) : resolve()))));
  sent += 1;
  if (underWay.length < BURST) continue;
  await Promise.all(underWay);
  underWay = [];
}
await Promise.all(underWay);
socket.close();
console.log(JSON.stringify({ sent, seconds: (performance.now() - beginMs) / 1000 }));
