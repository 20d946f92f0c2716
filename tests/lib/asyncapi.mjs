import assert from 'node:assert/strict';
import specs from '@asyncapi/specs';
import Ajv from 'ajv';
import Ajv2019 from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import { request } from './http.mjs';

const OPTIONS = { strict: false, allErrors: true };

/** Fails unless it is an AsyncAPI 3.0 document by the schema of AsyncAPI itself. */
export function assertAsyncApi(document) {
  // The schema brings the one of schemas itself.
  isAsyncApi ??= addFormats(new Ajv.default({ ...OPTIONS, meta: false, validateSchema: false })).compile(specs.schemas['3.0.0']);
  assert.ok(isAsyncApi(document), JSON.stringify(isAsyncApi.errors?.slice(0, 5), null, 1));
}
let isAsyncApi;

/** What a reference within the document leads to. */
export const follow = (document, { $ref }) => $ref.slice(2).split('/').reduce((object, key) => object[key], document);

/**
 * A channel of a served document, by which what comes is judged: everything must be exactly one of its messages, without a
 * key that the message has not. It remembers what came.
 */
export class Channel {
  seen = new Set();
  #messages;

  static async of(url, name) {
    const { status, json } = await request(`${url}/asyncapi.json`);
    assert.equal(status, 200);
    return new Channel(json, name);
  }

  constructor(document, name) {
    this.document = document;
    this.name = name;
    this.operations = Object.values(document.operations).filter(({ channel }) => channel.$ref === `#/channels/${name}`);
    const ajv = addFormats(new Ajv2019.default({ ...OPTIONS, discriminator: false }));
    ajv.addSchema({ $id: 'document', components: { schemas: closedSchemas(document.components.schemas) } });
    this.#messages = Object.entries(document.channels[name].messages).map(([id, reference]) => {
      const message = follow(document, reference);
      return { id, ...message, isValid: ajv.compile(closed(message.payload)) };
    });
  }

  /** The ids of what the server says here, or of what it takes. */
  ids(action) {
    const messages = this.operations.filter((operation) => operation.action === action).flatMap(({ messages }) => messages);
    return messages.map(({ $ref }) => $ref.split('/').at(-1));
  }

  get requests() {
    return this.operations.filter(({ action }) => action === 'receive').map(({ messages: [{ $ref }], reply }) => {
      const message = this.#messages.find(({ id }) => id === $ref.split('/').at(-1));
      return { id: message.id, name: message.name, example: message.examples[0].payload, replies: reply.messages.map((of) => of.$ref.split('/').at(-1)) };
    });
  }

  /** Which message of the server this is; fails if it is none or could be several. `more` is what it must have besides. */
  recognise(payload, more = () => true) {
    const said = this.ids('send');
    const candidates = this.#messages.filter((message) => said.includes(message.id) && more(message));
    const matching = candidates.filter(({ isValid }) => isValid(payload));
    const why = () => candidates.map(({ id, isValid }) => { isValid(payload); return `${id}: ${JSON.stringify(isValid.errors?.slice(0, 2))}`; }).join('\n');
    assert.equal(matching.length, 1, `${this.name}: ${JSON.stringify(payload)} is ${matching.map(({ id }) => id).join(', ') || `nothing\n${why()}`}`);
    this.seen.add(matching[0].id);
    return matching[0].id;
  }

  /** Each example is what it is an example of, and of nothing else. */
  assertExamples() {
    for (const { id, name, examples: [{ payload }], isValid } of this.#messages) {
      assert.ok(isValid(payload), `${this.name}: the example of ${id}: ${JSON.stringify(isValid.errors)}`);
      if (this.ids('send').includes(id)) assert.equal(new Channel(this.document, this.name).recognise(payload, (message) => message.name === name), id);
    }
  }

  /** Everything that the document has came, and nothing else. */
  assertAllSeen() {
    assert.deepEqual([...this.seen].sort(), [...this.ids('send'), ...this.ids('receive')].sort(), `messages of ${this.name}`);
  }
}

/** Where a schema is part of another one by `allOf`, only the whole has an end. */
const OPEN = '.open';

function closedSchemas(schemas) {
  const both = Object.entries(schemas).flatMap(([name, schema]) => [[name, closed(schema)], [name + OPEN, closed(schema, true)]]);
  return Object.fromEntries(both);
}

/** The same schema, which takes no keys but those that it names. */
function closed(schema, isPart = false) {
  if (Array.isArray(schema)) return schema.map((item) => closed(item));
  if (schema === null || typeof schema !== 'object') return schema;
  if (schema.$ref) return { $ref: `document${schema.$ref}${isPart ? OPEN : ''}` };
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => {
    if (key === 'allOf') return [key, value.map((item) => closed(item, true))];
    if (key === 'enum' || key === 'required' || key === 'default' || key === 'examples') return [key, value];
    if (key === 'properties') return [key, Object.fromEntries(Object.entries(value).map(([name, property]) => [name, closed(property)]))];
    return [key, closed(value)];
  }));
  const hasEnd = copy.additionalProperties !== undefined || isPart || !(copy.properties || copy.allOf);
  return hasEnd ? copy : { ...copy, unevaluatedProperties: false };
}
