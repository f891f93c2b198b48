/** What a run may be told of besides its target: stores that the user has already, for traces and logs. */
export interface EvidenceSources {
  /** A Jaeger query service or a Tempo. */
  traces?: HttpStore;
  loki?: { store: HttpStore /** LogQL */; query: string };
}

/** A store that answers over HTTP. User and password of its URL are sent as a header: no message, and so no bundle, can have them. */
export class HttpStore {
  /** Without user and password. */
  readonly url: string;
  readonly #headers: Record<string, string>;

  /** @param text base URL, `http://user:password@host` where the store wants to know who asks */
  constructor(text: string) {
    const url = new URL(text);
    const { username, password } = url;
    url.username = '';
    url.password = '';
    this.url = url.href.replace(/\/+$/, '');
    const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    this.#headers = {
      accept: 'application/json',
      ...(user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
    };
  }

  /** @param path below the base URL, with its `/` @throws Error when there is no answer in time */
  get(path: string, withinMs: number, params: Record<string, string> = {}): Promise<Response> {
    const asked = new URL(this.url + path);
    for (const [name, value] of Object.entries(params)) asked.searchParams.set(name, value);
    return fetch(asked, { headers: this.#headers, signal: AbortSignal.timeout(withinMs) });
  }
}
