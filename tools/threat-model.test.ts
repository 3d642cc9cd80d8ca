/** What the threat model names is there: each file of the answer, each test, and the words of a test that it quotes. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, test } from '@jest/globals'

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..')
const rows = readFileSync(join(root, 'docs/threat-model.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| threat |'))
const folders = ['apps', 'packages', 'prisma', 'bench', 'tools', 'docs', 'examples']
const files = folders
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`))
  .filter((file) => !/(^|\/)(node_modules|dist)\//.test(file))

/** `a/{b,c}.ts` is two paths. */
function expanded(path: string): readonly string[] {
  const braces = /^(.*?)\{([^{}]*)\}(.*)$/.exec(path)
  return braces ? (braces[2] ?? '').split(',').flatMap((part) => expanded(`${braces[1]}${part}${braces[3]}`)) : [path]
}
const namedIn = (row: string): readonly string[] => [...row.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? '')
/** A path from the root, without the `*` that some end with. */
const isPath = (name: string): boolean => /^(apps|packages|prisma|bench|tools|docs)\/[^ ]+$/.test(name)

it('reads a table of many rows', () => {
  expect(rows.length).toBeGreaterThan(100)
})

test.each(rows.map((row) => ({ threat: row.split(' | ')[0]?.slice(2, 100) ?? '', row })))('$threat', ({ row }) => {
  const paths = namedIn(row)
    .filter(isPath)
    .flatMap(expanded)
    .map((path) => path.replace(/\*.*$/, ''))
  const missing = paths.filter((path) => !files.some((file) => file.startsWith(path)))
  expect(missing).toEqual([])
  const tests = namedIn(row)
    .filter((name) => name.endsWith('.test.ts'))
    .flatMap(expanded)
  const unknown = tests.filter((name) => !files.some((file) => file.endsWith(`/${name}`) || file === name))
  expect(unknown).toEqual([])
  const told = tests
    .flatMap((name) => files.filter((file) => file.endsWith(`/${name}`) || file === name))
    .map((file) => readFileSync(join(root, file), 'utf8'))
  const plain = (text: string): string =>
    text
      .replaceAll('\\u2019', '’')
      .replaceAll(/['’\\]/g, '')
      .replaceAll(/\s+/g, ' ')
  const quoted = [...(row.split(' | ').at(-1) ?? '').matchAll(/: (?:"[^"]+"(?:, )?)+/g)].flatMap(([part]) =>
    [...part.matchAll(/"([^"]+)"/g)].map(([, title]) => title ?? ''),
  )
  expect(quoted.filter((title) => tests.length > 0 && !told.some((text) => plain(text).includes(plain(title))))).toEqual([])
})
