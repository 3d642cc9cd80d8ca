/** Connections to IdPs, and what chooses between them. */
import type { AdminCommand, Flag } from '../command.js'
import { reason } from './tenant-commands.js'

const metadata: Readonly<Record<string, Flag>> = {
  'metadata-file': { kind: 'file', says: 'SAML: the IdP’s metadata; - reads standard input', member: 'metadataXml' },
  'metadata-url': { kind: 'text', says: 'SAML: where it is; looked at again by itself' },
  'entity-id': { kind: 'text', says: 'SAML: which entity of the metadata, where it holds several' },
  'pinned-certificate': {
    kind: 'files',
    says: 'SAML: a certificate that must have signed the metadata; several',
    member: 'pinnedCertificates',
  },
}
const fields: Readonly<Record<string, Flag>> = {
  configuration: { kind: 'document', says: 'members of the configuration, as YAML or JSON; the flags below win over it' },
  issuer: { kind: 'text', says: 'OpenID: the issuer', member: 'configuration.issuer' },
  'client-id': { kind: 'text', says: 'OpenID: our client_id there', member: 'configuration.clientId' },
  'idp-entity-id': { kind: 'text', says: 'SAML: the IdP’s entity ID', member: 'configuration.idpEntityId' },
  'sso-url': { kind: 'text', says: 'SAML: where sign-in requests go', member: 'configuration.ssoUrl' },
  certificate: { kind: 'files', says: 'SAML: a signing certificate of the IdP; several', member: 'configuration.certificates' },
  'client-secret-env': { kind: 'from-env', says: 'OpenID: the variable that holds the client secret', member: 'clientSecret' },
  'client-secret-file': { kind: 'from-file', says: 'OpenID: the file that holds the client secret', member: 'clientSecret' },
}
const path = '/tenants/{tenant}/connections'
const one = `${path}/{connection}`

const connections: readonly AdminCommand[] = [
  {
    name: 'connection list',
    does: 'List connections',
    takes: ['tenant'],
    call: { method: 'GET', path },
    shows: {
      rows: 'connections',
      columns: [
        ['name', 'name'],
        ['kind', 'kind'],
        ['id', 'id'],
        ['killed', 'disabledAt'],
      ],
    },
    example: 'drawbridge connection list initech',
  },
  {
    name: 'connection show',
    does: 'Show a connection: its configuration, and our addresses to enter at the IdP; never its secret',
    takes: ['tenant', 'connection'],
    call: { method: 'GET', path: one },
    example: 'drawbridge connection show initech Okta',
  },
  {
    name: 'connection create',
    does: 'Add a connection from metadata or fields, and show our addresses to enter at the IdP',
    takes: ['tenant'],
    flags: {
      name: { kind: 'text', says: 'the name that people read where they choose', required: true },
      kind: { kind: 'text', says: 'which protocol', choices: ['saml', 'oidc'], required: true },
      ...metadata,
      'no-preset': {
        kind: 'switch',
        says: 'SAML: without what is proposed for the vendor of the metadata',
        member: 'usePreset',
        value: false,
      },
      ...fields,
    },
    call: { method: 'POST', path },
    example: 'drawbridge connection create initech --kind saml --name Okta --metadata-url https://initech.okta.example/metadata',
  },
  {
    name: 'connection diagnose',
    does: 'Say what metadata or an OpenID provider says, what is wrong with it and how to mend it; nothing is written',
    takes: ['tenant'],
    flags: {
      ...metadata,
      issuer: { kind: 'text', says: 'OpenID: the issuer to look at' },
      configuration: { kind: 'document', says: 'OpenID: members that are chosen already' },
    },
    load: async () => (await import('../connection-runs.js')).diagnose,
    calls: [`POST ${path}/diagnose-metadata`, `POST ${path}/diagnose-oidc`],
    example: 'drawbridge connection diagnose initech --metadata-file metadata.xml',
  },
  {
    name: 'connection update',
    does: 'Change what is said of a connection; what is not said stays, and a change by somebody else meanwhile is not overwritten',
    takes: ['tenant', 'connection'],
    flags: {
      name: { kind: 'text', says: 'the name that people read' },
      ...fields,
      'no-client-secret': { kind: 'switch', says: 'OpenID: remove the client secret that is kept', member: 'clientSecret', value: null },
      unset: { kind: 'list', says: 'a member of the configuration to take out; several' },
    },
    load: async () => (await import('../connection-runs.js')).update,
    calls: [`PUT ${one}`],
    example: 'drawbridge connection update initech Okta --certificate new.pem --certificate old.pem',
  },
  {
    name: 'connection enable',
    does: 'Let a killed connection sign people in again; nothing that ended comes back',
    takes: ['tenant', 'connection'],
    call: { method: 'POST', path: `${one}/enable` },
    done: 'People may sign in through it again.',
    example: 'drawbridge connection enable initech Okta',
  },
  {
    name: 'connection resynced',
    does: 'Say that the directory has been synchronised anew after a restore: whom it has named comes in again, and the others are listed',
    takes: ['tenant', 'connection'],
    flags: {
      'let-in-unnamed': {
        kind: 'switch',
        says: 'those, too, whom the directory has not named since: somebody has compared them with it',
        member: 'letInUnnamed',
      },
    },
    call: { method: 'POST', path: `${one}/resynced`, body: {} },
    confirms:
      'Has the directory of {connection} finished a whole cycle since the restore? Whom it has named by then comes in again; with --let-in-unnamed so does everybody else whom it had, also who left in what was lost.',
    shows: {
      rows: 'unnamed',
      columns: [
        ['not named', 'userName'],
        ['external id', 'externalId'],
        ['id', 'id'],
      ],
    },
    done: 'Whom it has named comes in again. Whoever is listed stays out until it names her, unless you said --let-in-unnamed; all of them: drawbridge scim-user list <tenant> --unnamed',
    example: 'drawbridge connection resynced initech Okta',
  },
  {
    name: 'connection kill',
    does: 'Disable a connection and end everything that was opened through it',
    takes: ['tenant', 'connection'],
    flags: { reason },
    call: { method: 'POST', path: `${one}/kill` },
    confirms: 'Kill the connection {connection} of {tenant} and end every session and grant of it? Nothing that ends comes back.',
    example: 'drawbridge connection kill initech Okta --reason "the IdP was broken into"',
  },
  {
    name: 'connection remove',
    does: 'Remove a connection that nobody signed in through and nothing names; kill any other',
    takes: ['tenant', 'connection'],
    call: { method: 'DELETE', path: one },
    confirms: 'Remove the connection {connection} of {tenant}?',
    done: 'Removed.',
    example: 'drawbridge connection remove initech Okta',
  },
]

const metadataCommands: readonly AdminCommand[] = [
  {
    name: 'connection metadata show',
    does: 'Say where the metadata comes from, what the last look found and when the next one is',
    takes: ['tenant', 'connection'],
    call: { method: 'GET', path: `${one}/metadata` },
    example: 'drawbridge connection metadata show initech Okta',
  },
  {
    name: 'connection metadata preview',
    does: 'Say what metadata would change in a connection; nothing is written',
    takes: ['tenant', 'connection'],
    flags: metadata,
    call: { method: 'POST', path: `${one}/metadata/preview`, body: {} },
    example: 'drawbridge connection metadata preview initech Okta --metadata-file metadata.xml',
  },
  {
    name: 'connection metadata apply',
    does: 'Look at metadata, show what it would change, ask, and use the very document that was looked at',
    takes: ['tenant', 'connection'],
    flags: {
      ...metadata,
      'drop-old-certificates': {
        kind: 'switch',
        says: 'do not trust the old certificates for the time of a rollover: a key was stolen',
        member: 'keepOldCertificates',
        value: false,
      },
    },
    load: async () => (await import('../connection-runs.js')).applyMetadata,
    calls: [`POST ${one}/metadata/apply`],
    example: 'drawbridge connection metadata apply initech Okta --metadata-url https://initech.okta.example/metadata',
  },
  {
    name: 'connection metadata refetch',
    does: 'Have the worker fetch the metadata now; what it may change by itself it changes',
    takes: ['tenant', 'connection'],
    call: { method: 'POST', path: `${one}/metadata/refetch` },
    example: 'drawbridge connection metadata refetch initech Okta',
  },
  {
    name: 'connection metadata forget',
    does: 'Fetch the metadata no more; what is configured stays',
    takes: ['tenant', 'connection'],
    call: { method: 'DELETE', path: `${one}/metadata` },
    confirms: 'Fetch the metadata of {connection} no more? New certificates of its IdP are then yours to enter.',
    done: 'It is fetched no more.',
    example: 'drawbridge connection metadata forget initech Okta',
  },
]

const keysAndExceptions: readonly AdminCommand[] = [
  {
    name: 'connection keys list',
    does: 'List our keys before the OpenID provider of a connection',
    takes: ['tenant', 'connection'],
    call: { method: 'GET', path: `${one}/keys` },
    shows: {
      rows: 'keys',
      columns: [
        ['key id', 'id'],
        ['algorithm', 'algorithm'],
        ['state', 'state'],
        ['made', 'createdAt'],
      ],
    },
    example: 'drawbridge connection keys list initech Entra',
  },
  {
    name: 'connection keys create',
    does: 'Make a key of ours; the first signs at once, later ones when they are activated',
    takes: ['tenant', 'connection'],
    flags: { algorithm: { kind: 'text', says: 'default RS256', choices: ['RS256', 'PS256', 'ES256'] } },
    call: { method: 'POST', path: `${one}/keys`, body: {} },
    example: 'drawbridge connection keys create initech Entra',
  },
  {
    name: 'connection keys activate',
    does: 'Sign with this key from now on; first let the provider know it',
    takes: ['tenant', 'connection', 'kid'],
    call: { method: 'POST', path: `${one}/keys/{kid}/activate` },
    example: 'drawbridge connection keys activate initech Entra 8fJ…',
  },
  {
    name: 'connection keys remove',
    does: 'Remove a key that does not sign',
    takes: ['tenant', 'connection', 'kid'],
    call: { method: 'DELETE', path: `${one}/keys/{kid}` },
    confirms: 'Remove the key {kid}?',
    done: 'Removed.',
    example: 'drawbridge connection keys remove initech Entra 8fJ…',
  },
  {
    name: 'connection sha1-exception allow',
    does: 'Believe SHA-1 signatures of the IdP for some days, because it cannot be changed at once',
    takes: ['tenant', 'connection'],
    flags: {
      days: { kind: 'number', says: 'how many, 90 at most', required: true },
      reason: { ...reason, says: 'why it cannot be changed at once' },
    },
    call: { method: 'POST', path: `${one}/sha1-exception` },
    confirms: 'Believe SHA-1 signatures of {connection}? Whoever can forge those can be anybody there.',
    example: 'drawbridge connection sha1-exception allow initech Okta --days 30 --reason "their change window"',
  },
  {
    name: 'connection sha1-exception end',
    does: 'End the exception for SHA-1 now',
    takes: ['tenant', 'connection'],
    call: { method: 'DELETE', path: `${one}/sha1-exception` },
    done: 'SHA-1 is refused again.',
    example: 'drawbridge connection sha1-exception end initech Okta',
  },
]

const choice: readonly AdminCommand[] = [
  {
    name: 'connection-choice show',
    does: 'Show which connection an address chooses, before the proven domains do',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/connection-choice' },
    example: 'drawbridge connection-choice show initech',
  },
  {
    name: 'connection-choice set',
    does: 'Replace the rules by which an address chooses a connection: rules with when, groups and connection, and a fallback',
    takes: ['tenant'],
    flags: {
      file: {
        kind: 'document',
        says: 'the rules as YAML or JSON, connections by name; - reads standard input',
        member: 'choice',
        required: true,
      },
    },
    load: async () => (await import('../connection-runs.js')).setChoice,
    calls: ['PUT /tenants/{tenant}/connection-choice'],
    example: 'drawbridge connection-choice set initech --file choice.yaml',
  },
]

export const connectionCommands: readonly AdminCommand[] = [...connections, ...metadataCommands, ...keysAndExceptions, ...choice]
