import { readFileSync } from 'node:fs';
import ts from 'typescript';

const SEEDS = new URL('../documents/seeds/', import.meta.url);

/** One of the three documents: its code blocks, and which of them a test has run. */
export class Seed {
  #used = new Set();

  constructor(name) {
    this.name = name;
    this.blocks = codeBlocks(readFileSync(new URL(name, SEEDS), 'utf8'));
  }

  /** The `nth` block (from 1) under the heading, as printed; it counts as run from now on. */
  block(heading, nth = 1) {
    const found = this.blocks.filter((block) => block.heading === heading)[nth - 1];
    if (!found) throw new Error(`${this.name} has no block ${nth} under "${heading}"`);
    this.#used.add(found);
    return found.text;
  }

  json(heading, nth) {
    return JSON.parse(this.block(heading, nth));
  }

  /** `heading (nth)` of every block no test has asked for. */
  get unused() {
    return this.blocks.filter((block) => !this.#used.has(block)).map((block) => block.label);
  }
}

/** The fenced blocks of a markdown text with the heading (or bold lead) each stands under. */
export function codeBlocks(markdown) {
  const blocks = [];
  const counts = new Map();
  let heading = '';
  let open = null;
  for (const line of markdown.split('\n')) {
    const fence = /^```(\w*)\s*$/.exec(line);
    if (open) {
      if (fence) {
        blocks.push({ ...open, text: open.lines.join('\n') });
        open = null;
      } else {
        open.lines.push(line);
      }
    } else if (fence) {
      const nth = (counts.get(heading) ?? 0) + 1;
      counts.set(heading, nth);
      open = { heading, nth, label: `${heading} (${nth})`, language: fence[1], lines: [] };
    } else {
      const title = /^#+\s+(.*)$/.exec(line) ?? /^\*\*(.*?):?\*\*:?\s*$/.exec(line);
      if (title) heading = title[1].trim();
    }
  }
  if (open) throw new Error(`an unclosed block under "${heading}"`);
  return blocks;
}

/** Blocks as printed (TypeScript or JavaScript, one after the other in one scope), compiled to a CommonJS module. */
export function compiled(blocks) {
  const { outputText, diagnostics } = ts.transpileModule([blocks].flat().join('\n'), {
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, useDefineForClassFields: true },
  });
  if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, { getCurrentDirectory: () => '', getCanonicalFileName: (n) => n, getNewLine: () => '\n' }));
  return outputText;
}

/** Runs blocks with the names in `scope`, and returns the values of the declarations named in `wanted`. */
export function evaluate(blocks, scope, wanted = []) {
  const names = { exports: {}, ...scope };
  const body = `${compiled(blocks)}\nreturn { ${wanted.join(', ')} };`;
  return new Function(...Object.keys(names), body)(...Object.values(names));
}

/** A console that keeps what is logged, one array per call. */
export class RecordingConsole {
  lines = [];
  log = (...args) => { this.lines.push(args); };
  error = this.log;
  warn = this.log;

  /** The first logged call whose first argument starts with `text`. */
  said(text) {
    return this.lines.find(([first]) => String(first).startsWith(text));
  }
}
