import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const backend = 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    // What the page relies on anyway: light-dark(), <dialog>, Promise.withResolvers.
    target: ['chrome125', 'edge125', 'firefox128', 'safari18'],
    // Everything is a file of its own, so that the page runs under `default-src 'self'` without `data:`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      '/api': backend,
      '/ws': { target: backend, ws: true },
    },
  },
})
