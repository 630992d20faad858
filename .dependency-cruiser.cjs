/** Doors and directions: apps → tier 2 → tier 1 → tier 0, never in a ring, never sideways. Type imports count. */
const pure = 'globalplatform|matching|tuf|device-protocol';
const tier2 = 'campaign|subscription|syndication|ota|insight|journal|handset|secure-element';
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'pure-top',
      comment: 'rules are plain functions: no framework, no database',
      severity: 'error',
      from: { path: '^libs/[^/]+/src/[^/]+[.]ts$', pathNot: '^libs/(event-log|runtime)/' },
      to: { path: '/nest/|node_modules/(@nestjs|typeorm|kafkajs|pg)/' },
    },
    {
      name: 'by-the-door',
      comment: 'a room is entered by index.ts, events.ts, its module or a DTO; tests also by testing.ts',
      severity: 'error',
      from: { path: '^(?:libs/)?([^/]+)/' },
      to: { path: '^libs/', pathNot: '^libs/$1/|/src/(index|events|testing)[.]ts$|[.]module[.]ts$|[.]dto[.]ts$' },
    },
    {
      name: 'console-apart',
      comment: 'the console knows the server by deploy/openapi.json alone, from which its types are made',
      severity: 'error',
      from: { path: '^apps/console/' },
      to: { path: '^(libs|apps|deploy|test)/|node_modules/(@nestjs|typeorm|pg)/', pathNot: '^apps/console/' },
    },
    {
      name: 'types-only',
      severity: 'error',
      from: { path: '^apps/(handset|console|ota-gateway)/' },
      to: { path: '/nest/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'identity',
      severity: 'error',
      from: { path: '^libs/identity/' },
      to: { path: '^libs/', pathNot: '^libs/(identity|event-log|runtime|device-protocol)/' },
    },
    {
      name: 'tiers-0-1',
      severity: 'error',
      from: { path: `^libs/(runtime|${pure}|event-log)/` },
      to: { path: '^libs/', pathNot: '^libs/($1|runtime)/' },
    },
    {
      name: 'tier-2',
      severity: 'error',
      from: { path: `^libs/(${tier2})/` },
      to: { path: '^libs/', pathNot: `^libs/($1|runtime|${pure}|event-log|identity)/|/src/events[.]ts$` },
    },
    { name: 'libs-not-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^apps/' } },
    {
      name: 'apps-apart',
      comment: 'a service alone opens store and ports as apps/muster does, which is all services in one process',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/($1|muster)/' },
    },
    {
      name: 'handset-without-nest',
      severity: 'error',
      from: { path: '^libs/handset/|^apps/handset/' },
      to: { path: 'node_modules/(@nestjs|typeorm|pg)/' },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true, path: '^[#.]' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['muster-src', 'import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.json'],
    },
  },
};
