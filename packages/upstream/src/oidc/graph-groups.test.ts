import { defaultClaimMapping } from '@drawbridge/core/identity/claim-mapping'
import { normalize } from '@drawbridge/core/identity/normalize'
import { Secret } from '@drawbridge/core/secret'
import { systemRandom } from '@drawbridge/crypto/random'
import { describe, expect, test } from 'vitest'
import { aConnector, goThrough, issuer, later, logIn, now, type Op } from './fixtures/a-provider.js'
import { graphGroups, withGroups } from './graph-groups.js'

const tid = '11111111-2222-4333-8444-555555555555'
const oid = 'aaaaaaaa-2222-4333-8444-555555555555'
const overage = {
  tid,
  oid,
  _claim_names: { groups: 'src1' },
  _claim_sources: { src1: { endpoint: 'https://evil.example/steal' } },
}
const graphUrl = 'https://graph.microsoft.com/v1.0'
const tokenUrl = `https://login.microsoftonline.com/${tid}/oauth2/v2.0/token`
const configuration = (graph: Record<string, unknown> = {}) => ({
  tenantIds: [tid],
  graph: { tokenUrl: tokenUrl.replace(tid, '{tenantid}'), ...graph },
})

/** Graph and its token endpoint; `answers` by the end of the address. */
const aGraph =
  (answers: (url: string, body: string) => { status: number; value: unknown }): Op['graph'] =>
  (url, body) => {
    if (url === tokenUrl) return { status: 200, value: { access_token: 'app', token_type: 'Bearer', expires_in: 3599 } }
    return url.startsWith(graphUrl) ? answers(url, body) : undefined
  }
const groupsOf = async (login: Parameters<typeof logIn>[0]) => {
  const { verdict, reports, asked } = await logIn(login)
  if (!verdict.ok) throw new Error(verdict.error.reason)
  const identity = normalize(verdict.value, defaultClaimMapping)
  if (!identity.ok) throw new Error(identity.error.reason)
  return { groups: identity.value.groups, why: reports[0]?.why, asked }
}

test.each([
  { says: 'distributed claims', claims: overage },
  { says: 'hasgroups', claims: { tid, oid, hasgroups: true } },
  { says: 'hasgroups as text', claims: { tid, oid, hasgroups: 'true' } },
  { says: 'distributed claims beside a few groups', claims: { ...overage, groups: ['some'] } },
])('too many groups ($says) are unknown, never empty and never some', async ({ claims }) => {
  expect((await groupsOf({ op: { claims } })).groups).toEqual({ state: 'unknown' })
})

test('Graph tells their ids, and the address in the token is never called', async () => {
  const graph = aGraph((url, body) => ({
    status: 200,
    value: url.endsWith(`/users/${oid}/getMemberObjects`) && { value: ['g1', 'g2'], body },
  }))
  const { groups, asked } = await groupsOf({ op: { claims: overage, graph }, configuration: configuration() })
  expect(groups).toEqual({ state: 'known', value: ['g1', 'g2'] })
  const [token, call] = asked.filter(({ url }) => url === tokenUrl || url.startsWith(graphUrl))
  expect(new URLSearchParams(token?.body).get('scope')).toBe('https://graph.microsoft.com/.default')
  expect(token?.headers['authorization']).toMatch(/^Basic /)
  expect(call?.body).toBe('{"securityEnabledOnly":true}')
  expect(call?.headers['authorization']).toBe('Bearer app')
  expect(asked.some(({ url }) => url.includes('evil'))).toBe(false)
})

test('Graph tells their names page by page, security groups alone', async () => {
  const graph = aGraph((url) =>
    url.includes('skip=1')
      ? { status: 200, value: { value: [{ displayName: 'staff', securityEnabled: true }] } }
      : {
          status: 200,
          value: {
            value: [
              { displayName: 'engineering', securityEnabled: true },
              { displayName: 'list', securityEnabled: false },
              { displayName: null, securityEnabled: true },
            ],
            '@odata.nextLink': `${url}&skip=1`,
          },
        },
  )
  const { groups } = await groupsOf({ op: { claims: overage, graph }, configuration: configuration({ groups: 'displayName' }) })
  expect(groups).toEqual({ state: 'known', value: ['engineering', 'staff'] })
})

test('one token of ours serves until it ends', async () => {
  const made = aConnector({
    op: { claims: overage, graph: aGraph(() => ({ status: 200, value: { value: [] } })) },
    configuration: configuration(),
  })
  const tokens = () => made.asked.filter(({ url }) => url === tokenUrl).length
  await goThrough(made, {})
  await goThrough(made, { at: later(100) })
  expect(tokens()).toBe(1)
})

test.each(['organizations', 'common'])('an authority for %s gives no token of its own: that of her tenant is asked', async (authority) => {
  const base = 'https://login.microsoftonline.com'
  const graph = aGraph(() => ({ status: 200, value: { value: ['g1'] } }))
  const issuer = `${base}/{tenantid}/v2.0`
  const op = {
    ...{ issuer, discovery: { token_endpoint: `${base}/${authority}/oauth2/v2.0/token` }, graph },
    claims: { ...overage, iss: `${base}/${tid}/v2.0` },
  }
  const discoveryUrl = `${base}/${authority}/v2.0/.well-known/openid-configuration`
  const { groups, asked } = await groupsOf({ op, configuration: { tenantIds: [tid], discoveryUrl, graph: {} } })
  expect(groups).toEqual({ state: 'known', value: ['g1'] })
  expect(asked.map(({ url }) => url).filter((url) => url.endsWith('/token'))).toEqual([op.discovery.token_endpoint, tokenUrl])
})

describe('groups stay unknown when', () => {
  const endless = (url: string) => ({
    status: 200,
    value: { value: [{ displayName: 'g', securityEnabled: true }], '@odata.nextLink': url },
  })
  const byName = configuration({ groups: 'displayName' })
  test.each([
    { when: 'Graph refuses', op: { graph: aGraph(() => ({ status: 403, value: {} })) }, why: 'graph_refused' },
    { when: 'Graph is busy', op: { graph: aGraph(() => ({ status: 429, value: {} })) }, why: 'graph_refused' },
    { when: 'Graph does not answer in time', op: { graph: aGraph(() => ({ status: 0, value: {} })) }, why: 'graph_unreachable' },
    {
      when: 'Graph answers something else',
      op: { graph: aGraph(() => ({ status: 200, value: { value: 'all' } })) },
      why: 'graph_malformed',
    },
    {
      when: 'there are pages of ids',
      op: { graph: aGraph(() => ({ status: 200, value: { value: ['g'], '@odata.nextLink': `${graphUrl}/x` } })) },
      why: 'too_many_groups',
    },
    { when: 'the pages do not end', op: { graph: aGraph(endless) }, using: byName, why: 'too_many_groups' },
    {
      when: 'the next page is elsewhere',
      op: { graph: aGraph(() => endless('https://evil.example/v1.0/users')) },
      using: byName,
      why: 'graph_malformed',
    },
    {
      when: 'we get no token',
      op: { graph: (url: string) => (url === tokenUrl ? { status: 401, value: { error: 'invalid_client' } } : undefined) },
      why: 'token_refused',
    },
    {
      when: 'the token does not name her',
      op: { claims: { ...overage, oid: undefined }, graph: aGraph(() => ({ status: 200, value: { value: [] } })) },
      why: 'person_unnamed',
    },
    {
      when: 'her name is a path',
      op: { claims: { ...overage, oid: '../../me' }, graph: aGraph(() => ({ status: 200, value: { value: [] } })) },
      why: 'person_unnamed',
    },
  ])('$when', async ({ op, using = configuration(), why }) => {
    const told = await groupsOf({ op: { claims: overage, ...op }, configuration: using })
    expect(told).toMatchObject({ groups: { state: 'unknown' }, why })
  })
  test('there are more than policy takes', async () => {
    const many = Array.from({ length: 1001 }, (_, index) => `g${index}`)
    const graph = aGraph(() => ({ status: 200, value: { value: many } }))
    expect((await groupsOf({ op: { claims: overage, graph }, configuration: configuration() })).groups).toEqual({
      state: 'unknown',
      beyond: 'groups',
    })
  })
})

test('what else is to be had elsewhere stays named when the groups were fetched', () => {
  const elsewhere = (names: object) => new Map(Object.entries({ sub: 'ada', hasgroups: true, _claim_names: names, _claim_sources: {} }))
  expect(Object.fromEntries(withGroups(elsewhere({ groups: 'src1', department: 'src2' }), ['g']))).toEqual({
    sub: 'ada',
    groups: ['g'],
    _claim_names: { department: 'src2' },
  })
  expect(Object.fromEntries(withGroups(elsewhere({ groups: 'src1' }), ['g']))).toEqual({ sub: 'ada', groups: ['g'] })
})

test('where the token has the groups Graph is not asked', async () => {
  const { groups, asked } = await groupsOf({ op: { claims: { tid, oid, groups: ['g'] } }, configuration: configuration() })
  expect(groups).toEqual({ state: 'known', value: ['g'] })
  expect(asked.some(({ url }) => url.includes('graph'))).toBe(false)
})

test.each([
  { tenantId: '../../organizations', objectId: oid },
  { tenantId: 'globex.example', objectId: oid },
  { tenantId: `${tid}/..`, objectId: oid },
  { tenantId: undefined, objectId: oid },
  { tenantId: [tid], objectId: oid },
  { tenantId: tid, objectId: `${oid}/..` },
])('nobody is asked anything about $objectId of $tenantId, which would be written into an address', async (person) => {
  const { asked, fetchSafely, configuration: connection } = aConnector({ configuration: configuration() })
  const endpoints = { authorizationEndpoint: `${issuer}/auth`, tokenEndpoint: `${issuer}/token`, jwksUri: `${issuer}/jwks` }
  const provider = { issuer, ...endpoints, userinfoEndpoint: undefined, endSessionEndpoint: undefined, promisesIssuer: false }
  if (connection.kind !== 'oidc' || connection.graph === undefined) throw new Error('no Graph')
  const credential = { secret: new Secret('s3cret'), key: undefined }
  const ask = graphGroups({ fetchSafely, connection, provider, credential, random: systemRandom(), now }, connection.graph)
  expect(await ask(person)).toEqual({ ok: false, error: 'person_unnamed' })
  expect(asked).toEqual([])
})
