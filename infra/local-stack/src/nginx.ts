import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type ChildRegistry, startChild } from './child.ts'
import { StackError } from './errors.ts'
import { findProgram, installWithApt, thisMachine } from './programs.ts'
import { writePrivateFile } from './secrets.ts'
import { createServer, type Server, type ServerHooks } from './server.ts'

/** How an nginx of our own is run. */
export type NginxOptions = {
  /** Its files: temporary bodies, pid, configuration and, in `nginx.log`, what it writes by itself. */
  dir: string
  /** What stands in the http block. */
  http: string
  /** Where it listens, to see when it answers. */
  port: number
  registry?: ChildRegistry
  hooks?: ServerHooks
}

const howToInstall = `No nginx was found on PATH. Install one:
  macOS          brew install nginx
  Debian/Ubuntu  sudo apt-get install nginx
  Fedora/RHEL    sudo dnf install nginx
  Arch           sudo pacman -S nginx
  Alpine         sudo apk add nginx`

const findNginx = (): string | null =>
  findProgram(
    thisMachine(process.env, () => {}),
    ['nginx'],
  )

/** Installs nginx where it is missing and that needs no question (root on Debian/Ubuntu). */
export const prepareNginx = (log: (line: string) => void): void => {
  if (findNginx() !== null || installWithApt(thisMachine(process.env, log), 'nginx')) return
  log(`${howToInstall}\nWithout it the tests of infra/nginx fail.`)
}

/** Everything that a compiled-in path could point to lies in `dir`, so that it runs beside any other nginx. */
const configuration = ({ dir, http }: NginxOptions): string =>
  [
    'daemon off;',
    'worker_processes 1;',
    // Started as root, workers would be another user, who may not write into `dir`.
    process.getuid?.() === 0 ? 'user root;' : '',
    `pid ${dir}/nginx.pid;`,
    'error_log stderr error;',
    'events { worker_connections 512; }',
    'http {',
    ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`),
    http,
    '}',
    '',
  ].join('\n')

const answers = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => done(true)).once('error', () => done(false))
    socket.once('connect', () => socket.destroy())
  })

/** Prepares an nginx in the foreground. @throws StackError when it is missing or refuses its configuration */
export const createNginx = (options: NginxOptions): Server => {
  const { dir, port, registry, hooks } = options
  const path = findNginx()
  if (path === null) throw new StackError(howToInstall)
  mkdirSync(dir, { recursive: true })
  const file = join(dir, 'nginx.conf')
  writePrivateFile(file, configuration(options))
  const args = ['-p', dir, '-c', file, '-e', 'stderr']
  const verdict = spawnSync(path, ['-t', ...args], { encoding: 'utf8' })
  if (verdict.status !== 0) throw new StackError(`nginx refuses its configuration:\n${verdict.stderr}`)
  return createServer({
    name: 'nginx',
    launch: () =>
      startChild({ name: 'nginx', command: path, args, logFile: join(dir, 'nginx.log'), cwd: dir }, registry),
    probe: () => answers(port),
    readyTimeoutMs: 20_000,
    // TERM and not QUIT: a websocket that is open would be waited for.
    stopSteps: [['SIGTERM', 5_000]],
    ...hooks,
  })
}
