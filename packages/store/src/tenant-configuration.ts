/** Everything that is configured for one tenant, read in one statement, for the broker's cache. */
import { type Instant, instant } from '@drawbridge/core/instant'
import type { ResourceServer } from '@drawbridge/core/oauth/resource'
import {
  type ConnectionId,
  type Issuer,
  type IssuerId,
  type IssuerKind,
  type TenantId,
  type TenantSlug,
  vendorTenantId,
} from '@drawbridge/core/tenant/ids'
import type { Database } from './database.js'
import { signs } from './issuers.js'
import type { LabRateLimits } from './lab.js'

export type StoredSigningKey = {
  readonly id: string
  /** Whose it is, and for whom it is sealed: those of the front are the vendor's. */
  readonly tenantId: TenantId
  readonly purpose: string
  readonly algorithm: string
  readonly state: string
  readonly publicJwk: unknown
  readonly sealedPrivateKey: Buffer
  /** Of keys for SAML. */
  readonly certificate: string | undefined
}
export type StoredConnection = {
  readonly id: ConnectionId
  readonly kind: string
  readonly name: string
  readonly configuration: unknown
  readonly sealedSecret: Buffer | undefined
  readonly epoch: number
  readonly disabled: boolean
  readonly sha1Until: Instant | undefined
}
export type StoredResource = ResourceServer
/** Each as its like of the tenant is read. */
export type VendorsChoices = { readonly clientRegistration: unknown; readonly dpop: unknown; readonly requirePushedRequests: boolean }
export type StoredConfiguration = {
  readonly id: TenantId
  readonly slug: TenantSlug
  readonly name: string
  readonly epoch: number
  readonly suspendedAt: Instant | undefined
  readonly configurationVersion: number
  readonly policyVersion: number
  readonly policyDocument: string | undefined
  /** The vendor's policy that holds around this one. */
  readonly wall: { readonly version: number; readonly document: string } | undefined
  /** The issuer that is spoken to. */
  readonly issuer: { readonly id: IssuerId; readonly url: Issuer; readonly kind: IssuerKind }
  /** Whose keys sign for it, and who tells what was revoked: itself, but that the front does both for its members. */
  readonly signer: { readonly tenantId: TenantId; readonly id: IssuerId }
  /** Where the tenant's own pages and its addresses for its IdPs are, whichever issuer is spoken to. */
  readonly home: Issuer
  readonly signingKeys: readonly StoredSigningKey[]
  readonly connections: readonly StoredConnection[]
  readonly domains: readonly { readonly domain: string; readonly connectionId: ConnectionId | undefined; readonly verified: boolean }[]
  readonly resources: readonly StoredResource[]
  /** As `core/tenant/connection-choice` reads it. */
  readonly connectionChoice: unknown
  /** As `core/factor/second-factor` reads it. */
  readonly secondFactor: unknown
  /** As `core/oauth/client-registration` reads it. */
  readonly clientRegistration: unknown
  /** What the vendor has chosen for all who come by the front issuer; `undefined`: at an issuer of its own. */
  readonly atFront: VendorsChoices | undefined
  /** Devices may ask for access by a code that a person types elsewhere. */
  readonly deviceGrant: boolean
  /** As `upstream/software-statement/statement-issuers` reads it. */
  readonly softwareStatements: unknown
  /** As `core/oauth/dpop-rules` reads it. */
  readonly dpop: unknown
  /** As `core/oauth/exchange-permission` reads it. */
  readonly tokenExchange: unknown
  /** As `core/oauth/id-jag-issuing` reads it. */
  readonly idJagIssuing: unknown
  /** Authorization requests must be pushed beforehand. */
  readonly requirePushedRequests: boolean
  /** As `core/oauth/userinfo` reads it. */
  readonly toldOfPeople: unknown
  readonly defaultScopes: unknown
  readonly pairwiseByDefault: boolean
  /** Behind the pairwise `sub`s; made when the first is needed. */
  readonly sealedPairwiseKey: { readonly id: string; readonly sealed: Buffer } | undefined
  /** What policy decides on its logins is recorded. */
  readonly recordsLogins: boolean
  /** Never there but in a lab. */
  readonly labRateLimits: LabRateLimits | undefined
}

type Row = Record<string, unknown>

/** Which version a tenant's configuration has now; `undefined`: no such tenant. Cheap: what the cache asks when it is in doubt. */
export async function findConfigurationVersionAcrossTenants(database: Database, slug: string): Promise<number | undefined> {
  const { rows } = await database.acrossPool.query({
    name: 'find_configuration_version',
    text: 'SELECT configuration_version FROM tenants WHERE slug = $1',
    values: [slug],
  })
  return rows[0] === undefined ? undefined : Number(rows[0].configuration_version)
}

const loadText = `
SELECT t.id, t.slug, t.name, t.epoch, t.suspended_at, t.configuration_version, t.policy_version, t.lab_rate_limits, t.connection_choice, t.second_factor, t.client_registration, t.require_pushed_requests, t.told_of_people, t.default_scopes, t.pairwise_by_default, t.dpop, t.token_exchange, t.id_jag_issuing, t.device_grant, t.software_statements, t.records_logins,
  (SELECT p.document FROM policies p WHERE p.tenant_id = t.id ORDER BY p.version DESC LIMIT 1) AS policy_document,
  (SELECT jsonb_build_object('version', p.version, 'document', p.document) FROM policies p WHERE p.tenant_id = $2 ORDER BY p.version DESC LIMIT 1) AS wall,
  (SELECT jsonb_build_object('clientRegistration', v.client_registration, 'dpop', v.dpop, 'requirePushedRequests', v.require_pushed_requests) FROM tenants v WHERE v.id = $2 AND i.kind = 'front_member') AS at_front,
  i.id AS issuer_id, i.url AS issuer_url, i.kind AS issuer_kind, signer.tenant_id AS signer_tenant_id, signer.id AS signer_id, own.url AS home,
  (SELECT jsonb_build_object('id', p.id, 'sealed', encode(p.sealed_key, 'base64')) FROM pairwise_keys p WHERE p.tenant_id = t.id) AS pairwise_key,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'tenantId', k.tenant_id, 'purpose', k.purpose, 'algorithm', k.algorithm, 'state', k.state, 'publicJwk', k.public_jwk,
      'sealedPrivateKey', encode(k.sealed_private_key, 'base64'), 'certificate', k.certificate) ORDER BY k.created_at), '[]')
    FROM signing_keys k WHERE k.tenant_id IN (t.id, signer.tenant_id) AND k.withdrawn_at IS NULL
      AND CASE WHEN k.purpose IN ('saml', 'id_jag') THEN k.tenant_id = t.id AND k.issuer_id = own.id
      ELSE k.tenant_id = signer.tenant_id AND k.issuer_id = signer.id END) AS signing_keys,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'kind', c.kind, 'name', c.name, 'configuration', c.configuration,
      'sealedSecret', encode(c.sealed_secret, 'base64'), 'epoch', c.epoch, 'disabled', c.disabled_at IS NOT NULL,
      'sha1UntilMs', floor(extract(epoch FROM c.sha1_until) * 1000)::float8) ORDER BY c.created_at), '[]')
    FROM connections c WHERE c.tenant_id = t.id) AS connections,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('domain', d.domain, 'connectionId', d.connection_id, 'verified', d.verified_at IS NOT NULL)), '[]')
    FROM domains d WHERE d.tenant_id = t.id) AS domains,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('tenantId', r.tenant_id, 'id', r.id, 'identifier', r.identifier, 'name', r.name,
      'accessTokenTtlSeconds', r.access_token_ttl_seconds,
      'scopes', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', s.name, 'description', s.description, 'tier', s.tier, 'isDefault', s.is_default) ORDER BY s.name), '[]')
        FROM resource_scopes s WHERE s.tenant_id = r.tenant_id AND s.resource_id = r.id)) ORDER BY r.identifier), '[]')
    FROM resource_issuers ri JOIN resources r ON r.tenant_id = ri.tenant_id AND r.id = ri.resource_id
    WHERE ri.issuer_tenant_id = t.id AND ri.issuer_id = i.id AND ri.tenant_id IN (t.id, $2)) AS resources
FROM tenants t JOIN issuers i ON i.tenant_id = t.id AND i.kind = $3
  JOIN issuers signer ON ${signs('signer', 'i')}
  JOIN issuers own ON own.tenant_id = t.id AND own.kind = CASE i.kind WHEN 'front' THEN 'front' ELSE 'tenant' END
WHERE t.slug = $1`

/**
 * Loads a tenant whole, at one of its issuers, as of one moment. Crosses tenants because the tenant is found by its slug, and because the vendor's shared
 * resources that list this tenant's issuer belong to it; no other tenant's rows are read.
 */
export async function loadConfigurationAcrossTenants(
  database: Database,
  slug: string,
  at: IssuerKind = 'tenant',
): Promise<StoredConfiguration | undefined> {
  const { rows } = await database.acrossPool.query({ name: 'load_configuration', text: loadText, values: [slug, vendorTenantId, at] })
  return rows[0] === undefined ? undefined : toConfiguration(rows[0] as Row)
}

/** What nobody has chosen is not there. */
const toVendorsChoices = (chosen: VendorsChoices | null): StoredConfiguration['atFront'] =>
  chosen === null ? undefined : { ...chosen, clientRegistration: chosen.clientRegistration ?? undefined, dpop: chosen.dpop ?? undefined }

const toSealedKey = (key: { readonly id: string; readonly sealed: string } | null) =>
  key === null ? undefined : { id: key.id, sealed: Buffer.from(key.sealed, 'base64') }

function toConfiguration(row: Row): StoredConfiguration {
  const keys = row['signing_keys'] as (Row & { sealedPrivateKey: string; certificate: string | null })[]
  const connections = row['connections'] as (Row & { sealedSecret: string | null; sha1UntilMs: number | null })[]
  const resources = row['resources'] as (Row & { accessTokenTtlSeconds: number | null })[]
  const domains = row['domains'] as (Row & { connectionId: string | null })[]
  return {
    id: row['id'] as TenantId,
    slug: row['slug'] as TenantSlug,
    name: row['name'] as string,
    epoch: row['epoch'] as number,
    suspendedAt: (row['suspended_at'] as Instant | null) ?? undefined,
    configurationVersion: Number(row['configuration_version']),
    policyVersion: row['policy_version'] as number,
    policyDocument: (row['policy_document'] as string | null) ?? undefined,
    wall: (row['wall'] as StoredConfiguration['wall'] | null) ?? undefined,
    issuer: { id: row['issuer_id'] as IssuerId, url: row['issuer_url'] as Issuer, kind: row['issuer_kind'] as IssuerKind },
    signer: { tenantId: row['signer_tenant_id'] as TenantId, id: row['signer_id'] as IssuerId },
    home: row['home'] as Issuer,
    signingKeys: keys.map(
      (key) =>
        ({
          ...key,
          sealedPrivateKey: Buffer.from(key.sealedPrivateKey, 'base64'),
          certificate: key.certificate ?? undefined,
        }) as unknown as StoredSigningKey,
    ),
    connections: connections.map(
      ({ sha1UntilMs, ...connection }) =>
        ({
          ...connection,
          sha1Until: sha1UntilMs === null ? undefined : instant(sha1UntilMs),
          sealedSecret: connection.sealedSecret === null ? undefined : Buffer.from(connection.sealedSecret, 'base64'),
        }) as unknown as StoredConnection,
    ),
    domains: domains.map((domain) => ({
      ...domain,
      connectionId: domain.connectionId ?? undefined,
    })) as unknown as StoredConfiguration['domains'],
    resources: resources.map((resource) => ({
      ...resource,
      accessTokenTtlSeconds: resource.accessTokenTtlSeconds ?? undefined,
    })) as unknown as StoredResource[],
    connectionChoice: row['connection_choice'] ?? undefined,
    secondFactor: row['second_factor'] ?? undefined,
    clientRegistration: row['client_registration'] ?? undefined,
    atFront: toVendorsChoices(row['at_front'] as VendorsChoices | null),
    deviceGrant: row['device_grant'] as boolean,
    softwareStatements: row['software_statements'] ?? undefined,
    dpop: row['dpop'] ?? undefined,
    tokenExchange: row['token_exchange'] ?? undefined,
    idJagIssuing: row['id_jag_issuing'] ?? undefined,
    requirePushedRequests: row['require_pushed_requests'] as boolean,
    toldOfPeople: row['told_of_people'] ?? undefined,
    defaultScopes: row['default_scopes'] ?? undefined,
    pairwiseByDefault: row['pairwise_by_default'] as boolean,
    sealedPairwiseKey: toSealedKey(row['pairwise_key'] as { id: string; sealed: string } | null),
    recordsLogins: row['records_logins'] as boolean,
    labRateLimits: (row['lab_rate_limits'] as LabRateLimits | null) ?? undefined,
  }
}
