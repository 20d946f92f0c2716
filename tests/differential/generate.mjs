// Random sessions: what a client sends, step by step, as plain data. A packet is a text, or `{binary: base64}`.
import { seeded } from '../delivery/random.mjs';

const STEPS_MAX = 7;
const NAMESPACES = ['/', '/custom'];
const UNKNOWN = ['/random', '/custom/', '//', '/a?b=c', '/ü', '/x y', '/Custom', '/0', '/[]', '/"'];
const RESERVED = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];

/** Packets after which the transport is closed, whatever came before. */
const FATAL = [
  '', 'abc', '7', '9x', 'é', '2', '2probe', '2x',
  '4', '4abc', '49', '47{}', '4é', '4 2["message"]', '4b["message"]',
  '42{}', '42"message"', '42[]', '42[null]', '42[true,1]', '42[{}]', '42[["message"]]', '42null',
  '42["message"', '42["message",]', '42["message"]]', '42["message"] x', "42['message']", '42["message",NaN]', '42["message",01]', '42["message",.5]',
  '42["message",1.]', '42["message",+1]', '42["message","\u0001"]', '42["message","\\x"]', '42["message","\\u12"]', '42["message",undefined]', '42[,"message"]',
  '42["message",{"a":1,}]', '42["message",{a:1}]', '42["message"]\u0000', '\ufeff42["message"]',
  '42abc["message-with-ack"]', '421.5["message"]', '42-1["message"]', '42+1["message"]', '42/custom["message"]', '42/nope,["message"]', '42/nope,', '41/nope', '431/nope,[]',
  ...RESERVED.map((name) => `42["${name}"]`), '42["disc\\u006fnnect"]', `451-["connect"]`,
  '45["message"]', '45-["message"]', '451["message"]', '45a-["message"]', '4511-["message"]', '45999999999999999999999-["message"]', '450-["message"]', '460-1[]',
  '451-{"a":1}', '451-"message"', '461-1{"a":1}', '451-', '431{}', '431"a"', '431null', '431[', '44{"message":"x"}', '44"x"', '44', '44/custom,"x"',
  '40[]', '40null', '40"a"', '40true', '40{"a":}', '40{', '40{}}', '40custom', '40/nope,[]', '40/custom,"a"', '41{}', '41[]', '41null', '41"x"', '41/custom,{}',
];
/** Headers whose placeholders belong to no attachment; one attachment is announced. */
const PLACEHOLDERS = ['"num":1', '"num":-1', '"num":"0"', '"num":null', '"num":true', '"num":[0]', '"num":1e9', '"numb":0', '"num":0,"num":7'];
const IGNORED = ['0', '0{}', '3', '3probe', '5', '6', '6x', '430[]', '431["x",{}]', '4377[null]', '42["unknown",1]', '42[5,"a"]', '42[-1e3]', '42["error",1]', '42["toString"]', '42["__proto__"]', '42["message-with-ack",1]'];
/** Bytes that are no WebSocket frames of a client. */
const BROKEN_FRAMES = {
  unmasked: '810161', reserved_bit: 'c18100000000' + '61', reserved_opcode: '838100000000' + '61', invalid_utf8: '818100000000' + 'ff', long_control: '89fe007e00000000' + '00'.repeat(126),
  fragmented_ping: '098000000000', lone_continuation: '808000000000', top_bit: '82ffffffffffffffffff00000000', close_code: '888200000000' + '03ed', close_of_one: '88810000000003',
};
const CLIENT_CLOSES = { bare: '888000000000', normal: '888200000000' + '03e8', going: '888500000000' + '03e9627965' };

/** Requests that open no session and belong to none. `EIO=4&transport=polling` is what a good one has. */
const REQUESTS = [
  ['GET', 'transport=polling'], ['GET', 'EIO=3&transport=polling'], ['GET', 'EIO=abc&transport=polling'], ['GET', 'EIO=04&transport=polling'], ['GET', 'EIO=&transport=polling'],
  ['GET', 'EIO=4'], ['GET', ''], ['GET', 'EIO=4&transport='], ['GET', 'EIO=4&transport=abc'], ['GET', 'EIO=4&transport=Polling'], ['GET', 'EIO=4&transport=websocket'], ['GET', 'EIO=4&transport=webtransport'],
  ['POST', 'EIO=4&transport=polling', '40'], ['PUT', 'EIO=4&transport=polling'], ['DELETE', 'EIO=4&transport=polling'], ['PATCH', 'EIO=4&transport=polling'], ['POST', 'EIO=4', '40'],
  ['GET', 'EIO=4&transport=polling&sid=nope'], ['POST', 'EIO=4&transport=polling&sid=nope', '40'], ['GET', 'EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA'], ['GET', 'EIO=4&transport=websocket&sid=nope'],
  ['GET', 'EIO=3&transport=polling&sid=nope'], ['PUT', 'EIO=4&transport=polling&sid=nope'], ['GET', 'EIO=4&transport=abc&sid=nope'], ['GET', 'transport=polling&sid=%00'], ['OPTIONS', 'EIO=4&transport=polling'], ['OPTIONS', ''],
];
/** The same with the session's own id. They leave the session as it was. */
const OWN_REQUESTS = [
  ['GET', 'EIO=4&transport=websocket'], ['GET', 'EIO=4&transport=abc'], ['GET', 'EIO=4'], ['GET', 'EIO=3&transport=polling'], ['GET', 'transport=polling'], ['POST', 'EIO=5&transport=polling', '42["message"]'],
  ['OPTIONS', 'EIO=4&transport=polling'], ['PUT', 'EIO=4&transport=polling', '42["message"]'], ['DELETE', 'EIO=4&transport=polling'],
];

/** The session of a seed: `{seed, transport, steps}`. */
export function generate(seed) {
  const random = seeded(seed);
  // The first numbers of neighbouring seeds are alike.
  for (let skipped = 0; skipped < 4; skipped += 1) random.below(2);
  const transport = random.of(['polling', 'websocket', 'websocket', 'upgrade']);
  const session = new Session(random, transport);
  const count = 1 + random.below(STEPS_MAX);
  while (session.steps.length < count && !session.over) session.add();
  return { seed, transport, steps: session.steps };
}

class Session {
  steps = [];
  over = false;
  #joined = new Set();
  #random;

  constructor(random, transport) {
    this.#random = random;
    this.transport = transport;
    this.polls = transport !== 'websocket';
    this.waits_for_upgrade = transport === 'upgrade';
    if (!this.#chance(8)) this.#connect('/');
  }

  add() {
    const { below } = this.#random;
    const choice = below(100);
    if (this.waits_for_upgrade && (choice < 30 || this.steps.length >= STEPS_MAX - 2)) this.#upgrade();
    else if (choice < 55) this.#exchange();
    else if (choice < 65) this.#join();
    else if (choice < 70) this.#leave();
    else if (choice < 76) this.steps.push({ op: 'packets', packets: [this.#random.of(IGNORED.filter((packet) => this.#joined.has('/') || !/^4[23]/.test(packet)))] });
    else if (choice < 85) this.#break();
    else if (choice < 92) this.#misbehave();
    else this.#request();
  }

  #chance(of) { return this.#random.below(of) === 0; }

  #connect(namespace) {
    this.#joined.add(namespace);
    const named = namespace === '/' ? this.#random.of(['', '', '/,', '/']) : namespace;
    const payload = this.#chance(2) ? '' : this.#object(2);
    const comma = named && !named.endsWith(',') && (payload || this.#chance(2)) ? ',' : '';
    const id = this.#chance(12) && (named === '' || comma || named.endsWith(',')) ? String(this.#random.below(99)) : '';
    this.steps.push({ op: 'packets', packets: [`40${named}${comma}${id}${payload}`] });
  }

  #join() {
    const { of } = this.#random;
    if (this.#chance(4)) {
      const comma = this.#chance(2) ? ',' : '';
      this.steps.push({ op: 'packets', packets: [`40${of(UNKNOWN)}${comma}${comma && this.#chance(2) ? this.#object(1) : ''}`] });
      return;
    }
    const left = NAMESPACES.filter((namespace) => !this.#joined.has(namespace));
    if (left.length > 0) { this.#connect(of(left)); return; }
    // Twice on one namespace.
    this.#end(of(['40', '40/custom,', '40/custom,{}', '40{"a":1}']));
  }

  #leave() {
    const { of } = this.#random;
    if (this.#joined.size === 0) { this.#end(of(['41', '41/custom', '42["message"]', '430[]'])); return; }
    const namespace = of([...this.#joined]);
    this.#joined.delete(namespace);
    this.steps.push({ op: 'packets', packets: [namespace === '/' ? of(['41', '41/', '41/,', '417']) : of([`41${namespace}`, `41${namespace},`])] });
  }

  /** Events, with attachments or without, of namespaces that are joined. */
  #exchange() {
    if (this.#joined.size === 0) { this.#join(); return; }
    const { below, of } = this.#random;
    const packets = [];
    for (let count = 1 + (this.#chance(3) ? below(4) : 0); count > 0; count -= 1) {
      const namespace = of([...this.#joined]);
      packets.push(...(this.#chance(3) ? this.#withAttachments(namespace) : [this.#event(namespace)]));
    }
    if (!this.polls && packets.length === 1 && typeof packets[0] === 'string' && packets[0].length > 4 && this.#chance(4)) {
      this.steps.push({ op: 'fragments', text: packets[0], at: below(packets[0].length), ping: this.#chance(2) });
    } else this.steps.push({ op: 'packets', packets, together: this.#chance(2) });
  }

  #head(type, namespace, id) { return `4${type}${namespace === '/' ? (this.#chance(9) ? '/,' : '') : `${namespace},`}${id}`; }

  #id(required) { return required || this.#chance(3) ? this.#random.of(['0', '1', '7', '007', '456', '4294967296', '9007199254740991']) : ''; }

  #event(namespace) {
    const { below, of } = this.#random;
    const acknowledged = this.#chance(2);
    const name = acknowledged ? 'message-with-ack' : of(['message', 'message', 'mess\\u0061ge', 'other']);
    const args = Array.from({ length: below(4) }, () => this.#value(3));
    return `${this.#head('2', namespace, this.#id(acknowledged))}${this.#array([`"${name}"`, ...args])}`;
  }

  #withAttachments(namespace) {
    const { below, of } = this.#random;
    const count = 1 + (this.#chance(6) ? below(10) : below(3));
    const acknowledged = this.#chance(2);
    const args = Array.from({ length: count + below(2) }, (_, number) => this.#around(number < count ? this.#placeholder(this.#chance(8) ? below(count) : number) : this.#value(2), below(3)));
    if (this.#chance(10)) args.pop(); // an attachment that nothing names
    const kind = this.#chance(12) ? '6' : '5';
    const items = kind === '6' ? args : [acknowledged ? '"message-with-ack"' : of(['"message"', '"message"', '"other"']), ...args];
    const id = this.#id(acknowledged || kind === '6');
    const attachments = Array.from({ length: count }, () => ({ binary: this.#bytes() }));
    return [`4${kind}${count < 10 && this.#chance(20) ? '0' : ''}${count}-${namespace === '/' ? '' : `${namespace},`}${id}${this.#array(items)}`, ...attachments];
  }

  #bytes() {
    const { below } = this.#random;
    const length = this.#chance(8) ? 0 : this.#chance(20) ? 70_000 : below(40);
    return Buffer.from(Array.from({ length }, () => below(256))).toString('base64');
  }

  #placeholder(number) {
    return this.#random.of([`{"_placeholder":true,"num":${number}}`, `{"_placeholder":true,"num":${number}}`, `{"num":${number},"_placeholder":true}`, `{ "_pl\\u0061ceholder" : true , "num" : ${number} }`,
      `{"_placeholder":true,"num":${number},"more":[{"_placeholder":false}]}`, `{"_placeholder":false,"num":9,"_placeholder":true,"num":${number}}`]);
  }

  #around(json, depth) {
    if (depth === 0) return json;
    return this.#around(this.#random.of([`[${json}]`, `{"a":${json}}`, `[null,${json},{"_placeholder":1}]`, `{"x":{"num":3},"y":${json}}`, `[{"_placeholder":false,"num":0},${json}]`]), depth - 1);
  }

  #value(depth) {
    const { below, of } = this.#random;
    switch (depth > 0 ? below(7) : below(5)) {
      case 0: return of(['null', 'true', 'false']);
      case 1: case 2: return of(['0', '-0', '1', '1.50', '1e3', '1E-7', '-7', '0.1', '12345678901234567890', '1e400', '3.0', '9007199254740993']);
      case 3: case 4: return of(['""', '"a"', '"ä€😀"', '"\\u00e4"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\/\\b\\f\\n\\r\\t\\\\\\""', '"\u2028\u007f"', '"\\u001e"', '"42[]"', '"_placeholder"', JSON.stringify('x'.repeat(below(300)))]);
      case 5: return this.#array(Array.from({ length: below(4) }, () => this.#value(depth - 1)));
      default: return this.#object(depth);
    }
  }

  #object(depth) {
    const { below, of } = this.#random;
    const keys = ['"b"', '"a"', '"10"', '"2"', '""', '"ключ"', '"\\u0061"', '"_placeholder"', '"num"', '"a b"'];
    return `{${this.#space()}${Array.from({ length: below(4) }, () => this.#member(of(keys), depth)).join(`${this.#space()},`)}}`;
  }

  /** Nothing is a placeholder by chance. */
  #member(key, depth) {
    const value = key === '"_placeholder"' ? this.#random.of(['1', '"true"', 'false', 'null', '[true]']) : this.#value(depth - 1);
    return `${key}${this.#space()}:${this.#space()}${value}`;
  }

  #array(items) { return `[${items.map((item) => `${this.#space()}${item}${this.#space()}`).join(',')}]`; }

  #space() { return this.#chance(12) ? this.#random.of([' ', '\t', '\n', '\r\n  ']) : ''; }

  #end(...packets) {
    this.over = true;
    this.steps.push({ op: 'packets', packets });
  }

  /** Something that costs the client its transport. */
  #break() {
    const { of } = this.#random;
    const event = this.#joined.has('/') ? of(['451-["message",{"_placeholder":true,"num":0}]', '452-["message"]', '463-1[]']) : null;
    switch (this.#random.below(6)) {
      case 0: this.#end(event ? `451-["message",[{"_placeholder":true,${of(PLACEHOLDERS)}}]]` : '42["message"]', ...(event ? [{ binary: 'AQI=' }] : [])); return;
      case 1: this.#end(...(event ? [event, '42["message"]'] : ['430[]'])); return; // text in the place of an attachment
      case 2: this.#end({ binary: this.#bytes() }); return; // an attachment of nothing
      case 3: this.#end(...(event ? [event.replace('45', '45').replace(/^4(.)\d-/, '4$12-'), { binary: 'AQI=' }] : ['41'])); return; // too few: the marker comes in the place of the last
      default: this.#end(of(FATAL));
    }
  }

  /** Transport by transport, what no client should do. */
  #misbehave() {
    const { of, below } = this.#random;
    this.over = true;
    if (!this.polls) {
      if (this.#chance(3)) this.steps.push({ op: 'bytes', bytes: of(Object.values(CLIENT_CLOSES)), leaves: true });
      else { const what = of(Object.keys(BROKEN_FRAMES)); this.steps.push({ op: 'bytes', what, bytes: BROKEN_FRAMES[what] }); }
      return;
    }
    switch (below(8)) {
      case 0: this.steps.push({ op: 'overlapping_gets' }); return;
      case 1: this.steps.push({ op: 'overlapping_posts' }); return;
      case 2: this.steps.push({ op: 'abandoned_get' }); return;
      case 3: this.steps.push({ op: 'close_under_get' }); return;
      case 4: this.#end('1'); return;
      case 5: this.#end('1', '42["message"]'); return;
      case 6: this.steps.push({ op: 'post_of_bytes' }); return;
      default:
        this.over = false;
        if (this.#chance(12)) this.steps.push({ op: 'post_too_big' });
        else this.steps.push({ op: 'failing_probe', packets: of([['2'], ['2foo'], ['4hello'], ['abc'], [''], [{ binary: 'AQ==' }], ['6'], ['3probe'], ['1'], ['2probe', '42["message"]'], ['2probe', '2'], ['2probe', '2probe', 'abc'], ['2probe', { binary: '' }], []]) });
    }
  }

  #upgrade() {
    this.waits_for_upgrade = false;
    this.polls = false;
    const { below, of } = this.#random;
    const before = this.#joined.has('/') && this.#chance(2) ? Array.from({ length: 1 + below(3) }, () => this.#event('/')) : [];
    const behind = this.#joined.has('/') && this.#chance(2) ? [this.#event('/')] : [];
    this.steps.push({ op: 'upgrade', before, behind, probes: of([1, 1, 1, 2]), second: of([null, null, 'before', 'after']), poll: this.#chance(8) });
  }

  #request() {
    const { of } = this.#random;
    if (this.polls && this.#chance(2)) this.steps.push({ op: 'request', request: of(OWN_REQUESTS), own: true });
    else { const request = of(REQUESTS); this.steps.push({ op: 'request', request, upgrade: this.#chance(4) && request[1] !== 'EIO=4&transport=websocket' }); }
  }
}
