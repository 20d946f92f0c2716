// The board: finds the token and the gateways, and starts the three parts, which do not know each other.

import { Leads } from './leads.js';
import { leadPrintedAddressTo, Runs } from './runs.js';
import { Tasks } from './tasks.js';
import { subjectOf, takeToken } from './token.js';

/** The key of a tenant that every development server has, and everybody knows. */
const TENANT_KEY = 'demo-tenant-key-1';
const STATES = { connecting: 'connecting', open: 'live', waiting: 'reconnecting', refused: 'refused', off: 'off' };

const RETRY_MS = 2_000;

// Another link was opened in this tab.
addEventListener('hashchange', () => {
  takeToken();
  location.reload();
});
const token = takeToken();
if (token === null) document.getElementById('no-token').hidden = false;
else await start(token);

async function start(token) {
  const user = subjectOf(token);
  document.getElementById('user').textContent = user;
  document.getElementById('board').hidden = false;

  leadPrintedAddressTo(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/ws`);
  new Runs(token, stateOf('runs')).connect();

  const addresses = await gatewayAddresses();
  const part = (name, endpoint, make) => {
    const onState = stateOf(name);
    if (endpoint) make(`${endpoint.secure ? 'wss' : 'ws'}://${location.hostname}:${endpoint.port}`, onState).open();
    else onState('off');
  };
  part('tasks', addresses.tasks, (url, onState) => new Tasks({ url, user, token, onState }));
  part('leads', addresses.flow, (url, onState) => new Leads({ url, tenantKey: TENANT_KEY, onState }));
}

/** Which ports the other gateways have. The server may have gone since it gave this page. */
async function gatewayAddresses() {
  for (;;) {
    const answer = await fetch('addresses.json').catch(() => null);
    if (answer?.ok) return answer.json();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Shows how the connection of one part stands. */
function stateOf(part) {
  const section = document.getElementById(part);
  const element = section.querySelector('.connection');
  return (state, reason) => {
    section.dataset.state = state;
    element.textContent = STATES[state];
    if (state !== 'refused') return;
    const refusal = document.getElementById('refusal');
    refusal.hidden = false;
    refusal.textContent = `The server refuses the ${part}: ${reason}. If it is for the token, a new link helps: run \`tidings demo\` again.`;
  };
}
