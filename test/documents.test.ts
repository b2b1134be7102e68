/** Documents keep to the source: every code stands in docs/ERRORS.md, every exit status too, and links lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rules } from '../src/access/policy.ts';
import { exitCodes } from '../src/cli/exit-codes.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const filesBelow = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

/** Literals that have the shape of a code and are none. */
const noCodes: readonly RegExp[] = [
  /\.(json|jsonl|html|csv|pub|pem|lock|log|ts|pid)$|^api\.token$/, // names of files
  /^(system|security|trusted|user)\.[a-z-]+$/, // namespaces of extended attributes
  /^[a-z]+ml\.[a-z]+$/, // Office Open XML media types
  /^(exhibit|examination|case_file)\.(id|label|examiner|reference)$/, // columns
  /^exif\.(latitude|longitude)$/, // facts
  /^custodia\.(account|examination|unit|kind)$/, // settings of a transaction, attributes of spans
  /^http\.route$/, // the same, by the conventions of OpenTelemetry
  /^(session\.(open|close)|token\.(create|revoke)|account\.(create|change)|agency\.(create|change)|case\.(create|change)|case\.member|administrator\.token|credential\.refused|request\.forged)$/, // what the audit log tells of
];

/** Codes that a template makes, its holes as `<name>`, and what comes out of it; none where the template makes no code. */
const templates: Readonly<Record<string, readonly string[]>> = {
  '<prefix>.overlap': ['mbr.overlap', 'gpt.overlap'],
  '<prefix>.past-end': ['mbr.past-end', 'gpt.past-end'],
  'gpt.<which>-damaged': ['gpt.primary-damaged', 'gpt.backup-damaged'],
  'name.<what>': ['name.case', 'name.exhibit', 'name.examiner'],
  'x.<given>': [],
};

/** A whole literal `'area.what'`, or a message that begins with its code: `area.what: ...`. */
const literal = /(['`])([a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?:\1|: )/g;
/** A template that stands as a code, or that has an area before its first dot. */
const template = /(?:code: `([^`\n]*\$\{[a-z]+\}[^`\n]*)`|`([a-z][a-z0-9-]*\.(?:[a-z0-9-]|\$\{[a-z]+\})+)`)/g;
/** Codes of one word: what the command line says where no area applies. */
const singleWord = /(?:\btell\((?:code \?\? )?|CommandError\([^,()]+, )'([a-z]+)'/g;
const withNamedHoles = (text: string): string => text.replaceAll(/\$\{([a-z]+)\}/g, '<$1>');

function codesOf(source: string): { codes: string[]; made: string[] } {
  const code = source.replaceAll(/^import .*$/gm, '').replaceAll(/^\s*(\/?\*\*?|\/\/) .*$/gm, '');
  const whole = [...code.matchAll(literal)]
    .map((match) => match[2]!)
    .filter((found) => !noCodes.some((shape) => shape.test(found)) && !(found in rules)); // nor actions of the policy
  return {
    codes: [...whole, ...[...code.matchAll(singleWord)].map((match) => match[1]!)],
    made: [...code.matchAll(template)].map((match) => withNamedHoles((match[1] ?? match[2])!)).filter((text) => text.includes('<')),
  };
}

/** One object literal with both. */
const hidingProblem = /\{[^{}]*?code: '([a-z0-9.-]+)'(?:[^{}]|\{[^{}]*\})*?hidesEvidence: true/g;

const sourceFiles = [...filesBelow('src', '.ts'), ...filesBelow('workers', '.ts')];
const sources = sourceFiles.map((path) => codesOf(read(path)));
const codesOfSource = new Set(sources.flatMap(({ codes, made }) => [...codes, ...made.flatMap((text) => templates[text] ?? [])]));

/** First cells of the tables: `| \`code\` | ...`. */
const documented = [...read('docs/ERRORS.md').matchAll(/^\| `([a-z0-9-]+(?:\.[a-z0-9-]+)?)` \|/gm)].map((match) => match[1]!);

describe('docs/ERRORS.md', () => {
  it('finds the codes of a source text, and nothing else', () => {
    const text = [
      "import { a } from './b.ts';",
      '/** Throws FormatError (`not.this-one`). */',
      "throw new FormatError('zip.method', 'unknown');",
      "return stop('mbr.chain-cycle', `it is`);",
      'throw new Error(`key.kind: it holds another`);',
      'problems.add({ code: `gpt.$' + '{which}-damaged`, message });',
      "join(folder, 'report.json'); find('system.data'); tell('usage', message);",
    ].join('\n');
    expect(codesOf(text)).toEqual({ codes: ['zip.method', 'mbr.chain-cycle', 'key.kind', 'usage'], made: ['gpt.<which>-damaged'] });
  });

  it('has a line for every code of the source', () => {
    const found = [...codesOfSource].sort();
    expect(found.length).toBeGreaterThan(100);
    expect(found.filter((code) => !documented.includes(code))).toEqual([]);
  });

  it('has no code that the source does not have, and none twice', () => {
    expect(documented.filter((code) => !codesOfSource.has(code))).toEqual([]);
    expect(documented.filter((code, index) => documented.indexOf(code) !== index)).toEqual([]);
  });

  it('knows every template that could make a code', () => {
    const made = new Set(sources.flatMap((source) => source.made));
    expect([...made].sort()).toEqual(Object.keys(templates).sort());
  });

  it('calls no problem harmless that the source says hides evidence', () => {
    const harmless = [...read('docs/ERRORS.md').matchAll(/^\| `([a-z0-9.-]+)` \| .* \| (?:no|-) \| [^|]*\|$/gm)].map((match) => match[1]!);
    const hiding = new Set(sourceFiles.flatMap((path) => [...read(path).matchAll(hidingProblem)].map((match) => match[1]!)));
    expect(hiding.size).toBeGreaterThan(30);
    expect(harmless.filter((code) => hiding.has(code))).toEqual([]);
  });

  it('explains every exit status', () => {
    const statuses = [...read('docs/ERRORS.md').matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1])).sort((a, b) => a - b);
    expect(statuses).toEqual(Object.values(exitCodes).sort((a, b) => a - b));
  });
});

const texts = [...filesBelow('docs', '.md'), ...['README.md', 'CONTRIBUTING.md'].filter((path) => existsSync(join(root, path)))];

/** GitHub's rule for the anchors of headings: lower case, no punctuation, spaces to hyphens. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const anchorsOf = (path: string): string[] => [...read(path).matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1]!));

describe('links and paths', () => {
  it.each(texts)('%s: links lead to files and headings that are there', (path) => {
    const broken: string[] = [];
    for (const [, target] of read(path).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [file, anchor] = target!.split('#');
      const aim = file === '' ? path : relative(root, resolve(root, dirname(path), file!));
      if (!existsSync(join(root, aim)) || (anchor !== undefined && !anchorsOf(aim).includes(anchor))) broken.push(target!);
    }
    expect(broken).toEqual([]);
  });

  it.each(texts)('%s: files of this project that it names are there', (path) => {
    const named = [...read(path).matchAll(/`((?:src|workers|test|docs|bin|fixtures|bench|\.ci)\/[\w./-]*\w)`/g)].map((match) => match[1]!);
    expect([...new Set(named)].filter((name) => !name.includes('xyz') && name !== 'bench/.work' && !existsSync(join(root, name)))).toEqual(
      [],
    );
  });
});
