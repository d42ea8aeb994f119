// receive.mjs ADDRESS: a plain receiver with node:dgram. Writes on SIGTERM how many datagrams came.
import { createSocket } from 'node:dgram';

let received = 0;
const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
socket.on('message', () => (received += 1));
socket.bind(0, process.argv[2], () =>
  console.error(`listening on ${socket.address().address}:${socket.address().port}`),
);
process.once('SIGTERM', () => {
  socket.close();
  console.log(JSON.stringify({ received }));
});
