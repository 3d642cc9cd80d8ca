/** Logins that a tenant has recorded, so that policies can be tried on them before they are published. */
import type { AdminCommand } from '../command.js'
import { askedPolicy } from './policy-commands.js'

const all = '/tenants/{tenant}/recorded-logins'
const one = `${all}/{id}`
const recording = '/tenants/{tenant}/login-recording'
const exampleId = '0f0e7d0a-0000-4000-8000-000000000000'

export const recordedLoginCommands: readonly AdminCommand[] = [
  {
    name: 'login-recording show',
    does: 'Show whether decisions on logins are recorded',
    takes: ['tenant'],
    call: { method: 'GET', path: recording },
    shows: { record: true },
    example: 'drawbridge login-recording show initech',
  },
  {
    name: 'login-recording on',
    does: 'Record every decision on a login, with claims, for a week: for policies to be tried on; the contacts are told',
    takes: ['tenant'],
    call: { method: 'PUT', path: recording, body: { recordLogins: true } },
    shows: { record: true },
    example: 'drawbridge login-recording on initech',
  },
  {
    name: 'login-recording off',
    does: 'Record no more logins, and delete what was recorded',
    takes: ['tenant'],
    call: { method: 'PUT', path: recording, body: { recordLogins: false } },
    shows: { record: true },
    confirms: 'Record no more logins of {tenant}, and delete what was recorded?',
    example: 'drawbridge login-recording off initech',
  },
  {
    name: 'recorded-login list',
    does: 'List recorded logins: who, when, for which client, and what was decided; no claims',
    takes: ['tenant'],
    flags: {
      connection: { kind: 'text', says: 'of this connection, by id' },
      subject: { kind: 'text', says: 'of this person, by id' },
      client: { kind: 'text', says: 'for this client, by client_id' },
      outcome: { kind: 'text', says: 'what was decided', choices: ['allow', 'stepUp', 'deny'] },
      all: { kind: 'switch', says: 'all of them, not the newest 200' },
    },
    call: { method: 'GET', path: all },
    shows: {
      rows: 'recordedLogins',
      newestFirst: true,
      columns: [
        ['at', 'at'],
        ['id', 'id'],
        ['decided', 'outcome'],
        ['policy', 'policyVersion'],
        ['client', 'clientId'],
        ['person', 'subjectId'],
      ],
    },
    example: 'drawbridge recorded-login list initech --outcome deny',
  },
  {
    name: 'recorded-login show',
    does: 'Show what a recorded login said of a person, and what was decided; the trail says who looked',
    takes: ['tenant', 'id'],
    call: { method: 'GET', path: one },
    example: `drawbridge recorded-login show initech ${exampleId}`,
  },
  {
    name: 'recorded-login delete',
    does: 'Delete a recorded login',
    takes: ['tenant', 'id'],
    call: { method: 'DELETE', path: one },
    confirms: 'Delete this recorded login?',
    done: 'Deleted.',
    example: `drawbridge recorded-login delete initech ${exampleId}`,
  },
  {
    name: 'recorded-login delete-person',
    does: 'Delete the recorded logins of a person, by the id of the subject',
    takes: ['tenant', 'id'],
    call: { method: 'DELETE', path: '/tenants/{tenant}/subjects/{id}/recorded-logins' },
    shows: { record: true },
    confirms: 'Delete the recorded logins of this person?',
    example: `drawbridge recorded-login delete-person initech ${exampleId}`,
  },
  {
    name: 'recorded-login delete-all',
    does: 'Delete all recorded logins; those to come are recorded as before',
    takes: ['tenant'],
    call: { method: 'DELETE', path: all },
    shows: { record: true },
    confirms: 'Delete all recorded logins of {tenant}?',
    example: 'drawbridge recorded-login delete-all initech',
  },
  {
    name: 'policy dry-run-recorded',
    does: 'Ask a policy about a recorded login: per scope granted or not, by which rule, with which values; the trail says who asked',
    takes: ['tenant', 'id'],
    flags: askedPolicy,
    load: async () => (await import('../policy-runs.js')).dryRunOfRecord,
    calls: [`POST ${one}/dry-run`],
    shows: { nothing: true },
    example: `drawbridge policy dry-run-recorded initech ${exampleId} --file policy.yaml`,
  },
  {
    name: 'policy replay',
    does: 'Show who of those who signed in lately would gain, lose or be asked for more under another policy; nothing is changed',
    takes: ['tenant'],
    flags: { ...askedPolicy, logins: { kind: 'number', says: 'how many, the newest first; left out: all that are kept' } },
    load: async () => (await import('../policy-runs.js')).replay,
    calls: ['POST /tenants/{tenant}/policies/replay'],
    shows: { nothing: true },
    example: 'drawbridge policy replay initech --file policy.yaml',
  },
]
