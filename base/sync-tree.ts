import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Puts all files below a directory on the disk, and the directories' entries. Before it is renamed to the name that says it is whole: a file
 * system may keep the rename and lose the content when the power goes, and what is empty then would be taken for whole for ever.
 */
export async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncOne(path);
  }
  // Some file systems can do it for files only.
  await syncOne(directory).catch(() => {});
}

async function syncOne(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
