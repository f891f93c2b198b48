/** Compares versions of digits and dots; a missing part is 0. Negative when `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The upstream version of a Debian package version: `1:3.10.8-1.1+deb12u1` is `3.10.8`. */
export function upstreamVersion(debian: string): string | undefined {
  return /^(?:\d+:)?(\d+(?:\.\d+)*)/.exec(debian)?.[1];
}
