/** The user's own platform as files: a kustomize base or rendered manifests, read with the file and line that each object comes from. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { LineCounter, parseAllDocuments } from 'yaml';
import { RefusedError } from '../../../base/errors.ts';
import type { Manifest } from '../../../kind/kubernetes.ts';

export interface OwnObject {
  manifest: Manifest;
  /** Path as the user may open it. */
  file: string;
  /** Of the object's first line, where the file says so: kustomize tells the file only. */
  line?: number;
}

export interface OwnManifests {
  directory: string;
  objects: OwnObject[];
  /** Of what is applied. */
  sha256: string;
}

const KUSTOMIZATIONS = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
/** Set by kustomize where it is asked for the origin of each object. */
const ORIGIN = 'config.kubernetes.io/origin';
/** CustomResourceDefinitions alone can be a megabyte each. */
const MOST_BYTES = 64 * 2 ** 20;

/**
 * @param kubectl path of a kubectl, whose kustomize is used
 * @throws RefusedError when the directory has no manifests, or kustomize does not render it, with its words
 */
export function readManifests(directory: string, kubectl: string): OwnManifests {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
    throw refused(directory, 'no such directory: expected a kustomize base or a directory of manifests');
  const objects = KUSTOMIZATIONS.some((name) => existsSync(join(directory, name)))
    ? kustomized(directory, kubectl)
    : plain(directory);
  if (objects.length === 0)
    throw refused(directory, 'has no manifests: expected kustomization.yaml, or *.yaml with objects');
  const text = JSON.stringify(objects.map(({ manifest }) => manifest));
  return { directory, objects, sha256: createHash('sha256').update(text).digest('hex') };
}

const refused = (file: string, message: string) => new RefusedError([{ file, message }]);

function plain(directory: string): OwnObject[] {
  const files = readdirSync(directory).filter((name) => /\.ya?ml$/.test(name));
  return files.sort().flatMap((name) => objectsOf(join(directory, name)));
}

function objectsOf(file: string): OwnObject[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(readFileSync(file, 'utf8'), { lineCounter });
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error) {
      const { line } = lineCounter.linePos(error.pos[0]);
      throw new RefusedError([{ file, line, message: `not valid YAML: ${error.message.split('\n')[0]}` }]);
    }
    const manifest = document.toJS() as Manifest | null;
    const start = document.contents?.range?.[0];
    const line = start === undefined ? undefined : lineCounter.linePos(start).line;
    return manifest === null ? [] : listed(manifest, { file, ...(line === undefined ? {} : { line }) });
  });
}

function listed(manifest: Manifest, where: { file: string; line?: number }): OwnObject[] {
  if (manifest.kind === 'List' && Array.isArray(manifest.items))
    return (manifest.items as Manifest[]).flatMap((item) => listed(item, where));
  if (typeof manifest.kind !== 'string' || typeof manifest.metadata?.name !== 'string')
    throw new RefusedError([
      { ...where, message: 'is no Kubernetes object: expected kind and metadata.name' },
    ]);
  return [{ manifest, ...where }];
}

function kustomized(directory: string, kubectl: string): OwnObject[] {
  const around = mkdtempSync(join(tmpdir(), 'faultline-kustomize-'));
  try {
    const kustomization = {
      resources: [relative(around, resolve(directory))],
      buildMetadata: ['originAnnotations'],
    };
    writeFileSync(join(around, 'kustomization.yaml'), JSON.stringify(kustomization));
    const rendered = execFileSync(kubectl, ['kustomize', around], {
      encoding: 'utf8',
      maxBuffer: MOST_BYTES,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return parseAllDocuments(rendered).flatMap((document) => {
      const manifest = document.toJS() as Manifest | null;
      if (manifest === null) return [];
      return listed(manifest, { file: takeOrigin(manifest, around) ?? directory });
    });
  } catch (error) {
    if (error instanceof RefusedError) throw error;
    const said = String((error as { stderr?: string }).stderr ?? error).trim();
    throw refused(directory, `kustomize does not render it: ${said}`);
  } finally {
    rmSync(around, { recursive: true, force: true });
  }
}

/** Removes the annotation that only we asked for. @returns the file that the object comes from */
function takeOrigin(manifest: Manifest, around: string): string | undefined {
  const annotations = manifest.metadata?.annotations as Record<string, string> | undefined;
  const path = /^path: (.*)$/m.exec(annotations?.[ORIGIN] ?? '')?.[1];
  if (annotations === undefined || path === undefined) return undefined;
  delete annotations[ORIGIN];
  if (Object.keys(annotations).length === 0) delete manifest.metadata.annotations;
  const file = resolve(around, path);
  const near = relative(process.cwd(), file);
  return near.startsWith('..') ? file : near;
}
