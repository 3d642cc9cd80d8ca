/** What conditions say about when they can hold. A fact too many would hide a rule from somebody whom it concerns; one too few makes decisions slow. */
import { expect, test } from 'vitest'
import { conditionCompiler } from './cel.js'

const compile = conditionCompiler({ level: 'number', city: 'string' })
const compiled = (source: string) => {
  const condition = compile(source)
  if (!condition.ok) throw new Error(condition.error.say)
  return condition.value
}

test.each<[string, Readonly<Record<string, readonly string[]>>]>([
  ["client.id == 'a'", { 'client.id': ['a'] }],
  ["'a' == client.id", { 'client.id': ['a'] }],
  ["client.host == 'a.example'", { 'client.host': ['a.example'] }],
  ["claims.city == 'Graz'", { 'claims.city': ['Graz'] }],
  ["resource == 'https://mcp.example'", { resource: ['https://mcp.example'] }],
  ["client.host in ['a', 'b']", { 'client.host': ['a', 'b'] }],
  ["'a' in groups", { groups: ['a'] }],
  ["client.id == 'a' && 'b' in groups && claims.city == 'c'", { 'client.id': ['a'], groups: ['b'], 'claims.city': ['c'] }],
  ["client.id == 'a' && claims.level > 3.0", { 'client.id': ['a'] }],
  ["client.id in ['a', 'b'] && client.id in ['b', 'c']", { 'client.id': ['b'] }],
  ["client.id == 'a' && client.id == 'b'", { 'client.id': [] }],
  ["('a' in groups || 'b' in groups) && 'c' in groups", { groups: ['c'] }],
  ["'c' in groups && ('a' in groups || 'b' in groups)", { groups: ['c'] }],
  ["'a' in groups && 'b' in groups", { groups: ['a'] }],
  ["client.id == 'a' || client.id == 'b'", { 'client.id': ['a', 'b'] }],
  ["client.id == 'a' || (client.id == 'b' && claims.city == 'c')", { 'client.id': ['a', 'b'] }],
  ["'a' in groups || 'b' in groups", { groups: ['a', 'b'] }],
])('without %s is certainly false', (source, facts) => {
  const found = compiled(source).facts
  expect(Object.fromEntries([...found].map(([name, values]) => [name, [...values]]))).toEqual(facts)
})

test.each([
  'true',
  "client.id == 'a' || claims.city == 'a'",
  "client.id == 'a' || claims.level > 3.0",
  "!(client.id == 'a')",
  "client.id != 'a'",
  "client.id == 'a' ? true : false",
  "client.kind == 'dynamic'",
  "auth.acr == 'a'",
  "subject.id == 'a'",
  'claims.level == 3.0',
  'claims.city == claims.name',
  "claims['city'] == 'a'",
  "client.id.startsWith('a')",
  "client.id in ['a', claims.city]",
  "client.kind in ['dynamic']",
  'claims.level in [3.0]',
  'client.id in groups',
  "'a' in claims.roles",
  "'a' in auth.amr",
  "'a' in ['a', client.id]",
  "groups.exists(g, g == 'a')",
  "'a' == 'a'",
  "(client.id + 'x') == 'ax'",
])('nothing is certain of %s', (source) => {
  expect([...compiled(source).facts]).toEqual([])
})

test.each<[string, readonly string[]]>([
  ['true', []],
  ["'a' in groups && claims.city == 'b'", ['claims.city', 'groups']],
  ["claims.city == 'a' || claims.city == 'b'", ['claims.city']],
  ['groups.exists(g, g == claims.city)', ['claims.city', 'groups']],
  ['[claims.city, resource].exists(each, each == client.host)', ['claims.city', 'client.host', 'resource']],
  ["claims['city'] == 'a'", ['claims']],
  ['has(claims.city)', ['claims.city']],
  ["auth.ageSeconds < 60 ? subject.id == 'a' : !client.attested", ['auth.ageSeconds', 'client.attested', 'subject.id']],
  ["request.time.getHours('UTC') < 9", ['request.time']],
  ["['a'].exists(claims, claims == 'a')", ['claims']],
  ['size(request.scopes) > -size(groups)', ['groups', 'request.scopes']],
])('%s reads %j', (source, reads) => {
  expect(compiled(source).reads).toEqual(reads)
})
