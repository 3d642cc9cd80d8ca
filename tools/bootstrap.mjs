#!/usr/bin/env node
// The door of the house: `npm start`, `npm test`, `npm run demo` on a bare Node with npm and nothing else.
// Uses no dependency: it installs them (pinned pnpm, frozen lock file), builds with turbo, then hands over.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const [command = 'start', ...rest] = process.argv.slice(2)
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const startedAt = Date.now()
const installBytes = 1_500_000_000

const say = (text) => console.error(`drawbridge  ${text}`)
const stop = (text, remedy) => {
  say(text)
  if (remedy) say(remedy)
  process.exit(1)
}

checkNode()
const env = {
  ...process.env,
  CI: process.env.CI ?? 'true', // without a terminal pnpm asks for permission to replace node_modules
  TURBO_TELEMETRY_DISABLED: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
  DO_NOT_TRACK: '1',
  CHECKPOINT_DISABLE: '1',
  PRISMA_HIDE_UPDATE_MESSAGE: '1',
}
// turbo finds the package manager on the path; ours is a development dependency
env.PATH = join(root, 'node_modules', '.bin') + delimiter + env.PATH

if (command === 'start') await checkPorts([4400, 4410, 4420])
install()
build()
handOver()

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  stop(
    `Node ${process.versions.node} is too old: 20.19 or newer is needed.`,
    'Install it from https://nodejs.org, then run the same command again.',
  )
}

async function checkPorts(ports) {
  for (const port of ports) {
    const free = await new Promise((resolve) => {
      const server = createServer()
      server.once('error', (error) => resolve(error.code !== 'EADDRINUSE'))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (!free)
      stop(
        `Port ${port} on 127.0.0.1 is in use.`,
        'Is Drawbridge running already? Stop it, or the program that holds the port, then start again.',
      )
  }
}

/** Installs only if the lock file, the platform or Node's major version changed since the last complete installation. */
function install() {
  const hash = createHash('sha256')
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(root, file)))
  const wanted = hash.update(`${process.platform}-${process.arch}-${process.versions.node.split('.')[0]}`).digest('hex')
  const stamp = join(root, 'node_modules', '.drawbridge-installed')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  checkDisk()
  if (existsSync(join(root, 'node_modules'))) say('An earlier installation is incomplete or out of date: completing it.')
  say('Installing packages (once; up to a minute) …')
  rmSync(stamp, { force: true })
  const npm = npmCommand()
  run(
    [
      ...npm,
      'exec',
      '--yes',
      `--package=${manifest.packageManager.split('+')[0]}`,
      '--',
      'pnpm',
      'install',
      '--frozen-lockfile',
      '--reporter=append-only',
    ],
    'The installation failed.',
  )
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
  say(`Installed. ${elapsed()}`)
}

/** npm tells where it is when it runs us; run by hand, it is looked for on the path. */
function npmCommand() {
  const path = process.env.npm_execpath
  if (path?.endsWith('npm-cli.js')) return [process.execPath, path]
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm']
}

function checkDisk() {
  const { bavail, bsize } = statfsSync(root)
  if (bavail * bsize < installBytes) {
    stop(
      `The disk is nearly full: ${Math.round((bavail * bsize) / 1e6)} MB free, ${installBytes / 1e6} MB needed.`,
      `Free some space on the disk that holds ${root}, then run the same command again.`,
    )
  }
}

function build() {
  say('Building …')
  run(
    [
      process.execPath,
      join(root, 'node_modules', 'turbo', 'bin', 'turbo'),
      'run',
      'build',
      '--output-logs=errors-only',
      '--log-order=grouped',
    ],
    'The build failed.',
  )
  say(`Built. ${elapsed()}`)
}

function run([file, ...args], failure) {
  // Tools' own chatter goes to stderr, so that stdout is the product's.
  const result = spawnSync(file, args, {
    cwd: root,
    env,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && file === 'npm.cmd',
  })
  if (result.status === 0) return
  if (result.signal) process.exit(1)
  const code = result.error?.code
  if (code === 'ENOENT') stop(`${failure} ${file} was not found.`, 'Install Node together with npm, then run the same command again.')
  stop(
    failure,
    code === 'ENOSPC'
      ? 'The disk is full: free some space.'
      : 'What went wrong is printed above. The same command takes up where it stopped.',
  )
}

function handOver() {
  const jest = [
    '--experimental-vm-modules',
    '--no-warnings',
    join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
    '-c',
    join(root, 'jest.config.mjs'),
  ]
  const args = command === 'test' ? [...jest, ...rest] : [join(root, 'apps', 'cli', 'bin', 'drawbridge.mjs'), command, ...rest]
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
  // Ctrl-C reaches the child through the terminal as well; it counts a second signal as the first one repeated.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
}

function elapsed() {
  return `${((Date.now() - startedAt) / 1000).toFixed(1)} s`
}
