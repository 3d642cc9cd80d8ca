/** Whose assertions a tenant accepts at its token endpoint: ID-JAG, others by RFC 7523, and SAML by RFC 7522. */
import type { AdminCommand, Flag } from '../command.js'
import { reason } from './tenant-commands.js'

const fields: Readonly<Record<string, Flag>> = {
  configuration: { kind: 'document', says: 'members of the configuration, as YAML or JSON; the flags below win over it' },
  issuer: { kind: 'text', says: 'the issuer, as it stands in its assertions', member: 'configuration.issuer' },
  'jwks-uri': { kind: 'text', says: 'where it publishes its keys', member: 'configuration.jwksUri' },
  'issuer-tenant': {
    kind: 'text',
    says: 'of an issuer that speaks for many companies: the one that is believed',
    member: 'configuration.tenant',
  },
  profile: { kind: 'text', says: 'which assertions', choices: ['id-jag', 'rfc7523', 'saml2-bearer'], member: 'configuration.profile' },
  client: { kind: 'list', says: 'a client that may bring them; several', member: 'configuration.clients' },
  at: {
    kind: 'text',
    says: 'at which issuer it holds: the tenant’s own, the front, or both; own if nothing is said',
    choices: ['own', 'front', 'both'],
    member: 'configuration.at',
  },
  'public-clients': {
    kind: 'switch',
    says: 'clients that cannot prove themselves may bring them, too',
    member: 'configuration.publicClients',
  },
  'keys-of': { kind: 'text', says: 'SAML: the id of the login connection whose IdP it is', member: 'configuration.keysOf' },
  certificate: { kind: 'files', says: 'SAML: a signing certificate of the issuer; several', member: 'configuration.certificates' },
  'metadata-file': { kind: 'file', says: 'SAML: the issuer’s metadata, read once; - reads standard input', member: 'metadataXml' },
  'metadata-url': { kind: 'text', says: 'SAML: where it is; fetched once' },
  'entity-id': { kind: 'text', says: 'SAML: which entity of the metadata, where it holds several' },
  'pinned-certificate': {
    kind: 'files',
    says: 'SAML: a certificate that must have signed the metadata; several',
    member: 'pinnedCertificates',
  },
}
const path = '/tenants/{tenant}/assertion-trusts'
const one = `${path}/{trust}`

export const trustCommands: readonly AdminCommand[] = [
  {
    name: 'trust list',
    does: 'List the issuers whose assertions a tenant accepts',
    takes: ['tenant'],
    call: { method: 'GET', path },
    shows: {
      rows: 'assertionTrusts',
      columns: [
        ['name', 'name'],
        ['id', 'id'],
        ['killed', 'disabledAt'],
      ],
    },
    example: 'drawbridge trust list initech',
  },
  {
    name: 'trust show',
    does: 'Show a trust: what is believed of an issuer, and what it has to write into its assertions',
    takes: ['tenant', 'trust'],
    call: { method: 'GET', path: one },
    example: 'drawbridge trust show initech Okta',
  },
  {
    name: 'trust create',
    does: 'Accept the assertions of an issuer at the token endpoint of a tenant',
    takes: ['tenant'],
    flags: { name: { kind: 'text', says: 'a name for people', required: true }, ...fields },
    call: { method: 'POST', path, body: { configuration: {} } },
    example:
      'drawbridge trust create initech --name Okta --issuer https://initech.okta.example --jwks-uri https://initech.okta.example/keys',
  },
  {
    name: 'trust update',
    does: 'Change what is believed of an issuer; what is not said stays, and a change by somebody else meanwhile is not overwritten',
    takes: ['tenant', 'trust'],
    flags: {
      name: { kind: 'text', says: 'a name for people' },
      ...fields,
      unset: { kind: 'list', says: 'a member of the configuration to take out; several' },
    },
    load: async () => (await import('../connection-runs.js')).updateTrust,
    calls: [`PUT ${one}`],
    example: 'drawbridge trust update initech Okta --public-clients',
  },
  {
    name: 'trust enable',
    does: 'Accept the assertions of a killed issuer again; nothing that ended comes back',
    takes: ['tenant', 'trust'],
    call: { method: 'POST', path: `${one}/enable` },
    done: 'Its assertions are accepted again.',
    example: 'drawbridge trust enable initech Okta',
  },
  {
    name: 'trust kill',
    does: 'Accept no more assertions of an issuer and end everything that was opened by them',
    takes: ['tenant', 'trust'],
    flags: { reason },
    call: { method: 'POST', path: `${one}/kill` },
    confirms: 'Kill the trust {trust} of {tenant} and end every grant of it? Nothing that ends comes back.',
    example: 'drawbridge trust kill initech Okta --reason "the issuer was broken into"',
  },
  {
    name: 'trust remove',
    does: 'Remove a trust by which nobody came in; kill any other',
    takes: ['tenant', 'trust'],
    call: { method: 'DELETE', path: one },
    confirms: 'Remove the trust {trust} of {tenant}?',
    done: 'Removed.',
    example: 'drawbridge trust remove initech Okta',
  },
]
