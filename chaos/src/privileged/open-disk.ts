import { chmodSync, mkdirSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runCommand } from './run-command.ts'

/** A small disk of a server's own: an ext4 image, mounted through a loop device. */
export interface Disk {
  /** Where the server may keep its data. */
  readonly dataDir: string
  /** Leaves not a byte free. */
  fill(): void
  /** Takes back what `fill` took. */
  free(): void
  /** Keeps what is on the disk at this moment: what was written and not synced is still in memory, and is not in it. */
  keepCrashImage(): void
  /** Goes on from the kept image, as after a power cut. Nothing may use the disk. */
  mountCrashImage(): Promise<void>
  unmount(): Promise<void>
}

const UNMOUNT_TRIES = 50

/** Makes and mounts a disk of so many MB below `dir`. Needs root. */
export function openDisk(dir: string, name: string, megabytes: number): Disk {
  const image = join(dir, `disk-${name}.img`)
  const crashImage = `${image}.crash`
  const mountPoint = join(dir, `disk-${name}`)
  const filler = join(mountPoint, 'filler')
  mkdirSync(mountPoint)
  const mount = (file: string) => runCommand('mount', ['-o', 'loop', file, mountPoint])
  runCommand('truncate', ['-s', `${megabytes}M`, image])
  runCommand('mkfs.ext4', ['-q', '-m', '0', image])
  mount(image)
  chmodSync(mountPoint, 0o755)
  const unmount = async () => {
    // A killed server's last process needs a moment to be gone.
    for (let left = UNMOUNT_TRIES; ; left--) {
      try {
        return runCommand('umount', [mountPoint])
      } catch (error) {
        if (left === 0) throw error
      }
      await delay(100)
    }
  }
  return {
    dataDir: join(mountPoint, 'data'),
    fill: () => {
      const { bavail, bsize } = statfsSync(mountPoint)
      runCommand('fallocate', ['-l', String(Math.max(1, bavail - 64) * bsize), filler])
      fillRest(`${filler}-rest`)
    },
    free: () => {
      for (const file of [filler, `${filler}-rest`]) rmSync(file, { force: true })
    },
    keepCrashImage: () => runCommand('cp', ['--sparse=always', image, crashImage]),
    mountCrashImage: async () => {
      await unmount()
      renameSync(crashImage, image)
      mount(image)
    },
    unmount,
  }
}

const BLOCK = Buffer.alloc(4_096)

/** Appends blocks until there is no room for another. */
function fillRest(file: string): void {
  try {
    for (;;) writeFileSync(file, BLOCK, { flag: 'a' })
  } catch {
    // ENOSPC: that is what was wanted.
  }
}
