/** Event streams of receivers that know nothing of our guard: how far behind each is, and what an operator does about it. */
import type { AdminCommand, Shows } from '../command.js'

const streamRows: Shows = {
  rows: 'streams',
  columns: [
    ['id', 'id'],
    ['issuer', 'issuer'],
    ['description', 'description'],
    ['to', 'endpointUrl'],
    ['status', 'status'],
    ['why', 'statusReason'],
    ['waiting', 'waiting'],
    ['since', 'oldestWaitingAt'],
    ['refusals', 'refusals'],
    ['trouble', 'trouble'],
  ],
}

/** The same for a tenant's resources and for the vendor's own. */
function commandsOf(noun: 'resource' | 'shared-resource'): readonly AdminCommand[] {
  const owner = noun === 'resource' ? (['tenant'] as const) : ([] as const)
  const streams = `${noun === 'resource' ? '/tenants/{tenant}/resources' : '/shared-resources'}/{${noun}}/streams`
  const which = `${noun === 'resource' ? 'initech ' : ''}https://documents.example/mcp`
  const one = `${which} 0f0e7d0a-0000-4000-8000-000000000000`
  return [
    {
      name: `${noun} stream list`,
      does: 'List the event streams of a resource: how far behind each is, and why',
      takes: [...owner, noun],
      call: { method: 'GET', path: streams },
      shows: streamRows,
      example: `drawbridge ${noun} stream list ${which}`,
    },
    {
      name: `${noun} stream pause`,
      does: 'Pause an event stream: it holds back what it owes within its bounds, and its receiver cannot lift that',
      takes: [...owner, noun, 'id'],
      flags: { reason: { kind: 'text', says: 'why; its receiver reads it' } },
      call: { method: 'POST', path: `${streams}/{id}/pause`, body: {} },
      done: 'Paused.',
      example: `drawbridge ${noun} stream pause ${one} --reason "the receiver moves"`,
    },
    {
      name: `${noun} stream resume`,
      does: 'Let an event stream go on that was paused by an operator',
      takes: [...owner, noun, 'id'],
      call: { method: 'POST', path: `${streams}/{id}/resume` },
      done: 'It goes on.',
      example: `drawbridge ${noun} stream resume ${one}`,
    },
    {
      name: `${noun} stream delete`,
      does: 'Delete an event stream; what it still owed is not told',
      takes: [...owner, noun, 'id'],
      call: { method: 'DELETE', path: `${streams}/{id}` },
      confirms: 'Delete the event stream {id}? Its receiver hears of no revocation any more.',
      done: 'Deleted.',
      example: `drawbridge ${noun} stream delete ${one}`,
    },
  ]
}

export const streamCommands: readonly AdminCommand[] = [...commandsOf('resource'), ...commandsOf('shared-resource')]
