/** Plans of what is believed of others and lent to clients: trusts, exchanges, ID-JAGs. Nothing goes without prune, and nothing comes back. */
import { expect, test } from 'vitest'
import { aLiveConnection, aLiveExchange, aLiveTenant, aLiveTrust, aLiveWord, aSamlConnection } from '../../test/a-living-tenant.js'
import { declareTenant } from './declare-tenant.js'
import type { LiveTenant, LiveTrust } from './live-tenant.js'
import { planTenant } from './plan.js'
import { readTenantFiles } from './read-tenant-files.js'
import { type TenantFile, tenantShape } from './shape.js'

const entra = aLiveConnection()
const ofEntra = aLiveTrust({ configuration: { ...aLiveTrust().configuration, peopleOf: { connection: entra.id, key: 'oid' } } })
const live = aLiveTenant({
  assertionTrusts: [ofEntra],
  tokenExchange: { permissions: [aLiveExchange()], revision: 'as-read' },
  idJagIssuing: { permissions: [aLiveWord()] },
})
const file = tenantShape.parse(declareTenant(live))
const plan = (change: Partial<TenantFile>, there: LiveTenant = live, prune = false) => {
  const said = { ...file, ...change }
  const texts = { policy: said.policy as string, cases: undefined }
  return planTenant(said, texts, there, { prune, secrets: false, vendorResources: [] })
}
const told = ({ changes }: ReturnType<typeof plan>) => changes.map(({ does, what }) => `${does} ${what}`)
const trust = (change: Partial<NonNullable<TenantFile['assertionTrusts']>[number]> = {}) => [
  { name: 'Agents', configuration: { ...ofEntra.configuration, peopleOf: { connection: 'Entra', key: 'oid' } }, killed: false, ...change },
]
const having = (trusts: readonly LiveTrust[]) => aLiveTenant({ ...live, assertionTrusts: trusts })

test('a file names the connection of which a trust speaks, and nothing changes by that', () => {
  expect(file.assertionTrusts).toEqual(trust())
  expect(told(plan({}))).toEqual([])
})

type Row = {
  readonly what: string
  readonly change: Partial<TenantFile>
  readonly live?: LiveTenant
  readonly prune?: true
  readonly changes: readonly string[]
}
const twoExchanges = { permissions: [aLiveExchange(), aLiveExchange({ client: 'other' })] } as TenantFile['tokenExchange']
const rows: readonly Row[] = [
  { what: 'a trust is new', change: { assertionTrusts: [...trust(), ...trust({ name: 'Others' })] }, changes: ['create trust "Others"'] },
  {
    what: 'a trust believes otherwise',
    change: { assertionTrusts: trust({ configuration: { ...trust()[0]?.configuration, publicClients: true } }) },
    changes: ['change trust "Agents"'],
  },
  {
    what: 'a trust speaks of another connection',
    change: { assertionTrusts: trust({ configuration: { ...ofEntra.configuration, peopleOf: { connection: 'Okta', key: 'oid' } } }) },
    changes: ['change trust "Agents"'],
  },
  { what: 'a trust is not in the file', change: { assertionTrusts: [] }, changes: [] },
  { what: 'and is pruned', change: { assertionTrusts: [] }, prune: true, changes: ['take away trust "Agents"'] },
  {
    what: 'a killed one is not in the file',
    change: { assertionTrusts: [] },
    live: having([aLiveTrust({ disabledAt: 'then' })]),
    prune: true,
    changes: [],
  },
  { what: 'one is killed in the file', change: { assertionTrusts: trust({ killed: true }) }, changes: [] },
  { what: 'that is pruned', change: { assertionTrusts: trust({ killed: true }) }, prune: true, changes: ['take away trust "Agents"'] },
  {
    what: 'it and its connection are pruned, the trust first',
    change: { assertionTrusts: [], connections: [], domains: [], connectionChoice: undefined },
    live: aLiveTenant({
      ...live,
      connections: [entra],
      domains: [],
      choice: { rules: [], fallbackConnectionId: null, revealsGroups: false },
    }),
    prune: true,
    changes: ['take away trust "Agents"', 'take away connection "Entra"'],
  },
  { what: 'an exchange is new', change: { tokenExchange: twoExchanges }, changes: ['change tokenExchange'] },
  {
    what: 'an exchange says less',
    change: { tokenExchange: { permissions: [aLiveExchange({ ofClients: ['agent'] })] } as TenantFile['tokenExchange'] },
    changes: ['change tokenExchange'],
  },
  { what: 'none is in the file', change: { tokenExchange: { permissions: [] } }, changes: [] },
  {
    what: 'none is in the file, and it is pruned',
    change: { tokenExchange: { permissions: [] } },
    prune: true,
    changes: ['take away tokenExchange: exchange by gateway from https://documents.example/mcp to https://behind.example/mcp'],
  },
  {
    what: 'ID-JAGs are allowed no more, and that is pruned',
    change: { idJagIssuing: { permissions: [] } },
    prune: true,
    changes: ['take away idJagIssuing: ID-JAGs for agent to https://api.example/mcp of https://as.example'],
  },
]
test.each(rows)('where $what: $changes', ({ change, live: there, prune, changes }) => {
  const planned = plan(change, there, prune)
  expect(planned.impossible).toEqual([])
  expect(told(planned)).toEqual(changes)
})

test('what the file does not name is told, and written again beside what is new', () => {
  const planned = plan({ tokenExchange: { permissions: [aLiveExchange({ client: 'other' })] } as TenantFile['tokenExchange'] })
  expect(planned.leftAlone).toEqual([
    'exchange by gateway from https://documents.example/mcp to https://behind.example/mcp is not in the file',
  ])
  const [step] = planned.changes[0]?.steps ?? []
  expect(step).toMatchObject({ body: { permissions: [{ client: 'other' }, { client: 'gateway' }], ifRevision: 'as-read' } })
})

test('a killed trust stays so, which is told', () => {
  const { changes, warnings } = plan({}, having([{ ...ofEntra, disabledAt: 'then' }]))
  expect([changes, warnings]).toEqual([[], ['trust "Agents" was killed at then, and stays so: drawbridge trust enable']])
})

test.each([
  {
    what: 'two trusts share a name',
    change: {},
    there: having([ofEntra, aLiveTrust({ id: 'x' })]),
    path: ['assertionTrusts', 0, 'name'],
    says: 'two trusts of the tenant',
  },
  {
    what: 'the tenant has no such connection',
    change: { connections: undefined, domains: undefined, connectionChoice: undefined },
    there: aLiveTenant({ ...live, connections: [aSamlConnection()] }),
    path: ['assertionTrusts', 0, 'configuration', 'peopleOf', 'connection'],
    says: 'has no connection "Entra"',
  },
])('where $what, that is a mistake with its place', ({ change, there, path, says }) => {
  expect(plan(change, there).impossible).toContainEqual({ path, say: expect.stringContaining(says) })
})

test.each([
  {
    what: 'a misspelt member',
    trust: "{issuer: 'https://a.example', jwksUri: 'https://a.example/keys', clientz: [x]}",
    says: 'configuration',
  },
  { what: 'neither keys nor where they are', trust: "{issuer: 'https://a.example'}", says: 'exactly one of them' },
  {
    what: 'a connection that the file does not have',
    trust: '{profile: saml2-bearer, keysOf: Nobody, clients: [agent]}',
    says: 'no connection of this file is called "Nobody"',
  },
])('a trust with $what is a mistake of the file', ({ trust: configuration, says }) => {
  const text = `version: 1\ntenant: {slug: initech, name: Initech}\nconnections: []\nassertionTrusts:\n  - {name: Agents, configuration: ${configuration}}\n`
  const read = readTenantFiles([{ file: 'x.yaml', text }])
  expect(read.ok ? [] : read.error.map(({ path, say }) => `${path}: ${say}`).join()).toContain(says)
})
