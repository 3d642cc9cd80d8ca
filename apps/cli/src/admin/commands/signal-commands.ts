/** The stream of security events that a connection hears. */
import type { AdminCommand } from '../command.js'
import { reason } from './tenant-commands.js'

const stream = '/tenants/{tenant}/connections/{connection}/signal-stream'

export const signalCommands: readonly AdminCommand[] = [
  {
    name: 'connection signals set-up',
    does: 'Set up the stream of security events at the transmitter that the connection names (ssf), and ask it to verify itself',
    takes: ['tenant', 'connection'],
    flags: {
      delivery: { kind: 'text', says: 'push: the transmitter calls us; poll: a worker fetches', choices: ['push', 'poll'], required: true },
      'token-env': {
        kind: 'from-env',
        says: 'the variable that holds a bearer token of the transmitter',
        member: 'credential.bearerToken',
      },
      'token-file': { kind: 'from-file', says: 'the file that holds a bearer token of the transmitter', member: 'credential.bearerToken' },
      'token-url': { kind: 'text', says: 'client credentials: the token endpoint', member: 'credential.tokenUrl' },
      'client-id': { kind: 'text', says: 'client credentials: our client_id there', member: 'credential.clientId' },
      'client-secret-env': {
        kind: 'from-env',
        says: 'client credentials: the variable that holds the secret',
        member: 'credential.clientSecret',
      },
      'client-secret-file': {
        kind: 'from-file',
        says: 'client credentials: the file that holds the secret',
        member: 'credential.clientSecret',
      },
      scope: { kind: 'text', says: 'client credentials: the scope to ask for', member: 'credential.scope' },
      'poll-url': { kind: 'text', says: 'poll: the address of a stream that was made there by hand' },
      'stream-id': { kind: 'text', says: 'poll: the name of that stream' },
    },
    call: { method: 'PUT', path: stream },
    example: 'drawbridge connection signals set-up initech Okta --delivery push --token-env SSF_TOKEN',
  },
  {
    name: 'connection signals show',
    does: 'Say how the security events of a connection are heard: last verification, last event and how late it was, last error',
    takes: ['tenant', 'connection'],
    call: { method: 'GET', path: stream },
    example: 'drawbridge connection signals show initech Okta',
  },
  {
    name: 'connection signals verify',
    does: 'Have the stream verify itself now; look at it again a moment later',
    takes: ['tenant', 'connection'],
    call: { method: 'POST', path: `${stream}/verify` },
    example: 'drawbridge connection signals verify initech Okta',
  },
  {
    name: 'connection signals retire',
    does: 'Delete the stream at the transmitter, and our credential with it',
    takes: ['tenant', 'connection'],
    flags: { forget: { kind: 'switch', says: 'also where the transmitter cannot be told' } },
    call: { method: 'POST', path: `${stream}/retire`, body: {} },
    confirms: 'Delete the stream of security events of {connection}? What its IdP finds out by itself is then heard no more.',
    done: 'Deleted.',
    example: 'drawbridge connection signals retire initech Okta',
  },
  {
    name: 'unmatched-signal list',
    does: 'List what IdPs said of people who were not here: it holds for whoever comes under that id',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/unmatched-signals' },
    shows: {
      rows: 'unmatchedSignals',
      columns: [
        ['said', 'saidAt'],
        ['id of the person', 'stableId'],
        ['reason', 'reason'],
        ['keeps out', 'keepsOut'],
        ['id', 'id'],
      ],
      newestFirst: true,
    },
    flags: { all: { kind: 'switch', says: 'all of them, not the first page alone' } },
    example: 'drawbridge unmatched-signal list initech',
  },
  {
    name: 'unmatched-signal lift',
    does: 'Let somebody come in whom an IdP disabled before she was here',
    takes: ['tenant', 'id'],
    flags: { reason },
    call: { method: 'POST', path: '/tenants/{tenant}/unmatched-signals/{id}/lift' },
    confirms: 'Let the person of {id} come in? Her IdP said that she is disabled.',
    done: 'She may come in.',
    example: 'drawbridge unmatched-signal lift initech 0b7d1f6e-6f0e-4f0f-9a55-5b2f9c6f4a10 --reason "enabled again at the IdP"',
  },
  {
    name: 'unmatched-signal lift-all',
    does: 'Let everybody come in whom the IdP of a connection disabled before they were here, ten thousand at once, and make room for others',
    takes: ['tenant', 'connection'],
    flags: {
      reason,
      'said-before': { kind: 'text', says: 'only of whom it was said before this time: 2026-01-31T00:00:00Z' },
    },
    call: { method: 'POST', path: '/tenants/{tenant}/connections/{connection}/unmatched-signals/lift' },
    confirms: 'Let everybody come in of whom the IdP of {connection} said, before they were here, that they are disabled?',
    example:
      'drawbridge unmatched-signal lift-all initech Okta --reason "a test of the IdP named thousands" --said-before 2026-01-31T00:00:00Z',
  },
]
