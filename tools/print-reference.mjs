// The pages of docs/reference that are read from sources and not from compiled tables: database.md and spec-coverage.md.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const readText = (path) => readFileSync(path, 'utf8')

/** Models of every schema file with their comments and columns, in the order in which the files write them. */
export function readModels(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.prisma'))
    .sort()
    .flatMap((name) => modelsOf(readText(join(folder, name))))
}

function modelsOf(schema) {
  const models = []
  let open
  let said = []
  for (const line of schema.split('\n').map((text) => text.trim())) {
    if (line.startsWith('///')) said.push(line.slice(3).trim())
    else if (line.startsWith('model ')) open = { name: line.split(' ')[1], says: said.join(' '), columns: [], rules: [] }
    else if (open && line === '}') {
      models.push(open)
      open = undefined
    } else if (open && line.startsWith('@@')) addRule(open, line)
    else if (open && line !== '' && !line.startsWith('//')) open.columns.push(columnOf(line, said.join(' ')))
    if (!line.startsWith('///')) said = []
  }
  return models
}

function addRule(model, line) {
  const table = /^@@map\("([^"]+)"\)/.exec(line)
  if (table) model.table = table[1]
  else model.rules.push(line.slice(2))
}

function columnOf(line, says) {
  const [name, type = ''] = line.split(/\s+/)
  const mapped = /@map\("([^"]+)"\)/.exec(line)?.[1] ?? name
  return {
    name: mapped,
    type: type.replace('?', ''),
    isOptional: type.endsWith('?'),
    says: [says, line.split('///')[1]?.trim()].filter(Boolean).join(' '),
  }
}

const folders = ['apps', 'packages', 'examples']
const isSource = (path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.endsWith('.d.ts')

/** Every TypeScript source below these folders, without generated and compiled ones, as paths from the root. */
export function listSources(root, matches = isSource) {
  const walk = (folder) =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) return ['node_modules', 'dist', 'generated'].includes(entry.name) ? [] : walk(path)
      return matches(path) ? [path] : []
    })
  return folders.flatMap(walk).sort((one, other) => (one < other ? -1 : 1))
}

/**
 * Section, the files that cite it, the test beside each. Citations are `@spec` tags and the `spec` of endpoints; the catalogues of
 * refusals are in errors.md. A test beside a file is no proof that it tests this section, and the page says so.
 */
export function readSpecCoverage(root) {
  const tests = new Set(listSources(root, (path) => path.endsWith('.test.ts')))
  const cited = new Map()
  for (const path of listSources(root)) {
    for (const section of citationsOf(path, readText(join(root, path)))) cited.set(section, (cited.get(section) ?? new Set()).add(path))
  }
  return [...cited]
    .sort(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }))
    .flatMap(([section, paths]) => [...paths].map((path) => ({ section, path, tests: testsBeside(tests, path) })))
}

function citationsOf(path, text) {
  const tags = [...text.matchAll(/@spec\s+([^\n*@]+)/g)].map(([, tag]) => tag)
  const fields = path.endsWith('.endpoint.ts') ? [...text.matchAll(/\bspec: '([^']+)'/g)].map(([, tag]) => tag) : []
  return [...tags, ...fields].flatMap(sectionsOf)
}

const oneName = [
  [/^OpenID Connect (Core|Discovery)( 1\.0)?/, 'OIDC $1'],
  [/^OAuth Client ID Metadata Document/, 'OAuth CIMD'],
]

/** `RFC 8725 §3.8, §3.9; RFC 7515 compact serialization` cites three things; whatever else stands there is a remark. */
export function sectionsOf(tag) {
  const found = []
  let named
  for (const [index, part] of tag.split(/[,;:]\s*/).entries()) {
    const [before = '', ...numbers] = part.trim().split('§')
    const title = oneName.reduce((text, [long, short]) => text.replace(long, short), before.replace(/\s*\(.*/, '').trim())
    if (/^[A-Z]/.test(title)) named = /^RFC \d+(bis)?/.exec(title)?.[0] ?? (index === 0 || numbers.length > 0 ? title : named)
    if (named === undefined || named.startsWith('ours')) continue
    if (numbers.length === 0 && (index === 0 || before.startsWith('RFC '))) found.push(named)
    for (const number of numbers) found.push(`${named} §${/^[\d.]*\d/.exec(number)?.[0] ?? number.trim()}`)
  }
  return found
}

/** The test of the same name; without one, those of the same folder, which reach an endpoint through HTTP. */
function testsBeside(tests, path) {
  const own = path.replace(/(\.endpoint)?\.ts$/, '.test.ts')
  const exact = [path.replace(/\.ts$/, '.test.ts'), own].filter((one, index, all) => tests.has(one) && all.indexOf(one) === index)
  if (exact.length > 0) return { exact, folder: [] }
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  return { exact, folder: [...tests].filter((test) => test.startsWith(folder) && !test.slice(folder.length).includes('/')) }
}
