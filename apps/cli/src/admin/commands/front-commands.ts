/** The front issuer of the vendor: made once, what is shared with it, its clients and keys; and what a tenant says of clients there. */
import { tokenAlgorithms } from '@drawbridge/core/oauth/token-algorithm'
import type { AdminCommand } from '../command.js'
import { correctionFlags, described, governed, ifMatch } from './client-commands.js'
import { frontClientSecretCommands } from './client-secret-commands.js'
import { signingKeyRows } from './signing-key-commands.js'
import { reason } from './tenant-commands.js'

const ofVendor: readonly AdminCommand[] = [
  {
    name: 'front-issuer show',
    does: 'Show the front issuer, if there is one',
    takes: [],
    call: { method: 'GET', path: '/front-issuer' },
    shows: { record: true },
    example: 'drawbridge front-issuer show',
  },
  {
    name: 'front-issuer create',
    does: 'Make the front issuer at the public URL, for resource servers that all tenants share; it is never unmade',
    takes: [],
    call: { method: 'POST', path: '/front-issuer' },
    confirms: 'Make the front issuer? It cannot be unmade.',
    example: 'drawbridge front-issuer create',
  },
  {
    name: 'front-issuer share',
    does: 'Let the front issuer mint for a resource of the vendor, for every tenant',
    takes: ['shared-resource'],
    call: { method: 'POST', path: '/front-issuer/shared-resources/{shared-resource}' },
    done: 'Shared with every tenant, those to come too.',
    example: 'drawbridge front-issuer share https://documents.example/mcp',
  },
  {
    name: 'front-issuer unshare',
    does: 'Take a resource of the vendor away from the front issuer: every grant of every tenant for it there ends',
    takes: ['shared-resource'],
    call: { method: 'DELETE', path: '/front-issuer/shared-resources/{shared-resource}' },
    confirms: 'Take {shared-resource} away from the front issuer and end every grant of every tenant for it there?',
    done: 'Taken away.',
    example: 'drawbridge front-issuer unshare https://documents.example/mcp',
  },
  {
    name: 'front-issuer key list',
    does: 'List the signing keys of the front issuer and their states',
    takes: [],
    call: { method: 'GET', path: '/front-issuer/signing-keys' },
    shows: signingKeyRows,
    example: 'drawbridge front-issuer key list',
  },
  {
    name: 'front-issuer key rotate',
    does: 'Activate the next key of the front issuer, retire the active one, make a new next one',
    takes: [],
    flags: { purpose: { kind: 'text', says: 'whose', choices: ['tokens', 'notices'], required: true } },
    call: { method: 'POST', path: '/front-issuer/signing-keys/rotate' },
    example: 'drawbridge front-issuer key rotate --purpose tokens',
  },
  {
    name: 'front-issuer key condemn',
    does: 'Condemn a key of the front issuer that was stolen: out of the JWKS at once, guards are told, and the next key takes its place',
    takes: ['kid'],
    call: { method: 'POST', path: '/front-issuer/signing-keys/{kid}/compromised' },
    confirms: 'Condemn the key {kid}? Everything that it signed, for every tenant, is worth nothing from then on.',
    example: 'drawbridge front-issuer key condemn 8fJ…',
  },
  {
    name: 'front-issuer device-grant show',
    does: 'Show whether devices may ask for access at the front issuer by a code that a person types elsewhere',
    takes: [],
    call: { method: 'GET', path: '/front-issuer/device-grant' },
    shows: { record: true },
    example: 'drawbridge front-issuer device-grant show',
  },
  {
    name: 'front-issuer device-grant set',
    does: 'Let devices ask at the front issuer, or no longer, for people of tenants that let devices ask; what was granted lives on',
    takes: [],
    flags: {
      on: { kind: 'switch', says: 'devices may ask', member: 'enabled', value: true },
      off: { kind: 'switch', says: 'they may not, as it is unless chosen', member: 'enabled', value: false },
    },
    call: { method: 'PUT', path: '/front-issuer/device-grant', body: {} },
    shows: { record: true },
    example: 'drawbridge front-issuer device-grant set --on',
  },
  {
    name: 'front-issuer registration show',
    does: 'Show in which ways clients may become known at the front issuer',
    takes: [],
    call: { method: 'GET', path: '/front-issuer/client-registration' },
    shows: { record: true },
    example: 'drawbridge front-issuer registration show',
  },
  {
    name: 'front-issuer registration set',
    does: 'Choose in which ways clients may become known at the front issuer, as `client registration set` for a tenant',
    takes: [],
    flags: {
      file: {
        kind: 'document',
        says: 'metadataDocuments, documentHosts, dynamic, preregistered, approvalRequired',
        member: '',
        required: true,
      },
    },
    call: { method: 'PUT', path: '/front-issuer/client-registration' },
    shows: { record: true },
    example: 'drawbridge front-issuer registration set --file ways.yaml',
  },
  {
    name: 'front-issuer key algorithm',
    does: 'Show which algorithm is chosen for the tokens of the front issuer',
    takes: [],
    call: { method: 'GET', path: '/front-issuer/token-algorithm' },
    shows: { record: true },
    example: 'drawbridge front-issuer key algorithm',
  },
  {
    name: 'front-issuer key choose',
    does: 'Choose the algorithm of the front’s tokens, for every tenant; its key is published now and signs after a day',
    takes: [],
    flags: { algorithm: { kind: 'text', says: 'by which its tokens are signed', choices: [...tokenAlgorithms], required: true } },
    call: { method: 'PUT', path: '/front-issuer/token-algorithm' },
    done: 'When it signs is in: drawbridge front-issuer key list.',
    example: 'drawbridge front-issuer key choose --algorithm RS256',
  },
  {
    name: 'front-issuer dpop show',
    does: 'Show what is demanded at the front issuer of tokens that are bound to a key',
    takes: [],
    call: { method: 'GET', path: '/front-issuer/dpop' },
    shows: { record: true },
    example: 'drawbridge front-issuer dpop show',
  },
  {
    name: 'front-issuer dpop set',
    does: 'Choose what is demanded at the front issuer of tokens that are bound to a key, beside what each tenant demands; what was issued lives on',
    takes: [],
    flags: {
      file: { kind: 'document', says: 'boundTokensDemanded, nonceDemanded as YAML or JSON', member: '', required: true },
    },
    call: { method: 'PUT', path: '/front-issuer/dpop' },
    shows: { record: true },
    example: 'drawbridge front-issuer dpop set --file dpop.yaml',
  },
  {
    name: 'front-issuer pushed-requests show',
    does: 'Show whether the authorization requests of every client must be pushed at the front issuer',
    takes: [],
    call: { method: 'GET', path: '/front-issuer/pushed-requests' },
    shows: { record: true },
    example: 'drawbridge front-issuer pushed-requests show',
  },
  {
    name: 'front-issuer pushed-requests set',
    does: 'Choose whether the authorization requests of every client must be pushed at the front issuer (RFC 9126)',
    takes: [],
    flags: {
      required: { kind: 'switch', says: 'no other is taken, of any tenant', member: 'required', value: true },
      optional: { kind: 'switch', says: 'as each tenant has it', member: 'required', value: false },
    },
    call: { method: 'PUT', path: '/front-issuer/pushed-requests', body: {} },
    shows: { record: true },
    example: 'drawbridge front-issuer pushed-requests set --required',
  },
]

const clientRows = {
  rows: 'clients',
  columns: [
    ['client_id', 'clientId'],
    ['name', 'name'],
    ['kind', 'kind'],
    ['approved', 'preApproved'],
    ['blocked', 'blockedAt'],
    ['by', 'blockedBy'],
  ],
} as const

/** Of the front itself, or of a tenant as its member. */
function clientCommands(noun: 'front-issuer client' | 'front-client'): readonly AdminCommand[] {
  const isTenants = noun === 'front-client'
  const takes = isTenants ? (['tenant'] as const) : ([] as const)
  const path = isTenants ? '/tenants/{tenant}/front-clients' : '/front-issuer/clients'
  const whose = isTenants ? 'that people of a tenant use at the front issuer' : 'that are registered at the front issuer'
  const of = isTenants ? 'initech ' : ''
  return [
    {
      name: `${noun} list`,
      does: `List the clients ${whose}`,
      takes,
      call: { method: 'GET', path },
      shows: clientRows,
      example: `drawbridge ${noun} list ${of}`.trim(),
    },
    {
      name: `${noun} show`,
      does: `Show one of the clients ${whose}`,
      takes: [...takes, 'client'],
      call: { method: 'GET', path: `${path}/{client}` },
      example: `drawbridge ${noun} show ${of}agent`,
    },
    {
      name: `${noun} govern`,
      does: `Approve, limit, block or unblock one of the clients ${whose}`,
      takes: [...takes, 'client'],
      flags: governed,
      call: { method: 'PATCH', path: `${path}/{client}` },
      example: `drawbridge ${noun} govern ${of}agent --file said.yaml`,
    },
  ]
}

const ofFrontAlone: readonly AdminCommand[] = [
  {
    name: 'front-issuer client create',
    does: 'Register a client at the front issuer, for every tenant; its secret is shown once',
    takes: [],
    flags: described,
    call: { method: 'POST', path: '/front-issuer/clients' },
    example: 'drawbridge front-issuer client create --file client.yaml',
  },
  {
    name: 'front-issuer client correct',
    does: 'Correct the name, the redirect URIs or the logout URI of a client that the vendor registered, at every tenant at once',
    takes: ['client'],
    flags: correctionFlags,
    call: { method: 'PATCH', path: '/front-issuer/clients/{client}/registration', body: {} },
    example: 'drawbridge front-issuer client correct agent --redirect-uri https://agent.example/callback',
  },
  {
    name: 'front-issuer client secret',
    does: 'Make a new secret, shown once; what the client had is worth nothing from then on, at any tenant: add-secret leaves no gap',
    takes: ['client'],
    flags: { 'if-match': ifMatch },
    call: { method: 'POST', path: '/front-issuer/clients/{client}/secret' },
    confirms: 'Make a new secret for {client}? What it had is worth nothing from then on, at any tenant.',
    done: 'The secret is shown this once.',
    example: 'drawbridge front-issuer client secret agent',
  },
  ...frontClientSecretCommands,
  {
    name: 'front-issuer client kill',
    does: 'Block a client of the front issuer and end everything that it holds, at every tenant',
    takes: ['client'],
    flags: { reason },
    call: { method: 'POST', path: '/front-issuer/clients/{client}/kill' },
    confirms: 'Block {client} and end everything that it holds, at every tenant?',
    example: 'drawbridge front-issuer client kill agent --reason stolen',
  },
]

const ofTenantAlone: readonly AdminCommand[] = [
  {
    name: 'front-client adopt',
    does: 'Have a tenant know a client that is registered at the front issuer, before anybody has used it; nothing is granted by that',
    takes: ['tenant', 'client'],
    call: { method: 'POST', path: '/tenants/{tenant}/front-clients/{client}' },
    example: 'drawbridge front-client adopt initech agent',
  },
  {
    name: 'front-client machine-access',
    does: 'Choose what a client of the front issuer may have in its own name at a tenant, whole; what it holds by what is gone or less ends',
    takes: ['tenant', 'client'],
    flags: {
      file: {
        kind: 'document',
        says: 'access as YAML or JSON: of each resource its scopes; an empty list takes all away',
        member: '',
        required: true,
      },
      'if-match': ifMatch,
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/front-clients/{client}/machine-access' },
    shows: { record: true },
    example: 'drawbridge front-client machine-access initech agent --file access.yaml',
  },
]

export const frontCommands: readonly AdminCommand[] = [
  ...ofVendor,
  ...clientCommands('front-issuer client'),
  ...ofFrontAlone,
  ...clientCommands('front-client'),
  ...ofTenantAlone,
]
