import { expect, it } from 'vitest'
import { type Replay, replayLinesOf } from './show-replay.js'

const none = { logins: 0, people: 0 }
const effects = {
  shutOut: none,
  loses: none,
  asked: none,
  livesShorter: none,
  letIn: none,
  gains: none,
  askedNoMore: none,
  livesLonger: none,
}
const nothing: Replay = {
  ...{ presentVersion: 7, recordsLogins: true, newest: 'today', oldest: 'monday', complete: true, unreadable: 0 },
  ...{ all: { logins: 12, people: 5 }, changed: none, effects, people: [], peopleLeftOut: 0 },
}

it('says that nothing would change, or that nothing is recorded', () => {
  expect(replayLinesOf(nothing)).toEqual([
    '12 logins of 5 people, monday to today, by version 7 and by the policy that is tried.',
    'Nothing would change for any of them.',
  ])
  const empty = { ...nothing, all: none, newest: null, oldest: null }
  expect(replayLinesOf(empty)).toEqual(['No login has been recorded yet.'])
  expect(replayLinesOf({ ...empty, recordsLogins: false })).toEqual([
    'Logins of this tenant are not recorded: drawbridge login-recording on',
  ])
})

it('says who would lose what, by which rule, and what nobody looked at', () => {
  const one = { logins: 1, people: 1 }
  const change: Replay['people'][number]['changes'][number] = {
    ...{ clientId: 'agent', resource: 'https://mcp.example', logins: 3, newest: 'login-id', missing: null },
    outcome: { from: 'allow', to: 'allow' },
    effects: ['loses', 'gains'],
    gained: [{ scope: 'write', because: 'granted by rule w (line 3)' }],
    lost: [{ scope: 'read', because: 'denied by rule r (line 4)' }],
    granted: { from: ['read'], to: ['write'] },
    accessTokenSeconds: { from: 1800, to: 900 },
    refreshTokenSeconds: { from: 28_800, to: null },
  }
  const ada = { subjectId: 'subject', connectionId: 'c', stableId: 'a-1', email: 'ada\u001B[2J@acme.example', logins: 3, changed: 3 }
  const ben = { ...ada, subjectId: null, email: null, stableId: 'b-2' }
  const asked: typeof change = {
    ...change,
    ...{ outcome: { from: 'allow', to: 'stepUp' }, gained: [], lost: [], logins: 1, missing: 'a second factor' },
    ...{ accessTokenSeconds: null, refreshTokenSeconds: null },
  }
  expect(
    replayLinesOf({
      ...{ ...nothing, complete: false, unreadable: 2, changed: { logins: 4, people: 2 }, peopleLeftOut: 1 },
      effects: { ...effects, loses: { logins: 3, people: 1 }, asked: one },
      people: [
        { ...ada, effects: ['loses', 'gains'], changes: [change], changesLeftOut: 2 },
        { ...ben, effects: ['asked'], changes: [asked], changesLeftOut: 0 },
      ],
    }).slice(1),
  ).toEqual([
    '! It took too long: older logins were not looked at.',
    '! 2 recorded logins could not be opened.',
    'Something would change for 4 logins of 2 people:',
    '  lose scopes: 3 logins of 1 person',
    '  asked for a second factor, or to sign in anew: 1 login of 1 person',
    'ada\uFFFD[2J@acme.example (subject): lose scopes, gain scopes',
    '  agent at https://mcp.example: granted, 3 logins, the newest login-id',
    '    - read: denied by rule r (line 4)',
    '    + write: granted by rule w (line 3)',
    '    access token 1800 s → 900 s',
    '    refresh token 28800 s → none',
    '  … and 2 more changes',
    'b-2: asked for a second factor, or to sign in anew',
    '  agent at https://mcp.example: granted → asked for more, 1 login, the newest login-id',
    '    ! missing: a second factor',
    '… and 1 more people',
  ])
})
