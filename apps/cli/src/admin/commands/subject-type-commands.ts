/** By which `sub` clients that say nothing know people. */
import type { AdminCommand } from '../command.js'

export const subjectTypeCommands: readonly AdminCommand[] = [
  {
    name: 'client subject-types show',
    does: 'Show whether clients know people by a sub of their own unless they say otherwise',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/subject-types' },
    shows: { record: true },
    example: 'drawbridge client subject-types show initech',
  },
  {
    name: 'client subject-types set',
    does: 'Choose whether clients that become known from then on know people by a sub of their own; those that are known keep theirs',
    takes: ['tenant'],
    flags: {
      pairwise: {
        kind: 'switch',
        says: 'by one of their own: clients cannot compare whom they know',
        member: 'pairwiseByDefault',
        value: true,
      },
      public: {
        kind: 'switch',
        says: 'by the one that everybody is told, as it is unless chosen',
        member: 'pairwiseByDefault',
        value: false,
      },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/subject-types', body: {} },
    shows: { record: true },
    example: 'drawbridge client subject-types set initech --pairwise',
  },
]
