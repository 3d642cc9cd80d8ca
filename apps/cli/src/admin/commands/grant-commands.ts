/** What is granted for what: resources. */
import type { AdminCommand, Flag, Shows } from '../command.js'

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
      name: `${noun} told`,
      does: 'Choose what introspection tells a resource of the people who use it; what is left out is not told, from then on',
      takes: [...owner, noun],
      flags: {
        profile: { kind: 'switch', says: 'her name, and what else belongs to the scope profile', member: 'toldOfPeople.profile' },
        email: { kind: 'switch', says: 'her address, and whether its domain is proven', member: 'toldOfPeople.email' },
      },
      call: { method: 'PATCH', path: one, body: { toldOfPeople: {} } },
      example: `drawbridge ${noun} told ${which} --email`,
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
    name: 'resource default-scopes show',
    does: 'Show which scopes of shared resources are granted to whoever names none',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/default-scopes' },
    example: 'drawbridge resource default-scopes show initech',
  },
  {
    name: 'resource default-scopes set',
    does: 'Choose which scopes of shared resources are granted to whoever names none; what is left out is as the vendor has it',
    takes: ['tenant'],
    flags: {
      file: {
        kind: 'document',
        says: 'YAML or JSON: a member sharedResources with identifier and scopes',
        member: '',
        required: true,
      },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/default-scopes' },
    example: 'drawbridge resource default-scopes set initech --file default-scopes.yaml',
  },
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

export const grantCommands: readonly AdminCommand[] = [...resourceCommands('resource'), ...resourceCommands('shared-resource'), ...minting]
