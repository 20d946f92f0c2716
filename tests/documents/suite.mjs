import assert from 'node:assert/strict';

/** The few words of a test framework that the printed end-to-end block uses, `done` callbacks included. */
export class Suite {
  #before = [];
  #after = [];
  #tests = [];

  globals = {
    describe: (_, define) => define(),
    beforeAll: (hook) => this.#before.push(hook),
    afterAll: (hook) => this.#after.push(hook),
    it: (name, test) => this.#tests.push({ name, test }),
    expect: (value) => ({
      toBe: (expected) => assert.ok(Object.is(value, expected), `${value} is not ${expected}`),
      toBeDefined: () => assert.notEqual(value, undefined),
    }),
  };

  /** Runs everything and returns the names of the tests that passed. */
  async run() {
    for (const hook of this.#before) await hook();
    const passed = [];
    try {
      for (const { name, test } of this.#tests) {
        await (test.length > 0 ? new Promise((resolve) => { test(resolve); }) : test());
        passed.push(name);
      }
    } finally {
      for (const hook of this.#after) await hook();
    }
    return passed;
  }
}
