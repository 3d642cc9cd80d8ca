/** A tenant in which everything is that a file can say: applied, exported, applied to an empty installation, exported the same; section by section. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readTenantFiles } from '@drawbridge/cli/tenant-file/read-tenant-files'
import { type TenantFile, tenantShape } from '@drawbridge/cli/tenant-file/shape'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { certificate } from './a-living-tenant.js'
import { run } from './a-process.js'

type Installation = { readonly fixture: TestDatabase; readonly broker: TestBroker; readonly call: Call }
let here: Installation
let elsewhere: Installation
let folder: string

const scope = { name: 'read', description: 'Read', tier: 'read' }
const anInstallation = async (): Promise<Installation> => {
  const fixture = await testDatabase()
  const broker = await aBroker(fixture.database)
  const call = anAdmin(broker)
  const vendors = { identifier: 'https://vendor.example/mcp', name: 'Of the vendor', scopes: [scope] }
  expect((await call('POST', '/shared-resources', vendors)).status).toBe(201)
  return { fixture, broker, call }
}
beforeAll(async () => {
  here = await anInstallation()
  elsewhere = await anInstallation()
  folder = mkdtempSync(join(tmpdir(), 'drawbridge nouns '))
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  for (const one of [here, elsewhere]) {
    await one?.broker.close()
    await one?.fixture.close()
  }
})

/** RFC 7517 Appendix A.1. */
const keyOfAgents = {
  kty: 'EC',
  crv: 'P-256',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
}

/** Each member of the shape, and each at another value than it has by default. */
const whole = {
  version: 1,
  tenant: { slug: 'initech', name: 'Initech' },
  contacts: [{ name: 'IT', email: 'it@initech.example' }],
  webhooks: [{ name: 'SIEM', url: 'https://siem.example/hook', events: ['access.ended', 'subject.deactivated'] }],
  provisioning: 'invited_only',
  logout: { grantsOutliveLogout: true },
  tokens: { algorithm: 'EdDSA' },
  clientRegistration: {
    metadataDocuments: true,
    documentHosts: ['claude.ai'],
    dynamic: false,
    preregistered: true,
    approvalRequired: true,
  },
  deviceGrant: { enabled: true },
  softwareStatements: {
    required: true,
    issuers: [
      {
        issuer: 'https://publisher.example',
        jwks: {
          keys: [
            { kty: 'EC', crv: 'P-256', x: 'fv012MfpGadvEBcj-3nmDtechnURgIEOfEkuFYTGCNE', y: 'drfZyK--Kt4z7fihgTAPKQeSq3sAj8K7f4YBCOzndnM' },
          ],
        },
        algorithms: ['ES256'],
        softwareIds: ['reader'],
        approves: true,
      },
    ],
  },
  dpop: { boundTokensDemanded: false, nonceDemanded: true },
  pushedRequests: { required: true },
  userinfo: { profile: true, email: false },
  defaultScopes: { sharedResources: [] },
  subjectTypes: { pairwiseByDefault: true },
  loginTracing: { recordClaims: true },
  loginRecording: { recordLogins: true },
  policy: '# as somebody wrote it\nversion: 1\nrules:\n  - name: all\n    effect: grant\n    everyone: true\n    scopes: ["*"]\n',
  // Of a resource that the same file makes.
  policyCases:
    'cases:\n  - { name: all, resource: https://documents.example/mcp, request: [read], expect: { granted: [read] } }\n  # nothing else\n',
  connections: [
    { name: 'Dead', kind: 'oidc', configuration: { issuer: 'https://dead.example', clientId: 'x' }, killed: true },
    {
      name: 'Entra',
      kind: 'oidc',
      configuration: {
        issuer: 'https://idp.example',
        clientId: 'drawbridge',
        mapping: { claims: { level: { expression: "'x' in attributes ? attributes['x'][0] : ''" } }, groups: { from: ['roles'] } },
        scimLinkKey: { attribute: 'oid', scim: 'externalId' },
        logoutUpstream: false,
      },
      clientSecret: { fromEnv: 'INITECH_ENTRA_CLIENT_SECRET' },
    },
    {
      name: 'Okta',
      kind: 'saml',
      configuration: {
        idpEntityId: 'urn:idp',
        ssoUrl: 'https://idp.example/sso',
        ssoBinding: 'post',
        certificates: [certificate],
        forceAuthn: true,
        stableIdAttribute: 'oktaId',
      },
    },
  ],
  assertionTrusts: [
    { name: 'Agents', configuration: { issuer: 'https://agents.example', jwks: { keys: [keyOfAgents] }, publicClients: true } },
    {
      name: 'Dead agents',
      configuration: {
        issuer: 'https://dead-agents.example',
        jwks: { keys: [keyOfAgents] },
        peopleOf: { connection: 'Entra', key: 'oid' },
      },
      killed: true,
    },
    { name: 'Of Okta', configuration: { profile: 'saml2-bearer', keysOf: 'Okta', clients: ['agent'] } },
  ],
  domains: [
    { domain: 'claimed.example', connection: 'Okta' },
    { domain: 'free.example' },
    { domain: 'vouched.example', connection: 'Entra', vouched: true },
  ],
  connectionChoice: {
    rules: [
      { when: "hint.startsWith('ext-')", connection: 'Okta' },
      { groups: ['staff'], connection: 'Entra' },
    ],
    fallback: 'Okta',
    revealsGroups: true,
  },
  resources: [
    {
      ...{ identifier: 'https://documents.example/mcp', name: 'Documents', accessTokenTtlSeconds: 300 },
      ...{ toldOfPeople: { profile: false, email: true }, scopes: [{ ...scope, isDefault: true }] },
    },
    { identifier: 'https://gone.example/mcp', name: 'Gone', scopes: [scope], withdrawn: true },
  ],
  sharedResources: ['https://vendor.example/mcp'],
  clients: [
    {
      clientId: 'agent',
      name: 'Agent',
      redirectUris: ['https://agent.example/callback'],
      grantTypes: ['authorization_code'],
      tokenEndpointAuthMethod: 'private_key_jwt',
      jwks: {
        keys: [
          { kty: 'EC', crv: 'P-256', x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' },
        ],
      },
      preApproved: true,
      scopeCeiling: ['read'],
      accessTokenTtlSeconds: 600,
    },
    {
      clientId: 'blocked',
      name: 'Blocked',
      redirectUris: ['http://127.0.0.1/callback'],
      grantTypes: ['authorization_code', 'refresh_token'],
      tokenEndpointAuthMethod: 'none',
      applicationType: 'native',
      blocked: true,
    },
  ],
  tokenExchange: {
    permissions: [
      {
        client: 'gateway',
        from: 'https://documents.example/mcp',
        to: 'https://vendor.example/mcp',
        scopes: ['read'],
        ofClients: ['agent'],
      },
    ],
  },
  idJagIssuing: {
    permissions: [
      {
        ...{ client: 'agent', audience: 'https://as.example', clientThere: 'agent-there', resource: 'https://api.example/mcp' },
        scopes: [{ name: 'read', tier: 'read' }],
      },
    ],
  },
}

const drawbridge = ({ broker }: Installation, ...words: string[]) =>
  run(words, { DRAWBRIDGE_ADMIN_URL: broker.url, DRAWBRIDGE_ADMIN_KEY: broker.adminKey, INITECH_ENTRA_CLIENT_SECRET: 'x' })
const exported = async (from: Installation): Promise<string> => {
  const { code, output } = await drawbridge(from, 'export', 'initech')
  expect(code).toBe(0)
  return output
}
function read(name: string, text: string): TenantFile {
  const parsed = readTenantFiles([{ file: name, text }])
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value[0]?.value as TenantFile
}
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

it('has every section of the shape', () => {
  expect(Object.keys(whole).sort()).toEqual(Object.keys(tenantShape.shape).sort())
})

it('is exported as it was applied, and applied elsewhere is the same again', async () => {
  // JSON is YAML.
  const applied = await drawbridge(here, 'apply', '-f', file('whole.yaml', JSON.stringify(whole)))
  expect(applied).toMatchObject({ code: 0 })
  const text = await exported(here)
  const declared = read('exported.yaml', text)
  for (const section of Object.keys(whole) as (keyof typeof whole)[])
    expect([section, declared[section]]).toMatchObject([section, whole[section]])
  expect(await drawbridge(elsewhere, 'apply', '-f', file('exported.yaml', text))).toMatchObject({ code: 0 })
  expect(await exported(elsewhere)).toBe(text)
  for (const one of [here, elsewhere])
    expect((await drawbridge(one, 'apply', '-f', join(folder, 'exported.yaml'), '--prune', '--yes')).output).toContain(
      'Everything is as the files say.',
    )
}, 120_000)
