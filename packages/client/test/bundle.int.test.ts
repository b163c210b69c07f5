import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { rolldown } from 'rolldown'
import { expect, test } from 'vitest'

const bundle = async (format: 'esm' | 'iife'): Promise<string> => {
  const build = await rolldown({ input: join(import.meta.dirname, '../src/index.ts'), platform: 'neutral' })
  const { output } = await build.generate({ format, name: 'tollgate' })
  return output[0].code
}

test('the built bundle imports nothing, of Node or of anybody', async () => {
  const code = await bundle('esm')
  expect(code).not.toMatch(/\bimport\b[^(]*?from|\bimport\s*\(|\brequire\s*\(/)
  expect(code).not.toMatch(/\b(?:process|Buffer|__dirname|globalThis\.process)\b|node:/)
  expect(code.length).toBeLessThan(13_000)
})

test('it runs where there is only what a browser has', async () => {
  const answers: string[] = []
  const browser = {
    fetch: async (url: string) => {
      answers.push(url)
      return new Response(JSON.stringify({ sub: 'ada' }), { headers: { 'content-type': 'application/json' } })
    },
    ...{ AbortSignal, crypto, setTimeout },
  }
  const run = `${await bundle('iife')}; tollgate.connectServer({ baseUrl: 'https://api.example/', key: 'k' }).verifyToken('t')`
  expect(await runInNewContext(run, browser)).toEqual({ sub: 'ada' })
  expect(answers).toEqual(['https://api.example/api/auth/verify'])
})
