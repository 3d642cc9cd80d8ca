/** Two secrets of a client at once, while it is moved from the one to the other. */
import type { AdminCommand, Flag, Shows } from '../command.js'

const secrets = '/tenants/{tenant}/clients/{client}/secrets'
const rows: Shows = {
  rows: 'secrets',
  columns: [
    ['id', 'id'],
    ['made', 'createdAt'],
    ['expires', 'expiresAt'],
    ['last used', 'lastUsedAt'],
  ],
}
const expiresAt = (says: string): Flag => ({ kind: 'text', says })

export const clientSecretCommands: readonly AdminCommand[] = [
  {
    name: 'client add-secret',
    does: 'Give a client a second secret beside the one that it has, shown once; both prove it',
    takes: ['tenant', 'client'],
    flags: { 'expires-at': expiresAt('when it ends, in UTC; default: never') },
    call: { method: 'POST', path: secrets, body: {} },
    done: 'The secret is shown this once.',
    example: 'drawbridge client add-secret initech agent',
  },
  {
    name: 'client limit-secret',
    does: 'Say when a secret of a client ends; one that has ended stays so',
    takes: ['tenant', 'client', 'id'],
    flags: {
      'expires-at': expiresAt('when it ends, in UTC'),
      'no-end': { kind: 'switch', says: 'it has none', member: 'expiresAt', value: null },
    },
    call: { method: 'PATCH', path: `${secrets}/{id}`, body: {} },
    shows: rows,
    example: 'drawbridge client limit-secret initech agent 0f0e7d0a1b2c3d4e --expires-at 2027-01-31T00:00:00Z',
  },
  {
    name: 'client withdraw-secret',
    does: 'Withdraw a secret of a client at once; the last that lives stays',
    takes: ['tenant', 'client', 'id'],
    call: { method: 'DELETE', path: `${secrets}/{id}` },
    confirms: 'Withdraw the secret {id} of {client}? Whoever still proves itself by it is refused from then on.',
    shows: rows,
    example: 'drawbridge client withdraw-secret initech agent 0f0e7d0a1b2c3d4e',
  },
]
