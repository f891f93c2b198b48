import { HarnessError } from '../base/errors.ts';
import { Engine } from './engine.ts';

/** An engine for tests: it keeps what it was asked to do, does nothing, and says what the test has it say. */
export class FakeEngine extends Engine {
  readonly calls: string[] = [];
  /** Tags of the images that it has. */
  readonly images: Set<string>;
  private readonly say: (call: string, args: string[]) => string | undefined;

  /** @param say an answer; throws HarnessError for one that fails; undefined: '' */
  constructor(say: FakeEngine['say'] = () => undefined, images: string[] = []) {
    super(undefined);
    this.say = say;
    this.images = new Set(images);
  }

  override async docker(args: string[]): Promise<string> {
    this.calls.push(args.join(' '));
    return this.say(args.join(' '), args) ?? '';
  }

  override async undo(args: string[]): Promise<void> {
    try {
      await this.docker(args);
    } catch (error) {
      if (!(error instanceof HarnessError)) throw error;
    }
  }

  override async answers(): Promise<boolean> {
    return true;
  }

  override async hasImage(tag: string): Promise<boolean> {
    return this.images.has(tag);
  }
}
