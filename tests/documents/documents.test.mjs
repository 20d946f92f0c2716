// The examples of the three documents, extracted from the copies in seeds/ and run against a server on the
// ports the documents name. Blocks that cannot run as printed are listed with the reason in README.md.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { Inbox } from '../lib/inbox.mjs';
import { Seed } from '../lib/seed.mjs';
import { Server } from '../lib/server.mjs';
import { flowDocument } from './flow.mjs';
import { tasksDocument } from './tasks.mjs';
import { workflowsDocument } from './workflows.mjs';

const place = { server: null };
before(async () => { place.server = await Server.start({ defaultPorts: true }); });
after(async () => { await place.server?.stop(); });
afterEach(() => Inbox.endAll());

const seeds = ['flow-api.md', 'task-updates.md', 'workflow-updates.md'].map((name) => new Seed(name));
const [flow, tasks, workflows] = seeds;
flowDocument(flow, place);
tasksDocument(tasks, place);
workflowsDocument(workflows, place);

describe('every block', () => {
  const listed = listedBlocks(readFileSync(new URL('README.md', import.meta.url), 'utf8'));
  for (const seed of seeds) {
    it(`of ${seed.name} is run or listed with a reason`, () => {
      assert.deepEqual(seed.unused.sort(), (listed.get(seed.name) ?? []).sort());
    });
  }
});

/** The rows `| document | block | reason |` of the page. */
function listedBlocks(page) {
  const listed = new Map();
  for (const [, document, block] of page.matchAll(/^\| `([\w-]+\.md)` \| `(.+?)` \| .+ \|$/gm)) {
    listed.set(document, [...(listed.get(document) ?? []), block]);
  }
  return listed;
}
