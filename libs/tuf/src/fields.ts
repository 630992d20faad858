import { malformed } from './errors.js';

/** A value out of foreign JSON with the place it stands at, so that a refusal can name it. Reads own properties only. */
export class Field {
  constructor(
    private readonly role: string,
    private readonly pointer: string,
    readonly value: unknown,
  ) {}

  get(name: string): Field {
    return this.find(name) ?? this.refuse(`lacks ${name}`);
  }

  find(name: string): Field | undefined {
    const object = this.object();
    return Object.hasOwn(object, name) ? this.at(name, object[name]) : undefined;
  }

  entries(): [string, Field][] {
    return Object.entries(this.object()).map(([name, value]) => [name, this.at(name, value)]);
  }

  items(): Field[] {
    if (!Array.isArray(this.value)) return this.refuse('is not a list');
    return this.value.map((item: unknown, i) => this.at(String(i), item));
  }

  object(): Record<string, unknown> {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value))
      return this.refuse('is not an object');
    return this.value as Record<string, unknown>;
  }

  string(): string {
    return typeof this.value === 'string' ? this.value : this.refuse('is not a string');
  }

  boolean(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.refuse('is not true or false');
  }

  integer(least: number, most = Number.MAX_SAFE_INTEGER): number {
    const { value } = this;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most)
      return this.refuse(`is not an integer from ${least} to ${most}`);
    return value;
  }

  refuse(message: string): never {
    throw malformed(this.role, this.pointer, message);
  }

  private at(name: string, value: unknown): Field {
    return new Field(this.role, `${this.pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, value);
  }
}
