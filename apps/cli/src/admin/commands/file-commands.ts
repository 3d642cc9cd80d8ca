/** A tenant in a file. */
import type { AdminCommand } from '../command.js'

export const fileCommands: readonly AdminCommand[] = [
  {
    name: 'export',
    does: 'Print a tenant as one YAML document: everything that people decide about it, secrets by name',
    takes: ['tenant'],
    load: async () => (await import('../../tenant-file/export-tenant.js')).exportTenant,
    shows: { text: 'document' },
    example: 'drawbridge export initech > initech.yaml',
  },
  {
    name: 'apply',
    does: 'Bring tenants to what their files say; show first what would change, and write nothing where a file holds a mistake',
    takes: [],
    flags: {
      file: {
        kind: 'list',
        short: 'f',
        says: 'a file, or a folder of .yaml files; several; - reads standard input',
        member: 'files',
        required: true,
      },
      tenant: { kind: 'text', says: 'the slug that the files are to name: a mistake where one names another tenant' },
      'dry-run': { kind: 'switch', says: 'show what would change, and write nothing' },
      expect: { kind: 'text', says: 'the state that an earlier run showed: nothing is written where somebody changed a tenant since' },
      prune: { kind: 'switch', says: 'take away what sections of a file do not name; asks before' },
      secrets: { kind: 'switch', says: 'send the secrets that a file names even where the broker has one: after a change of them' },
    },
    load: async () => (await import('../../tenant-file/apply-tenants.js')).applyTenants,
    shows: { nothing: true },
    example: 'drawbridge apply -f initech.yaml --tenant initech --dry-run',
  },
]
