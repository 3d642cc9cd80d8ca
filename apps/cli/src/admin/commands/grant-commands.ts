/** What is granted for what, and to which programs: resources and clients. */
import type { AdminCommand, Flag, Shows } from '../command.js'
import { reason } from './tenant-commands.js'

const resourceRows: Shows = {
  rows: 'resources',
  columns: [
    ['identifier', 'identifier'],
    ['name', 'name'],
    ['shared', 'shared'],
    ['mintable', 'mintable'],
    ['id', 'id'],
  ],
}
const credentialRows: Shows = {
  rows: 'credentials',
  columns: [
    ['id', 'id'],
    ['made', 'createdAt'],
    ['expires', 'expiresAt'],
    ['revoked', 'revokedAt'],
  ],
}
const scopes: Flag = {
  kind: 'document',
  says: 'the scopes as YAML or JSON: a member scopes with name, description, tier and isDefault',
  member: '',
}
const resourceFlags: Readonly<Record<string, Flag>> = {
  name: { kind: 'text', says: 'the name that people read' },
  'access-token-ttl-seconds': { kind: 'number', says: 'the longest life of its access tokens' },
}

/** The same for a tenant's resources and for the vendor's own, which are shared. */
function resourceCommands(noun: 'resource' | 'shared-resource'): readonly AdminCommand[] {
  const owner = noun === 'resource' ? (['tenant'] as const) : ([] as const)
  const of = noun === 'resource' ? 'initech ' : ''
  const path = noun === 'resource' ? '/tenants/{tenant}/resources' : '/shared-resources'
  const one = `${path}/{${noun}}`
  const which = `${of}https://documents.example/mcp`
  return [
    {
      name: `${noun} list`,
      does: noun === 'resource' ? 'List resources, shared ones of the vendor too' : 'List the vendor’s own resources',
      takes: owner,
      call: { method: 'GET', path },
      shows: resourceRows,
      example: `drawbridge ${noun} list ${of}`.trim(),
    },
    {
      name: `${noun} show`,
      does: 'Show a resource with its scopes',
      takes: [...owner, noun],
      call: { method: 'GET', path: one },
      example: `drawbridge ${noun} show ${which}`,
    },
    {
      name: `${noun} create`,
      does:
        noun === 'resource'
          ? 'Add a resource of a tenant; its issuer may mint for it'
          : 'Add a resource of the vendor; share it with each tenant whose issuer may mint for it',
      takes: owner,
      flags: {
        identifier: { kind: 'text', says: 'what aud will hold, byte for byte; for ever', required: true },
        ...resourceFlags,
        name: { kind: 'text', says: 'the name that people read', required: true },
        scopes: { ...scopes, required: true },
      },
      call: { method: 'POST', path },
      example: `drawbridge ${noun} create ${of}--identifier https://documents.example/mcp --name Documents --scopes scopes.yaml`,
    },
    {
      name: `${noun} update`,
      does: 'Change the name of a resource or the longest life of its access tokens',
      takes: [...owner, noun],
      flags: resourceFlags,
      call: { method: 'PATCH', path: one, body: {} },
      example: `drawbridge ${noun} update ${which} --name Papers`,
    },
    {
      name: `${noun} scopes`,
      does: 'Replace the scopes of a resource',
      takes: [...owner, noun],
      flags: { file: { ...scopes, required: true } },
      call: { method: 'PUT', path: `${one}/scopes` },
      example: `drawbridge ${noun} scopes ${which} --file scopes.yaml`,
    },
    {
      name: `${noun} credential list`,
      does: 'List the credentials of a resource, revoked ones too',
      takes: [...owner, noun],
      call: { method: 'GET', path: `${one}/credentials` },
      shows: credentialRows,
      example: `drawbridge ${noun} credential list ${which}`,
    },
    {
      name: `${noun} credential create`,
      does: 'Make a credential with which the resource introspects and hears notices; shown once',
      takes: [...owner, noun],
      flags: { 'expires-at': { kind: 'text', says: 'when it ends, in UTC; default: never' } },
      call: { method: 'POST', path: `${one}/credentials`, body: {} },
      done: 'The secret is shown this once.',
      example: `drawbridge ${noun} credential create ${which}`,
    },
    {
      name: `${noun} credential revoke`,
      does: 'Revoke a credential: nobody introspects or hears notices with it any more',
      takes: [...owner, noun, 'id'],
      call: { method: 'DELETE', path: `${one}/credentials/{id}` },
      confirms: 'Revoke the credential {id}? A guard that uses it hears of no revocation any more.',
      done: 'Revoked.',
      example: `drawbridge ${noun} credential revoke ${which} 0f0e7d0a-0000-4000-8000-000000000000`,
    },
  ]
}

const minting: readonly AdminCommand[] = [
  {
    name: 'resource withdraw',
    does: 'Withdraw a resource of a tenant: nobody mints for it, every grant for it ends; its identifier stays taken',
    takes: ['tenant', 'resource'],
    call: { method: 'DELETE', path: '/tenants/{tenant}/resources/{resource}' },
    confirms: 'Withdraw {resource} and end every grant for it?',
    done: 'Withdrawn.',
    example: 'drawbridge resource withdraw initech https://documents.example/mcp',
  },
  {
    name: 'resource restore',
    does: 'Let the tenant’s issuer mint for a withdrawn resource again; nothing that ended comes back',
    takes: ['tenant', 'resource'],
    call: { method: 'POST', path: '/tenants/{tenant}/resources/{resource}/restore' },
    done: 'Restored.',
    example: 'drawbridge resource restore initech https://documents.example/mcp',
  },
  {
    name: 'shared-resource tenants',
    does: 'List the tenants that a resource of the vendor is shared with',
    takes: ['shared-resource'],
    call: { method: 'GET', path: '/shared-resources/{shared-resource}/tenants' },
    shows: {
      rows: 'tenants',
      columns: [
        ['slug', 'slug'],
        ['issuer', 'issuer'],
      ],
    },
    example: 'drawbridge shared-resource tenants https://documents.example/mcp',
  },
  {
    name: 'shared-resource share',
    does: 'Let a tenant’s issuer mint for a resource of the vendor',
    takes: ['tenant', 'shared-resource'],
    call: { method: 'POST', path: '/tenants/{tenant}/shared-resources/{shared-resource}' },
    done: 'Shared.',
    example: 'drawbridge shared-resource share initech https://documents.example/mcp',
  },
  {
    name: 'shared-resource unshare',
    does: 'Take a resource of the vendor away from a tenant: its issuer mints no more for it, every grant for it ends',
    takes: ['tenant', 'shared-resource'],
    call: { method: 'DELETE', path: '/tenants/{tenant}/shared-resources/{shared-resource}' },
    confirms: 'Take {shared-resource} away from {tenant} and end every grant for it?',
    done: 'Taken away.',
    example: 'drawbridge shared-resource unshare initech https://documents.example/mcp',
  },
]

const client = '/tenants/{tenant}/clients/{client}'
const clients: readonly AdminCommand[] = [
  {
    name: 'client registration show',
    does: 'Show in which ways clients may become known to a tenant',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/client-registration' },
    shows: { record: true },
    example: 'drawbridge client registration show initech',
  },
  {
    name: 'client registration set',
    does: 'Choose in which ways clients may become known; every member is needed. A closed way grants nothing new, what was granted lives on',
    takes: ['tenant'],
    flags: {
      file: {
        kind: 'document',
        says: 'metadataDocuments, documentHosts, dynamic, preregistered, all of them, as YAML or JSON',
        member: '',
        required: true,
      },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/client-registration' },
    shows: { record: true },
    example: 'drawbridge client registration set initech --file registration.yaml',
  },
  {
    name: 'dpop show',
    does: 'Show what a tenant demands of tokens that are bound to a key',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/dpop' },
    shows: { record: true },
    example: 'drawbridge dpop show initech',
  },
  {
    name: 'dpop set',
    does: 'Choose what a tenant demands of tokens that are bound to a key, whole; what was issued lives on',
    takes: ['tenant'],
    flags: {
      file: { kind: 'document', says: 'boundTokensDemanded, nonceDemanded as YAML or JSON', member: '', required: true },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/dpop' },
    shows: { record: true },
    example: 'drawbridge dpop set initech --file dpop.yaml',
  },
  {
    name: 'client pushed-requests show',
    does: 'Show whether the authorization requests of every client must be pushed',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/pushed-requests' },
    shows: { record: true },
    example: 'drawbridge client pushed-requests show initech',
  },
  {
    name: 'client pushed-requests set',
    does: 'Choose whether the authorization requests of every client must be pushed (RFC 9126); what browsers have under way unpushed is refused then',
    takes: ['tenant'],
    flags: {
      required: { kind: 'switch', says: 'no other is taken', member: 'required', value: true },
      optional: { kind: 'switch', says: 'pushed or not, as they are unless chosen', member: 'required', value: false },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/pushed-requests', body: {} },
    shows: { record: true },
    example: 'drawbridge client pushed-requests set initech --required',
  },
  {
    name: 'client userinfo show',
    does: 'Show what clients may be told of people',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/userinfo' },
    shows: { record: true },
    example: 'drawbridge client userinfo show initech',
  },
  {
    name: 'client userinfo set',
    does: 'Choose what clients may be told of people; what is left out is not told, from then on',
    takes: ['tenant'],
    flags: {
      profile: { kind: 'switch', says: 'her name, and what else belongs to the scope profile' },
      email: { kind: 'switch', says: 'her address, and whether its domain is proven' },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/userinfo', body: {} },
    shows: { record: true },
    example: 'drawbridge client userinfo set initech --profile --email',
  },
  {
    name: 'client list',
    does: 'List clients',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/clients' },
    shows: {
      rows: 'clients',
      columns: [
        ['client_id', 'clientId'],
        ['name', 'name'],
        ['kind', 'kind'],
        ['approved', 'preApproved'],
        ['blocked', 'blockedAt'],
        ['last used', 'lastUsedAt'],
      ],
    },
    example: 'drawbridge client list initech',
  },
  {
    name: 'client show',
    does: 'Show a client',
    takes: ['tenant', 'client'],
    call: { method: 'GET', path: client },
    example: 'drawbridge client show initech agent',
  },
  {
    name: 'client create',
    does: 'Register a client beforehand; its secret is shown once',
    takes: ['tenant'],
    flags: {
      file: { kind: 'document', says: 'the client as YAML or JSON: name, redirectUris, grantTypes and so on', member: '', required: true },
    },
    call: { method: 'POST', path: '/tenants/{tenant}/clients' },
    example: 'drawbridge client create initech --file client.yaml',
  },
  {
    name: 'client govern',
    does: 'Approve, limit, block or unblock a client',
    takes: ['tenant', 'client'],
    flags: {
      file: {
        kind: 'document',
        says: 'preApproved, scopeCeiling, accessTokenTtlSeconds, blocked; what is left out stays',
        member: '',
        required: true,
      },
    },
    call: { method: 'PATCH', path: client },
    example: 'drawbridge client govern initech agent --file approved.yaml',
  },
  {
    name: 'client approve',
    does: 'Vouch for a client: people are not asked about it; also again, when its document has changed (client show says what)',
    takes: ['tenant', 'client'],
    flags: {
      'document-digest': { kind: 'text', says: 'as client show printed it: refused if its document says something else by now' },
    },
    call: { method: 'PATCH', path: client, body: { preApproved: true } },
    example: 'drawbridge client approve initech https://agent.example/client.json',
  },
  {
    name: 'client block',
    does: 'Refuse what a client asks for from now on; kill it to end what exists',
    takes: ['tenant', 'client'],
    call: { method: 'PATCH', path: client, body: { blocked: true } },
    confirms: 'Block the client {client}?',
    example: 'drawbridge client block initech agent',
  },
  {
    name: 'client unblock',
    does: 'Serve a blocked client again',
    takes: ['tenant', 'client'],
    call: { method: 'PATCH', path: client, body: { blocked: false } },
    example: 'drawbridge client unblock initech agent',
  },
  {
    name: 'client correct',
    does: 'Correct the name, the redirect URIs or the logout URI of a client that an admin registered',
    takes: ['tenant', 'client'],
    flags: {
      name: { kind: 'text', says: 'its name' },
      'redirect-uri': { kind: 'list', says: 'a redirect URI; several, and all of them', member: 'redirectUris' },
      'backchannel-logout-uri': { kind: 'text', says: 'where it hears of logouts' },
      'post-logout-redirect-uri': {
        kind: 'list',
        says: 'where it may have a browser sent after a logout; several, and all of them',
        member: 'postLogoutRedirectUris',
      },
      'require-pushed-requests': {
        kind: 'switch',
        says: 'its authorization requests must be pushed',
        member: 'requirePushedAuthorizationRequests',
        value: true,
      },
      'allow-plain-requests': {
        kind: 'switch',
        says: 'they need not be',
        member: 'requirePushedAuthorizationRequests',
        value: false,
      },
    },
    call: { method: 'PATCH', path: `${client}/registration`, body: {} },
    example: 'drawbridge client correct initech agent --redirect-uri https://agent.example/callback',
  },
  {
    name: 'client secret',
    does: 'Make a new secret, shown once; what it had is worth nothing from then on: add-secret leaves no gap',
    takes: ['tenant', 'client'],
    call: { method: 'POST', path: `${client}/secret` },
    confirms: 'Make a new secret for {client}? What it had is worth nothing from then on.',
    done: 'The secret is shown this once.',
    example: 'drawbridge client secret initech agent',
  },
  {
    name: 'client kill',
    does: 'Block a client and end everything it holds',
    takes: ['tenant', 'client'],
    flags: { reason },
    call: { method: 'POST', path: `${client}/kill` },
    confirms: 'Kill the client {client} and end everything it holds?',
    example: 'drawbridge client kill initech agent --reason "its key was published"',
  },
  {
    name: 'client remove',
    does: 'Remove a client that nothing was ever granted to; kill any other',
    takes: ['tenant', 'client'],
    call: { method: 'DELETE', path: client },
    confirms: 'Remove the client {client}?',
    done: 'Removed.',
    example: 'drawbridge client remove initech agent',
  },
]

export const grantCommands: readonly AdminCommand[] = [
  ...resourceCommands('resource'),
  ...resourceCommands('shared-resource'),
  ...minting,
  ...clients,
]
