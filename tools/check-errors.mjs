#!/usr/bin/env node
// Every refusal of every catalogue is named by a test, every kind of audit event is written somewhere, and nothing else is. Run after the build.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { catalogues } from './catalogues.mjs'
import { listSources } from './print-reference.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const load = (path) => import(new URL(`../${path}`, import.meta.url).href)
const read = (path) => readFileSync(join(root, path), 'utf8')

/** Reachable, but named by no test yet: what a test would need. Empty, and meant to stay so; the check fails when a line here is no longer true. */
const notYetReached = {}

const isTest = (path) => path.endsWith('.test.ts') || path.includes('/test/')
const tests = listSources(root, (path) => path.endsWith('.ts') && isTest(path)).map(read)
const fixtures = new Set(listSources(root, (path) => path.endsWith('.reason')).map((path) => read(path).trim()))
const sources = listSources(root).filter((path) => !isTest(path))

/** In quotes, at the end of a problem's `type` or of a redirect, or between the tags of a page. */
const names = (text, reason) => new RegExp(`['"\`:>=]${reason.replaceAll('.', '\\.')}['"\`<]`).test(text)
const isTested = (reason) => fixtures.has(reason) || tests.some((text) => names(text, reason))

const problems = []
const known = new Set()
for (const [title, path, name] of catalogues) {
  for (const reason of Object.keys((await load(path))[name])) {
    if (known.has(reason)) continue
    known.add(reason)
    const tested = isTested(reason)
    if (tested && reason in notYetReached) problems.push(`${reason} is tested now: take it off the list notYetReached`)
    if (!tested && !(reason in notYetReached)) problems.push(`${title}: no test names ${reason}`)
  }
}
for (const reason of Object.keys(notYetReached))
  if (!known.has(reason)) problems.push(`${reason} is in no catalogue: take it off the list notYetReached`)

/** Kinds stand in TypeScript as `kind: '…'` and in SQL as the third value of an INSERT, plain or in a CASE. */
const insert = /INSERT INTO audit_events \([^)]*\)\s*(?:SELECT |VALUES \()\$1, \$\d+, (CASE[\s\S]*?\bEND\b|'[^']+')/g
const kindsInSql = (text) =>
  [...text.matchAll(insert)].flatMap(([, kind]) => [...kind.matchAll(/(?:^|THEN |ELSE )'([^']+)'/g)].map(([, found]) => found))
const targets = ['subject', 'grant', 'client', 'connection', 'tenant']
const { auditEvents } = await load('packages/core/dist/audit/audit-event.js')
const written = sources.map(read)
const inSql = new Set(
  written
    .flatMap(kindsInSql)
    .flatMap((kind) => (kind.startsWith('${target}') ? targets.map((target) => kind.replace('${target}', target)) : [kind])),
)
if (inSql.size < 10) problems.push(`only ${inSql.size} audit kinds were found in SQL: this check no longer reads it`)
for (const kind of inSql)
  if (!(kind in auditEvents)) problems.push(`SQL writes the audit kind ${kind}, which packages/core/src/audit/audit-event.ts does not list`)
const catalogue = sources.indexOf('packages/core/src/audit/audit-event.ts')
for (const kind of Object.keys(auditEvents))
  if (!inSql.has(kind) && !written.some((text, index) => index !== catalogue && names(text, kind)))
    problems.push(`nothing writes the audit kind ${kind}`)

const left = Object.keys(notYetReached).length
console.log([...problems, `${known.size} refusals, ${left} of them not yet reached by a test`].join('\n'))
process.exit(problems.length === 0 ? 0 : 1)
