import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import os from 'node:os';
import path from 'node:path';
import { Child } from './process.mjs';
import { within } from './wait.mjs';

const MARK = '--- answer ';
const BIN = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));

/**
 * Runs a block with bash and the real curl. The block is not touched: a curl configuration file makes
 * curl print each status after its body and stop after ten seconds. Returns one `{status, body}` per curl.
 */
export async function curls(block) {
  const home = mkdtempSync(path.join(os.tmpdir(), 'tidings-curl-'));
  try {
    writeFileSync(path.join(home, '.curlrc'), `silent\nshow-error\nmax-time = 10\nwrite-out = "\\n${MARK}%{http_code}\\n"\n`);
    const shell = new Child('bash', ['-c', block], { env: { CURL_HOME: home, HOME: home } });
    await within(shell.exited, 40_000, 'the end of the block');
    return [...shell.log.matchAll(new RegExp(`([\\s\\S]*?)\\n${MARK}(\\d+)\\n`, 'g'))]
      .map(([, body, status]) => ({ status: Number(status), body, json: () => JSON.parse(body) }));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Starts a block with bash that goes on until it is stopped; the commands of the npm packages are on its path. */
export function start(block) {
  return new Child('bash', ['-c', `exec ${block}`], { stdin: 'pipe', env: { PATH: `${BIN}:${process.env.PATH}` } });
}
