import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { choosePorts } from './ports.ts'

const occupy = async (): Promise<{ port: number; release: () => void }> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return { port: typeof address === 'object' && address ? address.port : 0, release: () => server.close() }
}

describe('choosePorts', () => {
  it('gives each name a port of its own and takes a remembered one again', async () => {
    const { a } = await choosePorts({ a: {} })
    const again = await choosePorts({ a: { remembered: a }, b: { remembered: a }, c: {} })
    expect(again.a).toBe(a)
    expect(new Set(Object.values(again)).size).toBe(3)
  })
  it('passes over a remembered port that is in use, but refuses when a fixed one is', async () => {
    const { port, release } = await occupy()
    expect((await choosePorts({ a: { remembered: port } })).a).not.toBe(port)
    await expect(choosePorts({ redis: { fixed: port } })).rejects.toThrow(`Port ${port} for redis is already in use`)
    release()
  })
})
