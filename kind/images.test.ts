import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commandTag } from './images.ts';

it('names an image by what is in it, wherever the clone is', () => {
  const root = mkdtempSync(join(tmpdir(), 'faultline-images-'));
  const tagOf = (clone: string, text: string) => {
    const file = join(root, clone, 'pause');
    mkdirSync(join(root, clone), { recursive: true });
    writeFileSync(file, text);
    return commandTag('daemon', { from: 'scratch', files: [file], user: 1 });
  };
  try {
    expect(tagOf('here', 'one')).toBe(tagOf('there', 'one'));
    expect(tagOf('here', 'two')).not.toBe(tagOf('there', 'one'));
    // What Go built is named by what went into it: it is not read.
    const made = (key: string) =>
      commandTag('x', { from: 'scratch', files: [join(root, `etcd-${key}`, 'etcd')] });
    expect(made('0123456789ab')).not.toBe(made('0123456789ac'));
  } finally {
    rmSync(root, { recursive: true });
  }
});
