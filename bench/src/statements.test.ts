/**
 * How many SQL statements each hot operation costs, through HTTP, against a real PostgreSQL: exact, so one more fails at once.
 *
 * The clock stands still, so the cache's once-a-second look at the configuration version is in none of these figures.
 */
import { instant } from '@drawbridge/core/instant'
import { graceReplaysOfTheft } from '@drawbridge/core/oauth/refresh-token'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ADpopKey, aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { type AGrant, aGrant, aRedirectUri, aVerifier } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { anAssertion } from './assertions.js'
import { giveIssuerKeys } from './issuer-keys.js'
import { byAssertion, bySecret, registerMachines } from './machine-clients.js'
import { callsOf, createStatementCounter, type StatementCounter, writingCallsOf } from './statement-count.js'

type Tokens = { readonly access_token: string; readonly refresh_token: string }

const now = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
let broker: TestBroker
let counter: StatementCounter
let issuer: string
let key: ADpopKey

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, { clock: { now: () => now } })
  const { sealer, random, installation } = broker.deps
  await giveIssuerKeys({ database: fixture.database, sealer, random, installationId: installation.id, now }, acme)
  counter = await createStatementCounter(fixture.ownerUrl)
  key = await aDpopKey()
  issuer = `${broker.deps.settings.publicUrl}/t/acme`
  await registerMachines(fixture, acme, now)
  await actForItself(bySecret(acme))
  await actForItself(byAssertion(acme, issuer, now))
  await revoke(await redeem(await aGrant(fixture, acme, { now }))) // every cache is warm from here on
})
afterAll(async () => {
  await counter?.close()
  await broker?.close()
  await fixture?.close()
})

async function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await fetch(`${broker.url}/t/acme/${path}`, { method: 'POST', body: new URLSearchParams(form), headers })
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

async function get(path: string): Promise<void> {
  const answer = await fetch(`${broker.url}/t/acme/${path}`)
  await answer.arrayBuffer()
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`)
}

const codeForm = (code: string) => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: aRedirectUri,
  code_verifier: aVerifier,
  client_id: acme.clientId,
})
const redeem = async ({ code }: AGrant): Promise<Tokens> => (await post('token', codeForm(code))) as Tokens
const refresh = ({ refresh_token }: Tokens) => post('token', { grant_type: 'refresh_token', refresh_token, client_id: acme.clientId })
const revoke = ({ refresh_token }: Tokens) => post('revoke', { token: refresh_token, client_id: acme.clientId })
const introspect = ({ access_token }: Tokens) =>
  post(
    'introspect',
    { token: access_token },
    { authorization: `Basic ${Buffer.from(`${acme.credentialId}:${acme.credentialSecret}`).toString('base64')}` },
  )
const actForItself = (proof: Record<string, string>) => post('token', proof)

const proofHeader = async () => ({ dpop: await key.prove({ url: `${issuer}/token`, now }) })
/** With a proof of a key, which the same statement believes once. */
const withProof = async (form: Record<string, string>) => post('token', form, await proofHeader())

const freshTokens = async () => redeem(await aGrant(fixture, acme, { now }))

/** The client is remembered; the state changes in one statement, whatever else it must check, consume and audit. */
const operations: readonly {
  readonly operation: string
  readonly read: number
  readonly write: number
  readonly arrange: () => Promise<() => Promise<unknown>>
}[] = [
  { operation: 'metadata', read: 0, write: 0, arrange: async () => () => get('.well-known/oauth-authorization-server') },
  { operation: 'JWKS', read: 0, write: 0, arrange: async () => () => get('jwks') },
  {
    operation: 'code redemption',
    read: 0,
    write: 1,
    arrange: async () => {
      const grant = await aGrant(fixture, acme, { now })
      return () => redeem(grant)
    },
  },
  {
    operation: 'refresh rotation',
    read: 0,
    write: 1,
    arrange: async () => {
      const tokens = await freshTokens()
      return () => refresh(tokens)
    },
  },
  {
    operation: 'the same refresh token again, within its grace',
    read: 0,
    write: 1,
    arrange: async () => {
      const tokens = await freshTokens()
      await refresh(tokens)
      return () => refresh(tokens)
    },
  },
  {
    operation: 'the replay within the grace that counts as theft',
    read: 0,
    write: 2,
    arrange: async () => {
      const tokens = await freshTokens()
      await refresh(tokens)
      const replayed = 'UPDATE refresh_tokens SET grace_replays = $1 WHERE tenant_id = $2 AND rotated_at IS NOT NULL'
      await asOwner(fixture.ownerUrl, replayed, [graceReplaysOfTheft, acme.tenantId])
      return () => expect(refresh(tokens)).rejects.toThrow('invalid_grant')
    },
  },
  {
    operation: 'introspection',
    read: 1,
    write: 0,
    arrange: async () => {
      const tokens = await freshTokens()
      return () => introspect(tokens)
    },
  },
  {
    operation: 'revocation',
    read: 0,
    write: 1,
    arrange: async () => {
      const tokens = await freshTokens()
      return () => revoke(tokens)
    },
  },
  { operation: 'client_credentials with a secret', read: 0, write: 1, arrange: async () => () => actForItself(bySecret(acme)) },
  {
    operation: 'code redemption with a proof of a key',
    read: 0,
    write: 1,
    arrange: async () => {
      const { code } = await aGrant(fixture, acme, { now })
      return () => withProof(codeForm(code))
    },
  },
  {
    operation: 'refresh rotation with a proof of a key',
    read: 0,
    write: 1,
    arrange: async () => {
      const { code } = await aGrant(fixture, acme, { now })
      const { refresh_token } = (await withProof(codeForm(code))) as Tokens
      return () => withProof({ grant_type: 'refresh_token', refresh_token, client_id: acme.clientId })
    },
  },
  {
    operation: 'client_credentials with a secret and a proof of a key',
    read: 0,
    write: 1,
    arrange: async () => () => withProof(bySecret(acme)),
  },
  {
    operation: 'a proof of another request',
    read: 0,
    write: 0,
    arrange: async () => {
      const dpop = await key.prove({ url: `${issuer}/other`, now })
      return () => expect(post('token', bySecret(acme), { dpop })).rejects.toThrow('invalid_dpop_proof')
    },
  },
  // The second statement believes the assertion once, before anything is done for whoever brings it.
  {
    operation: 'client_credentials with a signed assertion',
    read: 0,
    write: 2,
    arrange: async () => () => actForItself(byAssertion(acme, issuer, now)),
  },
  {
    operation: 'a refresh after the client has been changed elsewhere',
    read: 1,
    write: 2,
    arrange: async () => {
      const tokens = await freshTokens()
      await asOwner(fixture.ownerUrl, 'UPDATE clients SET name = name WHERE client_id = $1', [acme.clientId])
      return () => refresh(tokens)
    },
  },
  {
    operation: 'a wrong secret',
    read: 1,
    write: 0,
    arrange: async () => () => expect(actForItself({ ...bySecret(acme), client_secret: 'wrong' })).rejects.toThrow('invalid_client'),
  },
  // The last: it publishes a policy, on which what was granted before is decided again.
  {
    operation: 'an assertion of somebody who is known',
    read: 0,
    write: 1,
    arrange: async () => {
      const bring = await anAssertion(fixture, acme, { issuer, now, forget: () => broker.deps.configuration.invalidate() })
      await post('token', bring()) // she is known, and the configuration is warm
      return () => post('token', bring())
    },
  },
]

test.each(operations)('$operation costs $read reading and $write writing statements', async ({ read, write, arrange }) => {
  const run = await arrange()
  const counts = await counter.during(run)
  const writing = writingCallsOf(counts)
  expect({ counts, read: callsOf(counts) - writing, write: writing }).toEqual({ counts, read, write })
})
