import { hkdfSync, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'

/** Where a write takes what it would else make up: the id of what it makes, and the bytes of a secret that it hands out. */
export interface Act {
  readonly id: string
  randomBytes(size: number): Buffer
}

/** The act that a request stands for. */
export type ActOf = (request: FastifyRequest) => Act

/** An act that is done once. */
export function newAct(newId: () => string): Act {
  return { id: newId(), randomBytes }
}

/** An act of which all follows from a secret seed (HKDF, RFC 5869): done again, it makes the same. */
export function repeatAct(seed: Uint8Array): Act {
  const derive = (purpose: string, size: number) =>
    Buffer.from(hkdfSync('sha256', seed, new Uint8Array(), `tollgate idempotent ${purpose}`, size))
  return { id: toUuid(derive('id', 16)), randomBytes: (size) => derive('bytes', size) }
}

/** Bytes as a UUID of version 8 (RFC 9562 5.8). */
function toUuid(bytes: Buffer): string {
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
