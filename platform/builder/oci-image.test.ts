import { spawnSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ImageError, tarFiles } from '../gateway/images.ts';
import { CODE_PATH, makeImage, sha256, tarEntry } from './oci-image.ts';

const code = Buffer.from('export const handler = () => "ok";\n');
const fn = { name: 'hello', code, handler: 'handler', version: '24' };

describe('makeImage', () => {
  it('is the same, byte for byte, for the same source, and another for another', () => {
    const [one, two] = [makeImage(fn), makeImage(fn)];
    expect(two).toEqual(one);
    expect(one.tag).toMatch(/^[0-9a-f]{12}$/);
    const other = makeImage({ ...fn, code: Buffer.from('export const handler = () => "no";\n') });
    expect(other.manifest.digest).not.toBe(one.manifest.digest);
    expect(other.tag).not.toBe(one.tag);
  });
  it('has descriptors and a diff id that fit its blobs', () => {
    const { layer, config, manifest } = makeImage(fn);
    const parsed = JSON.parse(manifest.bytes.toString());
    expect(parsed.layers).toEqual([
      { mediaType: layer.mediaType, digest: sha256(layer.bytes), size: layer.bytes.length },
    ]);
    expect(parsed.config.digest).toBe(sha256(config.bytes));
    expect(JSON.parse(config.bytes.toString()).rootfs.diff_ids).toEqual([sha256(gunzipSync(layer.bytes))]);
  });
  it('has a layer that tar itself can read, with the code as it was', () => {
    const { stdout, status } = spawnSync('tar', ['-xzOf', '-', CODE_PATH], {
      input: makeImage(fn).layer.bytes,
    });
    expect([status, stdout.toString()]).toEqual([0, code.toString()]);
  });
  it('is unpacked by the gateway to the same code', () => {
    const files = [...tarFiles(gunzipSync(makeImage(fn).layer.bytes))];
    expect(files.map((file) => file.name)).toEqual([CODE_PATH]);
    expect(files[0]?.bytes.equals(code)).toBe(true);
  });
});

describe('tarFiles', () => {
  it.each(['../evil', '/etc/passwd', 'a/../../evil'])('refuses the path %s', (path) => {
    const tar = Buffer.concat([tarEntry(path, code), Buffer.alloc(1024)]);
    expect(() => [...tarFiles(tar)]).toThrow(ImageError);
  });
  it('refuses a tar that ends too soon', () => {
    expect(() => [...tarFiles(tarEntry('a', Buffer.alloc(4096)).subarray(0, 1024))]).toThrow(/broken tar/);
  });
});
