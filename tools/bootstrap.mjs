#!/usr/bin/env node
// The user's commands on a bare machine: needs only Node and npm, installs with the pinned pnpm, builds, then hands over.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const [command = 'start', ...rest] = process.argv.slice(2)
const minimumFreeBytes = 2 * 1024 ** 3
const startedAt = Date.now()
const say = (text) => process.stderr.write(`  ${text}\n`)
const stop = (problem, remedy) => {
  process.stderr.write(`\nDrawbridge cannot go on: ${problem}\n  What to do: ${remedy}\n`)
  process.exit(1)
}

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19))
  stop(`this is Node ${process.version}, and 20.19 or newer is needed`, 'install Node 20.19 or newer and run the same command again')

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const env = {
  ...process.env,
  CI: process.env.CI ?? 'true',
  TURBO_TELEMETRY_DISABLED: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
  DO_NOT_TRACK: '1',
  CHECKPOINT_DISABLE: '1',
  PRISMA_HIDE_UPDATE_MESSAGE: '1',
}

/** Runs one step; its output is shown only when it fails, because a calm start prints little. */
function step(what, file, args, remedy) {
  const began = Date.now()
  say(`${what} …`)
  const result = spawnSync(file, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 64 * 1024 ** 2, shell: file.endsWith('.cmd') })
  if (result.error || result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}\n`)
    const text = `${result.stdout}${result.stderr}`
    if (/ENOSPC|no space left/i.test(text)) stop(`the disk is full while ${what}`, 'free about 2 GB, then run the same command again')
    stop(`${what} failed (its output stands above)`, remedy)
  }
  say(`${what}: done in ${((Date.now() - began) / 1000).toFixed(1)} s`)
}

function install() {
  const stamp = join(root, 'node_modules', '.drawbridge-installed')
  const hash = createHash('sha256')
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) hash.update(readFileSync(join(root, file)))
  const wanted = hash.update(`${process.platform}-${process.arch}-${major}`).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  const disk = statfsSync(root)
  if (disk.bavail * disk.bsize < minimumFreeBytes)
    stop('less than 2 GB are free on this disk', 'free some space, then run the same command again')
  // A half-finished earlier installation leaves no stamp; pnpm completes it.
  if (existsSync(join(root, 'node_modules'))) say('an earlier installation is unfinished or out of date: completing it')
  rmSync(stamp, { force: true })
  const npm = process.env.npm_execpath?.endsWith('.js')
    ? [process.execPath, process.env.npm_execpath]
    : [process.platform === 'win32' ? 'npm.cmd' : 'npm']
  const remedy = 'check that the npm registry can be reached, then run the same command again; what was installed is kept'
  step(
    'installing packages',
    npm[0],
    [...npm.slice(1), 'exec', '--yes', `--package=${manifest.packageManager}`, '--', 'pnpm', 'install', '--frozen-lockfile'],
    remedy,
  )
  writeFileSync(stamp, wanted)
}

function build() {
  // turbo looks for the package manager on PATH; it is a development dependency of the root.
  env.PATH = join(root, 'node_modules', '.bin') + delimiter + env.PATH
  const turbo = join(root, 'node_modules', 'turbo', 'bin', 'turbo')
  step(
    'building',
    process.execPath,
    [turbo, 'run', 'build', '--output-logs=errors-only', '--log-order=grouped'],
    'if the tree is unchanged, delete node_modules and run the same command again',
  )
}

function handOver(args) {
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
  // Ctrl-C reaches the child too (same process group); we only wait for it to stop cleanly.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
}

/** Before the long steps: nobody should wait a minute to hear that a port is taken. The start itself checks again. */
async function checkPorts() {
  const wanted = [
    process.env.DRAWBRIDGE_PORT || 4400,
    process.env.DRAWBRIDGE_WORKER_PORT || 4401,
    process.env.DRAWBRIDGE_SIMULATOR_PORT || 4410,
    process.env.DRAWBRIDGE_EXAMPLE_SERVER_PORT || 4420,
  ]
  for (const port of wanted.map(Number)) {
    if (!Number.isInteger(port) || port < 0 || port > 65_535) continue // the start itself tells every wrong setting at once
    const taken = await new Promise((resolve) => {
      const server = createServer()
      server.once('error', (error) => resolve(error.code === 'EADDRINUSE'))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)))
    })
    if (taken)
      stop(
        `port ${port} on 127.0.0.1 is in use`,
        'stop the Drawbridge (or other program) that holds it, or choose another port with DRAWBRIDGE_PORT and its siblings',
      )
  }
}

if (command === 'start') await checkPorts()
install()
build()
say(`ready to ${command} after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
if (!process.stdout.isTTY) env.NO_COLOR = '1' // CI alone would colour the lines of a log
const vitest = [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run']
if (command === 'test' && rest.length === 0) env.DRAWBRIDGE_TESTS = 'short'
if (command === 'test-long') env.DRAWBRIDGE_TESTS = 'long'
handOver(command.startsWith('test') ? [...vitest, ...rest] : [join(root, 'apps', 'cli', 'bin', 'drawbridge.mjs'), command, ...rest])
