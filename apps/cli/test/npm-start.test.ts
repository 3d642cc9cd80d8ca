/** `npm start` on a machine that is not as it should be: what is wrong, what to do, no stack. */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { expect, it, vi } from 'vitest'
import { run, stackLine } from './a-process.js'

/** Processes start in these tests, and on a busy machine each takes its time. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const bootstrap = fileURLToPath(new URL('../../../tools/bootstrap.mjs', import.meta.url))

/** `before`: code that runs in the process first, to make it another machine. */
function npmStart(environment: Readonly<Record<string, string>>, before = ''): Promise<{ code: number | null; output: string }> {
  const preload = before === '' ? [] : ['--import', `data:text/javascript,${encodeURIComponent(before)}`]
  const child = spawn(process.execPath, [...preload, bootstrap, 'start'], { env: { ...process.env, ...environment } })
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

it.each(['DRAWBRIDGE_PORT', 'DRAWBRIDGE_WORKER_PORT', 'DRAWBRIDGE_SIMULATOR_PORT', 'DRAWBRIDGE_EXAMPLE_SERVER_PORT'])(
  'tells before the long steps that the port of %s is taken',
  async (name) => {
    const ports: Record<string, string> = {}
    for (const each of ['DRAWBRIDGE_PORT', 'DRAWBRIDGE_WORKER_PORT', 'DRAWBRIDGE_SIMULATOR_PORT', 'DRAWBRIDGE_EXAMPLE_SERVER_PORT'])
      ports[each] = String(await freePort())
    const holder = createServer().listen(Number(ports[name]), '127.0.0.1')
    try {
      const { code, output } = await npmStart(ports)
      expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining(`port ${ports[name]} on 127.0.0.1 is in use`) })
      expect(output).toContain('What to do:')
      expect(output).not.toMatch(stackLine)
    } finally {
      holder.close()
    }
  },
)

it.each(['18.20.4', '20.18.3'])('tells on Node %s which one is needed, before anything else', async (version) => {
  const another = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  const { code, output } = await npmStart({}, another)
  expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('20.19 or newer is needed') })
  expect(output).toContain('What to do:')
  expect(output).not.toMatch(stackLine)
})

const small = mkdtempSync(join(tmpdir(), 'drawbridge-small-'))
const mayMount = process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', small]).status === 0
if (!mayMount) console.log('skipped: only root may mount the small disk that this test fills')
const onSmallDisk = mayMount ? it : it.skip // only root may mount the small disk that it fills

onSmallDisk('a disk that fills while the database is made is named, and nothing half-made is left', async () => {
  try {
    chmodSync(small, 0o755)
    const ports: Record<string, string> = { DRAWBRIDGE_DATA_DIRECTORY: join(small, 'data') }
    for (const name of ['PORT', 'WORKER_PORT', 'SIMULATOR_PORT', 'EXAMPLE_SERVER_PORT', 'EMBEDDED_DATABASE_PORT'])
      ports[`DRAWBRIDGE_${name}`] = String(await freePort())
    const { code, output } = await run(['start'], ports)
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('The disk is full') })
    expect(output).not.toMatch(stackLine)
    expect(readdirSync(join(small, 'data')).filter((name) => name.includes('database'))).toEqual([])
  } finally {
    spawnSync('umount', [small])
    rmSync(small, { recursive: true, force: true })
  }
})
