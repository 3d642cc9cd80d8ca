/** What no two settings may say together. A rule names the settings that it reads: it judges nothing that is wrong by itself. */
import type { KeySettings } from './key-settings.js'
import type { MailSettings } from './mail-settings.js'
import type { NetworkSettings } from './network-settings.js'
import type { OperationSettings } from './operation-settings.js'
import type { StorageSettings } from './storage-settings.js'

type Judged = OperationSettings & NetworkSettings & StorageSettings & KeySettings & MailSettings

export type CombinationRule = {
  readonly reads: readonly (keyof Judged)[]
  readonly holds: (settings: Judged) => boolean
  readonly message: string
}

export const isLoopbackHost = (hostname: string): boolean =>
  ['localhost', '127.0.0.1', '[::1]', '::1'].includes(hostname) || hostname.endsWith('.localhost')
const publicHostIsLoopback = (settings: Judged): boolean => isLoopbackHost(new URL(settings.publicUrl).hostname)

/** Whatever comes in them is read already, or is not one text. */
const headersWithAMeaning = [
  'authorization',
  'cookie',
  'set-cookie',
  'dpop',
  'host',
  'content-type',
  'content-length',
  'drawbridge-proxy-secret',
]
const versionsOf = ({ masterKeys, wrappedMasterKeys }: Pick<Judged, 'masterKeys' | 'wrappedMasterKeys'>): readonly number[] =>
  [...masterKeys, ...wrappedMasterKeys].map(({ version }) => version)

export const combinationRules: readonly CombinationRule[] = [
  {
    reads: ['production', 'lab'],
    holds: (s) => s.production && s.lab,
    message: 'DRAWBRIDGE_LAB is refused with NODE_ENV=production: lab moves the clock and fetches loopback addresses',
  },
  {
    reads: ['lab', 'host', 'workerHost', 'publicUrl'],
    holds: (s) => s.lab && !(publicHostIsLoopback(s) && isLoopbackHost(s.host) && isLoopbackHost(s.workerHost)),
    message: 'DRAWBRIDGE_LAB needs DRAWBRIDGE_PUBLIC_URL, DRAWBRIDGE_HOST and DRAWBRIDGE_WORKER_HOST on loopback',
  },
  {
    reads: ['publicUrl'],
    holds: (s) => !s.publicUrl.startsWith('https:') && !publicHostIsLoopback(s),
    message: 'DRAWBRIDGE_PUBLIC_URL must begin with https:// unless its host is loopback (RFC 9700 §2.6)',
  },
  {
    reads: ['publicUrl', 'webauthnRpId'],
    holds: (s) => s.webauthnRpId !== undefined && !`.${new URL(s.publicUrl).hostname}`.endsWith(`.${s.webauthnRpId}`),
    message:
      'DRAWBRIDGE_WEBAUTHN_RP_ID must be the host of DRAWBRIDGE_PUBLIC_URL or a domain above it: no browser uses passkeys of another',
  },
  {
    reads: ['databaseUrl', 'masterKeys', 'wrappedMasterKeys', 'kmsKey'],
    // With a KMS key alone, "migrate" and "master-key create" run: the first wrapped key is made for a database that is there.
    holds: (s) => s.databaseUrl !== undefined && versionsOf(s).length === 0 && s.kmsKey === undefined,
    message:
      'DRAWBRIDGE_MASTER_KEYS is missing: with DATABASE_URL the keys come from the environment, so that every process has the same (or wrapped ones do: DRAWBRIDGE_WRAPPED_MASTER_KEYS with DRAWBRIDGE_KMS_KEY)',
  },
  {
    reads: ['wrappedMasterKeys', 'kmsKey'],
    holds: (s) => s.wrappedMasterKeys.length > 0 && s.kmsKey === undefined,
    message: 'DRAWBRIDGE_WRAPPED_MASTER_KEYS needs DRAWBRIDGE_KMS_KEY: the key that unwraps them',
  },
  {
    reads: ['masterKeys', 'wrappedMasterKeys'],
    holds: (s) => new Set(versionsOf(s)).size < versionsOf(s).length,
    message: 'DRAWBRIDGE_MASTER_KEYS and DRAWBRIDGE_WRAPPED_MASTER_KEYS name the same version: a version is one key, in one of the two',
  },
  {
    reads: ['masterKeys', 'wrappedMasterKeys', 'currentMasterKey'],
    holds: (s) => s.currentMasterKey !== undefined && !versionsOf(s).includes(s.currentMasterKey),
    message:
      'DRAWBRIDGE_CURRENT_MASTER_KEY names a version that is neither in DRAWBRIDGE_MASTER_KEYS nor in DRAWBRIDGE_WRAPPED_MASTER_KEYS',
  },
  {
    reads: ['production', 'databaseUrl'],
    holds: (s) => s.production && s.databaseUrl === undefined,
    message: 'DATABASE_URL is missing: with NODE_ENV=production the database is yours, not embedded',
  },
  {
    reads: ['production', 'publicUrl'],
    holds: (s) => s.production && publicHostIsLoopback(s),
    message: 'DRAWBRIDGE_PUBLIC_URL is on loopback: with NODE_ENV=production it must be the address that the world uses',
  },
  {
    reads: ['countryHeader', 'trustedProxyHops'],
    holds: (s) => s.countryHeader !== undefined && s.trustedProxyHops === 0,
    message: 'DRAWBRIDGE_COUNTRY_HEADER needs DRAWBRIDGE_TRUSTED_PROXY_HOPS: without a proxy of yours, strangers write that header',
  },
  {
    reads: ['clientCertificateHeader', 'trustedProxyHops', 'proxySecrets'],
    holds: (s) => s.clientCertificateHeader !== undefined && (s.trustedProxyHops === 0 || s.proxySecrets.length === 0),
    message:
      'DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER needs DRAWBRIDGE_TRUSTED_PROXY_HOPS and DRAWBRIDGE_PROXY_SECRETS: certificates are public, and whoever may send that header is every client',
  },
  {
    reads: ['clientCertificateHeader'],
    holds: (s) => s.clientCertificateHeader !== undefined && headersWithAMeaning.includes(s.clientCertificateHeader),
    message: 'DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER names a header that means something else: choose client-cert, or one of your own',
  },
  {
    reads: ['mtlsUrl', 'clientCertificateHeader'],
    holds: (s) => s.mtlsUrl !== undefined && s.clientCertificateHeader === undefined,
    message: 'DRAWBRIDGE_MTLS_URL needs DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: without it no certificate is believed there',
  },
  {
    reads: ['mtlsUrl'],
    holds: (s) => s.mtlsUrl !== undefined && !s.mtlsUrl.startsWith('https:') && !isLoopbackHost(new URL(s.mtlsUrl).hostname),
    message: 'DRAWBRIDGE_MTLS_URL must begin with https:// unless its host is loopback: certificates are shown over TLS',
  },
  {
    reads: ['smtpUrl', 'mailFrom'],
    holds: (s) => (s.smtpUrl === undefined) !== (s.mailFrom === undefined),
    message: 'DRAWBRIDGE_SMTP_URL and DRAWBRIDGE_MAIL_FROM go together: mail needs a server and an address that it comes from',
  },
  {
    reads: ['receiptDays', 'evidenceDays'],
    holds: (s) => s.evidenceDays < s.receiptDays,
    message: 'DRAWBRIDGE_EVIDENCE_DAYS is less than DRAWBRIDGE_RECEIPT_DAYS: receipts go with their event at the latest',
  },
]
