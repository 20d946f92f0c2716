// ws: every WebSocket is in one room; POST /publish sends its body to all of them.
// With JWT_SECRET, the token in the query is verified, and the user welcomed.
// With TLS, a folder, it listens with the key and the certificate in there.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import jwt from 'jsonwebtoken';
import { WebSocketServer } from 'ws';
import { readBody } from './body.mjs';

const publish = async (request, response) => {
  // Encoded once: a string would be encoded anew for each client.
  const text = Buffer.from(await readBody(request));
  for (const client of sockets.clients) client.send(text, { binary: false });
  response.writeHead(200, { 'content-length': 0 }).end();
};
const tls = process.env.TLS;
const server = tls
  ? createSecureServer({ key: readFileSync(`${tls}/key.pem`), cert: readFileSync(`${tls}/certificate.pem`) }, publish)
  : createServer(publish);
const sockets = new WebSocketServer({ server });
const secret = process.env.JWT_SECRET;
if (secret) {
  sockets.on('connection', (socket, request) => {
    try {
      const token = new URL(request.url, 'http://localhost').searchParams.get('token');
      const { sub } = jwt.verify(token, secret, { algorithms: ['HS256'] });
      socket.send(JSON.stringify({ type: 'connected', user_id: sub }));
    } catch {
      socket.close(4401, 'invalid_token');
    }
  });
}
server.listen(Number(process.env.PORT), '127.0.0.1');
