import type { Reporter, TestModule, TestRunEndReason, Vitest } from 'vitest/node';

/** Prints the seconds of each suite and the totals on a line of their own: `N passed, N failed, N skipped`. */
export default class SecondsReporter implements Reporter {
  private startedAt = Date.now();

  onInit(_vitest: Vitest): void {
    this.startedAt = Date.now();
  }

  onTestRunEnd(modules: readonly TestModule[], _errors: readonly unknown[], _reason: TestRunEndReason): void {
    const seconds = new Map<string, number>();
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      const spent =
        module.diagnostic().duration + module.diagnostic().setupDuration + module.diagnostic().collectDuration;
      seconds.set(module.project.name, (seconds.get(module.project.name) ?? 0) + spent / 1000);
      if (module.errors().length > 0) counts.failed += 1;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state !== 'pending') counts[state] += 1;
      }
    }
    for (const [suite, spent] of seconds) console.log(`suite ${suite}: ${spent.toFixed(1)} s`);
    console.log(`total: ${((Date.now() - this.startedAt) / 1000).toFixed(1)} s`);
    console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
}
