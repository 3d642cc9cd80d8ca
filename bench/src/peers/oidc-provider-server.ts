/**
 * `oidc-provider` as a server of its own, run by `oidc-provider.ts`: its own adapter interface over one PostgreSQL table, as its example does it, and
 * its own log-in pages for development. One issuer, no tenants, no policy, no audit trail, no limits.
 */
import pg from 'pg'
import { importPeer } from './peer-packages.js'

export type ProviderSetting = {
  readonly folder: string
  readonly port: number
  readonly databaseUrl: string
  readonly resource: string
  readonly opaqueResource: string
  readonly redirectUri: string
  readonly robotSecret: string
  readonly keyedJwk: Readonly<Record<string, unknown>>
  readonly signingJwk: Readonly<Record<string, unknown>>
}

type Payload = Record<string, unknown> & {
  readonly grantId?: string
  readonly uid?: string
  readonly userCode?: string
  readonly consumed?: number
}
type Grant = { addOIDCScope(scope: string): void; addResourceScope(resource: string, scope: string): void; save(): Promise<string> }
type Context = { readonly oidc: { readonly client: { readonly clientId: string }; readonly session: { readonly accountId: string } } }
type Provider = { readonly Grant: new (of: object) => Grant; proxy: boolean; listen(port: number, host: string, then: () => void): unknown }
type ProviderClass = new (issuer: string, configuration: object) => Provider

const table = `CREATE TABLE payloads (model text, id text, payload jsonb NOT NULL, grant_id text, uid text, user_code text, expires_at timestamptz,
  consumed_at timestamptz, PRIMARY KEY (model, id));
CREATE INDEX ON payloads (grant_id) WHERE grant_id IS NOT NULL; CREATE INDEX ON payloads (uid) WHERE uid IS NOT NULL`

const found =
  'SELECT payload, extract(epoch FROM consumed_at)::int AS consumed FROM payloads WHERE (expires_at IS NULL OR expires_at > now()) AND'

/** Named statements, so that each is planned once per connection. */
function adapterOver(pool: pg.Pool) {
  const find = async (name: string, by: string, values: unknown[]): Promise<Payload | undefined> => {
    const { rows } = await pool.query<{ payload: Payload; consumed: number | null }>({ name, text: `${found} ${by}`, values })
    const [row] = rows
    if (row === undefined) return undefined
    return row.consumed === null ? row.payload : { ...row.payload, consumed: row.consumed }
  }
  return class {
    constructor(readonly model: string) {}
    async upsert(id: string, payload: Payload, expiresIn?: number): Promise<void> {
      const text = `INSERT INTO payloads (model, id, payload, grant_id, uid, user_code, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7)) ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload,
        grant_id = excluded.grant_id, uid = excluded.uid, user_code = excluded.user_code, expires_at = excluded.expires_at`
      const { grantId, uid, userCode } = payload
      await pool.query({ name: 'upsert', text, values: [this.model, id, JSON.stringify(payload), grantId, uid, userCode, expiresIn] })
    }
    find = (id: string) => find('find', 'model = $1 AND id = $2', [this.model, id])
    findByUid = (uid: string) => find('by uid', 'model = $1 AND uid = $2', [this.model, uid])
    findByUserCode = (code: string) => find('by user code', 'model = $1 AND user_code = $2', [this.model, code])
    async consume(id: string): Promise<void> {
      await pool.query({
        name: 'consume',
        text: 'UPDATE payloads SET consumed_at = now() WHERE model = $1 AND id = $2',
        values: [this.model, id],
      })
    }
    async destroy(id: string): Promise<void> {
      await pool.query({ name: 'destroy', text: 'DELETE FROM payloads WHERE model = $1 AND id = $2', values: [this.model, id] })
    }
    async revokeByGrantId(grantId: string): Promise<void> {
      await pool.query({ name: 'revoke', text: 'DELETE FROM payloads WHERE model = $1 AND grant_id = $2', values: [this.model, grantId] })
    }
  }
}

function clientsOf({ redirectUri, robotSecret, keyedJwk }: ProviderSetting) {
  const machine = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] }
  return [
    {
      client_id: 'agent',
      token_endpoint_auth_method: 'none',
      application_type: 'web',
      redirect_uris: [redirectUri],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
    },
    { ...machine, client_id: 'robot', client_secret: robotSecret, token_endpoint_auth_method: 'client_secret_post' },
    { ...machine, client_id: 'keyed', jwks: { keys: [keyedJwk] }, token_endpoint_auth_method: 'private_key_jwt' },
    { ...machine, client_id: 'resource', client_secret: robotSecret, grant_types: [], token_endpoint_auth_method: 'client_secret_basic' },
  ]
}

const configurationOf = (setting: ProviderSetting, pool: pg.Pool, provider: () => Provider) => ({
  adapter: adapterOver(pool),
  clients: clientsOf(setting),
  jwks: { keys: [setting.signingJwk] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  cookies: { keys: ['bench'] },
  pkce: { required: () => true },
  // Its minute is too short for those that are made beforehand.
  ttl: { AuthorizationCode: 600 },
  // A grant for each authorization, without asking: its recipe for clients of the house. Ours is pre-approved and opens one for each, too.
  loadExistingGrant: async ({ oidc }: Context) => {
    const grant = new (provider().Grant)({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
    grant.addOIDCScope('openid offline_access')
    for (const resource of [setting.resource, setting.opaqueResource]) grant.addResourceScope(resource, 'read write')
    await grant.save()
    return grant
  },
  // A session holds only its latest grant, and would end the tokens of those before.
  expiresWithSession: () => false,
  // Ours rotates at every refresh, so its peer does, too.
  rotateRefreshToken: true,
  issueRefreshToken: () => true,
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => setting.resource,
      useGrantedResource: () => true,
      // It cannot introspect its signed tokens, so a second resource takes opaque ones.
      getResourceServerInfo: (_context: unknown, resource: string) => ({
        scope: 'read write',
        accessTokenTTL: 900,
        ...(resource === setting.resource
          ? { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }
          : { accessTokenFormat: 'opaque' }),
      }),
    },
  },
})

async function main(setting: ProviderSetting): Promise<void> {
  const { default: OidcProvider } = await importPeer<{ readonly default: ProviderClass }>(setting.folder, 'oidc-provider')
  const pool = new pg.Pool({ connectionString: setting.databaseUrl, max: 10 })
  await pool.query(table)
  const provider: Provider = new OidcProvider(
    `http://localhost:${setting.port}`,
    configurationOf(setting, pool, () => provider),
  )
  provider.proxy = true
  provider.listen(setting.port, '127.0.0.1', () => console.log('{}'))
}

await main(JSON.parse(process.argv[2] ?? '{}') as ProviderSetting)
