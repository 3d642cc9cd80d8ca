import { expect, test } from 'vitest'
import { clientMatcher, isMeant } from './client-match.js'
import type { ClientsEntry } from './document.js'
import { aSituation } from './fixtures/a-situation.js'

const agent = { id: 'agent', host: 'a.claude.example', kind: 'dynamic' } as const
const hostless = { id: 'agent', host: undefined, kind: 'dynamic' } as const

test.each<[string, ClientsEntry | undefined, Partial<typeof agent | typeof hostless>, 'yes' | 'no' | 'unclear']>([
  ['every client, where none is named', undefined, hostless, 'yes'],
  ['every client, where nothing is asked of it', {}, hostless, 'yes'],
  ['a client by its id', { ids: ['other', 'agent'] }, agent, 'yes'],
  ['no client of another id', { ids: ['other'] }, agent, 'no'],
  ['a client by its kind', { kinds: ['preregistered', 'dynamic'] }, agent, 'yes'],
  ['no client of another kind', { kinds: ['preregistered'] }, agent, 'no'],
  ['a client by its host', { hosts: ['other.example', 'a.claude.example'] }, agent, 'yes'],
  ['a client by its host, however it is written', { hosts: ['A.Claude.example'] }, { ...agent, host: 'a.cLAUDE.example' as never }, 'yes'],
  ['a client by what its host is below', { hosts: ['*.claude.example'] }, agent, 'yes'],
  ['a client by one of two that its host is below', { hosts: ['*.other.example', '*.EXAMPLE'] }, agent, 'yes'],
  ['no client at what others are below', { hosts: ['*.a.claude.example'] }, agent, 'no'],
  ['no client whose host only ends alike', { hosts: ['*.ude.example'] }, agent, 'no'],
  ['no client of another host', { hosts: ['claude.example'] }, agent, 'no'],
  ['perhaps a client without a host', { hosts: ['a.claude.example'] }, hostless, 'unclear'],
  ['perhaps a client without a host, of the id', { ids: ['agent'], hosts: ['a.claude.example'] }, hostless, 'unclear'],
  ['no client without a host, of another id', { ids: ['other'], hosts: ['a.claude.example'] }, hostless, 'no'],
  ['no client without a host, of another kind', { kinds: ['preregistered'], hosts: ['a.claude.example'] }, hostless, 'no'],
  ['only a client of which all is true: the host is not', { ids: ['agent'], hosts: ['other.example'] }, agent, 'no'],
  ['only a client of which all is true: the id is not', { ids: ['other'], hosts: ['a.claude.example'] }, agent, 'no'],
  ['only a client of which all is true', { ids: ['agent'], hosts: ['a.claude.example'], kinds: ['dynamic'] }, agent, 'yes'],
])('meant is %s', (_, entry, client, meant) => {
  expect(isMeant(clientMatcher(entry), { ...aSituation().client, ...client } as ReturnType<typeof aSituation>['client'])).toBe(meant)
})
