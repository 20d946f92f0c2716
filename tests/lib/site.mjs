import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.ico': 'image/x-icon' };

/** Texts for a browser, by their paths, as a front end's own server has them. */
export class Site {
  #texts = new Map();

  static async start(host = '127.0.0.1') {
    const site = new Site();
    site.server = http.createServer(({ url }, answer) => {
      const { pathname } = new URL(url, 'http://site');
      const text = site.#texts.get(pathname);
      if (text === undefined) answer.writeHead(404).end();
      else answer.writeHead(200, { 'content-type': TYPES[path.extname(pathname)] }).end(text);
    });
    await new Promise((resolve) => { site.server.listen(0, host, resolve); });
    site.origin = `http://${host}:${site.server.address().port}`;
    // Browsers ask for it by themselves.
    site.put('/favicon.ico', '');
    return site;
  }

  /** Its URL. */
  put(pathname, text) {
    this.#texts.set(pathname, text);
    return `${this.origin}${pathname}`;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => { this.server.close(resolve); });
  }
}

/** A script that makes `require` give a page these npm packages, with all that they require. */
export function bundle(names) {
  const modules = new Map();
  const resolved = (names, file) => Object.fromEntries(names.map((name) => [name, createRequire(file).resolve(name)]));
  const add = (file) => {
    if (modules.has(file)) return;
    const text = readFileSync(file, 'utf8');
    const required = resolved([...text.matchAll(/\brequire\(["']([^"']+)["']\)/g)].map(([, name]) => name), file);
    modules.set(file, `[${JSON.stringify(required)}, (module, exports, require, process) => {${text}\n}]`);
    Object.values(required).forEach(add);
  };
  const roots = resolved(names, import.meta.url);
  Object.values(roots).forEach(add);
  return `
    const require = (() => {
      const modules = {${[...modules].map(([file, module]) => `${JSON.stringify(file)}: ${module}`).join(',\n')}};
      const made = {};
      const from = (files) => (name) => {
        const file = files[name];
        if (!file) throw new Error(name + ' is not in the bundle');
        if (!made[file]) {
          const [required, run] = modules[file];
          made[file] = { exports: {} };
          run(made[file], made[file].exports, from(required), { env: { NODE_ENV: 'development' } });
        }
        return made[file].exports;
      };
      return from(${JSON.stringify(roots)});
    })();`;
}
