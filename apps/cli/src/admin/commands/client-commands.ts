/** To which programs something is granted: clients, the ways in which they come, and who vouches for them. */
import type { AdminCommand, Flag } from '../command.js'
import { reason } from './tenant-commands.js'

const client = '/tenants/{tenant}/clients/{client}'
export const ifMatch: Flag = {
  kind: 'if-match',
  says: 'etag, as client show or client waiting printed it: refused if anything shown there is another by now',
}

/** What an admin may correct of a client that one registered. */
export const correctionFlags: Readonly<Record<string, Flag>> = {
  'if-match': ifMatch,
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
}

/** What an admin says of a client, at whichever issuer. */
export const governed: Readonly<Record<string, Flag>> = {
  file: {
    kind: 'document',
    says: 'preApproved, scopeCeiling, accessTokenTtlSeconds, blocked; what is left out stays',
    member: '',
    required: true,
  },
  'if-match': ifMatch,
}

/** Of a client that an admin registers. */
export const described: Readonly<Record<string, Flag>> = {
  file: { kind: 'document', says: 'the client as YAML or JSON: name, redirectUris, grantTypes and so on', member: '', required: true },
}

export const clientCommands: readonly AdminCommand[] = [
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
        says: 'metadataDocuments, documentHosts, dynamic, preregistered, approvalRequired, all of them, as YAML or JSON',
        member: '',
        required: true,
      },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/client-registration' },
    shows: { record: true },
    example: 'drawbridge client registration set initech --file registration.yaml',
  },
  {
    name: 'software-statement show',
    does: 'Show whose software statements a tenant believes',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/software-statements' },
    shows: { record: true },
    example: 'drawbridge software-statement show initech',
  },
  {
    name: 'software-statement set',
    does: 'Choose whose software statements are believed, whole; it holds for registrations from then on, clients that are registered live on',
    takes: ['tenant'],
    flags: {
      file: { kind: 'document', says: 'required, issuers, both of them, as YAML or JSON', member: '', required: true },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/software-statements' },
    shows: { record: true },
    example: 'drawbridge software-statement set initech --file statements.yaml',
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
    name: 'client waiting',
    does: 'List clients that wait to be approved or blocked: people use them, they asked for an approval that is demanded, or they were approved before, and nobody vouches for them now',
    takes: ['tenant'],
    flags: { unused: { kind: 'switch', says: 'also those that nobody uses or asks for: strangers can make many', value: 'true' } },
    call: { method: 'GET', path: '/tenants/{tenant}/waiting-clients' },
    shows: {
      rows: 'clients',
      columns: [
        ['client_id', 'clientId'],
        ['name', 'name'],
        ['host', 'host'],
        ['people', 'people'],
        ['first seen', 'firstSeenAt'],
        ['asked', 'askedAt'],
        ['approval lost', 'approvalLost.at'],
        ['changed', 'approvalLost.changed'],
        ['etag', 'etag'],
      ],
    },
    example: 'drawbridge client waiting initech',
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
    flags: described,
    call: { method: 'POST', path: '/tenants/{tenant}/clients' },
    example: 'drawbridge client create initech --file client.yaml',
  },
  {
    name: 'client govern',
    does: 'Approve, limit, block or unblock a client',
    takes: ['tenant', 'client'],
    flags: governed,
    call: { method: 'PATCH', path: client },
    example: 'drawbridge client govern initech agent --file approved.yaml',
  },
  {
    name: 'client approve',
    does: 'Vouch for a client: people are not asked about it; also again, when its document has changed (client show says what)',
    takes: ['tenant', 'client'],
    flags: {
      'if-match': ifMatch,
      'document-digest': { kind: 'text', says: 'as client show printed it: refused if its document says something else by now' },
    },
    call: { method: 'PATCH', path: client, body: { preApproved: true } },
    example: 'drawbridge client approve initech https://agent.example/client.json',
  },
  {
    name: 'client logo look',
    does: 'Fetch the logo that a client names, to look at it: the picture in base64, and its digest. Nothing is kept',
    takes: ['tenant', 'client'],
    call: { method: 'POST', path: `${client}/logo/look` },
    shows: { record: true },
    example: 'drawbridge client logo look initech https://agent.example/client.json',
  },
  {
    name: 'client logo approve',
    does: 'Let people see the logo that you looked at, where they are asked about this client; another picture is refused',
    takes: ['tenant', 'client'],
    flags: { digest: { kind: 'text', says: 'as client logo look printed it', required: true } },
    call: { method: 'PUT', path: `${client}/logo` },
    done: 'People see it where they are asked, while the client is approved and names that address.',
    example: 'drawbridge client logo approve initech https://agent.example/client.json --digest 2Xk…',
  },
  {
    name: 'client logo show',
    does: 'Show the logo that was approved, and whether people see it',
    takes: ['tenant', 'client'],
    call: { method: 'GET', path: `${client}/logo` },
    shows: { record: true },
    example: 'drawbridge client logo show initech https://agent.example/client.json',
  },
  {
    name: 'client logo withdraw',
    does: 'Show people the logo no more',
    takes: ['tenant', 'client'],
    call: { method: 'DELETE', path: `${client}/logo` },
    confirms: 'Show people the logo of {client} no more?',
    done: 'Withdrawn.',
    example: 'drawbridge client logo withdraw initech https://agent.example/client.json',
  },
  {
    name: 'client block',
    does: 'Refuse what a client asks for from now on; kill it to end what exists',
    takes: ['tenant', 'client'],
    flags: { 'if-match': ifMatch },
    call: { method: 'PATCH', path: client, body: { blocked: true } },
    confirms: 'Block the client {client}?',
    example: 'drawbridge client block initech agent',
  },
  {
    name: 'client unblock',
    does: 'Serve a blocked client again',
    takes: ['tenant', 'client'],
    flags: { 'if-match': ifMatch },
    call: { method: 'PATCH', path: client, body: { blocked: false } },
    example: 'drawbridge client unblock initech agent',
  },
  {
    name: 'client correct',
    does: 'Correct the name, the redirect URIs or the logout URI of a client that an admin registered',
    takes: ['tenant', 'client'],
    flags: correctionFlags,
    call: { method: 'PATCH', path: `${client}/registration`, body: {} },
    example: 'drawbridge client correct initech agent --redirect-uri https://agent.example/callback',
  },
  {
    name: 'client secret',
    does: 'Make a new secret, shown once; what it had is worth nothing from then on: add-secret leaves no gap',
    takes: ['tenant', 'client'],
    flags: { 'if-match': ifMatch },
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
    flags: { 'if-match': ifMatch },
    call: { method: 'DELETE', path: client },
    confirms: 'Remove the client {client}?',
    done: 'Removed.',
    example: 'drawbridge client remove initech agent',
  },
]
