/** Settings of how the world reaches the product, and what the product may reach. */
import type { Secret } from '@drawbridge/core/secret'
import { domain, headerName, optional, origin, origins, plain, port, required, type SettingEntries, secretList, whole } from './setting.js'

export type NetworkSettings = {
  readonly publicUrl: string
  readonly webauthnRpId: string | undefined
  readonly host: string
  readonly port: number
  readonly workerHost: string
  readonly workerPort: number
  readonly trustedProxyHops: number
  readonly countryHeader: string | undefined
  readonly clientCertificateHeader: string | undefined
  readonly proxySecrets: readonly Secret[]
  readonly mtlsUrl: string | undefined
  readonly rateLimitFactor: number
  readonly allowedOrigins: readonly string[]
}

/** Of a secret that nobody guesses: 128 bits in hex. */
const leastSecretCharacters = 32

export const networkSettings: SettingEntries<NetworkSettings> = {
  publicUrl: {
    name: 'DRAWBRIDGE_PUBLIC_URL',
    description: 'The origin under which the world reaches the broker. Every issuer begins with it, so it can never change.',
    example: 'https://login.example.com',
    default: 'http://localhost:4400',
    parse: required(origin),
  },
  webauthnRpId: {
    name: 'DRAWBRIDGE_WEBAUTHN_RP_ID',
    description:
      'The domain that passkeys belong to: the host of DRAWBRIDGE_PUBLIC_URL, which it is by default, or a domain above it. Chosen on the first day and never changed: every passkey dies with it.',
    example: 'example.com',
    default: undefined,
    parse: optional(domain),
  },
  host: {
    name: 'DRAWBRIDGE_HOST',
    description: 'The address that the broker binds.',
    example: '0.0.0.0',
    default: '127.0.0.1',
    parse: required(plain),
  },
  port: {
    name: 'DRAWBRIDGE_PORT',
    description: 'The port that the broker binds.',
    example: '8080',
    default: '4400',
    parse: required(port),
  },
  workerHost: {
    name: 'DRAWBRIDGE_WORKER_HOST',
    description:
      'The address that the worker binds for health and metrics. Nobody but an orchestrator or Prometheus needs it: another than loopback only on a private network.',
    example: '0.0.0.0',
    default: '127.0.0.1',
    parse: required(plain),
  },
  workerPort: {
    name: 'DRAWBRIDGE_WORKER_PORT',
    description: 'The port of the worker for health and metrics, nothing else.',
    example: '9400',
    default: '4401',
    parse: required(port),
  },
  trustedProxyHops: {
    name: 'DRAWBRIDGE_TRUSTED_PROXY_HOPS',
    description:
      'How many proxies of your own stand in front. Each adds an entry to X-Forwarded-For, and the one that the outermost of them wrote is believed. A request with fewer entries is counted for whoever brought it, and policies know no address of it. Only your proxies may reach the broker: whoever comes round them writes what he likes.',
    example: '1',
    default: '0',
    parse: required(whole(0, 10)),
  },
  countryHeader: {
    name: 'DRAWBRIDGE_COUNTRY_HEADER',
    description:
      'The header in which your own proxy says, in two letters, from which country a request comes: policies read it as request.country. The proxy must overwrite whatever a client sent in it. Not set: nobody knows the country.',
    example: 'cf-ipcountry',
    default: undefined,
    parse: optional(headerName),
  },
  clientCertificateHeader: {
    name: 'DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER',
    description:
      'The header in which your own proxy hands on the certificate of a client that it verified: as RFC 9440 says, or as URL-encoded PEM. The proxy must overwrite whatever a client sent in it. Not set: no client proves itself by a certificate (tls_client_auth).',
    example: 'client-cert',
    default: undefined,
    parse: optional(headerName),
  },
  proxySecrets: {
    name: 'DRAWBRIDGE_PROXY_SECRETS',
    description:
      'What that proxy shows in Drawbridge-Proxy-Secret to be believed, at least 32 characters. Two, separated by a comma, while you replace one.',
    example: '0b6e9d2f4c8a1e7350b6e9d2f4c8a1e7',
    default: '',
    parse: required(secretList(leastSecretCharacters)),
  },
  mtlsUrl: {
    name: 'DRAWBRIDGE_MTLS_URL',
    description:
      'The origin at which your proxy asks for certificates, if that is another than DRAWBRIDGE_PUBLIC_URL, so that no browser is asked for one. Metadata name it as mtls_endpoint_aliases.',
    example: 'https://mtls.login.example.com',
    default: undefined,
    parse: optional(origin),
  },
  rateLimitFactor: {
    name: 'DRAWBRIDGE_RATE_LIMIT_FACTOR',
    description: 'Multiplies every rate limit: raise it where many people share one address, or for a load test.',
    example: '10',
    default: '1',
    parse: required(whole(1, 100_000)),
  },
  allowedOrigins: {
    name: 'DRAWBRIDGE_ALLOWED_ORIGINS',
    description: 'Origins that may be fetched although their addresses are private, comma-separated: an IdP inside your network, say.',
    example: 'https://idp.corp.internal',
    default: '',
    parse: required(origins),
  },
}
