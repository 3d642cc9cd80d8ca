/** Work that the workers have given up, and how to have it tried again. */
import type { AdminCommand } from '../command.js'
import { reason } from './tenant-commands.js'

export const deadLetterCommands: readonly AdminCommand[] = [
  {
    name: 'dead-letter list',
    does: 'List work that was given up after its last round, of all tenants',
    takes: [],
    flags: {
      kind: { kind: 'text', says: 'of this kind: revoke, and whatever else the list shows' },
      tenant: { kind: 'text', says: 'of this tenant, by its slug' },
      all: { kind: 'switch', says: 'all of them, not the newest 200' },
    },
    call: { method: 'GET', path: '/dead-letters' },
    shows: {
      rows: 'deadLetters',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['tenant', 'tenant'],
        ['kind', 'kind'],
        ['dead since', 'deadAt'],
        ['attempts', 'attempts'],
        ['target', 'target'],
        ['target id', 'targetId'],
        ['reason', 'reason'],
      ],
    },
    example: 'drawbridge dead-letter list --kind revoke',
  },
  {
    name: 'dead-letter replay',
    does: 'Have one dead letter tried again, or all of a kind',
    takes: [],
    flags: {
      id: { kind: 'number', says: 'one, as the list shows it' },
      kind: { kind: 'text', says: 'all of this kind' },
      reason,
    },
    call: { method: 'POST', path: '/dead-letters/replay' },
    example: 'drawbridge dead-letter replay --kind revoke --reason "the disk is repaired"',
  },
]
