// echo.mjs ADDRESS: a plain echo server with node:dgram. Runs until it is killed.
import { createSocket } from 'node:dgram';

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
socket.on('message', (data, { address, port }) => socket.send(data, port, address));
socket.bind(0, process.argv[2], () =>
  console.error(`listening on ${socket.address().address}:${socket.address().port}`),
);
