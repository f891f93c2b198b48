/** The real services that the tests stand on, each with its own data directory and ports: RabbitMQ, an OCI registry, S3. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, sleep, temporary, until } from './ports.ts';

export interface Service {
  url: string;
  port: number;
  stop: () => Promise<void>;
}

async function end(child: ChildProcess, graceMs = 3000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(timer);
}

async function environmentOf(pid: string): Promise<string> {
  return readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
}

/** Starts RabbitMQ; about 6 s. Its epmd, a daemon of its own, is ended with it. */
export async function startRabbit(): Promise<Service> {
  const directory = await temporary('rabbit');
  const [port, dist, epmd] = [await freePort(), await freePort(), await freePort()];
  await writeFile(
    join(directory, 'rabbitmq.conf'),
    `listeners.tcp.1 = 127.0.0.1:${port}\nloopback_users = none\nlog.console.level = error\nvm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 50MB\n`,
  );
  await writeFile(join(directory, 'enabled_plugins'), '[].\n');
  const env = {
    ...process.env,
    HOME: directory,
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    RABBITMQ_NODENAME: `kltest${port}@localhost`,
    RABBITMQ_DIST_PORT: String(dist),
    ERL_EPMD_PORT: String(epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none',
  };
  await mkdir(join(directory, 'log'));
  const child = spawn('/usr/lib/rabbitmq/bin/rabbitmq-server', { env, stdio: 'ignore', detached: true });
  const stop = async () => {
    for (const pid of await readdir('/proc'))
      if (/^\d+$/.test(pid) && (await environmentOf(pid)).includes(`ERL_EPMD_PORT=${epmd}\0`))
        try {
          process.kill(Number(pid), 'SIGKILL');
        } catch {}
    await sleep(100);
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    await until(
      'RabbitMQ takes connections',
      async () => {
        if (child.exitCode !== null) throw new Error(`rabbitmq-server ended: ${child.exitCode}`);
        return speaksAmqp(port);
      },
      40_000,
      150,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `amqp://guest:guest@127.0.0.1:${port}`, port, stop };
}

async function speaksAmqp(port: number): Promise<boolean> {
  const { connect } = await import('amqplib');
  try {
    await (await connect(`amqp://guest:guest@127.0.0.1:${port}`, { timeout: 1000 })).close();
    return true;
  } catch {
    return false;
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

/** Starts the distribution registry. */
export async function startRegistry(): Promise<Service> {
  const directory = await temporary('registry');
  const port = await freePort();
  const config = join(directory, 'config.yml');
  await writeFile(
    config,
    `version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: ${join(directory, 'data')}}\nhttp:\n  addr: 127.0.0.1:${port}\n`,
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  await until('the registry answers', () => answers(`http://127.0.0.1:${port}/v2/`));
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async stop() {
      await end(child);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export const S3_KEYS = { access: 'testaccess', secret: 'testsecret' };

/** Starts versitygw over a directory; `put` lays an object down. */
export async function startS3(): Promise<
  Service & { put: (bucket: string, key: string, text: string) => Promise<void> }
> {
  const directory = await temporary('s3');
  const port = await freePort();
  const data = join(directory, 'data');
  await mkdir(data);
  const child = spawn(
    'versitygw',
    ['--port', `127.0.0.1:${port}`, '--access', S3_KEYS.access, '--secret', S3_KEYS.secret, 'posix', data],
    { stdio: 'ignore' },
  );
  child.on('error', () => {});
  const url = `http://127.0.0.1:${port}`;
  await until('the object store answers', () => answers(url));
  const { AwsClient } = await import('aws4fetch');
  const client = new AwsClient({
    accessKeyId: S3_KEYS.access,
    secretAccessKey: S3_KEYS.secret,
    service: 's3',
    region: 'us-east-1',
  });
  return {
    url,
    port,
    async put(bucket, key, text) {
      for (const [target, body] of [
        [`${url}/${bucket}`, undefined],
        [`${url}/${bucket}/${key}`, text],
      ] as const) {
        const answer = await client.fetch(target, { method: 'PUT', ...(body ? { body } : {}) });
        if (answer.status !== 200 && answer.status !== 409) throw new Error(`S3 ${target}: ${answer.status}`);
      }
    },
    async stop() {
      await end(child);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Drops every packet to and from a port of this machine, as a broker that has become a black hole. Needs root. */
export function blackHole(port: number): { remove: () => void } {
  const table = `klplatformtest${port}`;
  const nft = (...args: string[]) => {
    const { status, stderr } = spawnSync('nft', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`nft ${args.join(' ')}: ${stderr}`);
  };
  nft(
    `add table inet ${table}; add chain inet ${table} in { type filter hook input priority 0; }; ` +
      `add rule inet ${table} in tcp dport ${port} drop; add rule inet ${table} in tcp sport ${port} drop`,
  );
  return { remove: () => nft('delete', 'table', 'inet', table) };
}
