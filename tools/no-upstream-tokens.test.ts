// Drawbridge keeps no token of an IdP (ADR 43): a column that may hold one, or a request for one that lasts, fails here until somebody says what it is.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..')

/** Every column by whose name a credential might rest in it. Hashes are of what we issued; what is sealed is said here. */
const known: Readonly<Record<string, string>> = {
  'AdminKey.secretHash': 'of a key of ours',
  'BrowserSession.sealedLogoutHint':
    'the ID token of the login, to be shown to its provider at a sign-out; it opens nothing there (ADR 21)',
  'Client.registrationTokenHash': 'of a token of ours, by which a client manages its registration',
  'Client.secondSecretHash': 'of a secret of ours',
  'Client.secretHash': 'of a secret of ours',
  'Client.tokenEndpointAuthMethod': 'a word',
  'Connection.sealedSecret': 'our own secret at the IdP',
  'ConnectionDraft.sealedSecret': 'the same, of a draft',
  'ConnectionKey.sealedPrivateKey': 'our own key before the IdP',
  'EventStream.credentialId': 'which credential of ours may manage it',
  'EventStream.sealedAuthorization': 'what a receiver wants to be shown when it is told, as it said itself',
  'Factor.credentialId': 'the public name of a passkey of ours',
  'Factor.sealedSecret': 'of a second factor of ours',
  'LoginRequest.sealedState': 'nonce and verifier of a login that is under way',
  'LoginTrace.sealed': 'a trace, from which what is usable has been dropped',
  'Notice.token': 'a notice of ours, signed for a resource server',
  'PairwiseKey.sealedKey': 'our own key, behind what clients call people',
  'ParkedMessage.sealed': 'what the IdP posted, until the next request',
  'RecordedLogin.sealed': 'normalised claims',
  'RefreshToken.tokenHash': 'of a token of ours',
  'ResourceCredential.secretHash': 'of a secret of ours',
  'ScimToken.secretHash': 'of a secret of ours',
  'SetupLink.tokenHash': 'of a link of ours',
  'SignalStream.sealedCredential': 'with what we fetch signals at a transmitter, as an admin gave it; of no person, and it signs nobody in',
  'SigningKey.sealedPrivateKey': 'our own key',
  'Tenant.tokenAlgorithm': 'the name of an algorithm',
  'Tenant.tokenExchange': 'who may exchange whose tokens',
  'TestLogin.sealed': 'what a test login showed',
  'TestLogin.tokenHash': 'of a link of ours',
  'WebhookEndpoint.sealedFormerSecret': 'our own secret towards a receiver',
  'WebhookEndpoint.sealedSecret': 'the same',
}

const nameOfCredential = /^(sealed|.*([sS]ecret|[tT]oken|[hH]int|[cC]redential|[pP]assword))/
const columnsOf = (text: string): readonly string[] => {
  let model = ''
  return text.split('\n').flatMap((line) => {
    model = /^model (\w+)/.exec(line)?.[1] ?? model
    const column = /^ {2}(\w+) +(\w+)/.exec(line)
    const isValue = column !== null && /^(Bytes|String|Json)$/.test(column[2] ?? '')
    return isValue && nameOfCredential.test(column[1] ?? '') ? [`${model}.${column[1]}`] : []
  })
}

test('every column that may hold a credential is known, and none is a token of an IdP', () => {
  const folder = join(root, 'prisma', 'schema')
  const columns = readdirSync(folder).flatMap((file) => columnsOf(readFileSync(join(folder, file), 'utf8')))
  expect(columns.length).toBeGreaterThan(10) // or the schema was read as empty
  expect(columns.toSorted()).toEqual(Object.keys(known).toSorted())
})

const isSource = (name: string): boolean => name.endsWith('.ts') && !name.endsWith('.test.ts')
const sourcesBelow = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return sourcesBelow(path)
    return isSource(entry.name) ? [path] : []
  })

test('towards an IdP no token is asked for that outlives the login', () => {
  const sources = sourcesBelow('packages/upstream/src')
  expect(sources.length).toBeGreaterThan(50)
  expect(sources.filter((path) => /offline_access|refresh_token/.test(readFileSync(join(root, path), 'utf8')))).toEqual([])
})

test('the port through which a login leaves upstream has no place for a token', () => {
  for (const path of [
    'packages/upstream/src/connector.ts',
    'packages/core/src/identity/identity-assertion.ts',
    'packages/core/src/identity/normalized-identity.ts',
  ])
    expect([path, /access_?token|refresh_?token/i.test(readFileSync(join(root, path), 'utf8'))]).toEqual([path, false])
})

test('a column that were one would be noticed', () => {
  expect(
    columnsOf('model Subject {\n  upstreamRefreshToken Bytes? @map("upstream_refresh_token")\n  sealedTokens Bytes\n  name String\n}'),
  ).toEqual(['Subject.upstreamRefreshToken', 'Subject.sealedTokens'])
})
