import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { parseSync } from 'oxc-parser';

/** Something that crosses a border it must not cross, or a DEPS.list that makes no sense. */
export interface Violation {
  /** Path relative to the project. */
  file: string;
  line: number;
  message: string;
}

/** What each room may import, by its DEPS.list. */
type Rooms = Map<string, Set<string>>;

const SKIPPED = ['node_modules/**', 'reports/runs/**', '**/node_modules/**'];

/**
 * Checks every import of every TypeScript file in the rooms of a project against the rooms' DEPS.list: static imports and
 * re-exports (types too), `import()` of a literal, import types and `require`. A room may always import itself and npm
 * packages. Files that stand in no room (the project's top directory) are free.
 */
export function checkBorders(project: string): { files: number; violations: Violation[] } {
  const violations: Violation[] = [];
  const rooms = readRooms(project, violations);
  const files = globSync('*/**/*.ts', { cwd: project, exclude: SKIPPED }).sort();
  for (const file of files) {
    const room = roomOf(file);
    const allowed = rooms.get(room);
    if (allowed === undefined) {
      violations.push({ file, line: 1, message: `${room}/ has no DEPS.list: write down what it may import` });
      continue;
    }
    const text = readFileSync(join(project, file), 'utf8');
    const { imports, errors } = importsOf(file, text);
    for (const message of errors) violations.push({ file, line: 1, message: `cannot be parsed: ${message}` });
    for (const { specifier, line } of imports) {
      const target = targetRoom(project, file, specifier);
      if (target === undefined || target === room || allowed.has(target)) continue;
      const problem =
        target === '..' ? 'leaves the project' : `${room} -> ${target} is not in ${room}/DEPS.list`;
      violations.push({ file, line, message: `${problem} (import of '${specifier}')` });
    }
  }
  return { files: files.length, violations };
}

function readRooms(project: string, violations: Violation[]): Rooms {
  const rooms: Rooms = new Map();
  for (const file of globSync('*/DEPS.list', { cwd: project, exclude: SKIPPED })) {
    const room = roomOf(file);
    const allowed = new Set<string>();
    rooms.set(room, allowed);
    for (const [i, text] of readFileSync(join(project, file), 'utf8').split('\n').entries()) {
      const name = text.replace(/#.*/, '').trim();
      if (name === '') continue;
      allowed.add(name);
      if (!existsSync(join(project, name, 'DEPS.list')))
        violations.push({ file, line: i + 1, message: `there is no room '${name}'` });
    }
  }
  return rooms;
}

/** The room that an import leads to; undefined for packages and for files in no room, `..` for outside the project. */
function targetRoom(project: string, file: string, specifier: string): string | undefined {
  const path = specifier.startsWith('file:') ? new URL(specifier).pathname : specifier;
  if (!path.startsWith('.') && !path.startsWith('/')) return undefined;
  const target = relative(project, resolve(project, dirname(file), path));
  const room = roomOf(target);
  return room === '..' || target.includes(sep) ? room : undefined;
}

function roomOf(path: string): string {
  return path.split(sep)[0] as string;
}

interface Import {
  specifier: string;
  line: number;
}

/** Every literal module specifier of a TypeScript file, wherever it stands. */
export function importsOf(file: string, text: string): { imports: Import[]; errors: string[] } {
  const { program, errors } = parseSync(file, text, { lang: 'ts', sourceType: 'module' });
  const imports: Import[] = [];
  const lineAt = (offset: number) => text.slice(0, offset).split('\n').length;
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const child of node) visit(child);
    if (!isNode(node)) return;
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineAt(node.start) });
    for (const child of Object.values(node)) visit(child);
  };
  visit(program.body);
  return { imports, errors: errors.map((error) => error.message) };
}

interface Node {
  type: string;
  start: number;
  [field: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

function specifierOf(node: Node): string | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return literal(node.source);
    case 'TSExternalModuleReference':
      return literal(node.expression);
    case 'CallExpression': {
      const callee = node.callee;
      const isRequire = isNode(callee) && callee.type === 'Identifier' && callee.name === 'require';
      return isRequire && Array.isArray(node.arguments) ? literal(node.arguments[0]) : undefined;
    }
    default:
      return undefined;
  }
}

/** The value of a string literal, or of a template without substitutions. */
function literal(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'TSLiteralType') return literal(node.literal);
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined;
  const quasis = node.type === 'TemplateLiteral' && Array.isArray(node.quasis) ? node.quasis : [];
  if (quasis.length !== 1) return undefined;
  return (quasis[0] as { value?: { cooked?: string } }).value?.cooked;
}
