/** A second factor of the product's own: when it is asked for, who has one, and what an admin does for whoever has none or has lost hers. */
import type { AdminCommand, Flag } from '../command.js'

const all: Flag = { kind: 'switch', says: 'all of them, not the newest 200' }

export const factorCommands: readonly AdminCommand[] = [
  {
    name: 'second-factor show',
    does: 'Show when a second factor of the product is asked for',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/second-factor' },
    shows: { record: true },
    example: 'drawbridge second-factor show initech',
  },
  {
    name: 'second-factor set',
    does: 'Choose when a second factor of the product is asked for beside the sign-in at the IdP',
    takes: ['tenant'],
    flags: {
      mode: {
        kind: 'text',
        says: 'never; where the IdP was asked in vain; or only at connections that cannot prove one',
        choices: ['off', 'on', 'where_unproven'],
        required: true,
      },
      'cannot-prove': { kind: 'list', says: 'a connection, by id, whose IdP cannot prove a second factor and is not asked; several' },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/second-factor' },
    shows: { record: true },
    example: 'drawbridge second-factor set initech --mode where_unproven --cannot-prove 0f0e7d0a-0000-4000-8000-000000000000',
  },
  {
    name: 'second-factor list',
    does: 'List the second factors that people have',
    takes: ['tenant'],
    flags: { 'subject-id': { kind: 'text', says: 'of this person, by id' }, all },
    call: { method: 'GET', path: '/tenants/{tenant}/factors' },
    shows: {
      rows: 'factors',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['subject', 'subjectId'],
        ['kind', 'kind'],
        ['name', 'name'],
        ['enrolled by', 'enrolledBy'],
        ['created', 'createdAt'],
        ['used', 'usedAt'],
      ],
    },
    example: 'drawbridge second-factor list initech',
  },
  {
    name: 'second-factor code',
    does: 'Make the one-time code with which a person enrols her first factor; shown once',
    takes: ['tenant', 'id'],
    call: { method: 'POST', path: '/tenants/{tenant}/subjects/{id}/factor-codes' },
    confirms: 'Have you made sure who asks? Whoever has this code and can sign in as {id} of {tenant} enrols a factor in her name.',
    shows: { record: true },
    done: 'Tell her the code by another way than the one she signs in by. It is shown this once.',
    example: 'drawbridge second-factor code initech 0f0e7d0a-0000-4000-8000-000000000000',
  },
  {
    name: 'second-factor reset',
    does: 'Take every factor of a person away; what was issued to her until now is dead',
    takes: ['tenant', 'id'],
    flags: { reason: { kind: 'text', says: 'for the audit trail and the receipt', required: true } },
    call: { method: 'POST', path: '/tenants/{tenant}/subjects/{id}/factors/reset' },
    confirms: 'Take every second factor of {id} of {tenant} away, and end everything issued to her?',
    shows: { record: true },
    done: 'She signs in anew, and enrols with a new code: drawbridge second-factor code.',
    example: 'drawbridge second-factor reset initech 0f0e7d0a-0000-4000-8000-000000000000 --reason "lost her phone"',
  },
]
