import { convertCssVariables, defaultCssVariablesResolver, DEFAULT_THEME, mergeMantineTheme } from '@mantine/core';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { theme } from './src/theme.js';

const NAME = 'virtual:theme.css';

/**
 * The theme's CSS variables as a file. Mantine would write them into a <style> element while the page runs, which
 * `style-src 'self'` forbids.
 */
const themeVariables = (): Plugin => ({
  name: 'theme-variables',
  resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
  load: (id) =>
    id === `\0${NAME}`
      ? convertCssVariables(defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme)), ':root')
      : undefined,
});

/** Pages that have to share a module before it comes with the first of them. */
const SHARED = 6;

/** Where `vite` alone sends what is not the console's; a session's cookie belongs to the host, whatever its port. */
const server = process.env.MUSTER_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: '/console/',
  plugins: [react(), themeVariables()],
  server: { proxy: { '/v1': server }, host: '127.0.0.1' },
  build: {
    outDir: '../../dist/apps/console',
    emptyOutDir: true,
    manifest: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
    // What most pages share comes in two files instead of forty: a browser has six connections to a host.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'vendor', test: /node_modules/, minShareCount: SHARED },
            { name: 'shared', test: /apps.console.src/, minShareCount: SHARED },
          ],
        },
      },
    },
  },
});
