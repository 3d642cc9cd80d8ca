/** Whether devices may ask for access by a code that a person types elsewhere. */
import type { AdminCommand } from '../command.js'

export const deviceCommands: readonly AdminCommand[] = [
  {
    name: 'device-grant show',
    does: 'Show whether devices may ask for access by a code that a person types elsewhere',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/device-grant' },
    shows: { record: true },
    example: 'drawbridge device-grant show initech',
  },
  {
    name: 'device-grant set',
    does: 'Let devices ask for access by a code that a person types elsewhere, or no longer; what was granted lives on',
    takes: ['tenant'],
    flags: {
      on: { kind: 'switch', says: 'devices may ask', member: 'enabled', value: true },
      off: {
        kind: 'switch',
        says: 'they may not, as is so unless chosen; what waits for an answer gets none',
        member: 'enabled',
        value: false,
      },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/device-grant', body: {} },
    shows: { record: true },
    example: 'drawbridge device-grant set initech --on',
  },
]
