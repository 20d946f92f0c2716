// A real sidecar with pub/sub in memory, so that one process is enough; kafka.test.mjs has the way through a broker.
import { describe } from 'node:test';
import { Sidecar } from '../lib/daprd.mjs';
import { sidecarCases } from '../lib/sidecar-cases.mjs';

describe('daprd', { timeout: 600_000 }, () => sidecarCases(Sidecar));
