// A process of the application's backend: node reporter.mjs URL PLAN ANSWERS, with the service token in TOKEN. It sends
// the reports of one file, some at a time, and writes what they were answered into another, in the order of the reports.
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';

const IN_FLIGHT = 6;
const TIMEOUT_MS = 30_000;

const [base, planFile, answersFile] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8'));
const answers = [];
const agent = new http.Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
const headers = { authorization: `Bearer ${process.env.TOKEN}`, 'content-type': 'application/json' };

let next = 0;
await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
  while (next < plan.length) {
    const n = next++;
    answers[n] = await post(plan[n]);
  }
}));
agent.destroy();
writeFileSync(answersFile, JSON.stringify(answers));

function post({ execution, node, body }) {
  const url = `${base}/api/v1/executions/${execution}${node ? `/nodes/${node}` : ''}/status`;
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent, headers, timeout: TIMEOUT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (data) => { text += data; });
      response.on('end', () => resolve({ status: response.statusCode, json: JSON.parse(text) }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer from ${url}`)));
    request.on('error', reject);
    request.end(JSON.stringify(body));
  });
}
