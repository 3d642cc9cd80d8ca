import { expect, test } from 'vitest'
import { aPolicy, aWall } from './fixtures/a-situation.js'
import { readsOfRequest } from './reads-of-request.js'

const rule = (when: string): string => `rules: [{ name: r, effect: deny, scopes: ["*"], when: "${when}" }]`

test.each([
  ['nothing', '', false],
  ['a person', rule("'a' in groups"), false],
  ['the time', rule('request.time.getDayOfWeek() == 5'), false],
  ['what is asked for', rule("'a' in request.scopes"), false],
  ['the country in a rule', rule("request.country == 'AT'"), true],
  ['the address in a rule', rule("request.address == '192.0.2.1'"), true],
  ['the address beside something else', rule("'a' in groups || has(request.address)"), true],
  ['the country in a demand', 'mfa: [{ when: "request.country == \'AT\'" }]', true],
  ['the country in a rule for clients', 'clients: [{ name: c, refuse: true, when: "request.country == \'AT\'" }]', true],
  ['the second of two demands', 'mfa: [{}, { when: "request.country == \'AT\'" }]', true],
  ['a claim that is made of the request', 'claims: { near: { type: boolean, from: "request.country == \'AT\'" } }', true],
  ['the second of two claims', 'claims: { a: { type: string, from: "resource" }, b: { type: string, from: "request.country" } }', true],
  ['a claim that is made of something else', 'claims: { a: { type: boolean, from: "\'requested\' in groups" } }', false],
])('a policy that reads %s', (_, text, reads) => {
  expect(readsOfRequest(aPolicy(text))).toBe(reads)
  const asWall = text.startsWith('rules') || text.startsWith('claims')
  if (asWall) expect(readsOfRequest(aPolicy('', { wall: aWall(text) }))).toBe(reads)
})
