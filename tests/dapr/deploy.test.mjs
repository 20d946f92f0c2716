// What the Helm chart renders: against the schemas of Kubernetes, and its variables and probes on the built server. And the
// compose file, read by the library of compose itself. Both are Go programs, which `scripts/dapr build` makes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { envelope } from '../lib/cloudevent.mjs';
import { goProgram } from '../lib/daprd.mjs';
import { request } from '../lib/http.mjs';
import { BINARY, Child, ROOT, run } from '../lib/process.mjs';
import { codeBlocks } from '../lib/seed.mjs';
import { until } from '../lib/wait.mjs';

const CHART = path.join(ROOT, 'charts/tidings');
const PYTHON = path.join(ROOT, 'tests/.venv/bin');
const KUBERNETES_VERSIONS = ['1.30.0', '1.33.0', '1.37.0'];
const SECRET = 'a93c1f0be27d48f5a93c1f0be27d48f5a93c1f0be27d48f5';
const DAPR_TOKEN = '7c0be27d48f5a93c1f0be27d48f5a93c1f0be27d48f5a931';

const PRODUCTION = {
  auth: { jwt: { secret: { name: 'tidings-jwt' } } },
  origins: { allowed: ['https://app.example.com', 'https://admin.example.com'] },
};
const EVERYTHING = {
  fullnameOverride: 'websocket-service',
  image: { repository: 'registry.example.com/websocket-service', digest: `sha256:${'0'.repeat(64)}` },
  imagePullSecrets: [{ name: 'registry' }],
  gateways: { flow: { enabled: true }, workflows: { enabled: true } },
  bindAddress: '127.0.0.1',
  dapr: { appTokenSecret: 'tidings-dapr', config: 'tracing', deadLetterTopic: 'task-updates-dead', bulkSubscribe: true, annotations: { 'dapr.io/sidecar-memory-limit': '256Mi' } },
  auth: { jwt: { secret: { name: 'tidings-jwt', key: 'hs256' }, issuer: 'https://id.example.com', audience: 'tasks' } },
  origins: PRODUCTION.origins,
  config: '[limits]\nconnections_per_user_max = 20\n',
  extraEnv: [{ name: 'TIDINGS__LOG__FORMAT', value: 'json' }],
  ingress: { enabled: true, className: 'nginx', host: 'events.example.com', tlsSecretName: 'events', annotations: { 'nginx.ingress.kubernetes.io/proxy-read-timeout': '75' } },
  networkPolicy: { enabled: true, operatorsFrom: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }] },
  persistence: { storageClassName: 'fast' },
  podDisruptionBudget: { maxUnavailable: '50%' },
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' }],
  tolerations: [{ key: 'events', operator: 'Exists' }],
};

let directory;
before(() => { directory = mkdtempSync(path.join(os.tmpdir(), 'tidings-chart-')); });
after(() => rmSync(directory, { recursive: true, force: true }));

function helm(values, ...more) {
  const file = path.join(directory, 'values.json');
  writeFileSync(file, JSON.stringify(values));
  const { status, stdout, stderr } = spawnSync(goProgram('helm'), ['template', 'release', CHART, '--kube-version', '1.34.0', '--values', file, ...more], { encoding: 'utf8', env: { ...process.env, HELM_CACHE_HOME: directory, HELM_CONFIG_HOME: directory, HELM_DATA_HOME: directory } });
  return { status, stdout, stderr };
}

function render(values) {
  const { status, stdout, stderr } = helm(values);
  assert.equal(status, 0, stderr);
  return stdout;
}

const parsed = (yaml) => JSON.parse(run(path.join(PYTHON, 'python'), ['-c', 'import json, sys, yaml; print(json.dumps([d for d in yaml.safe_load_all(sys.stdin) if d]))'], { input: yaml }));
const ofKind = (resources, kind) => resources.find((resource) => resource.kind === kind);
const containerOf = (resources) => ofKind(resources, 'Deployment').spec.template.spec.containers[0];

/** The container's variables, with the mounted files in a folder of their own. */
function variablesOf(resources, files) {
  const places = new Map();
  for (const [inside, text] of Object.entries(files)) {
    const outside = path.join(directory, 'mounts', inside);
    mkdirSync(path.dirname(outside), { recursive: true });
    writeFileSync(outside, text);
    places.set(inside, outside);
  }
  return Object.fromEntries(containerOf(resources).env.map(({ name, value }) => [name, places.get(value) ?? value]));
}

describe('the chart', () => {
  for (const [name, values] of Object.entries({ 'in development mode': { mode: 'development' }, 'with what it needs': PRODUCTION, 'with everything': EVERYTHING, 'without a sidecar': { ...PRODUCTION, dapr: { enabled: false } } })) {
    it(`${name}: Kubernetes takes what it renders`, () => {
      const file = path.join(directory, 'rendered.yaml');
      writeFileSync(file, render(values));
      for (const version of KUBERNETES_VERSIONS) run(path.join(PYTHON, 'kubernetes-validate'), ['--strict', '--quiet', '-k', version, file]);
    });
  }

  it('helm lint finds nothing', () => {
    const file = path.join(directory, 'values.json');
    for (const values of [{ mode: 'development' }, EVERYTHING]) {
      writeFileSync(file, JSON.stringify(values));
      run(goProgram('helm'), ['lint', CHART, '--strict', '--quiet', '--values', file]);
    }
  });

  for (const [name, values, message] of [
    ['production without a secret', { origins: PRODUCTION.origins }, /auth\.jwt\.secret\.name is required/],
    ['production without origins', { auth: PRODUCTION.auth }, /origins\.allowed is required/],
    ['two replicas', { ...PRODUCTION, replicaCount: 2 }, /replicaCount/],
    ['a value that is none', { ...PRODUCTION, replicas: 1 }, /replicas/],
    ['an end before the drain', { ...PRODUCTION, terminationGracePeriodSeconds: 20 }, /terminationGracePeriodSeconds must be longer/],
    ['an ingress in development mode', { mode: 'development', ingress: { enabled: true, host: 'a.example.com' } }, /does not reach a gateway in development mode/],
    ['metrics without a token', { ...PRODUCTION, serviceMonitor: { enabled: true } }, /serviceMonitor\.tokenSecret\.name is required/],
  ]) {
    it(`refuses ${name}`, () => {
      const { status, stderr } = helm(values);
      assert.notEqual(status, 0);
      assert.match(stderr, message);
    });
  }

  it('says to the sidecar where and how to deliver', () => {
    const annotations = (values) => ofKind(parsed(render(values)), 'Deployment').spec.template.metadata.annotations;
    const everything = annotations(EVERYTHING);
    const found = (name) => everything[`dapr.io/${name}`];
    assert.deepEqual(['enabled', 'app-id', 'app-port', 'app-protocol', 'app-token-secret', 'config', 'enable-app-health-check', 'app-health-check-path', 'sidecar-memory-limit'].map(found),
      ['true', 'websocket-service', '8005', 'http', 'tidings-dapr', 'tracing', 'true', '/healthz', '256Mi']);
    assert.equal(annotations({ mode: 'development' })['dapr.io/app-port'], '8004');
    assert.equal(annotations({ ...PRODUCTION, dapr: { enabled: false } })?.['dapr.io/enabled'], undefined);
  });

  it('its ingress leads to clients’ paths alone', () => {
    const [{ http }] = ofKind(parsed(render(EVERYTHING)), 'Ingress').spec.rules;
    assert.deepEqual(http.paths.map((row) => [row.path, row.backend.service.port.name]), [
      ['/socket.io', 'flow'], ['/events', 'flow'], ['/leads', 'flow'], ['/ingest/form', 'flow'], ['/ws', 'tasks'], ['/sse', 'tasks'], ['/api/v1/ws', 'workflows'], ['/api/v1/sse', 'workflows'],
    ]);
  });

  it('secrets are mounted, and none is in what it renders', () => {
    const container = containerOf(parsed(render(EVERYTHING)));
    const variable = (name) => container.env.find((row) => row.name === name)?.value;
    assert.equal(variable('TIDINGS__AUTH__JWT__SECRET_FILE'), '/run/secrets/tidings/jwt/hs256');
    assert.equal(variable('TIDINGS__TASKS__DAPR__API_TOKEN_FILE'), '/run/secrets/tidings/dapr/token');
    assert.deepEqual(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
  });

  it('in development mode the server takes its variables', () => {
    const env = { ...variablesOf(parsed(render({ mode: 'development' })), {}), TIDINGS__SERVER__DATA_DIR: path.join(directory, 'none') };
    assert.match(run(BINARY, ['check-config'], { env }), /the configuration is good/);
  });

  it('in production mode the server runs with its variables, its probes succeed, and the sidecar’s port takes events', async () => {
    const resources = parsed(render(EVERYTHING));
    const env = variablesOf(resources, {
      '/run/secrets/tidings/jwt/hs256': SECRET, '/run/secrets/tidings/dapr/token': DAPR_TOKEN, '/etc/tidings/tidings.toml': ofKind(resources, 'ConfigMap').data['tidings.toml'],
    });
    env.TIDINGS__SERVER__DATA_DIR = path.join(directory, 'data');
    const { startupProbe, livenessProbe, readinessProbe, ports } = containerOf(resources);
    const port = (name) => ports.find((row) => row.name === name).containerPort;
    const server = new Child(BINARY, [], { env });
    try {
      for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
        await until(async () => {
          assert.equal(server.outcome, undefined, server.log);
          return (await request(`http://127.0.0.1:${port(httpGet.port)}${httpGet.path}`).catch(() => null))?.status === 200;
        }, 20_000, () => `${httpGet.path}\n${server.log}`);
      }
      const event = { method: 'POST', headers: { 'content-type': 'application/cloudevents+json' }, body: envelope({ user_id: 'u' }) };
      const appPort = ofKind(resources, 'Deployment').spec.template.metadata.annotations['dapr.io/app-port'];
      assert.equal((await request(`http://127.0.0.1:${appPort}/task-updates`, event)).status, 401);
      const [subscription] = (await request(`http://127.0.0.1:${appPort}/dapr/subscribe`, { headers: { 'dapr-api-token': DAPR_TOKEN } })).json;
      assert.deepEqual([subscription.deadLetterTopic, subscription.bulkSubscribe.enabled], ['task-updates-dead', true]);
      assert.deepEqual((await request(`http://127.0.0.1:${appPort}/task-updates`, { ...event, headers: { ...event.headers, 'dapr-api-token': DAPR_TOKEN } })).json, { status: 'SUCCESS' });
      assert.equal((await request(`http://127.0.0.1:${port('tasks')}/task-updates`, event)).status, 404);
      assert.equal((await server.stop(40_000)).code, 0);
    } finally {
      if (!server.outcome) await server.stop(40_000);
    }
  });
});

describe('docs/how-to/kubernetes.md', () => {
  it('its values are values', () => {
    const blocks = codeBlocks(readFileSync(path.join(ROOT, 'docs/how-to/kubernetes.md'), 'utf8')).filter(({ language }) => language === 'yaml');
    assert.equal(blocks.length, 2);
    const files = blocks.map(({ text }, n) => {
      const file = path.join(directory, `printed-${n}.yaml`);
      writeFileSync(file, text);
      return ['--values', file];
    });
    const { status, stdout, stderr } = helm({}, ...files.flat());
    assert.equal(status, 0, stderr);
    const resources = parsed(stdout);
    assert.equal(ofKind(resources, 'Deployment').metadata.name, 'websocket-service');
    assert.match(ofKind(resources, 'ConfigMap').data['tidings.toml'], /^\[kafka\]\n/);
    assert.equal(containerOf(resources).env.at(-1).valueFrom.secretKeyRef.name, 'tidings-kafka');
  });
});

describe('the compose file', () => {
  it('is one, and all it refers to is in it', () => {
    const { status, stdout, stderr } = spawnSync(goProgram('compose'), ['-format', 'json', 'compose.yaml'], { cwd: path.join(ROOT, 'deploy'), encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.deepEqual(Object.keys(JSON.parse(stdout).services), ['daprd', 'door', 'gateway', 'kafka', 'redis', 'topics']);
  });
});
