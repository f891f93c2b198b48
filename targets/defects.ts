/** The reference platform's defects that can be switched on, on every target that runs it (platform/README.md, `DEFECTS`). */
export const DEFECTS = [
  'ack-before-build',
  'no-registry-retry',
  'forgets-scale-to-zero',
  'metrics-lie',
  'receiver-accepts-without-confirm',
  'slow-recovery',
];
