/** What the schema of a policy takes, at its edges. Compiling it, and every refusal beyond the schema, is in compile.test.ts. */
import { describe, expect, test } from 'vitest'
import { parsePolicyDocument, policySchema } from './document.js'

const takes = (document: object): boolean => policySchema.safeParse({ version: 1, ...document }).success
const rule = { name: 'r', effect: 'grant', scopes: ['x'] }
const letters = (length: number): string => 'x'.repeat(length)
const list = <T>(length: number, item: T): T[] => Array.from({ length }, () => item)

describe('the sizes that a document may have', () => {
  test.each<[string, number, number, (size: number) => object]>([
    ['the description', 0, 2_000, (size) => ({ description: letters(size) })],
    ['the name of a rule', 1, 100, (size) => ({ rules: [{ ...rule, name: letters(size) }] })],
    ['the name of a demand', 1, 100, (size) => ({ mfa: [{ name: letters(size) }] })],
    ['the name of a group of its own', 1, 100, (size) => ({ groups: { [letters(size)]: {} } })],
    ['the name of a claim', 1, 64, (size) => ({ claims: { [letters(size)]: 'string' } })],
    ['a scope', 1, 200, (size) => ({ rules: [{ ...rule, scopes: [letters(size)] }] })],
    ['the scopes of a rule', 1, 200, (size) => ({ rules: [{ ...rule, scopes: list(size, 'x') }] })],
    ['the scopes of a rule for clients', 1, 200, (size) => ({ clients: [{ name: 'c', scopes: list(size, 'x') }] })],
    ['the scopes of a demand', 1, 200, (size) => ({ mfa: [{ scopes: list(size, 'x') }] })],
    ['a resource', 1, 2_048, (size) => ({ rules: [{ ...rule, resource: letters(size) }] })],
    ['the groups of a rule', 1, 1_000, (size) => ({ rules: [{ ...rule, groups: list(size, 'g') }] })],
    ['the name of a group', 1, 256, (size) => ({ rules: [{ ...rule, groups: [letters(size)] }] })],
    [
      'a place in the directory',
      1,
      1_024,
      (size) => ({ rules: [{ ...rule, groups: [{ path: size === 0 ? '' : `/${letters(size - 1)}` }] }] }),
    ],
    ['the ids of clients', 1, 200, (size) => ({ rules: [{ ...rule, clients: { ids: list(size, 'x') } }] })],
    ['the host of a client', 1, 2_048, (size) => ({ rules: [{ ...rule, clients: { hosts: [letters(size)] } }] })],
    ['an acr', 1, 256, (size) => ({ acr: { [letters(size)]: 'multi_factor' } })],
    ['the acr of a rule for strength', 1, 256, (size) => ({ strength: [{ name: 's', acr: letters(size), means: 'multi_factor' }] })],
    ['the methods of a rule for strength', 1, 20, (size) => ({ strength: [{ name: 's', amr: list(size, 'm'), means: 'multi_factor' }] })],
    ['a method', 1, 256, (size) => ({ strength: [{ name: 's', amr: [letters(size)], means: 'multi_factor' }] })],
    ['a connection', 1, 64, (size) => ({ strength: [{ name: 's', connection: letters(size), acr: 'a', means: 'multi_factor' }] })],
    ['the rules for strength', 0, 200, (size) => ({ strength: list(size, { name: 's', acr: 'a', means: 'multi_factor' }) })],
    ['the rules for clients', 0, 1_000, (size) => ({ clients: list(size, { name: 'c', refuse: true }) })],
    ['the demands', 0, 1_000, (size) => ({ mfa: list(size, {}) })],
    ['a connection whose strength is accepted', 1, 64, (size) => ({ acceptsStrengthOf: [letters(size)] })],
    ['the connections whose strength is accepted', 0, 10_000, (size) => ({ acceptsStrengthOf: list(size, 'c') })],
    [
      'the connection of an accepted rule',
      1,
      64,
      (size) => ({ acceptsStrengthOf: [{ connection: letters(size), acr: 'a', means: 'multi_factor' }] }),
    ],
    [
      'the methods of an accepted rule',
      1,
      20,
      (size) => ({ acceptsStrengthOf: [{ connection: 'c', amr: list(size, 'm'), means: 'multi_factor' }] }),
    ],
    ['the seconds of an access token', 1, 31_536_000, (size) => ({ limits: { read: { accessTokenSeconds: size } } })],
    ['the seconds of a refresh token', 1, 31_536_000, (size) => ({ limits: { read: { refreshTokenSeconds: size } } })],
    ['the seconds of a session', 1, 31_536_000, (size) => ({ session: { absoluteSeconds: size } })],
    ['the seconds of freshness', 1, 31_536_000, (size) => ({ mfa: [{ freshSeconds: size }] })],
  ])('%s: from %i to %i', (_, least, most, make) => {
    const below = least === 0 ? [] : [takes(make(least - 1))]
    expect([...below, takes(make(least)), takes(make(most)), takes(make(most + 1))]).toEqual([...below.map(() => false), true, true, false])
  })

  test.each<[string, object]>([
    ['a condition', { rules: [{ ...rule, when: '' }] }],
    ['the expression of a claim', { claims: { a: { type: 'string', from: '' } } }],
    ['the kinds of clients', { rules: [{ ...rule, clients: { kinds: [] } }] }],
    ['the tiers of a demand', { mfa: [{ tiers: [] }] }],
  ])('%s cannot be empty', (_, document) => {
    expect(takes(document)).toBe(false)
  })
})

describe('words that a document may use', () => {
  const named = (name: string) => ({ rules: [{ ...rule, name }] })
  const scoped = (scope: string) => ({ rules: [{ ...rule, scopes: [scope] }] })
  const claimed = (name: string) => ({ claims: { [name]: 'string' } })
  test.each<[string, object, boolean]>([
    ['a name of letters, digits, dots, hyphens and underscores', named('9aZ._-'), true],
    ['a name that begins with a dot', named('.a'), false],
    ['a name with a blank', named('a b'), false],
    ['a name that ends in a line break', named('a\n'), false],
    ['a claim with an underscore and a digit', claimed('is_a9'), true],
    ['a claim that begins with a digit', claimed('9a'), false],
    ['a claim with a hyphen', claimed('a-b'), false],
    ['a claim that ends in a blank', claimed('a '), false],
    ['a scope that is an address', scoped('https://mcp.example/orders#read!~'), true],
    ['a scope with a blank', scoped('a b'), false],
    ['a scope with a quotation mark', scoped('a"b'), false],
    ['a scope with a backslash', scoped('a\\b'), false],
    ['a scope with a blank before it', scoped(' a'), false],
    ['seconds that are not whole', { session: { idleSeconds: 1.5 } }, false],
    ['a refresh token that there is not', { limits: { read: { refreshTokenSeconds: 'none' } } }, true],
    ['an access token that there is not', { limits: { read: { accessTokenSeconds: 'none' } } }, false],
    ['each kind of client', { clients: [{ name: 'c', clients: { kinds: ['metadata_document', 'dynamic', 'preregistered'] } }] }, true],
    ['a kind of client that there is not', { clients: [{ name: 'c', clients: { kinds: ['other'] } }] }, false],
    ['each type of claim', { claims: { a: 'string', b: 'number', c: 'boolean', d: 'list' } }, true],
    ['a type of claim that there is not', { claims: { a: 'date' } }, false],
    ['that a demand is of no strength', { mfa: [{ strength: 'unknown' }] }, false],
    ['that evidence means nothing', { acr: { a: 'unknown' } }, false],
    ['an effect that there is not', { rules: [{ ...rule, effect: 'allow' }] }, false],
    ['that a rule is for not everyone', { rules: [{ ...rule, everyone: false }] }, false],
    ['that clients are not refused', { clients: [{ name: 'c', refuse: false }] }, false],
    ['a tier that there is not', { limits: { low: {} } }, false],
  ])('%s', (_, document, isTaken) => {
    expect(takes(document)).toBe(isTaken)
  })

  test('no object takes a member that it does not know, so that a misspelt one is never silently nothing', () => {
    const misspelt = { scpoes: [] }
    for (const document of [
      misspelt,
      { rules: [{ ...rule, ...misspelt }] },
      { rules: [{ ...rule, groups: [{ path: '/a', ...misspelt }] }] },
      { rules: [{ ...rule, clients: misspelt }] },
      { bundles: [{ name: 'b', groups: ['g'], scopes: ['x'], ...misspelt }] },
      { clients: [{ name: 'c', refuse: true, ...misspelt }] },
      { mfa: [misspelt] },
      { strength: [{ name: 's', acr: 'a', means: 'multi_factor', ...misspelt }] },
      { groups: { g: misspelt } },
      { claims: { a: { type: 'string', from: 'claims.name', ...misspelt } } },
      { limits: { read: misspelt } },
      { session: misspelt },
    ])
      expect(takes(document)).toBe(false)
  })

  test('what is absent says nothing', () => {
    expect(policySchema.parse({ version: 1 })).toEqual({
      version: 1,
      ...{ claims: {}, groups: {}, acr: {}, strength: [], limits: {}, session: {} },
      ...{ bundles: [], rules: [], clients: [], mfa: [], acceptsStrengthOf: [] },
    })
    expect(policySchema.parse({ version: 1, mfa: [{}] }).mfa).toEqual([{ strength: 'multi_factor' }])
  })
})

describe('a mistake in a document', () => {
  const mistakesOf = (text: string) => {
    const read = parsePolicyDocument(text)
    return read.ok ? [] : read.error
  }
  test.each([
    ['an unreadable one', 'version: 1\nrules: [', 'document_not_yaml', '', 2, 'the document is not readable YAML: '],
    ['an alias', 'version: 1\nclaims: *a', 'document_has_alias', '', 2, 'anchors and aliases are not allowed in a policy'],
    ['two in one', 'version: 1\n---\nversion: 1', 'document_not_yaml', '', 3, 'one document, not several'],
    ['one too large', `version: 1\n#${letters(65_536)}`, 'document_too_large', '', undefined, 'documentBytes: 65548'],
    ['another version', 'description: x\nversion: 2', 'document_shape', 'version', 2, 'the document does not have the shape of a policy: '],
    [
      'a name that is none',
      'version: 1\nrules:\n  - name: "a b"\n    effect: deny\n    scopes: [x]',
      'document_shape',
      'rules[0].name',
      3,
      'must be letters, digits, dots, hyphens or underscores, 100 at most',
    ],
    [
      'a scope that is none',
      'version: 1\nrules:\n  - name: a\n    effect: deny\n    scopes:\n      - "a b"',
      'document_shape',
      'rules[0].scopes[0]',
      6,
      'must be a scope name or a pattern with *',
    ],
    [
      'a member that is missing, at what misses it',
      'version: 1\nrules:\n  - name: a\n    scopes: [x]',
      'document_shape',
      'rules[0].effect',
      3,
      'the shape of a policy',
    ],
    ['nothing at all', '', 'document_shape', 'version', undefined, 'the shape of a policy'],
  ])('is told with its place: %s', (_, text, reason, path, line, says) => {
    expect(mistakesOf(text)).toMatchObject([{ reason, path, line, say: expect.stringContaining(says), expression: undefined }])
  })
})
