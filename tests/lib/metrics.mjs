import assert from 'node:assert/strict';
import { request } from './http.mjs';
import { until } from './wait.mjs';

/** The value of one series of the server's metrics, `name` or `name{label="value"}`. */
export async function metric(server, series) {
  const { text } = await request(`${server.operators.http}/metrics`);
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  if (!line) throw new Error(`no ${series} among the metrics`);
  return Number(line.slice(series.length + 1));
}

/** How often a limit was reached, by its key in `[limits]`. */
export const reached = (server, key) => metric(server, `tidings_limits_reached_total{limit="${key}"}`);

/** How many handshakes were refused for this reason. */
export const refused = (server, reason) => metric(server, `tidings_handshakes_refused_total{reason="${reason}"}`);

/** Exactly so many connections were closed with this code. They are counted when the hub lets go, behind the close frame. */
export async function assertClosed(server, code, count) {
  assert.equal(await until(async () => {
    const found = await closed(server, code);
    return found >= count && found;
  }, 5_000, `${count} connections closed with ${code}`), count);
}

/** How many connections the server has closed with this code. */
export const closed = (server, code) => metric(server, `tidings_connections_closed_total{code="${code}"}`);
