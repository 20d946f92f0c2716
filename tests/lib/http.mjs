import assert from 'node:assert/strict';

/** One HTTP request, its body read: `{status, headers, text, json}`. */
export async function request(url, { method = 'GET', token, key, headers = {}, body, signal = AbortSignal.timeout(15_000) } = {}) {
  const all = { ...headers };
  if (token) all.authorization = `Bearer ${token}`;
  if (key) all['x-tenant-key'] = key;
  const encoded = body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  if (encoded !== undefined && !Object.keys(all).some((name) => name.toLowerCase() === 'content-type')) all['content-type'] = 'application/json';
  const response = await fetch(url, { method, headers: all, body: encoded, signal });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parsed(text) };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An RFC 9457 answer: its status, its media type, the required members, and its code when one is given. */
export function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(answer.json.status, status);
  for (const member of ['type', 'title', 'code']) assert.equal(typeof answer.json[member], 'string', `${member} in ${answer.text}`);
  assert.match(answer.json.code, /^[a-z0-9_]+$/);
  if (code) assert.equal(answer.json.code, code);
}
