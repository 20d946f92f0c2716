// The npm `socket.io` server with the behaviour of the example `socketio_echo`. Ends with its parent.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const millis = (name, fallback) => Number(process.env[name] ?? fallback);
const http = createServer();
const io = new Server(http, {
  pingInterval: millis('PING_INTERVAL_MS', 300),
  pingTimeout: millis('PING_TIMEOUT_MS', 200),
  connectTimeout: millis('CONNECT_TIMEOUT_MS', 1_000),
  maxHttpBufferSize: 1_000_000,
  cors: { origin: '*' },
});

const welcome = (socket) => socket.emit('auth', socket.handshake.auth);
io.of('/custom').on('connection', welcome);
io.on('connection', (socket) => {
  welcome(socket);
  const plain = (args) => args.filter((arg) => typeof arg !== 'function');
  socket.on('message', (...args) => socket.emit('message-back', ...plain(args)));
  socket.on('message-with-ack', (...args) => {
    const acknowledge = args.at(-1);
    if (typeof acknowledge === 'function') acknowledge(...plain(args));
  });
});

http.keepAliveTimeout = 60_000;
http.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
