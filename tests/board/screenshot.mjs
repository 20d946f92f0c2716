// Makes docs/board.png: `node tests/board/screenshot.mjs [FILE] [light|dark]`. The story is always the same, but for ids.
import { Browser } from '../lib/browser.mjs';
import { Demo } from '../lib/demo.mjs';
import { ROOT } from '../lib/process.mjs';
import { Server } from '../lib/server.mjs';
import { openBoard, shows } from './view.mjs';

const WAIT_MS = 120_000;
const [file = `${ROOT}docs/board.png`, colorScheme = 'light'] = process.argv.slice(2);

const server = await Server.start();
const browser = await Browser.start();
try {
  const demo = await Demo.start(server, ['--pace', '400ms', '--seed', '11']);
  const page = await openBoard(browser, demo.link);
  await page.page.emulateMedia({ colorScheme });
  // In the middle of the third run.
  const isHalfDone = ({ runs, execution, nodes }) => runs.length === 3 && parseInt(execution.progress) >= 50 && nodes.some(([, , status]) => status === 'running');
  await shows(page, isHalfDone, WAIT_MS, 'the third run, half done');
  await page.page.screenshot({ path: file, animations: 'disabled' });
  await demo.stop();
} finally {
  await browser.close();
  await server.stop();
}
