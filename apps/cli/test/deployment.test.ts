/** infra/ says nothing that the product does not know: names of settings, paths, commands, ports; and the image lacks nothing that it loads. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readEnv, settingEntries } from '@drawbridge/runtime/env'
import { describe, expect, it } from '@jest/globals'
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
}
const { services } = parse(read('infra/compose.yaml'), { merge: true }) as { services: Readonly<Record<string, Service>> }
const ours = Object.entries(services).filter(([, { build }]) => build !== undefined)

/** What compose makes of `${NAME:?why}` and `${NAME:-default}`. */
const given: Readonly<Record<string, string>> = {
  DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com',
  DRAWBRIDGE_MASTER_KEYS: `1:${Buffer.alloc(32, 7).toString('base64')}`,
  RUNTIME_PASSWORD: 'runtime',
  OWNER_PASSWORD: 'owner',
}
const interpolate = (text: string) =>
  text.replace(/\$\{(\w+)(?::([?-])([^}]*))?\}/g, (_, name: string, how?: string, rest = '') => given[name] ?? (how === '-' ? rest : ''))

const dockerfile = read('infra/docker/Dockerfile')
const settingsOfImage = Object.fromEntries(
  [...(dockerfile.split(/^FROM /m).at(-1) ?? '').matchAll(/^ENV (.+)$/gm)].flatMap(([, line = '']) =>
    line.split(' ').map((pair) => pair.split('=') as [string, string]),
  ),
)

describe('compose.yaml', () => {
  it('runs each of our commands from one image, without a writable disk', () => {
    expect(ours.map(([name]) => name).sort()).toEqual([...commands].sort())
    for (const [name, { command, read_only, build }] of ours) {
      expect({ command, read_only }).toEqual({ command: [name], read_only: true })
      expect(existsSync(join(root, 'infra', build?.context ?? '', build?.dockerfile ?? ''))).toBe(true)
    }
  })

  it.each(ours)('%s gets settings that exist, and that the product accepts', (_name, { environment = {} }) => {
    expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([])
    const settings = Object.entries(environment).map(([name, value]) => [name, interpolate(String(value))])
    expect(readEnv({ ...settingsOfImage, ...Object.fromEntries(settings) })).toMatchObject({ production: true, host: '0.0.0.0' })
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

  it('starts a file that is there, and turbo builds a package that is', () => {
    const entry = /ENTRYPOINT \["node", "([^"]+)"\]/.exec(dockerfile)?.[1] ?? ''
    expect(existsSync(join(root, entry))).toBe(true)
    expect(dockerfile).toContain(`--filter=${(JSON.parse(read('apps/cli/package.json')) as { name: string }).name}...`)
  })

  it('takes neither data nor secrets of this machine', () => {
    const ignored = read('.dockerignore').split('\n')
    for (const name of ['.git', '.drawbridge', '**/node_modules', '.env']) expect(ignored).toContain(name)
  })

  it('loads nothing at start that it removes, nor what only development installs', () => {
    const removed = /rm -rf (.+)$/m.exec(dockerfile)?.[1]?.split(' ') ?? []
    expect(removed).toContain('apps/simulator')
    const { files, packages } = loadedBy('apps/cli/src/main.ts')
    expect(files.filter((file) => removed.some((folder) => file.startsWith(`${folder}/`)))).toEqual([])
    expect([...packages].filter(({ from, name }) => !dependenciesOf(from).has(name))).toEqual([])
  })
})

type Loaded = { readonly files: readonly string[]; readonly packages: readonly { readonly from: string; readonly name: string }[] }

/** Follows static imports of values only; a type is gone at run time, and what is imported on demand is loaded by the start alone. */
function loadedBy(entry: string): Loaded {
  const files: string[] = []
  const packages: { from: string; name: string }[] = []
  const waiting = [entry]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.includes(file) || !existsSync(join(root, file))) continue
    files.push(file)
    for (const [, specifier = ''] of read(file).matchAll(/^(?:import|export) (?!type\b)(?:[^'"]*? from )?'([^']+)'/gm)) {
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
