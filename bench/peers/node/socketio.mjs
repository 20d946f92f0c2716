// Socket.IO: every socket of the root namespace is in one room; POST /publish emits its body to all of them.
// With JWT_SECRET, a middleware verifies the token of the CONNECT packet and joins the user's room.
import { createServer } from 'node:http';
import jwt from 'jsonwebtoken';
import { Server } from 'socket.io';
import { readBody } from './body.mjs';

const server = createServer(async (request, response) => {
  io.emit('task_update', JSON.parse(await readBody(request)));
  response.writeHead(200, { 'content-length': 0 }).end();
});
const transports = (process.env.TRANSPORTS ?? 'websocket').split(',');
const io = new Server(server, { transports, serveClient: false });
// "Discard the initial HTTP request", from the guide to performance: it saves memory.
io.engine.on('connection', (socket) => {
  socket.request = null;
});
const secret = process.env.JWT_SECRET;
if (secret) {
  io.use((socket, next) => {
    try {
      const { sub } = jwt.verify(socket.handshake.auth.token, secret, { algorithms: ['HS256'] });
      socket.join(`user:${sub}`);
      next();
    } catch (error) {
      next(error);
    }
  });
}
server.listen(Number(process.env.PORT), '127.0.0.1');
