import { defineConfig } from 'vite';

export default defineConfig({
  // Relative, so that the assets work under whatever path the service is mounted on.
  base: './',
  build: {
    outDir: '../static',
    emptyOutDir: true,
    // The Python page finds the hashed names of the entry and its styles here.
    manifest: 'manifest.json',
    license: { fileName: 'THIRD-PARTY-LICENSES.md' },
    modulePreload: { polyfill: false },
    target: 'es2022',
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      input: 'src/main.tsx',
      onwarn(warning, warn) {
        // "use client" means something to server-side rendering alone.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
});
