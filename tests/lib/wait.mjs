// Every wait of these tests is for something that happens, and is bounded: what does not come is named in the failure.

/** Settles as `promise` does, or rejects with `what` after `limit_ms`. */
export async function within(promise, limit_ms, what) {
  let timer;
  const expiry = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${typeof what === 'function' ? what() : what}: not within ${limit_ms} ms`)), limit_ms);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls `probe` until it returns something truthy, and returns that. */
export async function until(probe, limit_ms, what) {
  const deadline = performance.now() + limit_ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`${typeof what === 'function' ? what() : what}: not within ${limit_ms} ms`);
    await pause(15);
  }
}

/** For cases whose subject is time itself (heartbeats, concurrent polls), never for "it should have arrived by now". */
export const pause = (duration_ms) => new Promise((resolve) => setTimeout(resolve, duration_ms));

/** A list that can be awaited: values are taken in the order they came. */
export class Queue {
  #values = [];
  #takers = [];
  #end = null;

  push(value) {
    const taker = this.#takers.shift();
    if (taker) taker.resolve(value);
    else this.#values.push(value);
  }

  /** After the end, takers get what is left and then `error`. */
  end(error) {
    this.#end = error;
    for (const taker of this.#takers.splice(0)) taker.reject(error);
  }

  take() {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift());
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  get length() {
    return this.#values.length;
  }
}
