// What the threat model names is there: each file, and each title of a test in a file that its row names. A row that outlived its code fails here.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..')
const sources = ['apps', 'packages', 'bench', 'prisma', 'docs', 'tools']
const leastRows = 100
const columns = 4

type Row = { readonly threat: string; readonly answer: string; readonly proof: string }
type Files = readonly string[]

const isOurs = (name: string): boolean => !['node_modules', 'dist', 'generated'].includes(name) && !name.startsWith('.')

/** Without git, which a downloaded archive does not have. */
const filesBelow = (folder: string): Files =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => isOurs(name))
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]))
const listed: Files = sources.flatMap(filesBelow)

function rowsOf(text: string): readonly Row[] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) => {
    const cells = line.split('|').slice(1, -1)
    if (cells.length !== columns) throw new Error(`a row of ${cells.length} columns: ${line}`)
    const [threat = '', , answer = '', proof = ''] = cells
    return { threat: threat.trim(), answer, proof }
  })
}

/** `a/{b,c}.ts` is `a/b.ts` and `a/c.ts`. */
function spread(path: string): readonly string[] {
  const [, before = '', inside, after = ''] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(path) ?? []
  return inside === undefined ? [path] : inside.split(',').flatMap((one) => spread(before + one + after))
}

const quoted = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
/** What begins with a slash is a file of a machine, or an address: ours are named from the root of the project. */
const isPath = (name: string): boolean => /^[\w@.{},*-][\w@.{},*/-]*$/.test(name) && (name.includes('/') || /\.(ts|md|mjs)$/.test(name))
const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)

/** The files that a name means: a whole path, the end of one, a folder, a fixture without its ending, or a pattern with `*`. */
function filesOf(name: string, files: Files): Files {
  const pattern = name.split('*').map(escaped).join('[^/]*')
  const whole = new RegExp(`(^|/)${pattern}(/|$)`)
  const fixture = /(^|\/)fixtures\//.test(name) ? new RegExp(`(^|/)${pattern}[^/]*$`) : undefined
  return files.filter((path) => whole.test(path) || fixture?.test(path))
}

const missingFiles = (rows: readonly Row[], files: Files): readonly string[] =>
  rows.flatMap(({ threat, answer, proof }) =>
    quoted(`${answer} ${proof}`)
      .filter(isPath)
      .flatMap(spread)
      .filter((name) => filesOf(name, files).length === 0)
      .map((name) => `${threat}: ${name}`),
  )

/** Titles are told as far as they are written out in the source. */
function missingTitles(rows: readonly Row[], files: Files, read: (path: string) => string): readonly string[] {
  return rows.flatMap(({ threat, proof }) => {
    const tests = quoted(proof)
      .flatMap(spread)
      .filter((name) => name.endsWith('.test.ts'))
      .flatMap((name) => filesOf(name, files))
      .map((path) => read(path).replaceAll("\\'", "'"))
    const titles = [...proof.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title)
    return titles.filter((title) => !tests.some((text) => text.includes(title))).map((title) => `${threat}: ${title}`)
  })
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const rows = rowsOf(read('docs/threat-model.md'))

test('every row names a proof', () => {
  expect(rows.length).toBeGreaterThan(leastRows)
  expect(
    rows.filter(({ proof }) => !quoted(proof).some((name) => /\.test\.ts$|fixtures\//.test(name))).map(({ threat }) => threat),
  ).toEqual([])
})

test('every file that it names is there', () => {
  expect(missingFiles(rows, listed)).toEqual([])
})

test('every title that it names is in a test of its row', () => {
  expect(missingTitles(rows, listed, read)).toEqual([])
})

test('a row that outlived its code is found', () => {
  const planted = rowsOf(
    '| a | b | c | d |\n|---|\n| t | s | `packages/x/src/{here,gone}.ts`, `/proc/x` | `here.test.ts`: "is held", "was held" |',
  )
  const files = ['packages/x/src/here.ts', 'packages/x/src/here.test.ts']
  expect(missingFiles(planted, files)).toEqual(['t: packages/x/src/gone.ts'])
  expect(missingTitles(planted, files, (path) => (basename(path) === 'here.test.ts' ? "test('is held')" : ''))).toEqual(['t: was held'])
})
