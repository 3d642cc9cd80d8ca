/** Plans: empty where the file is what is there, and never taking away or giving back by themselves. */
import { webhookLimits } from '@drawbridge/core/revocation/webhook'
import { announcementLimits } from '@drawbridge/core/tenant/announcement'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import {
  aLiveClient,
  aLiveConnection,
  aLiveDomain,
  aLiveResource,
  aLiveTenant,
  aLiveWebhook,
  anyLiveTenant,
  aPolicy,
  aSamlConnection,
} from '../../test/a-living-tenant.js'
import { declareTenant, writeTenantFile } from './declare-tenant.js'
import type { LiveTenant } from './live-tenant.js'
import { planTenant } from './plan.js'
import type { PlanOptions } from './plan-change.js'
import { readTenantFiles } from './read-tenant-files.js'
import { type TenantFile, tenantShape } from './shape.js'

const numbered = <T>(count: number, make: (number: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index + 1))
const aWebhook = (name: string) => ({ name, url: 'https://siem.example/hook', events: ['access.ended' as const] })

const options: PlanOptions = { prune: false, secrets: false, vendorResources: [{ id: 'v1', identifier: 'https://vendor.example' }] }
const textOf = (said: TenantFile['policy']) => (typeof said === 'string' ? said : undefined)
const plan = (file: TenantFile, live: LiveTenant | undefined, change: Partial<PlanOptions> = {}) =>
  planTenant(file, { policy: textOf(file.policy), cases: textOf(file.policyCases) }, live, { ...options, ...change })
const fileOf = (live: LiveTenant): TenantFile => tenantShape.parse(declareTenant(live))
const readBack = (live: LiveTenant): TenantFile => {
  const read = readTenantFiles([{ file: 'x.yaml', text: writeTenantFile(live) }])
  if (!read.ok) throw new Error(JSON.stringify(read.error))
  return read.value[0]?.value as TenantFile
}

describe('for any tenant', () => {
  it('what it exports reads as it was meant, and applying it there changes nothing, with prune or without', () => {
    fc.assert(
      fc.property(anyLiveTenant, fc.boolean(), (live, prune) => {
        const file = readBack(live)
        expect(file).toEqual(fileOf(live))
        expect(plan(file, live, { prune })).toMatchObject({ changes: [], leftAlone: [], impossible: [] })
      }),
      { numRuns: 200 },
    )
  })

  it('applying it anywhere takes nothing away without prune', () => {
    fc.assert(
      fc.property(anyLiveTenant, fc.option(anyLiveTenant, { nil: undefined }), (one, other) => {
        const { changes } = plan(fileOf(one), other && { ...other, slug: one.slug })
        expect(changes.filter(({ does }) => does === 'take away')).toEqual([])
        const calls = changes.flatMap(({ does, steps }) => (does === 'create' ? [] : steps))
        expect(calls.filter((step) => step.kind === 'remove-or-kill' || (step.kind === 'call' && step.path.at(-1) === '/kill'))).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  it('applying it never gives back what somebody took away', () => {
    fc.assert(
      fc.property(anyLiveTenant, anyLiveTenant, fc.boolean(), (one, other, prune) => {
        const said = JSON.stringify(plan(fileOf(one), { ...other, slug: one.slug }, { prune }).changes)
        for (const word of ['/enable', '/reinstate', '/restore', '/resume', '"blocked":false']) expect(said).not.toContain(word)
      }),
      { numRuns: 100 },
    )
  })

  it('prints the same text twice', () => {
    fc.assert(
      fc.property(
        anyLiveTenant,
        (live) =>
          writeTenantFile(live) ===
          writeTenantFile({ ...live, connections: live.connections.toReversed(), domains: live.domains.toReversed() }),
      ),
      { numRuns: 50 },
    )
  })
})

const live = aLiveTenant()
const file = fileOf(live)
const entra = () => file.connections?.find(({ name }) => name === 'Entra')
const okta = () => file.connections?.find(({ name }) => name === 'Okta')
type Row = {
  readonly what: string
  readonly file?: Partial<TenantFile>
  readonly live?: LiveTenant | undefined
  readonly options?: Partial<PlanOptions>
  readonly changes: readonly string[]
}
const rows: readonly Row[] = [
  {
    what: 'the tenant is not there',
    live: undefined,
    changes: [
      'create tenant initech',
      'create contact it@initech.example',
      'create webhook "SIEM"',
      'change provisioning',
      'change clientRegistration',
      'change dpop',
      'create connection "Entra"',
      'create connection "Okta"',
      'create domain initech.example',
      'change connection choice',
      'create resource https://documents.example/mcp',
      'create policy',
      'create client agent',
    ],
  },
  {
    what: 'a contact has another name',
    file: { contacts: [{ name: 'Operations', email: 'it@initech.example' }] },
    changes: ['change contact it@initech.example'],
  },
  { what: 'a contact is not in the file', file: { contacts: [] }, changes: [] },
  { what: 'it is pruned', file: { contacts: [] }, options: { prune: true }, changes: ['take away contact it@initech.example'] },
  {
    what: 'a webhook leads elsewhere',
    file: { webhooks: [{ name: 'SIEM', url: 'https://other.example/hook', events: ['access.ended', 'access.dead_everywhere'] }] },
    changes: ['change webhook "SIEM"'],
  },
  {
    what: 'it hears other news',
    file: { webhooks: [{ name: 'SIEM', url: 'https://siem.example/hook', events: ['access.ended'] }] },
    changes: ['change webhook "SIEM"'],
  },
  {
    what: 'it hears the same news in another order',
    file: { webhooks: [{ name: 'SIEM', url: 'https://siem.example/hook', events: ['access.dead_everywhere', 'access.ended'] }] },
    changes: [],
  },
  { what: 'it is disabled', live: aLiveTenant({ webhooks: [aLiveWebhook({ disabledAt: '2026-01-01' })] }), changes: [] },
  { what: 'a webhook is not in the file', file: { webhooks: [] }, changes: [] },
  { what: 'that one is pruned', file: { webhooks: [] }, options: { prune: true }, changes: ['take away webhook "SIEM"'] },
  {
    what: 'as many webhooks as there may be are pruned and made: those whose place is needed go first, the others last',
    live: aLiveTenant({
      contacts: [],
      webhooks: numbered(webhookLimits.endpoints, (nth) => aLiveWebhook({ id: `w${nth}`, name: `old ${nth}`, events: ['access.ended'] })),
    }),
    file: {
      webhooks: [...numbered(webhookLimits.endpoints - 3, (nth) => aWebhook(`old ${nth}`)), aWebhook('new 1'), aWebhook('new 2')],
    },
    options: { prune: true },
    changes: [
      'create contact it@initech.example',
      `take away webhook "old ${webhookLimits.endpoints - 2}"`,
      `take away webhook "old ${webhookLimits.endpoints - 1}"`,
      'create webhook "new 1"',
      'create webhook "new 2"',
      `take away webhook "old ${webhookLimits.endpoints}"`,
    ],
  },
  {
    what: 'there is room for what is made before what is pruned goes',
    file: { webhooks: [aWebhook('new')] },
    options: { prune: true },
    changes: ['create webhook "new"', 'take away webhook "SIEM"'],
  },
  {
    what: 'as many contacts as there may be are pruned and made',
    live: aLiveTenant({
      contacts: numbered(announcementLimits.contacts, (nth) => ({ id: `c${nth}`, name: 'IT', email: `it${nth}@initech.example` })),
    }),
    file: { contacts: numbered(announcementLimits.contacts, (nth) => ({ name: 'IT', email: `it${nth + 1}@initech.example` })) },
    options: { prune: true },
    changes: ['take away contact it1@initech.example', `create contact it${announcementLimits.contacts + 1}@initech.example`],
  },
  {
    what: 'a section is left out',
    file: { connections: undefined, domains: undefined, connectionChoice: undefined },
    options: { prune: true },
    changes: [],
  },
  { what: 'the name differs', file: { tenant: { slug: 'initech', name: 'Initech Inc.' } }, changes: ['change tenant initech'] },
  { what: 'the policy has test cases', file: { policyCases: 'cases: []\n' }, changes: ['change policy'] },
  { what: 'the policy differs by a newline', file: { policy: aPolicy.trimEnd() }, changes: ['change policy'] },
  {
    what: 'a configuration differs',
    file: { connections: [{ ...entra(), configuration: { issuer: 'https://idp.example', clientId: 'other' } }, okta()] as never },
    changes: ['change connection "Entra"'],
  },
  {
    what: 'metadata moved',
    file: { connections: [entra(), { ...okta(), metadata: { url: 'https://new.example', pinnedCertificates: [] } }] as never },
    changes: ['change connection "Okta"'],
  },
  { what: 'secrets are to be sent again', options: { secrets: true }, changes: ['change connection "Entra"'] },
  {
    what: 'a secret is missing',
    live: aLiveTenant({ connections: [aLiveConnection({ hasSecret: false }), aSamlConnection()] }),
    changes: ['change connection "Entra"'],
  },
  {
    what: 'a connection is not in the file',
    file: { connections: [okta()] as never, domains: [], connectionChoice: undefined },
    changes: [],
  },
  {
    what: 'it is to be pruned, behind what names it',
    file: { connections: [okta()] as never, domains: [], connectionChoice: undefined },
    options: { prune: true },
    changes: ['take away domain initech.example', 'take away connection "Entra"'],
  },
  {
    what: 'a killed one is not in the file',
    live: aLiveTenant({ connections: [aLiveConnection({ disabledAt: 'then' }), aSamlConnection()], domains: [] }),
    file: { connections: [okta()] as never, domains: [] },
    options: { prune: true },
    changes: [],
  },
  { what: 'one is killed in the file', file: { connections: [{ ...entra(), killed: true }, okta()] as never }, changes: [] },
  {
    what: 'that is to be pruned',
    file: { connections: [{ ...entra(), killed: true }, okta()] as never },
    options: { prune: true },
    changes: ['take away connection "Entra"'],
  },
  {
    what: 'a domain moves',
    file: { domains: [{ domain: 'initech.example', connection: 'Okta', vouched: true }] },
    changes: ['change domain initech.example'],
  },
  {
    what: 'a domain is spelt otherwise',
    file: { domains: [{ domain: 'INITECH.example', connection: 'Entra', vouched: true }] },
    changes: [],
  },
  {
    what: 'the vendor’s word is taken back',
    file: { domains: [{ domain: 'initech.example', connection: 'Entra', vouched: false }] },
    changes: [],
  },
  {
    what: 'and pruned',
    file: { domains: [{ domain: 'initech.example', connection: 'Entra', vouched: false }] },
    options: { prune: true },
    changes: ['take away the proof of domain initech.example'],
  },
  {
    what: 'scopes stand in another order',
    live: aLiveTenant({
      resources: [aLiveResource({ scopes: [...aLiveResource().scopes, { name: 'a', description: 'x', tier: 'read', isDefault: false }] })],
    }),
    file: {
      resources: [
        {
          ...(file.resources?.[0] as object),
          scopes: [{ name: 'a', description: 'x', tier: 'read', isDefault: false }, ...aLiveResource().scopes],
        },
      ] as never,
    },
    changes: [],
  },
  {
    what: 'a scope changes its tier',
    file: { resources: [{ ...(file.resources?.[0] as object), scopes: [{ ...aLiveResource().scopes[0], tier: 'admin' }] }] as never },
    changes: ['change resource https://documents.example/mcp'],
  },
  {
    what: 'a resource of the vendor is named',
    file: { sharedResources: ['https://vendor.example'] },
    changes: ['create shared resource https://vendor.example'],
  },
  {
    what: 'one is shared and not in the file',
    live: aLiveTenant({ resources: [aLiveResource(), aLiveResource({ identifier: 'https://v', shared: true })] }),
    options: { prune: true },
    changes: ['take away shared resource https://v'],
  },
  {
    what: 'a client is to be blocked',
    file: { clients: [{ ...(file.clients?.[0] as object), blocked: true }] as never },
    changes: ['change client agent'],
  },
  {
    what: 'a client that introduced itself is there',
    live: aLiveTenant({ clients: [aLiveClient(), aLiveClient({ clientId: 'mcp', kind: 'dynamic' })] }),
    options: { prune: true },
    changes: [],
  },
]
test.each(rows)('where $what: $changes', ({ changes, ...row }) => {
  const there = 'live' in row ? row.live : live
  const made = plan({ ...file, ...row.file }, there, row.options)
  expect(made.impossible).toEqual([])
  expect(made.changes.map(({ does, what }) => `${does} ${what}`)).toEqual(changes)
})

type Told = { readonly what: string; readonly file?: Partial<TenantFile>; readonly live?: LiveTenant; readonly says: string }
test.each<Told>([
  {
    what: 'a tenant is suspended',
    live: aLiveTenant({ suspendedAt: 'then' }),
    says: 'tenant initech is suspended since then, and stays so',
  },
  {
    what: 'a connection was killed',
    live: aLiveTenant({ connections: [aLiveConnection({ disabledAt: 'then' }), aSamlConnection()] }),
    says: 'connection "Entra" was killed at then, and stays so',
  },
  {
    what: 'a proof has lapsed',
    live: aLiveTenant({ domains: [aLiveDomain({ verifiedAt: null, proof: null, lapsedAt: 'then' })] }),
    says: 'the proof of domain initech.example lapsed at then',
  },
  {
    what: 'a resource is withdrawn',
    live: aLiveTenant({ resources: [aLiveResource({ mintable: false })] }),
    says: 'resource https://documents.example/mcp is withdrawn, and stays so',
  },
  {
    what: 'a client was blocked',
    live: aLiveTenant({ clients: [aLiveClient({ blockedAt: 'then' })] }),
    says: 'client agent was blocked at then, and stays so',
  },
  {
    what: 'a webhook is disabled',
    live: aLiveTenant({ webhooks: [aLiveWebhook({ disabledAt: 'then', pausedAt: 'before' })] }),
    says: 'webhook "SIEM" is disabled since then, and stays so',
  },
  {
    what: 'a webhook is paused',
    live: aLiveTenant({ webhooks: [aLiveWebhook({ pausedAt: 'then' })] }),
    says: 'webhook "SIEM" is paused since then, and stays so',
  },
])('where $what nothing is given back, and that is told', ({ live: there, says }) => {
  const { changes, warnings } = plan(file, there)
  expect(changes).toEqual([])
  expect(warnings.join('\n')).toContain(says)
})

test.each<Told & { readonly path: readonly (string | number)[] }>([
  {
    what: 'two connections share a name',
    live: aLiveTenant({ connections: [aLiveConnection(), aLiveConnection({ id: 'x' }), aSamlConnection()] }),
    path: ['connections', 0, 'name'],
    says: 'two connections',
  },
  {
    what: 'two webhooks share a name',
    live: aLiveTenant({ webhooks: [aLiveWebhook(), aLiveWebhook({ id: 'w2' })] }),
    path: ['webhooks', 0, 'name'],
    says: 'two webhooks',
  },
  {
    what: 'a connection has another kind',
    live: aLiveTenant({ connections: [aSamlConnection({ name: 'Entra' }), aSamlConnection()], domains: [] }),
    path: ['connections', 0, 'kind'],
    says: 'another kind is another connection',
  },
  {
    what: 'a domain names a connection that nobody has',
    file: { connections: undefined, connectionChoice: undefined, domains: [{ domain: 'x.example', connection: 'Nobody', vouched: false }] },
    path: ['domains', 0, 'connection'],
    says: 'has no connection "Nobody"',
  },
  {
    what: 'a resource is the vendor’s',
    live: aLiveTenant({ resources: [aLiveResource({ shared: true })] }),
    path: ['resources', 0, 'identifier'],
    says: 'sharedResources',
  },
  {
    what: 'the vendor has no such resource',
    file: { sharedResources: ['https://nobody.example'] },
    path: ['sharedResources', 0],
    says: 'the vendor has no such resource',
  },
  {
    what: 'a client becomes another',
    file: { clients: [{ ...(file.clients?.[0] as object), tokenEndpointAuthMethod: 'none' }] as never },
    path: ['clients', 0, 'tokenEndpointAuthMethod'],
    says: 'cannot become another',
  },
  {
    what: 'test cases are of no policy',
    file: { policy: undefined, policyCases: 'cases: []\n' } as never,
    live: aLiveTenant({ policy: undefined }),
    path: ['policyCases'],
    says: 'there is no policy',
  },
  {
    what: 'a client introduced itself',
    live: aLiveTenant({ clients: [aLiveClient({ kind: 'dynamic' })] }),
    path: ['clients', 0, 'clientId'],
    says: 'introduced itself',
  },
])('where $what, that is a mistake with its place', ({ file: change, live: there = live, path, says }) => {
  expect(plan({ ...file, ...change }, there).impossible).toContainEqual({ path, say: expect.stringContaining(says) })
})
