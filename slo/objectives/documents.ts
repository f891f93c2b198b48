/** The OpenSLO files of one load: found by kind and name, with all problems in one list. */
import { type Diagnostic, RefusedError } from '../../base/errors.ts';
import { fieldName, readYaml, type YamlFile } from '../../base/yaml-file.ts';
import { promqlProblems } from '../rules/promql.ts';
import { OpenSloObject } from './openslo-schema.ts';

export interface Document {
  file: string;
  yaml: YamlFile<OpenSloObject>;
  object: OpenSloObject;
}

export class Documents {
  readonly all: Document[] = [];
  readonly problems: Diagnostic[] = [];
  private readonly byName = new Map<string, Document>();

  constructor(files: readonly string[]) {
    for (const file of files) {
      try {
        const yaml = readYaml(file, OpenSloObject);
        this.add({ file, yaml, object: yaml.value });
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        this.problems.push(...error.diagnostics);
      }
    }
  }

  private add(document: Document): void {
    const key = `${document.object.kind}/${document.object.metadata.name}`;
    const other = this.byName.get(key);
    if (other)
      this.complain(
        document,
        ['metadata', 'name'],
        `${key} is already in ${other.file}: expected a name of its own`,
      );
    else this.byName.set(key, document);
    this.all.push(document);
  }

  /** The document of that kind and name, or undefined after a complaint at the place that names it. */
  find<K extends OpenSloObject['kind']>(
    kind: K,
    name: string,
    from: Document,
    path: PropertyKey[],
  ): { document: Document; object: Extract<OpenSloObject, { kind: K }> } | undefined {
    const document = this.byName.get(`${kind}/${name}`);
    if (document) return { document, object: document.object as Extract<OpenSloObject, { kind: K }> };
    this.complain(from, path, `no file has an ${kind} named "${name}"`);
    return undefined;
  }

  /** Several SLOs may use one policy; its problem is told once. */
  complain(document: Document, path: PropertyKey[], message: string): void {
    const field = fieldName(path) || undefined;
    const known = this.problems.some(
      (p) => p.file === document.file && p.field === field && p.message === message,
    );
    if (!known) this.problems.push({ file: document.file, line: document.yaml.lineOf(path), field, message });
  }

  checkPromql(document: Document, path: PropertyKey[], query: string): void {
    for (const problem of promqlProblems(query.replaceAll('$window', '1m')))
      this.complain(document, path, problem.message);
  }

  /** A query over `$window`. */
  checkWindowed(document: Document, path: PropertyKey[], query: string): void {
    this.checkPromql(document, path, query);
    if (!query.includes('$window')) this.complain(document, path, 'expected $window in the query');
  }
}
