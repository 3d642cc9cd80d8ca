/** infra/ says nothing that the product does not know: names of settings, paths, commands, ports; and the image lacks nothing that it loads. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { serverLimits } from '@drawbridge/broker/http/server'
import { readEnv, settingEntries } from '@drawbridge/runtime/env'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const known = new Set<string>(Object.values(settingEntries).map(({ name }) => name))
const commands = ['broker', 'worker', 'migrate']

type Service = {
  readonly image: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly read_only?: boolean
  readonly user?: string
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly restart?: string
  readonly stop_grace_period?: string
  readonly volumes?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}
const { services, volumes } = parse(read('infra/compose.yaml'), { merge: true }) as {
  services: Readonly<Record<string, Service>>
  volumes: Readonly<Record<string, unknown>>
}
const ours = Object.entries(services).filter(([, { build }]) => build !== undefined)

/** What compose makes of `${NAME:?why}` and `${NAME:-default}`. */
type Given = Readonly<Record<string, string>>
const given: Given = { DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com', RUNTIME_PASSWORD: 'runtime', OWNER_PASSWORD: 'owner' }
const interpolate = (text: string, from: Given) =>
  text.replace(/\$\{(\w+)(?::([?-])([^}]*))?\}/g, (_, name: string, how?: string, rest = '') => from[name] ?? (how === '-' ? rest : ''))
const masterKeys: Given = { DRAWBRIDGE_MASTER_KEYS: `1:${Buffer.alloc(32, 7).toString('base64')}` }
const kmsKey: Given = { DRAWBRIDGE_KMS_KEY: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab' }
const wrappedKeys: Given = { DRAWBRIDGE_WRAPPED_MASTER_KEYS: `1:${Buffer.alloc(160, 7).toString('base64')}` }

const dockerfile = read('infra/docker/Dockerfile')
const settingsOfImage = Object.fromEntries(
  [...(dockerfile.split(/^FROM /m).at(-1) ?? '').matchAll(/^ENV (.+)$/gm)].flatMap(([, line = '']) =>
    line.split(' ').map((pair) => pair.split('=') as [string, string]),
  ),
)

describe('compose.yaml', () => {
  it('runs each of our commands from one image, as nobody, without a writable disk or a way to more rights', () => {
    expect(ours.map(([name]) => name).sort()).toEqual([...commands].sort())
    const user = /^USER (.+)$/m.exec(dockerfile)?.[1]
    for (const [name, { command, read_only, build, cap_drop, security_opt, ...service }] of ours) {
      expect({ command, read_only, cap_drop, security_opt, user: service.user }).toEqual({
        command: [name],
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        user,
      })
      expect(existsSync(join(root, 'infra', build?.context ?? '', build?.dockerfile ?? ''))).toBe(true)
    }
  })

  it('gives none of the others a way to more rights, and starts whatever runs again', () => {
    for (const [name, { security_opt, restart }] of Object.entries(services)) {
      expect({ name, security_opt }).toEqual({ name, security_opt: ['no-new-privileges:true'] })
      expect({ name, restart }).toEqual({ name, restart: name === 'migrate' ? undefined : 'unless-stopped' })
    }
  })

  it('knows of whatever runs whether it is well, ours by a file of the image that asks the port that it binds', () => {
    const asked = { broker: settingEntries.port.default, worker: settingEntries.workerPort.default }
    for (const [name, { healthcheck }] of Object.entries(services).filter(([name]) => name !== 'migrate')) {
      const [how, program, file, port] = healthcheck?.test ?? []
      expect({ name, how }).toEqual({ name, how: expect.stringMatching(/^CMD/) })
      if (name !== 'broker' && name !== 'worker') continue
      expect({ program, port }).toEqual({ program: 'node', port: asked[name] })
      expect(existsSync(join(root, file ?? ''))).toBe(true)
    }
  })

  it('starts nothing of ours before what it needs is well, and gives it time for the request that it is answering', () => {
    const well = { condition: 'service_healthy' }
    const migrated = { condition: 'service_completed_successfully' }
    expect(services['migrate']?.depends_on).toEqual({ postgres: well })
    expect(services['broker']?.depends_on).toEqual({ postgres: well, migrate: migrated })
    expect(services['worker']?.depends_on).toEqual({ postgres: well, redis: well, migrate: migrated })
    for (const [, { stop_grace_period }] of ours)
      expect(Number.parseInt(stop_grace_period ?? '', 10) * 1000).toBeGreaterThan(serverLimits.requestTimeoutMs)
  })

  it('keeps data in named volumes', () => {
    const used = Object.values(services).flatMap((service) => service.volumes ?? [])
    expect(used.map((volume) => volume.split(':')[0]).sort()).toEqual(Object.keys(volumes).sort())
    for (const keeper of ['postgres', 'redis']) expect(services[keeper]?.volumes).toHaveLength(1)
  })

  const settingsOf = ({ environment = {} }: Service, keys: Given) => {
    const settings = Object.entries(environment).map(([name, value]) => [name, interpolate(String(value), { ...given, ...keys })])
    return { ...settingsOfImage, ...Object.fromEntries(settings) }
  }

  it.each(ours)(
    '%s gets settings that exist, and that the product accepts: with keys of its own, wrapped ones, or a KMS to make the first',
    (_name, service) => {
      expect(Object.keys(service.environment ?? {}).filter((name) => !known.has(name))).toEqual([])
      for (const keys of [masterKeys, { ...kmsKey, ...wrappedKeys }, kmsKey])
        expect(readEnv(settingsOf(service, keys))).toMatchObject({ production: true, host: '0.0.0.0', workerHost: '0.0.0.0' })
    },
  )

  it.each(ours)('%s starts neither without a master key nor with one that nobody unwraps', (_name, service) => {
    for (const keys of [{}, wrappedKeys]) expect(() => readEnv(settingsOf(service, keys))).toThrow(/MASTER_KEYS/)
  })

  it('gives the owner’s password to the migration alone', () => {
    const holders = Object.entries(services).filter(([, service]) => JSON.stringify(service).includes('OWNER_PASSWORD'))
    expect(holders.map(([name]) => name).sort()).toEqual(['migrate', 'postgres'])
  })

  it('publishes the port that the broker binds, on loopback', () => {
    expect(services['broker']?.ports).toEqual([`127.0.0.1:4400:${settingEntries.port.default}`])
  })
})

describe('the image', () => {
  it('sets only settings that exist, and is nobody’s', () => {
    expect(Object.keys(settingsOfImage).filter((name) => !known.has(name))).toEqual([])
    expect(dockerfile).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m)
    expect(dockerfile).toContain(`EXPOSE ${settingEntries.port.default} ${settingEntries.workerPort.default}`)
  })

  it('asks whether a process is ready without curl: 0 when it is, 1 with a reason when it is not, or nobody answers', async () => {
    const ready = (port: number) =>
      spawnSync(process.execPath, [join(root, 'apps/cli/bin/is-ready.mjs'), String(port)], { encoding: 'utf8' })
    const answersWith = async (status: number) => {
      // Another process, for the question is asked synchronously.
      const code = `require('node:http').createServer((_, r) => r.writeHead(${status}).end('{"needs":["postgresql"]}')).listen(0, '127.0.0.1', function () { console.log(this.address().port) })`
      const server = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
      const port = Number(await new Promise((resolve) => server.stdout.once('data', resolve)))
      const { status: exitCode, stderr } = ready(port)
      server.kill()
      return { exitCode, stderr, port }
    }
    expect(await answersWith(200)).toMatchObject({ exitCode: 0, stderr: '' })
    const unready = await answersWith(503)
    expect(unready).toMatchObject({ exitCode: 1, stderr: '503: {"needs":["postgresql"]}\n' })
    expect(ready(unready.port)).toMatchObject({ status: 1, stderr: expect.stringContaining('nobody answers') })
  })

  it('starts a file that is there, and turbo builds a package that is', () => {
    const entry = /ENTRYPOINT \["node", "([^"]+)"\]/.exec(dockerfile)?.[1] ?? ''
    expect(existsSync(join(root, entry))).toBe(true)
    expect(dockerfile).toContain(`--filter=${(JSON.parse(read('apps/cli/package.json')) as { name: string }).name}...`)
  })

  it('takes neither data nor secrets of this machine', () => {
    const ignored = read('.dockerignore').split('\n')
    for (const name of ['.git', '.drawbridge', '**/node_modules', '.env']) expect(ignored).toContain(name)
  })

  it('is installed anew for production, because an installation that shrinks keeps its development tools on the disk', () => {
    const [build, installAnew] = [dockerfile.indexOf('turbo run build'), dockerfile.indexOf('rm -rf node_modules apps/*/node_modules')]
    expect(installAnew).toBeGreaterThan(build)
    const command = dockerfile.slice(installAnew).replaceAll(/\\\n\s*/g, '')
    for (const flag of ['--frozen-lockfile', '--prod', '--no-optional', '@drawbridge/broker...', '@drawbridge/worker...'])
      expect(command).toContain(flag)
  })

  it('loads nothing at start that it removes, nor what only development installs', () => {
    const removed = [...dockerfile.matchAll(/rm -rf (.+)$/gm)].at(-1)?.[1]?.split(' ') ?? []
    expect(removed).toContain('apps/simulator')
    const { files, packages } = loadedBy('apps/cli/src/main.ts')
    for (const needed of ['apps/broker/src/app.ts', 'apps/worker/src/worker.ts', 'apps/cli/src/migrate.ts']) expect(files).toContain(needed)
    expect(files.filter((file) => removed.some((folder) => file.startsWith(`${folder}/`)))).toEqual([])
    expect([...packages].filter(({ from, name }) => !dependenciesOf(from).has(name))).toEqual([])
  })
})

type Loaded = { readonly files: readonly string[]; readonly packages: readonly { readonly from: string; readonly name: string }[] }

/** What these import on demand, a start on one machine alone needs: the image does not have it. */
const ofOneMachine = ['apps/cli/src/simulator.ts', 'apps/cli/src/example-server.ts']

/** Follows imports of values, those on demand too; a type is gone at run time. */
function loadedBy(entry: string): Loaded {
  const files: string[] = []
  const packages: { from: string; name: string }[] = []
  const waiting = [entry]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.includes(file) || !existsSync(join(root, file))) continue
    files.push(file)
    const text = read(file)
    const onDemand = ofOneMachine.includes(file) ? [] : text.matchAll(/\bimport\('([^']+)'\)/g)
    for (const [, specifier = ''] of [...text.matchAll(/^(?:import|export) (?!type\b)(?:[^'"]*? from )?'([^']+)'/gm), ...onDemand]) {
      const ownFile = specifier.startsWith('.') ? join(dirname(file), specifier).replace(/\.js$/, '.ts') : fileOfHouse(specifier)
      if (ownFile !== undefined) waiting.push(ownFile)
      else if (!specifier.startsWith('node:'))
        packages.push({
          from: file,
          name: specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/'),
        })
    }
  }
  return { files, packages }
}

function fileOfHouse(specifier: string): string | undefined {
  const [, name = '', path = ''] = /^@drawbridge\/([^/]+)\/(.+)$/.exec(specifier) ?? []
  if (name === '') return undefined
  if (name.startsWith('example-')) return `examples/${name.slice('example-'.length)}/src/${path}.ts`
  return existsSync(join(root, 'apps', name)) ? `apps/${name}/src/${path}.ts` : `packages/${name}/src/${path}.ts`
}

const dependenciesOf = (file: string): ReadonlySet<string> => {
  const manifest = JSON.parse(read(join(...file.split('/').slice(0, 2), 'package.json'))) as { dependencies?: Record<string, string> }
  return new Set(Object.keys(manifest.dependencies ?? {}))
}
