/** Reads a YAML file from outside: every problem at once, each with file, line and field. */
import { readFileSync, statSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Diagnostic, RefusedError } from './errors.ts';

/** More than any scenario, profile or objective that a person writes; keeps a mistaken file from eating the memory. */
const MAX_BYTES = 1_000_000;

export interface YamlFile<T> {
  value: T;
  text: string;
  /** 1-based line of a field, or of its nearest ancestor that is in the file. */
  lineOf(path: readonly PropertyKey[]): number | undefined;
}

/** @throws RefusedError with all diagnostics: not readable, too large, binary, not YAML, unknown field, wrong type. */
export function readYaml<S extends z.ZodType>(file: string, schema: S): YamlFile<z.output<S>> {
  const text = readText(file);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    maxAliasCount: 100,
  } as never);
  if (document.errors.length > 0) {
    throw new RefusedError(
      document.errors.map((e) => ({
        file,
        line: lines.linePos(e.pos[0]).line,
        message: `not valid YAML: ${e.message.split('\n')[0]}`,
      })),
    );
  }
  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    for (let length = path.length; length >= 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as
        | { range?: [number, number, number] }
        | undefined;
      if (node?.range) return lines.linePos(node.range[0]).line;
    }
    return undefined;
  };
  let plain: unknown;
  try {
    plain = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new RefusedError([{ file, message: `not usable YAML: ${(cause as Error).message}` }]);
  }
  const parsed = schema.safeParse(plain);
  if (!parsed.success)
    throw new RefusedError(parsed.error.issues.flatMap((issue) => toDiagnostics(file, issue, lineOf)));
  return { value: parsed.data, text, lineOf };
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    const size = statSync(file).size;
    if (size > MAX_BYTES)
      throw new RefusedError([
        { file, message: `${size} bytes is too large: expected at most ${MAX_BYTES}` },
      ]);
    bytes = readFileSync(file);
  } catch (cause) {
    if (cause instanceof RefusedError) throw cause;
    throw new RefusedError([{ file, message: `can not be read: ${(cause as Error).message}` }]);
  }
  if (bytes.includes(0)) throw new RefusedError([{ file, message: 'is a binary file: expected YAML text' }]);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new RefusedError([{ file, message: 'is not UTF-8: expected YAML text' }]);
  }
}

function toDiagnostics(
  file: string,
  issue: z.core.$ZodIssue,
  lineOf: YamlFile<unknown>['lineOf'],
): Diagnostic[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return { file, line: lineOf(path), field: fieldName(path), message: 'unknown field' };
    });
  }
  return [{ file, line: lineOf(issue.path), field: fieldName(issue.path), message: issue.message }];
}

export function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`))
    .join('');
}
