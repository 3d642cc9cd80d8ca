/** A replay for people: how many would gain or lose, then each of them, the worst off first. */
import type { replayShown } from '@drawbridge/broker/admin/policy-replay.endpoint'
import type { z } from 'zod'
import { plainText } from './show.js'

export type Replay = z.output<typeof replayShown>
type Person = Replay['people'][number]
type Change = Person['changes'][number]
type Effect = keyof Replay['effects']

const effectWords: Readonly<Record<Effect, string>> = {
  shutOut: 'shut out',
  loses: 'lose scopes',
  asked: 'asked for a second factor, or to sign in anew',
  livesShorter: 'tokens live shorter',
  letIn: 'let in',
  gains: 'gain scopes',
  askedNoMore: 'asked no more',
  livesLonger: 'tokens live longer',
}

export const replayLinesOf = (replay: Replay): readonly string[] =>
  [...headLines(replay), ...summaryLines(replay), ...replay.people.flatMap(personLines), ...leftOut(replay.peopleLeftOut, 'people')].map(
    plainText,
  )

function headLines({ all, newest, oldest, presentVersion, recordsLogins, complete, unreadable }: Replay): readonly string[] {
  const none = recordsLogins ? 'No login has been recorded yet.' : 'Logins of this tenant are not recorded: drawbridge login-recording on'
  return [
    all.logins === 0
      ? none
      : `${of(all)}, ${oldest ?? ''} to ${newest ?? ''}, by version ${presentVersion} and by the policy that is tried.`,
    ...(complete ? [] : ['! It took too long: older logins were not looked at.']),
    ...(unreadable > 0 ? [`! ${unreadable} recorded logins could not be opened.`] : []),
  ]
}

function summaryLines({ all, changed, effects }: Replay): readonly string[] {
  if (all.logins === 0) return []
  if (changed.logins === 0) return ['Nothing would change for any of them.']
  const told = (Object.keys(effectWords) as Effect[]).filter((effect) => effects[effect].logins > 0)
  return [`Something would change for ${of(changed)}:`, ...told.map((effect) => `  ${effectWords[effect]}: ${of(effects[effect])}`)]
}

const of = ({ logins, people }: Replay['all']): string => `${count(logins, 'login')} of ${people === 1 ? '1 person' : `${people} people`}`
const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`
const leftOut = (n: number, what: string): readonly string[] => (n > 0 ? [`… and ${n} more ${what}`] : [])

const personLines = ({ email, stableId, subjectId, effects, changes, changesLeftOut }: Person): readonly string[] => [
  `${email ?? stableId}${subjectId === null ? '' : ` (${subjectId})`}: ${effects.map((effect) => effectWords[effect]).join(', ')}`,
  ...changes.flatMap(changeLines).map((line) => `  ${line}`),
  ...leftOut(changesLeftOut, 'changes').map((line) => `  ${line}`),
]

const outcomeWords = { allow: 'granted', stepUp: 'asked for more', deny: 'denied' } as const

const changeLines = (change: Change): readonly string[] => {
  const { clientId, resource, logins, newest, outcome, gained, lost, missing } = change
  const moved = outcome.from === outcome.to ? outcomeWords[outcome.to] : `${outcomeWords[outcome.from]} → ${outcomeWords[outcome.to]}`
  return [
    `${clientId} at ${resource}: ${moved}, ${count(logins, 'login')}, the newest ${newest}`,
    ...lost.map(({ scope, because }) => `  - ${scope}: ${because}`),
    ...gained.map(({ scope, because }) => `  + ${scope}: ${because}`),
    ...(missing === null ? [] : [`  ! missing: ${missing}`]),
    ...lifetimeLine('access token', change.accessTokenSeconds),
    ...lifetimeLine('refresh token', change.refreshTokenSeconds),
  ]
}

const lifetimeLine = (token: string, change: Change['accessTokenSeconds']): readonly string[] =>
  change === null ? [] : [`  ${token} ${seconds(change.from)} → ${seconds(change.to)}`]
const seconds = (n: number | null): string => (n === null ? 'none' : `${n} s`)
