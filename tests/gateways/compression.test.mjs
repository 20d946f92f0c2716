// permessage-deflate on the gateways, with stock clients: who agreed gets compressed messages, everybody gets the same.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { FlowClient } from '../lib/flow.mjs';
import { request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { RawSocket } from '../lib/raw.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const MEMBERS = 20;
const OFFER = { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } };
const data = { text: 'data that compresses well, ü and € too; '.repeat(500), n: 1 };

/** The metrics whose names have these words. */
async function figures(server, name) {
  const { text } = await request(`${server.operators.http}/metrics`);
  const lines = text.split('\n').filter((line) => line.startsWith(`tidings_${name}`));
  return Object.fromEntries(lines.map((line) => [line.slice('tidings_'.length, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]));
}

describe('compression', () => {
  let server;
  before(async () => { server = await Server.start(); });
  after(() => server?.stop());
  afterEach(() => Inbox.endAll());

  it('an event is compressed once for all members who agreed, and plain for the others', async () => {
    const url = `${server.tasks.ws}/ws?user_id=many`;
    const members = [];
    for (let n = 0; n < MEMBERS; n += 1) members.push(await Inbox.open(url, { perMessageDeflate: n % 2 === 0 }));
    for (const [n, member] of members.entries()) {
      assert.equal(member.socket.extensions, n % 2 === 0 ? 'permessage-deflate' : '');
      await member.drain();
    }
    const before = await figures(server, 'deflated');
    const sent = (await figures(server, 'bytes_sent')).bytes_sent_total;
    await server.publish({ room: 'user:many', kind: 'news', data });
    for (const member of members) assert.deepEqual((await member.find(({ type }) => type === 'news')).event, data);
    const plain = JSON.stringify(data).length;
    await until(async () => (await figures(server, 'bytes_sent')).bytes_sent_total - sent > MEMBERS / 2 * plain, 5_000, 'the bytes sent');
    const now = await figures(server, 'deflated');
    assert.equal(now.deflated_messages_total - before.deflated_messages_total, 1);
    const grown = (form) => now[`deflated_bytes_total{form="${form}"}`] - before[`deflated_bytes_total{form="${form}"}`];
    assert.ok(grown('plain') > plain && grown('deflated') * 20 < grown('plain'), JSON.stringify(now));
    const bytes = (await figures(server, 'bytes_sent')).bytes_sent_total - sent;
    assert.ok(bytes < MEMBERS * 0.6 * plain, `${bytes} bytes for ${MEMBERS} members, half of them compressed`);
  });

  it('compressed messages of clients are counted', async () => {
    const client = await Inbox.open(`${server.tasks.ws}/ws?user_id=talker`, { perMessageDeflate: { threshold: 0 } });
    const before = (await figures(server, 'inflated')).inflated_messages_total;
    await client.drain();
    await client.drain();
    assert.equal((await figures(server, 'inflated')).inflated_messages_total - before, 2);
  });

  it('workflows', async () => {
    const client = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${server.token('user-deflate')}`, { perMessageDeflate: true });
    assert.equal(client.socket.extensions, 'permessage-deflate');
    await client.drain();
    await server.publish({ room: 'user:user-deflate', kind: 'news', data });
    assert.deepEqual((await client.find(({ type }) => type === 'news')).data, data);
  });

  for (const transports of [['websocket'], ['polling', 'websocket'], ['polling']]) {
    it(`socket.io-client over ${transports.join(', then ')}`, async () => {
      const before = (await figures(server, 'deflated')).deflated_messages_total;
      const client = await FlowClient.open(server, { key: DEMO_KEYS.demo1, transports, perMessageDeflate: { threshold: 0 } });
      try {
        const { engine } = client.socket.io;
        if (transports.includes('websocket')) {
          await until(() => engine.transport.name === 'websocket' && !engine.upgrading, 5_000, 'the WebSocket');
          assert.equal(engine.transport.ws.extensions, 'permessage-deflate');
        }
        assert.equal((await client.command('get_metrics')).response.success, true);
        await server.publish({ room: 'tenant:demo1', kind: 'news', data });
        assert.deepEqual(await client.next('news'), data);
        const compressed = (await figures(server, 'deflated')).deflated_messages_total - before;
        assert.equal(compressed, transports.includes('websocket') ? 1 : 0);
      } finally {
        client.close();
      }
    });
  }

  it('a bomb is refused at the limit, and the others go on', async () => {
    const { deflate } = await import('../lib/deflate.mjs');
    const socket = await RawSocket.open(Number(server.tasks.address.split(':')[1]), { path: '/ws?user_id=bomber', ...OFFER });
    socket.send(1, deflate(Buffer.alloc(200 * 1024 * 1024, ' ')), { rsv: 4 });
    assert.equal((await socket.closed()).code, 1009);
    socket.destroy();
    await (await Inbox.open(`${server.tasks.ws}/ws?user_id=other`)).drain();
  });
});

it('compression.enabled = false: offers are declined', async () => {
  const server = await Server.start({ env: { TIDINGS__COMPRESSION__ENABLED: 'false' } });
  try {
    const client = await Inbox.open(`${server.tasks.ws}/ws?user_id=u`, { perMessageDeflate: true });
    assert.equal(client.socket.extensions, '');
    await client.drain();
    await server.publish({ room: 'user:u', kind: 'news', data });
    assert.deepEqual((await client.find(({ type }) => type === 'news')).event, data);
    assert.equal((await figures(server, 'deflated')).deflated_messages_total, 0);
    await client.close();
  } finally {
    await server.stop();
  }
});
