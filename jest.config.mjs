const common = {
  testEnvironment: '<rootDir>/test/tools/plain-environment.ts',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  modulePathIgnorePatterns: [
    '<rootDir>/dist/',
    '<rootDir>/.redis/',
    '<rootDir>/.garnet/',
    '<rootDir>/.chromium/',
    '<rootDir>/.deploy/',
    '<rootDir>/.keyferry/',
  ],
};

/** unit: pure code and single parts, on real servers where they need one. e2e: whole migrations through the HTTP API. */
export default {
  // Real servers on a machine that may have other work: nothing is judged by how long it takes. (Not an option of a project.)
  testTimeout: 300_000,
  testSequencer: '<rootDir>/test/tools/longest-first.mjs',
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/e2e/'],
    },
    {
      ...common,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.test.ts'],
      globalSetup: '<rootDir>/test/e2e/support/check-build.ts',
    },
  ],
};
