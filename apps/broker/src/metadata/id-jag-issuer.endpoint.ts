/** The issuer of a tenant's ID-JAGs, which is not the issuer of its tokens: its metadata and its keys, where it issues any. */
import { buildIdJagIssuerMetadata } from '@drawbridge/core/oauth/id-jag-issuing'
import { type Answer, text } from '../http/answer.js'
import { type Endpoint, endpoint, tenantOf } from '../http/endpoint.js'
import { httpErrors } from '../http/error.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseAsJson } from '../http/write-error.js'
import { jwksMaxAgeSeconds } from './jwks.endpoint.js'
import { metadataMaxAgeSeconds } from './server-metadata.endpoint.js'

const nothingHere = (): Answer => refuseAsJson(httpErrors.path_unknown, { reason: 'path_unknown' })

type Shown = { readonly type: 'application/json' | 'application/jwk-set+json'; readonly seconds: number }
const at = (path: string, spec: string, summary: string, shown: Shown, build: (tenant: ResolvedTenant) => object): Endpoint =>
  endpoint({
    method: 'GET',
    path,
    spec,
    summary,
    hot: true,
    cors: true,
    servesSuspended: true,
    tag: 'Discovery',
    run: (http) => {
      const tenant = tenantOf(http)
      if (!tenant.issuesIdJags) return nothingHere()
      return text(shown.type, JSON.stringify(build(tenant)), { headers: { 'cache-control': `public, max-age=${shown.seconds}` } })
    },
  })

const metadata = (path: string, spec: string): Endpoint =>
  at(
    path,
    spec,
    'Metadata of the issuer of the tenant\u2019s ID-JAGs; 404 where it issues none',
    { type: 'application/json', seconds: metadataMaxAgeSeconds },
    ({ issuer }) => buildIdJagIssuerMetadata(issuer.url),
  )

export const idJagIssuerEndpoints: readonly Endpoint[] = [
  metadata('/.well-known/oauth-authorization-server/t/:tenant/id-jag', 'RFC 8414 §3.1'),
  metadata('/.well-known/openid-configuration/t/:tenant/id-jag', 'RFC 8414 §5'),
  metadata('/t/:tenant/id-jag/.well-known/openid-configuration', 'OpenID Connect Discovery 1.0 §4'),
  metadata('/t/:tenant/id-jag/.well-known/oauth-authorization-server', 'RFC 8414 §3.1'),
  at(
    '/t/:tenant/id-jag/jwks',
    'RFC 7517 §5',
    'Public keys of the issuer of the tenant\u2019s ID-JAGs; 404 where it issues none',
    { type: 'application/jwk-set+json', seconds: jwksMaxAgeSeconds },
    ({ keys }) => ({ keys: keys.filter(({ purpose }) => purpose === 'id_jag').map(({ publicJwk }) => publicJwk) }),
  ),
]
