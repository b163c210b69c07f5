// Builds the page when its sources are newer than what was built, and compresses it once, so that serving it costs nothing.
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { build } from 'vite'

const root = import.meta.dirname
const built = join(root, 'dist/index.html')
const changedAt = (files: string[]): number => Math.max(...files.map((file) => statSync(join(root, file)).mtimeMs))

const sources = ['index.html', 'vite.config.ts', 'package.json', ...globSync('src/**/*.{ts,tsx,css}', { cwd: root })]
if (!existsSync(built) || statSync(built).mtimeMs < changedAt(sources)) {
  await build({ root, configFile: join(root, 'vite.config.ts'), logLevel: 'warn' })
  for (const file of globSync('dist/**/*.{html,js,css}', { cwd: root })) {
    const bytes = readFileSync(join(root, file))
    writeFileSync(join(root, `${file}.br`), brotliCompressSync(bytes))
    writeFileSync(join(root, `${file}.gz`), gzipSync(bytes, { level: 9 }))
  }
}
