/** Tenants, and what of a tenant stands beside its connections: who may come in, invitations, the directory's tokens. */
import type { AdminCommand, Flag } from '../command.js'

export const reason: Flag = { kind: 'text', says: 'why; for the audit trail and the receipt', required: true }

const tenants: readonly AdminCommand[] = [
  {
    name: 'tenant list',
    does: 'List tenants',
    takes: [],
    call: { method: 'GET', path: '/tenants' },
    shows: {
      rows: 'tenants',
      columns: [
        ['slug', 'slug'],
        ['name', 'name'],
        ['issuer', 'issuer'],
        ['policy', 'policyVersion'],
        ['suspended', 'suspendedAt'],
      ],
    },
    example: 'drawbridge tenant list',
  },
  {
    name: 'tenant show',
    does: 'Show a tenant',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}' },
    example: 'drawbridge tenant show initech',
  },
  {
    name: 'tenant create',
    does: 'Create a tenant with its issuer and keys',
    takes: ['slug'],
    flags: { name: { kind: 'text', says: 'the name that people read', required: true } },
    call: { method: 'POST', path: '/tenants', inBody: { slug: 'slug' } },
    example: 'drawbridge tenant create initech --name Initech',
  },
  {
    name: 'tenant rename',
    does: 'Change the name that people read; the slug is for ever',
    takes: ['tenant', 'name'],
    call: { method: 'PATCH', path: '/tenants/{tenant}', inBody: { name: 'name' } },
    example: 'drawbridge tenant rename initech "Initech Inc."',
  },
  {
    name: 'tenant suspend',
    does: 'Suspend a tenant and end everything of it: sessions, grants, tokens',
    takes: ['tenant'],
    flags: { reason },
    call: { method: 'POST', path: '/tenants/{tenant}/kill' },
    confirms: 'Suspend {tenant} and end everything of it, for everybody? Nothing that ends comes back.',
    example: 'drawbridge tenant suspend initech --reason "contract ended"',
  },
  {
    name: 'tenant resume',
    does: 'Let a suspended tenant sign in again; nothing that ended comes back',
    takes: ['tenant'],
    call: { method: 'POST', path: '/tenants/{tenant}/reinstate' },
    done: 'People may sign in again.',
    example: 'drawbridge tenant resume initech',
  },
]

const provisioning: readonly AdminCommand[] = [
  {
    name: 'provisioning show',
    does: 'Show who may become a subject of a tenant',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/provisioning' },
    example: 'drawbridge provisioning show initech',
  },
  {
    name: 'provisioning set',
    does: 'Choose who may become a subject: whoever signs in, whom the directory provisioned, or who was invited',
    takes: ['tenant', 'mode'],
    call: { method: 'PUT', path: '/tenants/{tenant}/provisioning', inBody: { mode: 'mode' } },
    example: 'drawbridge provisioning set initech scim_only',
  },
  {
    name: 'logout show',
    does: 'Show whether what was granted from a session ends with it',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/logout' },
    example: 'drawbridge logout show initech',
  },
  {
    name: 'logout set',
    does: 'Choose whether what was granted from a session ends with it; a deprovisioning ends everything, whatever is chosen',
    takes: ['tenant'],
    flags: {
      'grants-end': {
        kind: 'switch',
        says: 'grants end with their session, as they do unless chosen',
        member: 'grantsOutliveLogout',
        value: false,
      },
      'grants-outlive': { kind: 'switch', says: 'grants live on until their own time', member: 'grantsOutliveLogout', value: true },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/logout', body: {} },
    example: 'drawbridge logout set initech --grants-end',
  },
  {
    name: 'invitation list',
    does: 'List invitations, used and revoked ones too',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/invitations' },
    shows: {
      rows: 'invitations',
      columns: [
        ['id', 'id'],
        ['by', 'namedBy'],
        ['value', 'value'],
        ['expires', 'expiresAt'],
        ['used', 'usedAt'],
        ['revoked', 'revokedAt'],
      ],
    },
    example: 'drawbridge invitation list initech',
  },
  {
    name: 'invitation create',
    does: 'Invite a person; her first login uses the invitation up',
    takes: ['tenant', 'connection'],
    flags: {
      by: { kind: 'text', says: 'what names her', member: 'namedBy', choices: ['link_key', 'email'], required: true },
      value: { kind: 'text', says: 'her link key or address', required: true },
      'expires-at': { kind: 'text', says: 'when it ends, in UTC; 30 days from now at most' },
    },
    call: { method: 'POST', path: '/tenants/{tenant}/invitations', inBody: { connection: 'connectionId' } },
    example: 'drawbridge invitation create initech Okta --by email --value ada@initech.example',
  },
  {
    name: 'invitation revoke',
    does: 'Take an invitation back that nobody has used',
    takes: ['tenant', 'id'],
    call: { method: 'DELETE', path: '/tenants/{tenant}/invitations/{id}' },
    done: 'Taken back.',
    example: 'drawbridge invitation revoke initech 0f0e7d0a-0000-4000-8000-000000000000',
  },
]

const contacts: readonly AdminCommand[] = [
  {
    name: 'contact list',
    does: 'List the people who are told when somebody changes how the tenant’s people sign in',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/contacts' },
    shows: {
      rows: 'contacts',
      columns: [
        ['name', 'name'],
        ['email', 'email'],
        ['id', 'id'],
      ],
    },
    example: 'drawbridge contact list initech',
  },
  {
    name: 'contact add',
    does: 'Tell somebody from now on; she and the others are told of that',
    takes: ['tenant'],
    flags: { name: { kind: 'text', says: 'her name', required: true }, email: { kind: 'text', says: 'her address', required: true } },
    call: { method: 'POST', path: '/tenants/{tenant}/contacts' },
    example: 'drawbridge contact add initech --name "Initech IT" --email it@initech.example',
  },
  {
    name: 'contact change',
    does: 'Change the name and the address of a contact, who is told at both addresses',
    takes: ['tenant', 'id'],
    flags: { name: { kind: 'text', says: 'her name', required: true }, email: { kind: 'text', says: 'her address', required: true } },
    call: { method: 'PUT', path: '/tenants/{tenant}/contacts/{id}' },
    example: 'drawbridge contact change initech 0f0e7d0a-0000-4000-8000-000000000000 --name "Initech IT" --email security@initech.example',
  },
  {
    name: 'contact remove',
    does: 'Tell a contact no more; she and the others are told of that',
    takes: ['tenant', 'id'],
    call: { method: 'DELETE', path: '/tenants/{tenant}/contacts/{id}' },
    confirms: 'Tell the contact {id} of {tenant} no more?',
    done: 'Removed.',
    example: 'drawbridge contact remove initech 0f0e7d0a-0000-4000-8000-000000000000',
  },
  {
    name: 'announcement list',
    does: 'List what the contacts were told, or will be',
    takes: ['tenant'],
    flags: {
      state: { kind: 'text', says: 'how far it is', choices: ['waiting', 'sent', 'failed'] },
      all: { kind: 'switch', says: 'all of them, not the newest 200' },
    },
    call: { method: 'GET', path: '/tenants/{tenant}/announcements' },
    shows: {
      rows: 'announcements',
      newestFirst: true,
      columns: [
        ['opened', 'openedAt'],
        ['to', 'recipientEmail'],
        ['acts', 'actCount'],
        ['state', 'state'],
        ['trouble', 'trouble'],
        ['id', 'id'],
      ],
    },
    example: 'drawbridge announcement list initech --state failed',
  },
  {
    name: 'announcement retry',
    does: 'Try a mail again that was given up, to the address that it was written to',
    takes: ['tenant', 'id'],
    call: { method: 'POST', path: '/tenants/{tenant}/announcements/{id}/retry' },
    shows: { record: true },
    done: 'It is sent within half a minute, or waits for the mail server: drawbridge announcement list.',
    example: 'drawbridge announcement retry initech 0f0e7d0a-0000-4000-8000-000000000000',
  },
]

const directory: readonly AdminCommand[] = [
  {
    name: 'scim-token list',
    does: 'List SCIM tokens with their last use, revoked ones too',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/scim-tokens' },
    shows: {
      rows: 'scimTokens',
      columns: [
        ['id', 'id'],
        ['name', 'name'],
        ['connection', 'connectionId'],
        ['scope', 'scope'],
        ['last used', 'lastUsedAt'],
        ['expires', 'expiresAt'],
        ['revoked', 'revokedAt'],
      ],
    },
    example: 'drawbridge scim-token list initech',
  },
  {
    name: 'scim-token create',
    does: 'Make the bearer token with which the IdP provisions a connection; shown once, at most two live with one scope; or let an OAuth client do so',
    takes: ['tenant', 'connection'],
    flags: {
      name: { kind: 'text', says: 'what it is called in the list', required: true },
      'expires-at': { kind: 'text', says: 'when it ends, in UTC; default: never' },
      'client-id': { kind: 'text', says: 'an OAuth client with client_credentials and scopes of SCIM, instead of a secret' },
      scope: {
        kind: 'text',
        says: 'the most that it may do: scim:read, scim:users (people, and that they leave), or scim (groups, too); default: scim',
      },
    },
    call: { method: 'POST', path: '/tenants/{tenant}/scim-tokens', inBody: { connection: 'connectionId' } },
    done: 'The secret is shown this once.',
    example: 'drawbridge scim-token create initech Okta --name directory',
  },
  {
    name: 'scim-token revoke',
    does: 'Revoke a SCIM token: its directory tells us nothing any more',
    takes: ['tenant', 'id'],
    call: { method: 'DELETE', path: '/tenants/{tenant}/scim-tokens/{id}' },
    confirms: 'Revoke the token {id} of {tenant}? Whom its directory deactivates afterwards keeps access until it has another one.',
    done: 'Revoked.',
    example: 'drawbridge scim-token revoke initech 0f0e7d0a-0000-4000-8000-000000000000',
  },
]

export const tenantCommands: readonly AdminCommand[] = [...tenants, ...provisioning, ...contacts, ...directory]
