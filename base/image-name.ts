/** Names of images, as container runtimes read them. Source: github.com/distribution/reference, "Grammar". */

/** Every form that a manifest has, also one of several architectures: a registry answers 404 of what its client does not accept. */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

export interface ImageName {
  /** `host:port`; undefined: the name has none. */
  host: string | undefined;
  path: string;
  /** The digest where there is one, whatever the tag says; else the tag, `latest` without one. */
  reference: string;
}

/** `host:port/path:tag@digest` in its parts; a first part without a dot, a colon or `localhost` is no host. */
export function imageName(image: string): ImageName {
  const [, name = '', digest] = /^([^@]*)(?:@(.*))?$/.exec(image) ?? [];
  const [, whole = '', tag] = /^(.*?)(?::([^/:]*))?$/.exec(name) ?? [];
  const [, host, path = whole] = /^(localhost(?::\d+)?|[^/]*[.:][^/]*)\/(.*)$/.exec(whole) ?? [];
  return { host, path, reference: digest ?? tag ?? 'latest' };
}
