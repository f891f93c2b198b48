/**
 * The image of a kind node, built from source: Debian's systemd and containerd, kind's own files, Kubernetes, and the images of
 * the control plane inside its containerd. After kind v0.30.0's images/base/Dockerfile and `kind build node-image`.
 */
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HarnessError } from '../base/errors.ts';
import { built, type Tell } from './cache.ts';
import { run } from './command.ts';
import { type Engine, runcWrapper } from './engine.ts';
import { ownCommand } from './go-build.ts';
import { buildImage, commandImage, contentTag, ensureImage } from './images.ts';
import { IMAGES, KUBERNETES_VERSION, NODE_SYSTEM, PINS, type SourceName, TOOLS_SYSTEM } from './pins.ts';
import type { GetCommands } from './published.ts';
import { systemImage } from './system-image.ts';

const HERE = fileURLToPath(new URL('./', import.meta.url));

/** Raised when the way in which the image is put together changes, so that the old one is not taken for the new. */
const RECIPE = 1;

export interface NodeImage {
  tag: string;
  /** Path of the `kind` command that goes with it. */
  kind: string;
  /** Path of `kubectl`. */
  kubectl: string;
}

/** Builds what is missing, in an order in which each step can be resumed. */
export async function nodeImage(engine: Engine, get: GetCommands, tell: Tell): Promise<NodeImage> {
  const wrapper = await runcWrapper(tell);
  const commands = {} as Record<SourceName, string>;
  for (const name of Object.keys(PINS) as SourceName[]) commands[name] = await get(name, PINS[name]);
  const pause = await built(ownCommand('pause', join(HERE, 'pause')), tell);
  const base = await systemImage(engine, 'node-system', NODE_SYSTEM, tell);
  const tools = await systemImage(engine, 'tools-system', TOOLS_SYSTEM, tell);

  const made = [nodeDockerfile(base), basename(pause), wrapper ? basename(dirname(wrapper)) : 'plain runc'];
  const parts = [
    RECIPE,
    tools,
    Object.values(commands).map((directory) => basename(directory)),
    IMAGES,
    manifests(),
    script('pod-network.sh'),
    script(CGROUP_V1),
    ...made,
  ];
  const tag = contentTag('node', parts);
  await ensureImage(engine, tag, tell, async (directory) => {
    await clusterImages(engine, commands, pause, tools);
    await plainNode(engine, `${tag}-plain`, directory, { base, commands, wrapper });
    await withImages(engine, `${tag}-plain`, tag);
  });
  return { tag, kind: join(commands.kind, 'kind'), kubectl: join(commands.kubernetes, 'kubectl') };
}

function manifests(): Record<string, string> {
  return {
    'default-cni.yaml': readFileSync(join(HERE, 'manifests/pod-network.yaml'), 'utf8'),
    'default-storage.yaml': readFileSync(join(HERE, 'manifests/storage.yaml'), 'utf8'),
  };
}

function script(name: string): string {
  return readFileSync(join(HERE, 'images', name), 'utf8');
}

/** Run before containerd, on each node. */
const CGROUP_V1 = 'cgroup-v1.sh';

/** The images that a node has from the start. */
async function clusterImages(
  engine: Engine,
  commands: Record<SourceName, string>,
  pause: string,
  tools: string,
): Promise<void> {
  const kubernetes = (name: string) => join(commands.kubernetes, name);
  const scratch = (tag: string, file: string, entrypoint?: string[]) =>
    commandImage(engine, tag, { from: 'scratch', files: [file], entrypoint });
  await scratch(IMAGES.apiserver, kubernetes('kube-apiserver'));
  await scratch(IMAGES.controllerManager, kubernetes('kube-controller-manager'));
  await scratch(IMAGES.scheduler, kubernetes('kube-scheduler'));
  await scratch(IMAGES.coredns, join(commands.coredns, 'coredns'), ['/usr/local/bin/coredns']);
  await scratch(IMAGES.pause, join(pause, 'pause'), ['/usr/local/bin/pause']);
  await scratch(IMAGES.localPath, join(commands['local-path-provisioner'], 'local-path-provisioner'), [
    '/usr/local/bin/local-path-provisioner',
  ]);
  await commandImage(engine, IMAGES.etcd, {
    from: 'scratch',
    files: [join(commands.etcd, 'etcd'), join(commands.etcd, 'etcdctl')],
  });
  await commandImage(engine, IMAGES.proxy, { from: tools, files: [kubernetes('kube-proxy')] });
  await commandImage(engine, IMAGES.podNetwork, {
    from: tools,
    files: [join(HERE, 'images/pod-network.sh')],
  });
  await engine.docker(['tag', tools, IMAGES.volumeHelper]);
}

/** The node without the images inside. */
async function plainNode(
  engine: Engine,
  tag: string,
  directory: string,
  parts: { base: string; commands: Record<SourceName, string>; wrapper: string | undefined },
): Promise<void> {
  const files = join(directory, 'files');
  const kindFiles = join(await moduleDirectory(PINS.kind.module, PINS.kind.version), 'images/base/files');
  cpSync(kindFiles, files, { recursive: true });
  // Files of the module cache are read-only, and none is executable.
  await run('chmod', ['-R', 'u+w', files]);
  for (const scripts of ['usr/local/bin', 'kind/bin'])
    await run('chmod', ['-R', '0755', join(files, scripts)]);
  mkdirSync(join(files, 'usr/bin'), { recursive: true });
  for (const name of ['kubeadm', 'kubelet', 'kubectl']) {
    cpSync(join(parts.commands.kubernetes, name), join(files, 'usr/bin', name));
    chmodSync(join(files, 'usr/bin', name), 0o755);
  }
  cpSync(join(parts.commands.etcd, 'etcdctl'), join(files, 'usr/local/bin/etcdctl'));
  mkdirSync(join(files, 'kind/manifests'), { recursive: true });
  for (const [name, text] of Object.entries(manifests()))
    writeFileSync(join(files, 'kind/manifests', name), text);
  writeFileSync(join(files, 'kind/version'), `v${KUBERNETES_VERSION}`);
  if (parts.wrapper !== undefined) {
    mkdirSync(join(files, 'usr/local/sbin'), { recursive: true });
    cpSync(parts.wrapper, join(files, 'usr/local/sbin/runc-wrapper'));
  }
  mkdirSync(join(files, 'etc/systemd/system/containerd.service.d'), { recursive: true });
  writeFileSync(join(files, 'usr/local/bin', CGROUP_V1), script(CGROUP_V1), { mode: 0o755 });
  writeFileSync(
    join(files, 'etc/systemd/system/containerd.service.d/10-cgroup-v1.conf'),
    `[Service]\nExecStartPre=/usr/local/bin/${CGROUP_V1}\n`,
  );
  const config = join(files, 'etc/containerd/config.toml');
  writeFileSync(config, containerdConfig(readFileSync(config, 'utf8'), parts.wrapper !== undefined));
  writeFileSync(join(directory, 'Dockerfile'), nodeDockerfile(parts.base));
  await buildImage(engine, tag, directory);
}

/**
 * kind's configuration of containerd with our pause image, registries by certs.d, and, where the machine lacks the capability,
 * the wrapper before runc.
 */
export function containerdConfig(text: string, wrapped: boolean): string {
  const changes: [RegExp, string][] = [
    [/sandbox_image = ".*"/, `sandbox_image = "${IMAGES.pause}"`],
    ...(wrapped
      ? ([
          [/restrict_oom_score_adj = false/, 'restrict_oom_score_adj = true'],
          [/SystemdCgroup = true/g, 'SystemdCgroup = true\n    BinaryName = "/usr/local/sbin/runc-wrapper"'],
        ] as [RegExp, string][])
      : []),
  ];
  for (const [pattern, replacement] of changes) {
    if (text.search(pattern) < 0)
      throw new HarnessError(
        `kind's containerd configuration has no ${pattern.source}: the pinned version of kind and kind/node-image.ts do not fit each other`,
      );
    text = text.replace(pattern, replacement);
  }
  return `${text}\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n`;
}

function nodeDockerfile(base: string): string {
  // Debian has containerd and the CNI plugins elsewhere than kind's units and containerd's defaults look for them.
  return `FROM ${base}
COPY files/ /
RUN find /lib/systemd/system/sysinit.target.wants/ -name systemd-tmpfiles-setup.service -delete \\
 && rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* \\
    /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/sockets.target.wants/*udev* \\
    /lib/systemd/system/sockets.target.wants/*initctl* /lib/systemd/system/basic.target.wants/* \\
 && echo ReadKMsg=no >>/etc/systemd/journald.conf \\
 && ln -sf /lib/systemd/systemd /sbin/init \\
 && ln -sf /usr/bin/containerd /usr/local/bin/containerd \\
 && mkdir -p /opt/cni /etc/kubernetes/manifests /etc/containerd/certs.d \\
 && rm -rf /opt/cni/bin && ln -s /usr/lib/cni /opt/cni/bin \\
 && ctr oci spec | jq '.hooks.createContainer[.hooks.createContainer | length] |= . + {"path": "/kind/bin/mount-product-files.sh"} | del(.process.rlimits)' >/etc/containerd/cri-base.json \\
 && systemctl enable kubelet.service containerd.service undo-mount-hacks.service \\
 && systemctl mask systemd-binfmt.service
ENV container=docker
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]
`;
}

/** The plain node with the images of the control plane in its containerd, as kind itself puts them there. */
async function withImages(engine: Engine, plain: string, tag: string): Promise<void> {
  await removeBuildContainer(engine);
  const options = ['--detach', '--privileged', '--entrypoint=sleep', `--name=${BUILD_CONTAINER}`];
  const container = (await engine.docker(['run', ...options, plain, 'infinity']))
    .trim()
    .split('\n')
    .at(-1) as string;
  const inside = (...command: string[]) => engine.docker(['exec', container, ...command]);
  try {
    const listed = await inside(
      'kubeadm',
      'config',
      'images',
      'list',
      '--kubernetes-version',
      `v${KUBERNETES_VERSION}`,
    );
    const known = new Set<string>(Object.values(IMAGES));
    const unknown = listed
      .split('\n')
      .filter((line) => line.includes('registry.k8s.io/') && !known.has(line.trim()));
    if (unknown.length > 0)
      throw new HarnessError(`kubeadm wants images that kind/pins.ts does not have: ${unknown.join(', ')}`);
    await engine.docker(['exec', '--detach', container, 'containerd']);
    await inside(
      'sh',
      '-c',
      'for i in $(seq 100); do ctr version >/dev/null 2>&1 && exit 0; sleep 0.2; done; exit 1',
    );
    await run(
      'sh',
      [
        '-euc',
        'container=$1; shift; docker save "$@" | docker exec -i "$container" ctr -n k8s.io images import --no-unpack --digests --all-platforms -',
        'sh',
        container,
        ...Object.values(IMAGES),
      ],
      { env: engine.env },
    );
    const there = (await inside('ctr', '-n', 'k8s.io', 'images', 'ls', '-q')).split('\n');
    const absent = Object.values(IMAGES).filter((image) => !there.includes(image));
    if (absent.length > 0)
      throw new HarnessError(`containerd did not take these images: ${absent.join(', ')}`);
    await inside(
      'sh',
      '-c',
      'kill $(pidof containerd); while pidof containerd >/dev/null; do sleep 0.1; done',
    );
    await engine.docker([
      'commit',
      '--change',
      'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
      container,
      tag,
    ]);
  } finally {
    await engine.undo(['rm', '--force', '--volumes', container]);
  }
}

/** Always of this name: one that a killed command has left, with all rights and for ever, is found. */
const BUILD_CONTAINER = 'faultline-build';

/** Removes what a killed build has left, also one of an earlier version, which put its pid behind the name. */
export async function removeBuildContainer(engine: Engine): Promise<void> {
  const left = await engine.docker([
    'ps',
    '--all',
    '--quiet',
    '--filter',
    `name=^${BUILD_CONTAINER}(-[0-9]+)?$`,
  ]);
  for (const id of left.split('\n').filter(Boolean)) await engine.undo(['rm', '--force', '--volumes', id]);
}

/** Removes node images of earlier states that no container uses: more than a GiB each. What the engine does not let go stays. */
export async function pruneNodeImages(engine: Engine, current: string): Promise<void> {
  const repository = current.slice(0, current.lastIndexOf(':'));
  const lines = async (args: string[]) => (await engine.docker(args)).split('\n').filter(Boolean);
  const used = await lines(['ps', '--all', '--format', '{{.Image}}']);
  const there = await lines(['images', '--format', '{{.Repository}}:{{.Tag}}', repository]);
  const old = there.filter((tag) => ![current, ...used].includes(tag.replace(/-plain$/, '')));
  // The shorter names first: each was made of the plain image of its name.
  for (const tag of old.sort()) await engine.undo(['rmi', tag]);
}

async function moduleDirectory(module: string, version: string): Promise<string> {
  const text = await run('go', ['mod', 'download', '-json', `${module}@v${version}`], { cwd: '/' });
  return (JSON.parse(text.slice(text.indexOf('{'))) as { Dir: string }).Dir;
}
