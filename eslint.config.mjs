import { readdirSync } from 'node:fs';
import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** The rooms of src/, the ground first: each may import those before it, and none after it. Types count as imports too. */
const rooms = [
  'basics',
  'identity',
  'keyspace',
  'payload',
  'redis',
  'convert',
  'migration',
  'ledger',
  'files',
  'telemetry',
  'transfer',
  'app',
  'range',
  'compare',
  'copy',
  'sync',
  'survey',
  'live',
  'start',
  'tally',
  'work',
  'schedule',
  'api',
];

/** What stands outside src/, and what each may import beside itself; src/ imports none of it. */
const outside = {
  functions: ['src'],
  local: ['src'],
  console: ['src'],
  cli: ['src', 'local'],
  demo: ['src', 'local', 'cli'],
  bench: ['src', 'local', 'cli', 'demo'],
};

const houses = ['src', ...Object.keys(outside), 'test'];
const strangers = readdirSync(new URL('src', import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !rooms.includes(entry.name))
  .map(({ name }) => name);
if (strangers.length > 0) throw new Error(`Not in the order of rooms above: src/${strangers.join(', src/')}.`);

const roomOrder = [
  ...rooms.map((room, place) => ({
    target: `./src/${room}`,
    from: './src',
    except: rooms.slice(0, place + 1),
    message: 'A room imports only rooms before it in the list of eslint.config.mjs.',
  })),
  ...Object.entries({ src: [], ...outside }).map(([house, known]) => ({
    target: `./${house}`,
    from: houses.filter((other) => other !== house && !known.includes(other)).map((other) => `./${other}`),
    message: `What ${house}/ may import stands in eslint.config.mjs.`,
  })),
];

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'node_modules/',
      '.redis/',
      '.garnet/',
      '.chromium/',
      '.deploy/',
      '.keyferry/',
      'coverage/',
      'test/fixtures/',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: roomOrder }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      eqeqeq: 'error',
    },
    settings: { 'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js'] })] },
  },
  {
    // Layers: src knows nothing of Azure Functions, functions know nothing of the Redis client.
    files: ['src/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: ['@azure/functions', 'durable-functions'] }] },
  },
  {
    // Clocks are set, and instances' clocks differ.
    files: ['src/**/*.ts'],
    ignores: ['src/basics/wall-clock.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'CallExpression[callee.object.name="Date"][callee.property.name="now"], NewExpression[callee.name="Date"][arguments.length=0]',
          message:
            "performance.now() for what lasts, the ledger's time for what instances compare, wallClock() for the rest.",
        },
      ],
    },
  },
  {
    // The console runs in browsers: of the app it knows the shapes of documents, and runs what the build gives it too.
    files: ['console/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [{ regex: '^(\\.\\./(?!src/basics/(safe-text|phase-words)\\.ts$)|node:)', allowTypeImports: true }],
        },
      ],
    },
  },
  {
    files: ['functions/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: ['ioredis'] }] },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        require: 'readonly',
        module: 'readonly',
        __dirname: 'readonly',
        fetch: 'readonly',
        setTimeout: 'readonly',
      },
    },
  },
  prettier,
);
