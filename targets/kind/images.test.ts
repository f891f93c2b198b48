import { describe, expect, it } from 'vitest';
import { imagesOf } from './images.ts';

const status = (name: string, image: string, imageID: string) => ({
  ...{ name, image, imageID },
  ready: true,
  restartCount: 0,
});

describe('what the containers of a pod run', () => {
  it('is what the runtime took, init containers included, and nothing for what has not begun', () => {
    const pod = {
      status: {
        initContainerStatuses: [status('extract-context', 'registry:5000/platform:1', 'sha256:aa')],
        containerStatuses: [status('kaniko', 'registry:5000/kaniko:1', '')],
      },
    };
    expect(imagesOf(pod)).toEqual([
      { container: 'extract-context', image: 'registry:5000/platform:1', id: 'sha256:aa' },
    ]);
  });

  it('leaves out the functions, which the ledger has', () => {
    const pod = {
      status: {
        containerStatuses: [
          status('user-container', 'registry:5000/lambda/hello:1', 'sha256:bb'),
          status('queue-proxy', 'registry:5000/queue:1', 'sha256:cc'),
        ],
      },
    };
    expect(imagesOf(pod).map(({ container }) => container)).toEqual(['queue-proxy']);
    expect(imagesOf({})).toEqual([]);
  });
});
