import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const backend = 'http://127.0.0.1:8080'

/** The first picture is the right one: painted when the chosen theme is known, with fonts asked for at once. */
const firstPaint: Plugin = {
  name: 'first-paint',
  transformIndexHtml: {
    order: 'post',
    handler(html, { bundle = {} }) {
      const fonts = Object.keys(bundle).filter((file) =>
        /(figtree|fraunces)-latin-wght-.*\.woff2$/.test(file),
      )
      const attributes = { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: true }
      return {
        html: html.replace('<script type="module"', '<script type="module" blocking="render"'),
        tags: fonts.map((file) => ({ tag: 'link', attrs: { ...attributes, href: `/${file}` } })),
      }
    },
  },
}

export default defineConfig({
  plugins: [react(), tailwindcss(), firstPaint],
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
