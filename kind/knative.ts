/** Knative Serving's own manifests, as its module on the Go proxy has them, with our images and settings in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { INGRESS_CLASS } from './ingress.ts';
import { type Manifest, parseManifests } from './kubernetes.ts';

/** The domain under which routes are named: `<service>.<namespace>.<domain>`. Nobody resolves it; it goes into the Host header. */
export const DOMAIN = 'functions.local';

/** Files of config/core that are left out: they scale by a metrics server, which is not there. */
const LEFT_OUT = /-hpa\.yaml$/;

/** Settings by ConfigMap. */
const settings = (
  images: Record<string, string>,
  registry: string,
): Record<string, Record<string, string>> => ({
  'config-network': { 'ingress-class': INGRESS_CLASS },
  'config-domain': { [DOMAIN]: '' },
  'config-deployment': {
    'queue-sidecar-image': image(images, 'knative.dev/serving/cmd/queue'),
    // Tags are resolved over HTTPS only, which this registry does not speak.
    'registries-skipping-tag-resolving': registry,
  },
});

/**
 * @param directory what kind/pins.ts keeps of the modules
 * @param images import path of a command -> its image
 */
export function knativeManifests(
  directory: string,
  images: Record<string, string>,
  registry: string,
): Manifest[] {
  const files = ['serving/config/core', 'networking/config', 'caching/config/image.yaml'].flatMap((path) =>
    yamlFiles(join(directory, path)),
  );
  const manifests = files
    .filter((file) => !LEFT_OUT.test(file))
    .flatMap((file) => parseManifests(readFileSync(file, 'utf8')));
  const wanted = settings(images, registry);
  for (const manifest of manifests) {
    if (manifest.kind === 'ConfigMap' && wanted[manifest.metadata.name]) {
      manifest.data = { ...(manifest.data as object), ...wanted[manifest.metadata.name] };
      delete wanted[manifest.metadata.name];
    }
  }
  const missing = Object.keys(wanted);
  if (missing.length > 0)
    throw new HarnessError(
      `Knative's manifests have no ConfigMap ${missing.join(', ')}: kind/knative.ts and the version in kind/pins.ts do not fit each other`,
    );
  return JSON.parse(
    JSON.stringify(manifests).replaceAll(/ko:\/\/([^"]+)/g, (_, path: string) => image(images, path)),
  ) as Manifest[];
}

function image(images: Record<string, string>, path: string): string {
  const found = images[path];
  if (found === undefined)
    throw new HarnessError(`Knative's manifests want an image of ${path}, which kind/pins.ts does not build`);
  return found;
}

function yamlFiles(path: string): string[] {
  if (path.endsWith('.yaml')) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => join(path, name));
}
