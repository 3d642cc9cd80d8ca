/** What happened, who has what, and how to take it back: people, grants, receipts, trails, keys. */
import type { AdminCommand, Flag } from '../command.js'
import { reason } from './tenant-commands.js'

const all: Flag = { kind: 'switch', says: 'all of them, not the newest 200' }

const people: readonly AdminCommand[] = [
  {
    name: 'subject list',
    does: 'List people by their last login',
    takes: ['tenant'],
    flags: { 'stable-id': { kind: 'text', says: 'one person exactly' }, all },
    call: { method: 'GET', path: '/tenants/{tenant}/subjects' },
    shows: {
      rows: 'subjects',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['stable id', 'stableId'],
        ['last login', 'lastLoginAt'],
        ['deactivated', 'deactivatedAt'],
        ['by', 'deactivatedBy'],
      ],
    },
    example: 'drawbridge subject list initech',
  },
  {
    name: 'subject kill',
    does: 'Deactivate a person: everything ends, nothing new begins',
    takes: ['tenant', 'id'],
    flags: { reason },
    call: { method: 'POST', path: '/tenants/{tenant}/subjects/{id}/kill' },
    confirms: 'Deactivate the person {id} and end everything she has?',
    example: 'drawbridge subject kill initech 0f0e7d0a-0000-4000-8000-000000000000 --reason "left the company"',
  },
  {
    name: 'subject reinstate',
    does: 'Let a deactivated person sign in again; nothing that ended comes back',
    takes: ['tenant', 'id'],
    flags: { reason },
    call: { method: 'POST', path: '/tenants/{tenant}/subjects/{id}/reinstate' },
    done: 'She may sign in again.',
    example: 'drawbridge subject reinstate initech 0f0e7d0a-0000-4000-8000-000000000000 --reason "came back"',
  },
  {
    name: 'scim-user list',
    does: 'List the users of the directories and whom each is linked to',
    takes: ['tenant'],
    flags: {
      'user-name': { kind: 'text', says: 'one exactly, without case' },
      'external-id': { kind: 'text', says: 'one exactly' },
      unnamed: { kind: 'switch', says: 'those who stay out since a restore, until their directory names them', value: 'true' },
      all,
    },
    call: { method: 'GET', path: '/tenants/{tenant}/scim-users' },
    shows: {
      rows: 'scimUsers',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['user name', 'userName'],
        ['external id', 'externalId'],
        ['active', 'active'],
        ['subject', 'subjectId'],
        ['deleted', 'deletedAt'],
      ],
    },
    example: 'drawbridge scim-user list initech --user-name ada@initech.example',
  },
  {
    name: 'scim-group list',
    does: 'List the groups that the directories have sent',
    takes: ['tenant'],
    flags: {
      'display-name': { kind: 'text', says: 'one exactly, without case' },
      'external-id': { kind: 'text', says: 'one exactly' },
      'member-id': { kind: 'text', says: 'those that hold this user itself, as scim-user list shows it' },
      all,
    },
    call: { method: 'GET', path: '/tenants/{tenant}/scim-groups' },
    shows: {
      rows: 'scimGroups',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['name', 'displayName'],
        ['external id', 'externalId'],
        ['members', 'memberCount'],
        ['changed', 'updatedAt'],
      ],
    },
    example: 'drawbridge scim-group list initech --display-name Engineers',
  },
  {
    name: 'scim-group members',
    does: 'List whom a group of a directory holds',
    takes: ['tenant', 'id'],
    flags: { all },
    call: { method: 'GET', path: '/tenants/{tenant}/scim-groups/{id}/members' },
    shows: {
      rows: 'members',
      columns: [
        ['id', 'id'],
        ['type', 'type'],
        ['name', 'display'],
        ['user name', 'userName'],
        ['active', 'active'],
        ['subject', 'subjectId'],
      ],
    },
    example: 'drawbridge scim-group members initech 0f0e7d0a-0000-4000-8000-000000000002',
  },
  {
    name: 'subject link',
    does: 'Link a person to a user of her directory; what was issued until now ends',
    takes: ['tenant', 'id'],
    flags: { 'scim-user-id': { kind: 'text', says: 'the user, as scim-user list shows it', required: true }, reason },
    call: { method: 'POST', path: '/tenants/{tenant}/subjects/{id}/link' },
    confirms: 'Link the person {id}? What was issued to her until now ends, and a deactivation of that user hits her.',
    example:
      'drawbridge subject link initech 0f0e7d0a-0000-4000-8000-000000000000 --scim-user-id 0f0e7d0a-0000-4000-8000-000000000001 --reason "renamed"',
  },
  {
    name: 'subject unlink',
    does: 'Take the link of a person to her directory away; what was issued until now ends',
    takes: ['tenant', 'id'],
    flags: { reason },
    call: { method: 'POST', path: '/tenants/{tenant}/subjects/{id}/unlink' },
    confirms: 'Take the link of the person {id} away? What was issued to her until now ends.',
    example: 'drawbridge subject unlink initech 0f0e7d0a-0000-4000-8000-000000000000 --reason "linked to the wrong user"',
  },
  {
    name: 'grant list',
    does: 'List grants',
    takes: ['tenant'],
    flags: { subject: { kind: 'text', says: 'of this person, by id' }, client: { kind: 'text', says: 'of this client' }, all },
    call: { method: 'GET', path: '/tenants/{tenant}/grants' },
    shows: {
      rows: 'grants',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['client', 'clientId'],
        ['subject', 'subjectId'],
        ['audience', 'audience'],
        ['scopes', 'scopes'],
        ['access s', 'accessTokenSeconds'],
        ['opened', 'createdAt'],
        ['from', 'openedFrom'],
        ['key', 'boundToKey'],
        ['living', 'living'],
      ],
    },
    example: 'drawbridge grant list initech --client agent',
  },
  {
    name: 'grant revoke',
    does: 'Revoke one grant and all its tokens',
    takes: ['tenant', 'id'],
    flags: { reason },
    call: { method: 'POST', path: '/tenants/{tenant}/grants/{id}/revoke' },
    confirms: 'Revoke the grant {id}?',
    example: 'drawbridge grant revoke initech 0f0e7d0a-0000-4000-8000-000000000000 --reason "no longer needed"',
  },
  {
    name: 'consent list',
    does: 'List what people have agreed to and are not asked again',
    takes: ['tenant'],
    flags: { subject: { kind: 'text', says: 'of this person, by id' }, client: { kind: 'text', says: 'of this client' }, all },
    call: { method: 'GET', path: '/tenants/{tenant}/consents' },
    shows: {
      rows: 'consents',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['client', 'clientId'],
        ['subject', 'subjectId'],
        ['audience', 'audience'],
        ['scopes', 'scopes'],
        ['agreed', 'agreedAt'],
        ['until', 'expiresAt'],
      ],
    },
    example: 'drawbridge consent list initech --client agent',
  },
  {
    name: 'consent withdraw',
    does: 'Forget a consent, and end what the person\u2019s client holds for that resource',
    takes: ['tenant', 'id'],
    flags: { reason },
    call: { method: 'POST', path: '/tenants/{tenant}/consents/{id}/withdraw' },
    confirms: 'Withdraw the consent {id}?',
    example: 'drawbridge consent withdraw initech 0f0e7d0a-0000-4000-8000-000000000000 --reason "asked by the person"',
  },
]

const auditRows = {
  rows: 'auditEvents',
  newestFirst: true,
  columns: [
    ['at', 'at'],
    ['kind', 'kind'],
    ['reason', 'reason'],
    ['detail', 'detail'],
  ],
} as const
/** Of a tenant's trail, and of the vendor's own. */
function retentionOf(whose: 'tenant' | 'vendor'): readonly AdminCommand[] {
  const [takes, path, words, of] =
    whose === 'tenant'
      ? ([['tenant'], '/tenants/{tenant}/audit-retention', 'audit retention', 'the trail of a tenant'] as const)
      : ([[], '/audit-retention', 'audit vendor-retention', 'the vendor\u2019s own trail'] as const)
  const named = whose === 'tenant' ? ' initech' : ''
  return [
    {
      name: `${words} show`,
      does: `Show how long ${of} is kept`,
      takes,
      call: { method: 'GET', path },
      shows: { record: true },
      example: `drawbridge ${words} show${named}`,
    },
    {
      name: `${words} set`,
      does: `Choose how long ${of} is kept; what is not given is kept for ever, and nothing ends before a week has gone by`,
      takes,
      flags: {
        everyday: { kind: 'number', says: 'what everyday use writes, 30 days at least', member: 'everydayDays' },
        others: { kind: 'number', says: 'everything else, 400 days at least', member: 'otherDays' },
      },
      call: { method: 'PUT', path, body: { everydayDays: null, otherDays: null } },
      confirms: 'Have older lines deleted for ever from a week from now? Export them first.',
      shows: { record: true },
      example: `drawbridge ${words} set${named} --everyday 90 --others 400`,
    },
  ]
}

const trails: readonly AdminCommand[] = [
  {
    name: 'receipt list',
    does: 'List what was taken away, when, and since when it is dead at every guard; with --receivers --all --json, as evidence',
    takes: ['tenant'],
    flags: {
      since: { kind: 'text', says: 'received at or after this time' },
      until: { kind: 'text', says: 'received before it' },
      matched: { kind: 'text', says: 'false: the alarms, which named nobody', choices: ['true', 'false'] },
      receivers: { kind: 'switch', says: 'with each guard instance that had to hear, for 90 days', value: 'true' },
      resource: { kind: 'text', says: 'with --receivers: of this resource server alone, first who has acknowledged' },
      all,
    },
    call: { method: 'GET', path: '/tenants/{tenant}/revocations' },
    shows: {
      rows: 'revocations',
      newestFirst: true,
      columns: [
        ['at', 'barrierAt'],
        ['source', 'source'],
        ['target', 'target'],
        ['id', 'targetId'],
        ['matched', 'matched'],
        ['dead after (s)', 'secondsToDead'],
        ['due', 'due'],
        ['acknowledged', 'acknowledged'],
        ['reason', 'reason'],
      ],
    },
    example: 'drawbridge receipt list initech',
  },
  {
    name: 'audit list',
    does: 'Read the trail of a tenant',
    takes: ['tenant'],
    flags: { all },
    call: { method: 'GET', path: '/tenants/{tenant}/audit-events' },
    shows: auditRows,
    example: 'drawbridge audit list initech',
  },
  {
    name: 'audit vendor',
    does: 'Read the vendor’s own trail',
    takes: [],
    flags: { all },
    call: { method: 'GET', path: '/audit-events' },
    shows: auditRows,
    example: 'drawbridge audit vendor',
  },
  ...(['tenant', 'vendor'] as const).flatMap(retentionOf),
]

const adminKeyRows = {
  rows: 'adminKeys',
  columns: [
    ['id', 'id'],
    ['name', 'name'],
    ['permissions', 'permissions'],
    ['expires', 'expiresAt'],
    ['revoked', 'revokedAt'],
  ],
} as const
const keys: readonly AdminCommand[] = [
  {
    name: 'admin-key list',
    does: 'List the admin keys of this key’s owner, revoked ones too',
    takes: [],
    call: { method: 'GET', path: '/admin-keys' },
    shows: adminKeyRows,
    example: 'drawbridge admin-key list',
  },
  {
    name: 'admin-key issue',
    does: 'Make an admin key, shown once; never wider than the key that makes it',
    takes: ['name'],
    flags: {
      permission: { kind: 'list', says: 'what it may do; several', member: 'permissions', required: true },
      'expires-at': { kind: 'text', says: 'when it ends, in UTC', required: true },
      tenant: { kind: 'text', says: 'the slug of the tenant that it is for; default: the owner of the key that makes it' },
    },
    call: { method: 'POST', path: '/admin-keys', inBody: { name: 'name' } },
    done: 'The secret is shown this once.',
    example: 'drawbridge admin-key issue "Initech IT" --tenant initech --permission configuration:read --expires-at 2027-01-01T00:00:00Z',
  },
  {
    name: 'admin-key revoke',
    does: 'Revoke an admin key of this key’s owner',
    takes: ['id'],
    call: { method: 'DELETE', path: '/admin-keys/{id}' },
    confirms: 'Revoke the admin key {id}?',
    done: 'Revoked.',
    example: 'drawbridge admin-key revoke 0f0e7d0a-0000-4000-8000-000000000000',
  },
  {
    name: 'tenant-admin-key list',
    does: 'List the admin keys of a tenant, revoked ones too',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/admin-keys' },
    shows: adminKeyRows,
    example: 'drawbridge tenant-admin-key list initech',
  },
  {
    name: 'tenant-admin-key revoke',
    does: 'Revoke an admin key of a tenant',
    takes: ['tenant', 'id'],
    call: { method: 'DELETE', path: '/tenants/{tenant}/admin-keys/{id}' },
    confirms: 'Revoke the admin key {id} of {tenant}?',
    done: 'Revoked.',
    example: 'drawbridge tenant-admin-key revoke initech 0f0e7d0a-0000-4000-8000-000000000000',
  },
]

export const watchCommands: readonly AdminCommand[] = [...people, ...trails, ...keys]
