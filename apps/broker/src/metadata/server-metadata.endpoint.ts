/** The metadata of a tenant's issuer: one document, at every well-known place where a client may look. */

import { strengthValues } from '@drawbridge/core/identity/asked-authentication'
import { buildServerMetadata } from '@drawbridge/core/oauth/server-metadata'
import type { TokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import { scopesTold } from '@drawbridge/core/oauth/userinfo'
import { listedContexts } from '@drawbridge/upstream/listed-contexts'
import { mtlsIssuerOf } from '../clients/client-certificate.js'
import type { BrokerDeps } from '../deps.js'
import { text } from '../http/answer.js'
import { type Endpoint, endpoint, tenantOf } from '../http/endpoint.js'
import { type ResolvedTenant, usableConnections } from '../http/tenant.js'

/** It changes with releases, with the tenant's connections, and with the algorithms of its keys, long before one signs. Clients fetch it at every start. */
export const metadataMaxAgeSeconds = 300

const prepared = new WeakMap<ResolvedTenant, string>()

/** Settings are those of the process, for as long as it lives. */
function documentOf({ settings }: BrokerDeps, tenant: ResolvedTenant): string {
  const known = prepared.get(tenant)
  if (known !== undefined) return known
  const knows = {
    tokenAlgorithms: algorithmsOf(tenant),
    acrValues: acrValuesOf(tenant),
    registration: tenant.clientRegistration,
    deviceGrant: tenant.deviceGrant,
    isFront: tenant.issuer.kind !== 'tenant',
    certificates: { believed: settings.clientCertificateHeader !== undefined, alias: mtlsIssuerOf(settings, tenant) },
    ...allowedBy(tenant),
    requirePushedRequests: tenant.requirePushedRequests,
    told: scopesTold(tenant.toldOfPeople),
  }
  const document = JSON.stringify(buildServerMetadata(tenant.issuer.url, knows))
  prepared.set(tenant, document)
  return document
}

/**
 * What an admin has allowed to anybody. At the front some tenant may have at any moment, and which is nobody's business: there it is always offered.
 * That somebody's assertions are accepted is said, and never whose: a stranger learns nothing of a company's issuers.
 */
function allowedBy({ issuer, tokenExchange, idJagIssuing, assertionTrusts: trusts, samlTrusts }: ResolvedTenant) {
  const isFront = issuer.kind !== 'tenant'
  return {
    tokenExchange: isFront || tokenExchange.permissions.length > 0,
    idJagIssuing: isFront || idJagIssuing.permissions.length > 0,
    assertions: {
      jwtBearer: isFront || trusts.length > 0,
      idJag: isFront || trusts.some(({ trust }) => trust.profile === 'id-jag'),
      samlBearer: isFront || samlTrusts.length > 0,
    },
  }
}

/** That of the key that signs first. */
function algorithmsOf({ keys }: ResolvedTenant): readonly TokenAlgorithm[] {
  const known = keys.filter(({ purpose }) => purpose === 'tokens')
  const first = known.filter(({ state }) => state === 'active')
  return [...new Set([...first, ...known].map(({ publicJwk }) => publicJwk.alg))]
}

/** A bound for a document that is fetched at every start. */
const mostAcrValues = 64

const acrValuesOf = (tenant: ResolvedTenant): readonly string[] => {
  const listed = usableConnections(tenant).flatMap(({ configuration }) => (configuration.ok ? listedContexts(configuration.value) : []))
  return [...new Set([...strengthValues, ...listed])].slice(0, mostAcrValues)
}

const at = (path: string, spec: string): Endpoint =>
  endpoint({
    method: 'GET',
    path,
    spec,
    summary: 'Metadata of the tenant\u2019s issuer',
    hot: true,
    cors: true,
    servesSuspended: true,
    tag: 'Discovery',
    run: (http, deps) =>
      text('application/json', documentOf(deps, tenantOf(http)), {
        headers: { 'cache-control': `public, max-age=${metadataMaxAgeSeconds}` },
      }),
  })

/** At an issuer without a path, what is inserted and what is appended are at one place. */
export const frontMetadataEndpoints: readonly Endpoint[] = [
  at('/.well-known/oauth-authorization-server/t/:tenant', 'RFC 8414 §3.1'),
  at('/.well-known/openid-configuration/t/:tenant', 'OpenID Connect Discovery 1.0 §4, RFC 8414 §5'),
]

/** RFC 8414 inserts the well-known part before the issuer's path, OpenID Connect Discovery appends it; MCP clients try all of these. */
export const serverMetadataEndpoints: readonly Endpoint[] = [
  at('/.well-known/oauth-authorization-server/t/:tenant', 'RFC 8414 §3.1'),
  at('/.well-known/openid-configuration/t/:tenant', 'RFC 8414 §5'),
  at('/t/:tenant/.well-known/openid-configuration', 'OpenID Connect Discovery 1.0 §4'),
  at('/t/:tenant/.well-known/oauth-authorization-server', 'RFC 8414 §3.1'),
]
