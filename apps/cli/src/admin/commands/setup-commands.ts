/** Set-up links, and the connections that a company's IT describes with them. */
import type { AdminCommand, Flag } from '../command.js'

const all: Flag = { kind: 'switch', says: 'all of them, not the newest 200' }
const revision: Flag = { kind: 'number', says: 'as the list shows it: a draft that has changed since is not decided', required: true }

export const setupCommands: readonly AdminCommand[] = [
  {
    name: 'setup-link create',
    does: 'Make a link with which a company’s IT describes its IdP; shown once, opened once',
    takes: ['tenant'],
    flags: {
      note: { kind: 'text', says: 'whom it is for; in the trail and in what the contacts read', required: true },
      days: { kind: 'number', says: 'how long it may be opened' },
    },
    call: { method: 'POST', path: '/tenants/{tenant}/setup-links' },
    done: 'The link is shown this once: whoever opens it first describes the connection.',
    example: 'drawbridge setup-link create initech --note "Ada, IT"',
  },
  {
    name: 'setup-link list',
    does: 'List set-up links, used and revoked ones too',
    takes: ['tenant'],
    flags: { all },
    call: { method: 'GET', path: '/tenants/{tenant}/setup-links' },
    shows: {
      rows: 'setupLinks',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['note', 'note'],
        ['opened', 'openedAt'],
        ['expires', 'expiresAt'],
        ['revoked', 'revokedAt'],
      ],
    },
    example: 'drawbridge setup-link list initech',
  },
  {
    name: 'setup-link revoke',
    does: 'Take a set-up link back, opened or not; a draft that waits goes on waiting',
    takes: ['tenant', 'id'],
    call: { method: 'DELETE', path: '/tenants/{tenant}/setup-links/{id}' },
    confirms: 'Take the set-up link {id} of {tenant} back?',
    done: 'Taken back.',
    example: 'drawbridge setup-link revoke initech 0f0e7d0a-0000-4000-8000-000000000000',
  },
  {
    name: 'connection-draft list',
    does: 'List connections that a company’s IT described by set-up links',
    takes: ['tenant'],
    flags: { all },
    call: { method: 'GET', path: '/tenants/{tenant}/connection-drafts' },
    shows: {
      rows: 'connectionDrafts',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['name', 'name'],
        ['kind', 'kind'],
        ['state', 'state'],
        ['revision', 'revision'],
        ['metadata', 'metadataUrl'],
        ['configuration', 'configuration'],
      ],
    },
    example: 'drawbridge connection-draft list initech',
  },
  {
    name: 'connection-draft approve',
    does: 'Make a draft that waits a connection of the tenant, beside those that it has',
    takes: ['tenant', 'id'],
    flags: { revision },
    call: { method: 'POST', path: '/tenants/{tenant}/connection-drafts/{id}/approve' },
    confirms: 'Let people of {tenant} sign in through the draft {id}? Whoever runs its IdP says who they are.',
    done: 'It is a connection now.',
    example: 'drawbridge connection-draft approve initech 0f0e7d0a-0000-4000-8000-000000000000 --revision 2',
  },
  {
    name: 'connection-draft decline',
    does: 'Decline a draft that waits; its secret is forgotten',
    takes: ['tenant', 'id'],
    flags: { revision },
    call: { method: 'POST', path: '/tenants/{tenant}/connection-drafts/{id}/decline' },
    done: 'Declined.',
    example: 'drawbridge connection-draft decline initech 0f0e7d0a-0000-4000-8000-000000000000 --revision 2',
  },
]
