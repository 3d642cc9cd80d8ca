/** A tenant in a file, against a real broker: applied, exported, applied elsewhere, pruned, stopped half-way, refused. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { adminClient } from '@drawbridge/cli/admin/admin-client'
import { applyTenants } from '@drawbridge/cli/tenant-file/apply-tenants'
import { Secret } from '@drawbridge/core/secret'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { certificate } from './a-living-tenant.js'
import { run, stackLine } from './a-process.js'

const example = fileURLToPath(new URL('../../../examples/tenants/initech.yaml', import.meta.url))
type Installation = { readonly fixture: TestDatabase; readonly broker: TestBroker; readonly call: Call }
let here: Installation
let elsewhere: Installation
let folder: string

const anInstallation = async (): Promise<Installation> => {
  const fixture = await testDatabase()
  const broker = await aBroker(fixture.database)
  return { fixture, broker, call: anAdmin(broker) }
}
beforeAll(async () => {
  here = await anInstallation()
  elsewhere = await anInstallation()
  folder = mkdtempSync(join(tmpdir(), 'drawbridge tenants '))
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  for (const { broker, fixture } of [here, elsewhere]) {
    await broker?.close()
    await fixture?.close()
  }
})

const secrets = { INITECH_CLIENT_SECRET: 'the secret of the IdP' }
const drawbridge = ({ broker }: Installation, words: readonly string[], environment: Record<string, string> = secrets) =>
  run(words, { DRAWBRIDGE_ADMIN_URL: broker.url, DRAWBRIDGE_ADMIN_KEY: broker.adminKey, ...environment })
const apply = (file: string, ...flags: string[]) => drawbridge(here, ['apply', '-f', file, ...flags])
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const trail = async ({ call }: Installation) => (await call('GET', '/tenants/initech/audit-events')).body.auditEvents.length as number
const written = () => readFileSync(example, 'utf8').replace('../policies', join(example, '../../policies'))

it('makes a trust and an exchange that a file declares, changes them, and takes them away by --prune alone', async () => {
  const [from, to] = ['https://trusts.example/mcp', 'https://behind.trusts.example/mcp']
  const resource = (identifier: string) => ({ identifier, name: 'R', scopes: [{ name: 'read', description: 'Read', tier: 'read' }] })
  const key = {
    kty: 'EC',
    crv: 'P-256',
    x: 'fv012MfpGadvEBcj-3nmDtechnURgIEOfEkuFYTGCNE',
    y: 'drfZyK--Kt4z7fihgTAPKQeSq3sAj8K7f4YBCOzndnM',
  }
  const declared = (trusts: readonly object[], permissions: readonly object[]) =>
    write(
      'trusts.yaml',
      JSON.stringify({
        ...{ version: 1, tenant: { slug: 'trusts', name: 'Trusts' }, resources: [resource(from), resource(to)] },
        ...{ assertionTrusts: trusts, tokenExchange: { permissions } },
      }),
    )
  const there = async () => {
    const [trusts, exchange] = [
      await here.call('GET', '/tenants/trusts/assertion-trusts'),
      await here.call('GET', '/tenants/trusts/token-exchange'),
    ]
    return { trusts: trusts.body.assertionTrusts, permissions: exchange.body.permissions }
  }
  const configuration = { issuer: 'https://agents.trusts.example', jwks: { keys: [key] } }
  const exchange = { client: 'gateway', from, to, scopes: ['read'] }
  expect(await apply(declared([{ name: 'Agents', configuration }], [exchange]))).toMatchObject({ code: 0 })
  const made = await there()
  expect(made).toMatchObject({ trusts: [{ name: 'Agents', configuration }], permissions: [exchange] })
  const wider = { ...configuration, publicClients: true }
  await apply(declared([{ name: 'Agents', configuration: wider }], [{ ...exchange, client: 'other' }]))
  expect(await there()).toMatchObject({
    trusts: [{ id: made.trusts[0].id, configuration: wider }],
    permissions: [{ client: 'other' }, { client: 'gateway' }],
  })
  const kept = await apply(declared([], []))
  expect(kept.output).toContain('trust "Agents" is not in the file')
  expect(kept.output).toContain('exchange by gateway from')
  expect(await there()).toMatchObject({ trusts: [{ name: 'Agents' }], permissions: [{}, {}] })
  expect(await apply(declared([], []), '--prune', '--yes')).toMatchObject({ code: 0 })
  expect(await there()).toEqual({ trusts: [], permissions: [] })
})

it('makes a webhook that a file declares, shows its secret once, changes it, and takes it away by --prune alone', async () => {
  const declared = (text: string) => write('hooks.yaml', `version: 1\ntenant: {slug: hooks, name: Hooks}\nwebhooks:${text}`)
  const hooks = async () => (await here.call('GET', '/tenants/hooks/webhooks')).body.webhooks
  const siem = '\n  - {name: SIEM, url: https://siem.example/hook, events: [access.ended]}\n'
  const first = await apply(declared(siem))
  expect(first).toMatchObject({ code: 0, output: expect.stringMatching(/webhook "SIEM": whsec_\S+ {3}\(shown this once\)/) })
  const [made] = await hooks()
  expect(made).toMatchObject({ name: 'SIEM', url: 'https://siem.example/hook', events: ['access.ended'] })
  const moved = await apply(declared(siem.replace('siem.example', 'other.example').replace('access.ended', 'subject.reinstated')))
  expect(moved.output).not.toContain('whsec_')
  expect(await hooks()).toMatchObject([{ id: made.id, url: 'https://other.example/hook', events: ['subject.reinstated'] }])
  expect((await apply(declared(' []\n'))).output).toContain('webhook "SIEM" is not in the file')
  expect(await hooks()).toHaveLength(1)
  expect(await apply(declared(' []\n'), '--prune', '--yes')).toMatchObject({ code: 0 })
  expect(await hooks()).toEqual([])
  for (let n = 0; n < 2; n += 1)
    await here.call('POST', '/tenants/hooks/webhooks', { name: 'SIEM', url: 'https://siem.example/hook', events: ['access.ended'] })
  expect(await drawbridge(here, ['export', 'hooks'])).toMatchObject({ output: expect.stringContaining('two webhooks are called "SIEM"') })
})

it('writes nothing by a dry run, then all of it, then nothing more and no line of the trail', async () => {
  const dry = await apply(example, '--dry-run')
  expect(dry).toMatchObject({ code: 0, output: expect.stringContaining('+ connection "Initech sign-in"') })
  expect((await here.call('GET', '/tenants/initech')).status).toBe(404)
  const first = await apply(example)
  expect(first).toMatchObject({ code: 0, output: expect.stringMatching(/client initech-agent: \S{43} {3}\(shown this once\)/) })
  expect(first.output).not.toContain('the secret of the IdP')
  const [, shown = ''] = /client initech-agent: (\S{43})/.exec(first.output) ?? []
  expect(first.output.split(shown)).toHaveLength(2)
  const [connection] = (await here.call('GET', '/tenants/initech/connections')).body.connections
  expect(connection).toMatchObject({ name: 'Initech sign-in', hasSecret: true })
  expect((await here.call('GET', '/tenants/initech/connection-choice')).body.fallbackConnectionId).toBe(connection.id)
  const lines = await trail(here)
  // No secret is needed to find that nothing is to do.
  const second = await drawbridge(here, ['apply', '-f', example, '--json'], {})
  // For people the plan is on standard error; the answer alone is on standard output.
  expect(JSON.parse(second.output.slice(second.output.indexOf('{')))).toMatchObject({
    applied: true,
    tenants: [{ tenant: 'initech', changes: [], leftAlone: [] }],
  })
  expect(await trail(here)).toBe(lines)
}, 60_000)

it('exports what is there, which applied to an empty installation exports the same', async () => {
  const exported = await drawbridge(here, ['export', 'initech'])
  expect(exported.output).toContain('# not proven yet')
  const file = write('exported.yaml', exported.output)
  expect((await apply(file)).output).toContain('Everything is as the files say.')
  const applied = await drawbridge(elsewhere, ['apply', '-f', file], { INITECH_INITECH_SIGN_IN_CLIENT_SECRET: 'x' })
  expect(applied.code).toBe(0)
  expect((await drawbridge(elsewhere, ['export', 'initech'])).output).toBe(exported.output)
}, 60_000)

it('changes what differs, shows it first, and sends a secret again only when asked', async () => {
  const changed = write(
    'changed.yaml',
    written().replace('name: Documents', 'name: Papers').replace('clientId: drawbridge', 'clientId: other'),
  )
  const lines = await trail(here)
  const ended = await drawbridge(here, ['apply', '-f', changed], {})
  expect(ended).toMatchObject({ code: 0, output: expect.stringContaining('configuration.clientId: drawbridge → other') })
  expect(await trail(here)).toBe(lines + 2)
  expect((await drawbridge(here, ['apply', '-f', changed, '--secrets'], {})).output).toContain(
    'the variable INITECH_CLIENT_SECRET is not set',
  )
  expect((await apply(changed, '--secrets')).output).toContain('1 change made')
}, 60_000)

it('tells every mistake of a folder with its place, and writes nothing', async () => {
  const many = join(folder, 'many')
  mkdirSync(many)
  writeFileSync(join(many, 'a.yaml'), written().replace('name: Documents', 'name: Other').replace('kind: oidc', 'kind: saml'))
  writeFileSync(join(many, 'b.yml'), 'version: 1\ntenant: {slug: second, name: Second}\nconections: []\n')
  writeFileSync(join(many, 'ignored.txt'), 'x')
  const ended = await apply(many)
  expect(ended.code).toBe(1)
  expect(ended.output).toMatch(/a\.yaml:\d+:\d+: connections\[0\]\.configuration/)
  expect(ended.output).toMatch(/b\.yml:3:1: conections: there is no such member/)
  expect(ended.output).not.toMatch(stackLine)
  expect((await here.call('GET', '/tenants/initech/resources')).body.resources[0].name).toBe('Papers')
  const unreachable = `${written().split('connections:')[0]}connections:\n  - name: New\n    kind: saml\n    metadata: {url: 'http://127.0.0.1:1/metadata'}\n`
  expect(await apply(write('unreachable.yaml', unreachable))).toMatchObject({
    code: 1,
    output: expect.stringMatching(/unreachable\.yaml:\d+:5: connections\[0\]\.metadata: /),
  })
}, 60_000)

it('names the tenant before it writes, and writes to no other than the one that was said', async () => {
  const file = write('changed-again.yaml', written().replace('name: Documents', 'name: Leaflets'))
  const lines = await trail(here)
  const other = await apply(file, '--tenant', 'globex')
  expect(other).toMatchObject({
    code: 1,
    output: expect.stringMatching(/changed-again\.yaml:\d+:\d+: tenant\.slug: the file is of initech, and --tenant names globex/),
  })
  expect(await trail(here)).toBe(lines)
  const ended = await apply(file, '--tenant', 'initech')
  expect(ended.output.split('\n').slice(0, 2)).toEqual([`At ${here.broker.url}`, 'Tenant initech, Initech: 2 changes'])
  expect(await trail(here)).toBe(lines + 2)
}, 60_000)

it('takes away with prune alone, and asks', async () => {
  const saml = { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [certificate] }
  await here.call('POST', '/tenants/initech/connections', { kind: 'saml', name: 'By hand', configuration: saml })
  await here.call('POST', '/tenants/initech/domains', { domain: 'by-hand.example' })
  const file = write('pruned.yaml', written())
  expect((await apply(file)).output).toMatch(
    /connection "By hand" is not in the file: left alone[^]*domain by-hand\.example is not in the file/,
  )
  expect(await apply(file, '--prune')).toMatchObject({ code: 2, output: expect.stringMatching(/of tenant initech\?[^]*say --yes/) })
  expect((await here.call('GET', '/tenants/initech/domains')).body.domains).toHaveLength(2)
  expect((await apply(file, '--prune', '--yes')).code).toBe(0)
  expect((await here.call('GET', '/tenants/initech/domains')).body.domains).toHaveLength(1)
  expect((await here.call('GET', '/tenants/initech/connections')).body.connections).toHaveLength(1)
}, 60_000)

it('leaves dead what was killed, and kills by prune what its history keeps', async () => {
  const [{ id }] = (await here.call('GET', '/tenants/initech/connections')).body.connections
  await here.call('POST', `/tenants/initech/connections/${id}/kill`, { reason: 'a test' })
  const ended = await apply(write('killed.yaml', written()))
  expect(ended).toMatchObject({ code: 0, output: expect.stringContaining('was killed at') })
  const disabled = async () => (await here.call('GET', `/tenants/initech/connections/${id}`)).body.disabledAt
  expect(await disabled()).not.toBeNull()
  expect((await drawbridge(here, ['export', 'initech'])).output).toContain('killed: true')
  await here.call('POST', `/tenants/initech/connections/${id}/enable`)
  await here.call('POST', '/tenants/initech/scim-tokens', { connectionId: id, name: 'keeps it' })
  const without = write('without.yaml', 'version: 1\ntenant: {slug: initech, name: Initech}\nconnections: []\n')
  expect((await apply(without, '--prune', '--yes')).code).toBe(0)
  expect(await disabled()).not.toBeNull()
  await here.call('POST', `/tenants/initech/connections/${id}/enable`)
}, 60_000)

it('says exactly where it was stopped, and completes it the next time', async () => {
  const key = (permissions: string[]) =>
    here.call('POST', '/admin-keys', { name: 'narrow', permissions, expiresAt: '2099-01-01T00:00:00Z' })
  const narrow = (await key(['tenants:write', 'configuration:read', 'configuration:write'])).body.secret as string
  const file = write(
    'half.yaml',
    written().replaceAll('initech', 'halfway').replaceAll('INITECH', 'HALFWAY').replace('https://documents', 'https://halfway'),
  )
  const environment = { HALFWAY_CLIENT_SECRET: 'x' }
  const ended = await drawbridge(here, ['apply', '-f', file], { ...environment, DRAWBRIDGE_ADMIN_KEY: narrow })
  expect(ended).toMatchObject({
    code: 4,
    output: expect.stringMatching(/Stopped half-way[^]*It stopped at: change provisioning of halfway; 1 changes are done/),
  })
  expect((await here.call('GET', '/tenants/halfway')).status).toBe(200)
  expect((await drawbridge(here, ['apply', '-f', file], environment)).code).toBe(0)
  expect((await drawbridge(here, ['apply', '-f', file], environment)).output).toContain('Everything is as the files say.')
}, 60_000)

const stateIn = (output: string): string => /^State: (\S+)$/m.exec(output)?.[1] ?? ''
const settingsOf = async () => [
  (await here.call('GET', '/tenants/moved/userinfo')).body,
  (await here.call('GET', '/tenants/moved/default-scopes')).body,
]
const moving = (more: object = {}) => write('moved.yaml', JSON.stringify({ version: 1, tenant: { slug: 'moved', name: 'Moved' }, ...more }))

it('says what people may be told of, and which scopes of shared resources are given by default, as a file has it', async () => {
  const defaultScopes = { sharedResources: [{ identifier: 'https://shared.example/mcp', scopes: ['read'] }] }
  expect(await apply(moving({ userinfo: { profile: true }, defaultScopes }))).toMatchObject({ code: 0 })
  expect(await settingsOf()).toEqual([{ profile: true, email: false }, defaultScopes])
  const exported = await drawbridge(here, ['export', 'moved'])
  expect(exported.output).toMatch(/userinfo:\n {2}profile: true\n {2}email: false\ndefaultScopes:/)
  // A section that is left out stays as it is.
  expect((await apply(moving())).output).toContain('Everything is as the files say.')
})

it('writes nothing where somebody changed the tenant since the state that is expected', async () => {
  const file = moving({ userinfo: { profile: false } })
  const state = stateIn((await apply(file, '--dry-run')).output)
  expect(state).toHaveLength(16)
  expect(stateIn((await apply(file, '--dry-run')).output)).toBe(state)
  await here.call('PUT', '/tenants/moved/pushed-requests', { required: true })
  const refused = await apply(file, '--expect', state)
  expect([refused.code, refused.output.includes('nothing was written')]).toEqual([1, true])
  expect((await settingsOf())[0]).toEqual({ profile: true, email: false })
  expect(await apply(file, '--expect', stateIn(refused.output))).toMatchObject({ code: 0 })
  expect((await settingsOf())[0]).toEqual({ profile: false, email: false })
})

it('writes nothing where somebody changed the tenant while the plan was shown', async () => {
  const contact = { name: 'IT', email: 'it@moved.example' }
  await apply(moving({ contacts: [contact] }))
  const asked = { body: { files: [moving({ contacts: [], userinfo: { email: true } })], prune: true }, arguments: {} }
  const confirm = async () => {
    await here.call('PUT', '/tenants/moved/userinfo', { profile: true, email: false })
    return 'agreed' as const
  }
  const client = adminClient(here.broker.url, new Secret(here.broker.adminKey))
  const tools = { client, confirm, say: () => undefined, show: () => undefined, environment: {} }
  expect(await applyTenants(asked as unknown as Parameters<typeof applyTenants>[0], tools)).toMatchObject({
    kind: 'refused',
    refused: { status: 412, detail: expect.stringContaining('tenant moved changed while the plan was shown') },
  })
  expect((await settingsOf())[0]).toEqual({ profile: true, email: false })
  expect((await here.call('GET', '/tenants/moved/contacts')).body.contacts).toMatchObject([contact])
})
