/** What README tells people to type and to open is there: scripts, commands, addresses, settings, files. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brokerEndpoints } from '@drawbridge/broker/app'
import { adminCommands } from '@drawbridge/cli/admin/commands'
import { findCommand, readWords } from '@drawbridge/cli/admin/read-words'
import { commandLineSettings, settingEntries } from '@drawbridge/runtime/env'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const found = (pattern: RegExp): string[] => [...new Set([...readme.matchAll(pattern)].map(([, first = '']) => first))]

it('links to files that are there', () => {
  const links = found(/\]\(([^)#:]+)\)/g)
  expect(links.length).toBeGreaterThan(10)
  expect(links.filter((link) => !existsSync(join(root, link)))).toEqual([])
})

it('names scripts of package.json', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  const named = [...found(/npm run (\w+)/g), ...found(/npm (start|test)\b/g)]
  expect(named.length).toBeGreaterThan(2)
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

it('sends nobody to an address that the broker does not have', () => {
  const templates = brokerEndpoints.map(({ method, path }) => `${method} ${path.replaceAll(/:\w+/g, '*')}`)
  const variable = /<[^>]+>|\{\w+\}|\$[A-Z]+|\binitech\b/g
  const reads = [...readme.matchAll(/`GET (\/admin\S+)`/g)].map(([, path]) => `GET ${path}`)
  const atIdp = [...readme.matchAll(/`<origin>(\/t\/<tenant>\/(?:saml|oidc)\S+)`/g)].map(([, path = '']) => path)
  expect([reads.length, atIdp.length].every((length) => length > 0)).toBe(true)
  for (const call of reads) expect(templates).toContain(call.replace(variable, '*'))
  for (const path of atIdp) expect(templates.map((template) => template.split(' ')[1])).toContain(path.replaceAll(variable, '*'))
})

it('names settings that exist', () => {
  const known = Object.values({ ...settingEntries, ...commandLineSettings }).map(({ name }) => name as string)
  for (const name of found(/\b(DRAWBRIDGE_[A-Z_]+)\b/g)) expect(known).toContain(name)
})

it('types commands that are there, with words that they understand', () => {
  const guides = ['README.md', 'docs/how-to/keep-a-tenant-in-a-file.md', 'docs/how-to/prove-a-domain.md']
  const lines = guides.flatMap((guide) =>
    [...readFileSync(join(root, guide), 'utf8').matchAll(/^drawbridge (?!\()(.+)$/gm)].map(([, line = '']) => line),
  )
  expect(lines.length).toBeGreaterThan(6)
  for (const line of lines) {
    const words = [...line.replace(/ (#|>) ?.*$/, '').matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
    const command = findCommand(adminCommands, words)
    expect([line, command?.name]).toEqual([line, expect.any(String)])
    expect([line, command && readWords(command, words.slice(command.name.split(' ').length))]).toMatchObject([line, { ok: true }])
  }
})
