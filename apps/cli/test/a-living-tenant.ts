/** A tenant as the broker might show it: one for tables, and any for properties. */
import type {
  LiveClient,
  LiveConnection,
  LiveDomain,
  LiveResource,
  LiveTenant,
  LiveTrust,
  LiveWebhook,
} from '@drawbridge/cli/tenant-file/live-tenant'
import { tokenAlgorithms } from '@drawbridge/core/oauth/token-algorithm'
import { aKey } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import fc from 'fast-check'

export const { certificate } = aKey()
const at = '2026-01-01T00:00:00.000Z'
export const aPolicy = 'version: 1\nrules:\n  - name: all\n    effect: grant\n    everyone: true\n    scopes: ["*"]\n'

export const aLiveConnection = (change: Partial<LiveConnection> = {}): LiveConnection => ({
  id: '00000000-0000-4000-8000-000000000001',
  kind: 'oidc',
  name: 'Entra',
  configuration: { issuer: 'https://idp.example', clientId: 'drawbridge' },
  hasSecret: true,
  disabledAt: null,
  sha1Until: null,
  revision: 'r1',
  metadata: undefined,
  ...change,
})
export const aSamlConnection = (change: Partial<LiveConnection> = {}): LiveConnection =>
  aLiveConnection({
    id: '00000000-0000-4000-8000-000000000002',
    kind: 'saml',
    name: 'Okta',
    configuration: {
      idpEntityId: 'urn:idp',
      ssoUrl: 'https://idp.example/sso',
      ssoBinding: 'redirect',
      certificates: [certificate],
      forceAuthn: true,
    },
    hasSecret: false,
    metadata: { url: 'https://idp.example/metadata', pinnedCertificates: [certificate] },
    ...change,
  })
export const aLiveTrust = (change: Partial<LiveTrust> = {}): LiveTrust => ({
  id: '00000000-0000-4000-8000-000000000004',
  name: 'Agents',
  configuration: { issuer: 'https://agents.example', jwksUri: 'https://agents.example/keys' },
  disabledAt: null,
  revision: 't1',
  ...change,
})
export const aLiveExchange = (change: object = {}) => ({
  ...{ client: 'gateway', from: 'https://documents.example/mcp', to: 'https://behind.example/mcp', scopes: ['read'] },
  ...change,
})
export const aLiveWord = (change: object = {}) => ({
  ...{ client: 'agent', audience: 'https://as.example', resource: 'https://api.example/mcp' },
  scopes: [{ name: 'read', tier: 'read' as const }],
  ...change,
})
export const aLiveDomain = (change: Partial<LiveDomain> = {}): LiveDomain => ({
  domain: 'initech.example',
  connectionId: '00000000-0000-4000-8000-000000000001',
  verifiedAt: at,
  proof: 'vouched',
  lapsedAt: null,
  ...change,
})
export const aLiveResource = (change: Partial<LiveResource> = {}): LiveResource => ({
  id: '00000000-0000-4000-8000-000000000003',
  identifier: 'https://documents.example/mcp',
  name: 'Documents',
  shared: false,
  mintable: true,
  accessTokenTtlSeconds: null,
  scopes: [{ name: 'documents:read', description: 'Find and read', tier: 'read', isDefault: true }],
  ...change,
})
export const aLiveClient = (change: Partial<LiveClient> = {}): LiveClient => ({
  clientId: 'agent',
  kind: 'preregistered',
  name: 'Agent',
  redirectUris: ['https://agent.example/callback'],
  grantTypes: ['authorization_code', 'refresh_token'],
  tokenEndpointAuthMethod: 'client_secret_basic',
  applicationType: 'web',
  preApproved: true,
  scopeCeiling: [],
  accessTokenTtlSeconds: null,
  blockedAt: null,
  jwks: null,
  ...change,
})
export const aLiveWebhook = (change: Partial<LiveWebhook> = {}): LiveWebhook => ({
  id: 'w1',
  name: 'SIEM',
  url: 'https://siem.example/hook',
  events: ['access.ended', 'access.dead_everywhere'],
  pausedAt: null,
  disabledAt: null,
  ...change,
})
export const aLiveTenant = (change: Partial<LiveTenant> = {}): LiveTenant => ({
  slug: 'initech',
  name: 'Initech',
  suspendedAt: null,
  contacts: [{ id: 'c1', name: 'Initech IT', email: 'it@initech.example' }],
  webhooks: [aLiveWebhook()],
  provisioning: 'scim_only',
  policy: aPolicy,
  policyCases: undefined,
  connections: [aLiveConnection(), aSamlConnection()],
  assertionTrusts: [],
  domains: [aLiveDomain()],
  logout: { grantsOutliveLogout: false },
  tokens: { algorithm: 'ES256' },
  clientRegistration: {
    metadataDocuments: true,
    documentHosts: ['claude.ai'],
    dynamic: false,
    preregistered: true,
    approvalRequired: true,
  },
  deviceGrant: { enabled: false },
  softwareStatements: { required: false, issuers: [] },
  dpop: { boundTokensDemanded: false, nonceDemanded: true },
  pushedRequests: { required: false },
  userinfo: { profile: false, email: false },
  defaultScopes: { sharedResources: [] },
  subjectTypes: { pairwiseByDefault: false },
  loginTracing: { recordClaims: false },
  loginRecording: { recordLogins: false },
  choice: {
    rules: [{ when: "hint.startsWith('ext-')", connectionId: '00000000-0000-4000-8000-000000000002' }],
    fallbackConnectionId: null,
    revealsGroups: false,
  },
  resources: [aLiveResource()],
  clients: [aLiveClient()],
  tokenExchange: { permissions: [] },
  idJagIssuing: { permissions: [] },
  ...change,
})

const aPublisher: LiveTenant['softwareStatements']['issuers'][number] = {
  issuer: 'https://publisher.example',
  jwksUri: 'https://publisher.example/keys',
  algorithms: ['ES256'],
  softwareIds: [],
  approves: false,
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  fc.constantFrom('null', 'true', '1e3', '- x', '# x', 'a: b', '| x', '"', "'", '{', '~', 'ﬀ', '0x1', '&a', '*a', '!x'),
)
const trimmed = text.map((one) => one.trim()).filter((one) => one !== '' && one.length <= 100)
const moment = fc.option(fc.constant(at), { nil: null })
const certificates = fc.constantFrom([certificate], [certificate, certificate.replaceAll(/-----[A-Z ]+-----|\s/g, '')])

const oidc = fc.record({ issuer: fc.constant('https://idp.example'), clientId: trimmed, userinfo: fc.boolean() })
const saml = fc.record({
  idpEntityId: trimmed,
  ssoUrl: fc.constant('https://idp.example/sso'),
  ssoBinding: fc.constantFrom('redirect', 'post'),
  certificates,
  forceAuthn: fc.boolean(),
  requestParameters: fc.dictionary(fc.constantFrom('a', 'b_c'), fc.string({ maxLength: 20 })),
})
const metadata = fc.option(
  fc.record({ url: fc.constant('https://idp.example/m'), pinnedCertificates: fc.constantFrom([], [certificate]) }),
  { nil: undefined },
)
const connections = fc
  .uniqueArray(
    fc.record({
      name: trimmed,
      id: fc.uuid(),
      isSaml: fc.boolean(),
      oidc,
      saml,
      metadata,
      hasSecret: fc.boolean(),
      disabledAt: moment,
      sha1Until: moment,
    }),
    {
      selector: ({ name }) => name,
      maxLength: 4,
    },
  )
  .map((rows) =>
    rows.map(({ isSaml, oidc: open, saml: signed, metadata: source, hasSecret, ...rest }) =>
      aLiveConnection({
        ...rest,
        ...(isSaml ? { kind: 'saml', configuration: signed, metadata: source, hasSecret: false } : { configuration: open, hasSecret }),
      }),
    ),
  )

const withAnyCases: fc.Arbitrary<LiveTenant> = connections.chain((made) => {
  const connectionId = fc.constantFrom(null, ...made.map(({ id }) => id))
  const rules =
    made.length === 0
      ? fc.constant<LiveTenant['choice']['rules']>([])
      : fc.array(
          fc.record(
            {
              when: fc.constant("domain == 'x.example'"),
              groups: fc.constant<string[]>(['staff']),
              connectionId: fc.constantFrom(...made.map(({ id }) => id)),
            },
            { requiredKeys: ['when', 'connectionId'] },
          ),
          { maxLength: 3 },
        )
  const domain = fc
    .record({
      domain: fc.constantFrom('a.example', 'b.example', 'xn--bcher-kva.example'),
      connectionId,
      state: fc.constantFrom('claimed', 'dns', 'vouched', 'lapsed'),
    })
    .map(({ state, ...rest }) =>
      aLiveDomain({
        ...rest,
        verifiedAt: state === 'dns' || state === 'vouched' ? at : null,
        proof: state === 'dns' || state === 'vouched' ? state : null,
        lapsedAt: state === 'lapsed' ? at : null,
      }),
    )
  const resource = fc
    .record({
      identifier: fc.constantFrom('https://a.example/mcp', 'https://b.example/', 'https://c.example/x y'),
      name: trimmed,
      shared: fc.boolean(),
      mintable: fc.boolean(),
      accessTokenTtlSeconds: fc.option(fc.integer({ min: 60, max: 86_400 }), { nil: null }),
      description: trimmed,
    })
    .map(({ description, ...rest }) =>
      aLiveResource({
        ...rest,
        scopes: [
          { name: 'z:z', description, tier: 'admin', isDefault: false },
          { name: 'a:a', description, tier: 'read', isDefault: true },
        ],
      }),
    )
  const client = fc
    .record({
      clientId: fc.constantFrom('a', 'b.c', '~d'),
      kind: fc.constantFrom('preregistered', 'dynamic'),
      name: trimmed,
      preApproved: fc.boolean(),
      blockedAt: moment,
      scopeCeiling: fc.constantFrom([], ['b', 'a']),
      jwks: fc.constantFrom(null, { keys: [{ kty: 'EC', x: 'y' }] }),
    })
    .map((change) => aLiveClient(change))
  const ofConnection =
    made.length === 0
      ? fc.constant<LiveTrust['configuration']>({})
      : fc.constantFrom(...made.map(({ id }) => ({ peopleOf: { connection: id, key: 'sub' } })), {})
  const trust = fc
    .record({ name: trimmed, id: fc.uuid(), people: ofConnection, disabledAt: moment })
    .map(({ people, ...rest }) => aLiveTrust({ ...rest, configuration: { ...aLiveTrust().configuration, ...people } }))
  const exchanges = fc.uniqueArray(
    fc.constantFrom(
      aLiveExchange(),
      aLiveExchange({ client: 'b' }),
      aLiveExchange({ at: 'front' }),
      aLiveExchange({ to: 'https://z.example/' }),
    ),
  )
  const words = fc.uniqueArray(
    fc.constantFrom(aLiveWord(), aLiveWord({ client: 'b', clientThere: 'there' }), aLiveWord({ at: 'front', tenantThere: 'initech' })),
  )
  const unique = <T>(one: fc.Arbitrary<T>, selector: (row: T) => string) => fc.uniqueArray(one, { selector, maxLength: 3 })
  return fc.record({
    slug: fc.constantFrom('initech', 'x', '1-2'),
    name: trimmed,
    suspendedAt: moment,
    contacts: fc.uniqueArray(
      fc.record({
        id: fc.uuid(),
        name: fc.constantFrom('IT', 'Ada: Lovelace', '- x'),
        email: fc.constantFrom('a@a.example', 'b+c@b.example'),
      }),
      { selector: ({ email }) => email },
    ),
    webhooks: unique(
      fc
        .record({
          name: trimmed,
          url: fc.constantFrom('https://a.example/hook', 'https://b.example/x?y=1'),
          events: fc.uniqueArray(fc.constantFrom('access.ended', 'subject.reinstated', 'access.dead_everywhere'), { minLength: 1 }),
          pausedAt: moment,
          disabledAt: moment,
        })
        .map((change) => aLiveWebhook(change)),
      (row) => row.name,
    ),
    provisioning: fc.constantFrom(undefined, 'just_in_time', 'scim_only', 'invited_only'),
    policyCases: fc.constantFrom(undefined, 'cases: []\n', '# none\n\ncases: []'),
    policy: fc.constantFrom(undefined, aPolicy, aPolicy.trimEnd(), `# a comment\n\n${aPolicy}\n\n`),
    connections: fc.constant(made),
    assertionTrusts: unique(trust, (row) => row.name),
    domains: unique(domain, (row) => row.domain),
    logout: fc.record({ grantsOutliveLogout: fc.boolean() }),
    tokens: fc.record({ algorithm: fc.constantFrom(...tokenAlgorithms) }),
    clientRegistration: fc.record({
      approvalRequired: fc.boolean(),
      metadataDocuments: fc.boolean(),
      documentHosts: fc.uniqueArray(fc.constantFrom('claude.ai', 'vscode.dev')),
      dynamic: fc.boolean(),
      preregistered: fc.boolean(),
    }),
    deviceGrant: fc.record({ enabled: fc.boolean() }),
    softwareStatements: fc.record({ required: fc.constant(false), issuers: fc.constantFrom([], [aPublisher]) }),
    dpop: fc.record({ boundTokensDemanded: fc.boolean(), nonceDemanded: fc.boolean() }),
    pushedRequests: fc.record({ required: fc.boolean() }),
    userinfo: fc.record({ profile: fc.boolean(), email: fc.boolean() }),
    defaultScopes: fc.record({
      sharedResources: fc.constantFrom([], [{ identifier: 'https://shared.example/mcp', scopes: [] }]),
    }),
    subjectTypes: fc.record({ pairwiseByDefault: fc.boolean() }),
    loginTracing: fc.record({ recordClaims: fc.boolean() }),
    loginRecording: fc.record({ recordLogins: fc.boolean() }),
    choice: fc.record({ rules, fallbackConnectionId: connectionId, revealsGroups: fc.constant(true) }),
    resources: unique(resource, (row) => row.identifier),
    clients: unique(client, (row) => row.clientId),
    tokenExchange: fc.record({ permissions: exchanges }),
    idJagIssuing: fc.record({ permissions: words }),
  }) as fc.Arbitrary<LiveTenant>
})

/** Whatever a tenant may have come to be: cases are of a policy. */
export const anyLiveTenant: fc.Arbitrary<LiveTenant> = withAnyCases.map((live) =>
  live.policy === undefined ? { ...live, policyCases: undefined } : live,
)
