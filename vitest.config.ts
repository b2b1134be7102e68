import { configDefaults, defineConfig } from 'vitest/config';
import { isLong, longFiles } from './test/support/long.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(isLong ? [] : longFiles)],
    globalSetup: ['test/support/long.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    pool: 'forks',
  },
});
