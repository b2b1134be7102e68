#!/usr/bin/env node
'use strict';
// Starts the command line under Node 24: by itself where it runs already, else by the binary that came with `npm ci`.
const { spawn } = require('node:child_process');
const { existsSync } = require('node:fs');
const { constants } = require('node:os');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const entries = { serve: 'serve.ts', work: 'work.ts' };
const given = process.argv.slice(2);
const command = given[0] ?? '';
const main = join(__dirname, '..', 'src', Object.hasOwn(entries, command) ? entries[command] : join('cli', 'main.ts'));
if (Object.hasOwn(entries, command)) process.argv.splice(2, 1);
const needed = 24;

function bundledNode() {
  const names = [`node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`];
  for (const name of names) {
    try {
      const folder = join(require.resolve(`${name}/package.json`), '..');
      const binary = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
      if (existsSync(binary)) return binary;
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND' && error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
    }
  }
  return null;
}

if (Number(process.versions.node.split('.')[0]) >= needed) {
  import(pathToFileURL(main).href);
} else {
  const binary = bundledNode();
  if (binary === null) {
    console.error(
      `custodia needs Node ${needed} or newer, found ${process.versions.node}, and no bundled Node for ${process.platform}-${process.arch}`,
    );
    process.exit(3);
  }
  const child = spawn(binary, [__filename, ...given], { stdio: 'inherit' });
  // Ctrl-C reaches the child by itself (same process group): this process only waits for it to stop cleanly.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (status, signal) => process.exit(status ?? 128 + constants.signals[signal]));
}
