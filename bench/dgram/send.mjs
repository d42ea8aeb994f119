// send.mjs ADDRESS PORT SIZE SECONDS: a plain sender with node:dgram. Sends as fast as the kernel takes datagrams.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';

/** How many sends are under way at a time. */
const BURST = 64;

const [address, port, size, seconds] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', sendBufferSize: 4 << 20 });
socket.connect(Number(port), address);
await once(socket, 'connect');
const payload = Buffer.alloc(Number(size));
const beginMs = performance.now();
const endMs = beginMs + Number(seconds) * 1000;
let sent = 0;

function send() {
  socket.send(payload, (error) => {
    if (error) throw error;
    sent += 1;
    if (performance.now() < endMs) send();
    else if ((underWay -= 1) === 0) finish();
  });
}

function finish() {
  socket.close();
  console.log(JSON.stringify({ sent, seconds: (performance.now() - beginMs) / 1000 }));
}

let underWay = BURST;
for (let nth = 0; nth < BURST; nth++) send();
