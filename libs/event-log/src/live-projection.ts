import type { Database } from './database.js';
import { prepareGeneration } from './generation.js';
import type { Projection } from './projection.js';
import { type BuildEars, ProjectionBuild } from './projection-build.js';

/** The live build of a projection, whichever it is now: a rebuild, in this process or in another, puts a new one in its place. */
export class LiveProjection {
  private current: ProjectionBuild | undefined;

  constructor(
    readonly projection: Projection,
    private readonly database: Database,
    private readonly ears: BuildEars = {},
  ) {}

  /** Makes the tables where there are none. */
  async prepare(): Promise<ProjectionBuild> {
    const schema = await prepareGeneration(this.database, this.projection);
    return (this.current = new ProjectionBuild(this.projection, schema, this.database, this.ears));
  }

  /** Works on the live build. Whatever failed because another took its place meanwhile is done again on that one. */
  async on<T>(work: (build: ProjectionBuild) => Promise<T>): Promise<T> {
    for (;;) {
      const build = this.current ?? (await this.prepare());
      try {
        return await work(build);
      } catch (error) {
        const now = await this.prepare();
        if (now.schema === build.schema) throw error;
      }
    }
  }
}
