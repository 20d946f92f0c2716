// The stand-in for Dapr's sidecar; `./scripts/test dapr` has the same cases with the real one.
import { describe } from 'node:test';
import { StandIn } from '../lib/sidecar.mjs';
import { sidecarCases } from '../lib/sidecar-cases.mjs';

describe("the stand-in for Dapr's sidecar", { timeout: 300_000 }, () => sidecarCases(StandIn));
