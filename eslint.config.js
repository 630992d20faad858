import tseslint from 'typescript-eslint';

/** Rules that need types are the ones that matter here: a promise nobody waits for is a lost fact. */
export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.muster/**', '**/*.cjs', '**/*.mjs', 'eslint.config.js'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off', // ports are asynchronous whether or not an adapter waits
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      'no-restricted-syntax': ['error', { selector: 'ExportDefaultDeclaration', message: 'no default exports' }],
      'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }],
      'max-depth': ['error', 4],
      'max-params': ['error', 5],
      complexity: ['error', 14],
    },
  },
  {
    files: ['**/*.spec.ts', 'test/**/*.ts'],
    rules: { 'max-lines': 'off', '@typescript-eslint/unbound-method': 'off' },
  },
  {
    files: ['vitest.config.ts', 'apps/console/vite.config.ts', 'test/support/*.reporter.ts', 'test/support/*.setup.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
