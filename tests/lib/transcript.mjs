// Every byte that reached somebody, and what of it is somebody else's.

/** Ids are UUIDs behind a prefix; a cursor is a time and an id in hexadecimal digits. */
const ID = /(?<![0-9a-f])([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})(?![0-9a-f])/gi;
const CURSOR = /(?<![0-9a-f])[0-9a-f]{16}([0-9a-f]{32})(?![0-9a-f])/gi;
const REPORTS_MAX = 10;

/** The ids in a text, as 32 digits, as often as they stand there. */
export function idsIn(text) {
  const ids = Array.from(text.matchAll(ID), ([, ...parts]) => parts.join(''));
  return [...ids, ...Array.from(text.matchAll(CURSOR), ([, id]) => id)].map((id) => id.toLowerCase());
}

/** What one party was sent, and what it said itself. `words` are its own: no other party may be sent one of them. */
export class Transcript {
  entries = [];
  #said = new Set();

  constructor(name, words = []) {
    this.name = name;
    this.words = words;
  }

  /** A text of the caller's that the protocol may say back, in the places that `hear` is told of. */
  say(text) {
    this.#said.add(text);
    return text;
  }

  /** Keeps a text as it came. `echoes` are what stands where the protocol says the caller's own words back. */
  hear(what, text, echoes = []) {
    this.entries.push({ what, text, echoes: echoes.filter((echo) => this.#said.has(echo)) });
  }
}

/**
 * What reached a party that is another's: a word of another's, wherever it stands, and an id that was sent to another as
 * well. So the ids need not be known: whatever has one is shown to its own tenant, and to that one alone. What a party
 * said itself is taken off, once for each place in which it is said back.
 */
export function leaks(transcripts) {
  const owners = new Map(transcripts.flatMap(({ name, words }) => words.map((word) => [word.toLowerCase(), name])));
  const anyWord = new RegExp([...owners.keys()].sort((a, b) => b.length - a.length).map(escaped).join('|'), 'gi');
  const wordsIn = (text) => (text.match(anyWord) ?? []).map((word) => word.toLowerCase());
  const idOwners = new Map();
  const found = [];
  for (const { name, entries } of transcripts) {
    for (const { what, text, echoes } of entries) {
      for (const word of without(wordsIn(text), echoes.flatMap(wordsIn))) {
        if (owners.get(word) !== name) found.push(`${name} was shown ${word} of ${owners.get(word)}: ${what}: ${around(text, word)}`);
      }
      for (const id of without(idsIn(text), echoes.flatMap(idsIn))) {
        const first = idOwners.get(id) ?? { name, what };
        idOwners.set(id, first);
        if (first.name !== name) found.push(`${name} was shown the id ${id}, and so was ${first.name} (${first.what}): ${what}: ${text.slice(0, 1_000)}`);
      }
    }
  }
  return found.length > REPORTS_MAX ? [...found.slice(0, REPORTS_MAX), `and ${found.length - REPORTS_MAX} more`] : found;
}

/** A list less each of some items once. */
function without(list, items) {
  if (items.length === 0) return list;
  const left = [...list];
  for (const item of items) {
    const place = left.indexOf(item);
    if (place >= 0) left.splice(place, 1);
  }
  return left;
}

function escaped(text) { return text.replaceAll(/[^\w]/g, String.raw`\$&`); }

function around(text, word) {
  const at = text.toLowerCase().indexOf(word);
  return text.slice(Math.max(0, at - 400), at + 400);
}
