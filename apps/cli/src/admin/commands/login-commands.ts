/** Why logins failed, and a test of one: for whoever has to mend a sign-in. */
import type { AdminCommand, Flag } from '../command.js'

const all: Flag = { kind: 'switch', says: 'all of them, not the newest 200' }
const connection: Flag = { kind: 'text', says: 'of this connection, by id' }

const failed: readonly AdminCommand[] = [
  {
    name: 'failed-login list',
    does: 'List the traces of failed logins',
    takes: ['tenant'],
    flags: {
      code: { kind: 'text', says: 'the code that the person was shown' },
      connection,
      outcome: { kind: 'text', says: 'how it ended', choices: ['unavailable', 'refused', 'denied'] },
      reason: { kind: 'text', says: 'why, exactly' },
      all,
    },
    call: { method: 'GET', path: '/tenants/{tenant}/login-traces' },
    shows: {
      rows: 'loginTraces',
      newestFirst: true,
      columns: [
        ['at', 'at'],
        ['code', 'code'],
        ['outcome', 'outcome'],
        ['reason', 'reason'],
        ['by the IdP', 'proven'],
        ['connection', 'connectionId'],
      ],
    },
    example: 'drawbridge failed-login list initech --outcome refused',
  },
  {
    name: 'failed-login show',
    does: 'Show how far a failed login came, why it was refused and what helps',
    takes: ['tenant', 'code'],
    call: { method: 'GET', path: '/tenants/{tenant}/login-traces/{code}' },
    example: 'drawbridge failed-login show initech K7QF-2M9X',
  },
  {
    name: 'failed-login count',
    does: 'Count failed logins by hour and reason; also those that left no trace',
    takes: ['tenant'],
    flags: { connection, all },
    call: { method: 'GET', path: '/tenants/{tenant}/login-failures' },
    shows: {
      rows: 'loginFailures',
      newestFirst: true,
      columns: [
        ['hour', 'hour'],
        ['connection', 'connectionId'],
        ['by the IdP', 'proven'],
        ['by anybody', 'unproven'],
        ['reasons', 'reasons'],
      ],
    },
    example: 'drawbridge failed-login count initech',
  },
  {
    name: 'login-tracing show',
    does: 'Show whether traces of failed logins hold claims',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/login-tracing' },
    shows: { record: true },
    example: 'drawbridge login-tracing show initech',
  },
  {
    name: 'login-tracing set',
    does: 'Say whether traces of failed logins hold claims, or their names alone',
    takes: ['tenant'],
    flags: {
      claims: { kind: 'switch', says: 'what the mapping made of the login, names and values', member: 'recordClaims', value: true },
      'names-only': { kind: 'switch', says: 'the names of the claims alone', member: 'recordClaims', value: false },
    },
    call: { method: 'PUT', path: '/tenants/{tenant}/login-tracing' },
    shows: { record: true },
    example: 'drawbridge login-tracing set initech --names-only',
  },
]

const tests: readonly AdminCommand[] = [
  {
    name: 'connection test',
    does: 'Ask for a test login: a one-time URL for your own browser; nothing is opened by it',
    takes: ['tenant', 'connection'],
    flags: {
      'client-id': { kind: 'text', says: 'judge for this client, too' },
      resource: { kind: 'text', says: 'and this resource, by its identifier' },
      scope: { kind: 'list', says: 'what the client asks for; several', member: 'scopes' },
      'policy-version': { kind: 'number', says: 'by this version of the policy; 0: the safe default' },
      'policy-file': { kind: 'file', says: 'by this draft; - reads standard input', member: 'policyDocument' },
      'login-hint': { kind: 'text', says: 'told to the IdP' },
      'second-factor': { kind: 'switch', says: 'demand a second factor of the IdP' },
    },
    call: { method: 'POST', path: '/tenants/{tenant}/connections/{connection}/test-logins' },
    shows: { record: true },
    done: 'Open the URL in your own browser, once. Then read the result: drawbridge connection test-result.',
    example: 'drawbridge connection test initech Okta --client-id agent --resource https://mcp.initech.example/mcp --scope read',
  },
  {
    name: 'connection test-result',
    does: 'Show, with the key that asked for it, what a test login found, step by step',
    takes: ['tenant', 'id'],
    call: { method: 'GET', path: '/tenants/{tenant}/test-logins/{id}' },
    example: 'drawbridge connection test-result initech 0f0e7d0a-0000-4000-8000-000000000000',
  },
]

export const loginCommands: readonly AdminCommand[] = [...failed, ...tests]
