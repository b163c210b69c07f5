// Loaded into a service before its own code (`node --import`): its wall clock is off by as many milliseconds as the file
// that CHAOS_CLOCK names says. Timers go by the monotonic clock, as on a machine whose clock is set.
import { readFileSync } from 'node:fs'

const file = process.env.CHAOS_CLOCK
const LOOK_MS = 100
let offsetMs = 0

function look(path: string): void {
  try {
    offsetMs = Number(readFileSync(path, 'utf8')) || 0
  } catch {
    offsetMs = 0
  }
}

if (file !== undefined) {
  look(file)
  setInterval(look, LOOK_MS, file).unref()
  const realNow = Date.now
  const now = () => realNow() + offsetMs
  globalThis.Date = new Proxy(Date, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
  })
}
