/** Files with mistakes: each is told with its file, line and column, all of them at once, and no text makes the reader throw. */

import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import { certificate } from '../../test/a-living-tenant.js'
import { readTenantFiles } from './read-tenant-files.js'

const head = 'version: 1\ntenant: {slug: initech, name: Initech}\n'
const read = (...texts: string[]) => readTenantFiles(texts.map((text, index) => ({ file: `${index}.yaml`, text })))
const mistakesIn = (...texts: string[]) => {
  const result = read(...texts)
  return result.ok ? [] : result.error.map(({ file, line, column, path, say }) => `${file}:${line}:${column} ${path}: ${say}`)
}

const saml = '  - name: Okta\n    kind: saml\n'
test.each([
  { what: 'no version', text: 'tenant: {slug: initech, name: Initech}\n', says: /^0\.yaml:1:1 version: this Drawbridge reads version: 1/ },
  { what: 'a later version', text: head.replace('1', '2'), says: /:1:1 version: this Drawbridge reads version: 1/ },
  { what: 'a member that nobody knows', text: `${head}conections: []\n`, says: /:3:1 conections: there is no such member/ },
  {
    what: 'one further in',
    text: `${head}connections:\n${saml}    metadata:\n      url: https://x.example\n      urll: x\n`,
    says: /:8:7 connections\[0\]\.metadata\.urll: there is no/,
  },
  { what: 'a slug in capitals', text: 'version: 1\ntenant: {slug: Initech, name: x}\n', says: /:2:10 tenant\.slug: lower-case/ },
  { what: 'a key twice', text: `${head}domains: []\ndomains: []\n`, says: /:4:1 : "domains" is said twice/ },
  {
    what: 'a name twice',
    text: `${head}sharedResources: [https://a.example, https://a.example]\n`,
    says: /sharedResources\[1\]: ".*" is said twice/,
  },
  {
    what: 'a domain twice, spelt otherwise',
    text: `${head}domains: [{domain: a.example}, {domain: A.example}]\n`,
    says: /domains\[1\]\.domain: "a\.example" is said twice/,
  },
  {
    what: 'a webhook twice',
    text: `${head}webhooks:\n  - {name: S, url: https://a.example, events: [access.ended]}\n  - {name: S, url: https://b.example, events: [access.ended]}\n`,
    says: /:5:6 webhooks\[1\]\.name: "S" is said twice/,
  },
  {
    what: 'a webhook in plain text',
    text: `${head}webhooks:\n  - {name: S, url: http://a.example, events: [access.ended]}\n`,
    says: /webhooks\[0\]\.url: https without a fragment/,
  },
  {
    what: 'news that there is not',
    text: `${head}webhooks:\n  - {name: S, url: https://a.example, events: [access.begun]}\n`,
    says: /webhooks\[0\]\.events\[0\]/,
  },
  { what: 'a public suffix', text: `${head}domains: [{domain: co.uk}]\n`, says: /anybody can register/ },
  { what: 'no domain', text: `${head}domains: [{domain: '@'}]\n`, says: /not a domain/ },
  {
    what: 'a connection that is not there',
    text: `${head}connections: []\ndomains:\n  - domain: a.example\n    connection: Okta\n`,
    says: /:6:5 domains\[0\]\.connection: no connection of this file is called "Okta"/,
  },
  {
    what: 'a fallback that is not there',
    text: `${head}connections: []\nconnectionChoice: {fallback: Okta}\n`,
    says: /connectionChoice\.fallback/,
  },
  {
    what: 'a rule that cannot be read',
    text: `${head}connectionChoice:\n  rules:\n    - when: hint.\n      connection: x\n`,
    says: /:5:7 connectionChoice\.rules\[0\]\.when/,
  },
  {
    what: 'a configuration without what it needs',
    text: `${head}connections:\n  - name: x\n    kind: oidc\n    configuration: {issuer: https://idp.example}\n`,
    says: /configuration(\.clientId)?: connection_configuration_invalid/,
  },
  {
    what: 'a plain-text issuer',
    text: `${head}connections:\n  - name: x\n    kind: oidc\n    configuration: {issuer: http://idp.example, clientId: x}\n`,
    says: /configuration\.issuer: connection_url_insecure/,
  },
  {
    what: 'a certificate that is none',
    text: `${head}connections:\n${saml}    configuration:\n      idpEntityId: x\n      ssoUrl: https://idp.example\n      certificates:\n        - ${certificate.replaceAll(/-----[A-Z ]+-----|\s/g, '')}\n        - x\n`,
    says: /:11:11 connections\[0\]\.configuration\.certificates\[1\]/,
  },
  {
    what: 'what the metadata says, said again',
    text: `${head}connections:\n${saml}    metadata: {url: https://x.example}\n    configuration: {ssoUrl: https://y.example}\n`,
    says: /:7:21 connections\[0\]\.configuration\.ssoUrl: the metadata says this/,
  },
  {
    what: 'a mistake beside metadata',
    text: `${head}connections:\n${saml}    metadata: {url: https://x.example}\n    configuration: {forceAuthn: yes please}\n`,
    says: /configuration\.forceAuthn/,
  },
  {
    what: 'metadata of an OpenID provider',
    text: `${head}connections:\n  - {name: x, kind: oidc, metadata: {url: https://x.example}, configuration: {issuer: https://x.example, clientId: x}}\n`,
    says: /only a SAML connection has metadata/,
  },
  {
    what: 'a secret in the file',
    text: `${head}connections:\n  - {name: x, kind: oidc, clientSecret: hunter2, configuration: {issuer: https://x.example, clientId: x}}\n`,
    says: /clientSecret: a secret is named, never written here/,
  },
  {
    what: 'test cases that are none',
    text: `${head}policyCases: |\n  cases:\n    - { name: x }\n`,
    says: /:3:1 policyCases: line 2 of the test cases: cases\[0\]\.expect/,
  },
  {
    what: 'a policy that does not compile',
    text: `${head}policy: |\n  version: 1\n  rules:\n    - name: x\n`,
    says: /:3:1 policy: line \d+ of the policy: rules\[0\]/,
  },
  {
    what: 'a scope twice',
    text: `${head}resources:\n  - identifier: https://x.example\n    name: x\n    scopes: [{name: a, description: x, tier: read}, {name: a, description: x, tier: read}]\n`,
    says: /a scope is named twice/,
  },
  {
    what: 'a client without redirect URIs',
    text: `${head}clients:\n  - clientId: x\n    name: x\n`,
    says: /redirectUris: authorization_code needs a redirect URI/,
  },
  { what: 'nothing', text: '# nothing\n', says: /there is no tenant in it/ },
  { what: 'an alias', text: `${head}domains: &d []\nresources: *d\n`, says: /:3:13 : anchors and aliases/ },
])('$what is a mistake', ({ text, says }) => {
  const mistakes = mistakesIn(text)
  expect(mistakes.length).toBeGreaterThan(0)
  expect(mistakes.join('\n')).toMatch(says)
})

it('tells all mistakes of all files at once', () => {
  const mistakes = mistakesIn(`${head}a: 1\nb: 2\n`, `${head}---\n${head}`, 'version: [')
  expect(mistakes.map((text) => text.split(' ')[0])).toEqual([
    '0.yaml:3:1',
    '0.yaml:4:1',
    expect.stringContaining('2.yaml:1:'),
    '1.yaml:5:10',
  ])
  expect(mistakes.at(-1)).toContain('1.yaml says this tenant already')
})

it('reads several tenants from one file, and a secret that is only named', () => {
  const two = `${head}---\n${head.replace('initech', 'globex')}connections:\n  - {name: x, kind: oidc, clientSecret: {fromEnv: X}, configuration: {issuer: https://x.example, clientId: x}}\n`
  const result = read(two)
  expect(result.ok && result.value.map(({ value }) => value.tenant.slug)).toEqual(['initech', 'globex'])
})

it('takes only the tenant that was named, where one was', () => {
  const texts = [
    { file: 'a.yaml', text: head },
    { file: 'b.yaml', text: head.replace('initech', 'globex') },
  ]
  expect(readTenantFiles(texts.slice(0, 1), 'initech').ok).toBe(true)
  expect(readTenantFiles(texts, 'initech')).toMatchObject({
    ok: false,
    error: [{ file: 'b.yaml', line: 2, path: 'tenant.slug', say: 'the file is of globex, and --tenant names initech' }],
  })
  // Given and empty, as by an unset variable of a pipeline, it names no tenant: it is not as if it were left out.
  expect(readTenantFiles(texts, '').ok).toBe(false)
})

it('refuses what is larger than the limit', () => {
  expect(mistakesIn(`${head}# ${'x'.repeat(1_048_577)}`)).toEqual(['0.yaml:1:1 : larger than 1048576 bytes'])
})

it('never throws, whatever the file holds', () => {
  const value: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 3 })
  const members = fc.dictionary(
    fc.constantFrom(
      'version',
      'tenant',
      'connections',
      'domains',
      'connectionChoice',
      'resources',
      'clients',
      'policy',
      'policyCases',
      '__proto__',
      'constructor',
    ),
    value,
  )
  const isValue = (text: string) => typeof read(text).ok === 'boolean'
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        members.map((each) => JSON.stringify(each)),
      ),
      isValue,
    ),
    { numRuns: 300 },
  )
  const connection = fc.dictionary(
    fc.constantFrom('name', 'kind', 'configuration', 'metadata', 'clientSecret', 'killed', '__proto__'),
    fc.oneof(value, fc.constantFrom('saml', 'oidc')),
  )
  fc.assert(
    fc.property(fc.array(connection, { maxLength: 2 }), (connections) =>
      isValue(JSON.stringify({ version: 1, tenant: { slug: 'x', name: 'x' }, connections })),
    ),
  )
})
