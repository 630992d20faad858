import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Bootstrap } from '#identity/nest/identity.module.js';
import { randomToken } from '#runtime/index.js';

export interface FirstLogin {
  tenant: string;
  email: string;
  password: string;
}

export interface Administrators {
  /** Whether there is an administrator. */
  isSettled: () => Promise<boolean>;
  /** Makes the account; false when another process was first. */
  create: (login: FirstLogin) => Promise<boolean>;
}

export const administrators = (bootstrap: Bootstrap): Administrators => ({
  isSettled: () => bootstrap.isSettled(),
  create: (login) => bootstrap.bootstrapAdministrator(login),
});

/**
 * The first administrator's login, shown once. It is written to a 0600 file before the account exists and removed when it
 * has been shown, so that a start killed in between shows it at the next one.
 */
export class FirstStart {
  private readonly file: string;

  constructor(dataFolder: string) {
    this.file = path.join(dataFolder, 'first-login.json');
  }

  /**
   * Nothing is written once there is an administrator: a later start that is killed must not leave a password that opens
   * nothing for the next one to show.
   */
  async settle({ isSettled, create }: Administrators): Promise<FirstLogin | undefined> {
    const pending = this.pending();
    if (pending === undefined && (await isSettled())) {
      this.shown(); // what was cut off while it was written
      return undefined;
    }
    const login = pending ?? { tenant: 'main', email: 'admin@main.example', password: randomToken(18) };
    writeFileSync(this.file, JSON.stringify(login), { mode: 0o600, flush: true });
    if ((await create(login)) || pending !== undefined) return login;
    this.shown();
    return undefined;
  }

  shown(): void {
    rmSync(this.file, { force: true });
  }

  private pending(): FirstLogin | undefined {
    if (!existsSync(this.file)) return undefined;
    try {
      return JSON.parse(readFileSync(this.file, 'utf8')) as FirstLogin;
    } catch {
      return undefined; // cut off while it was written: no account was made with it yet
    }
  }
}
