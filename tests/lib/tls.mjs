import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { run } from './process.mjs';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** A certificate authority of one's own, and the one file with a server's certificate and key that it has issued. */
export class Authority {
  #directory = mkdtempSync(path.join(os.tmpdir(), 'tidings-tls-'));

  constructor() {
    run('openssl', ['req', '-x509', ...NEW_KEY, '-keyout', this.#at('ca.key'), '-out', this.caFile, '-subj', '/CN=tests', '-days', '2']);
    run('openssl', ['req', '-new', ...NEW_KEY, '-keyout', this.#at('server.key'), '-out', this.#at('server.csr'), '-subj', '/CN=localhost']);
    writeFileSync(this.#at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n');
    this.ca = readFileSync(this.caFile, 'utf8');
    this.install(this.issue(1));
  }

  get caFile() { return this.#at('ca.pem'); }
  /** Certificate and key, for `tls.certificate` and `tls.key` alike. */
  get file() { return this.#at('pair.pem'); }

  /** A certificate with this serial number, and its key. */
  issue(serial) {
    const certificate = run('openssl', ['x509', '-req', '-in', this.#at('server.csr'), '-CA', this.caFile, '-CAkey', this.#at('ca.key'),
      '-set_serial', String(serial), '-days', '2', '-extfile', this.#at('names')]);
    return certificate + readFileSync(this.#at('server.key'), 'utf8');
  }

  /** Puts it in the place of the one that is there, in one step. */
  install(pair) {
    writeFileSync(this.#at('new'), pair);
    renameSync(this.#at('new'), this.file);
  }

  remove() {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #at(name) { return path.join(this.#directory, name); }
}

/** One HTTPS request on a connection of its own: `{status, headers, text}`. */
export function secureRequest(url, { ca }, { method = 'GET', headers = {}, body, agent = false } = {}) {
  return new Promise((resolve, reject) => {
    const request = https.request(url, { method, headers, ca, agent, timeout: 15_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (data) => { text += data; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer from ${url}`)));
    request.on('error', reject);
    request.end(body);
  });
}

/** The serial number of the certificate that a new connection is shown. */
export function serialAt(address, { ca }) {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port: Number(port), ca }, () => {
      resolve(Number.parseInt(socket.getPeerCertificate().serialNumber, 16));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
