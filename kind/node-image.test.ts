import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { HarnessError } from '../base/errors.ts';
import { clusterConfig } from './cluster.ts';
import { FakeEngine } from './fake-engine.ts';
import { containerdConfig, pruneNodeImages, removeBuildContainer } from './node-image.ts';

const KIND_CONFIG = `[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  restrict_oom_score_adj = false
`;

describe('containerdConfig', () => {
  it('names the pause image that the node has, and reads registries from files', () => {
    const text = containerdConfig(KIND_CONFIG, false);
    expect(text).toContain('sandbox_image = "registry.k8s.io/pause:3.10.1"');
    expect(text).toContain('config_path = "/etc/containerd/certs.d"');
    expect(text).not.toContain('runc-wrapper');
  });

  it('puts the wrapper before runc only where the capability is missing', () => {
    const text = containerdConfig(KIND_CONFIG, true);
    expect(text).toContain('BinaryName = "/usr/local/sbin/runc-wrapper"');
    expect(text).toContain('restrict_oom_score_adj = true');
  });

  it('refuses a configuration that it does not know', () => {
    expect(() => containerdConfig('version = 3', false)).toThrow(HarnessError);
  });
});

describe('clusterConfig', () => {
  it('has one control plane, the workers, and a kubelet that takes cgroup v1', () => {
    const config = parse(clusterConfig(2));
    expect(config.nodes.map((n: { role: string }) => n.role)).toEqual(['control-plane', 'worker', 'worker']);
    expect(parse(config.kubeadmConfigPatches[0])).toMatchObject({
      kind: 'KubeletConfiguration',
      failCgroupV1: false,
    });
  });
});

describe('what earlier builds have left', () => {
  const NODE = 'faultline.dev/node';

  it('goes when no container uses it, the node before what it was made of', async () => {
    const there = ['new', 'new-plain', 'used', 'used-plain', 'old-plain', 'old'];
    const engine = new FakeEngine((call) => {
      if (call.startsWith('ps ')) return `${NODE}:used\nfaultline.dev/registry:1\n`;
      if (call.startsWith('images ')) return `${there.map((tag) => `${NODE}:${tag}`).join('\n')}\n`;
      return undefined;
    });
    await pruneNodeImages(engine, `${NODE}:new`);
    // Without force: the engine has the last word.
    expect(engine.calls.slice(2)).toEqual([`rmi ${NODE}:old`, `rmi ${NODE}:old-plain`]);
  });

  it('goes with its container, which has all rights', async () => {
    const engine = new FakeEngine((call) => (call.startsWith('ps ') ? '0123456789ab\n' : undefined));
    await removeBuildContainer(engine);
    expect(engine.calls).toEqual([
      'ps --all --quiet --filter name=^faultline-build(-[0-9]+)?$',
      'rm --force --volumes 0123456789ab',
    ]);
  });
});
