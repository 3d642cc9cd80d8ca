/** What a directory asks most: somebody new, something of her changed, is she there. The same three for us and for a peer. */
import { randomUUID } from 'node:crypto'
import type { Call, Sender, Workload } from './closed-loop.js'

export type ScimServer = { readonly sender: Sender; readonly base: string; readonly headers: Readonly<Record<string, string>> }

export const scimSizes = { full: { people: 10_000, warmUp: 400, perRound: 800 }, trial: { people: 60, warmUp: 16, perRound: 32 } } as const
export const scimRounds = 5
const types = { user: 'urn:ietf:params:scim:schemas:core:2.0:User', patch: 'urn:ietf:params:scim:api:messages:2.0:PatchOp' }

/** As Entra sends it. */
const aUser = (name: string) => ({
  schemas: [types.user],
  ...{ externalId: randomUUID(), userName: `${name}@bench.example`, active: true, displayName: name },
  name: { givenName: 'Ada', familyName: name, formatted: `Ada ${name}` },
  emails: [{ primary: true, type: 'work', value: `${name}@bench.example` }],
})

export function scimWorkloads({ sender, base, headers }: ScimServer, isTrial: boolean): readonly Workload[] {
  const size = scimSizes[isTrial ? 'trial' : 'full']
  const ids: string[] = []
  const send = async (call: Call, status: number): Promise<Record<string, unknown>> => {
    const answered = await sender.send({ ...call, headers: { ...headers, 'content-type': 'application/scim+json' } })
    if (answered.status !== status) throw new Error(`${call.method} ${call.path} was answered ${answered.status}: ${answered.text}`)
    return answered.text === '' ? {} : (JSON.parse(answered.text) as Record<string, unknown>)
  }
  const create = async (name: string) =>
    void ids.push(String((await send({ method: 'POST', path: `${base}/Users`, body: JSON.stringify(aUser(name)) }, 201))['id']))
  return [
    { name: 'create', aim: '', rounds: scimRounds, ...size, run: (_, turn) => create(`user-${turn}`) },
    {
      name: 'PATCH of one attribute',
      aim: '',
      rounds: scimRounds,
      ...size,
      run: async (_, turn) => {
        const body = JSON.stringify({ schemas: [types.patch], Operations: [{ op: 'Replace', path: 'displayName', value: `name ${turn}` }] })
        await send({ method: 'PATCH', path: `${base}/Users/${ids[turn % ids.length]}`, body }, 200)
      },
    },
    {
      name: 'filter userName eq',
      aim: '',
      rounds: scimRounds,
      ...size,
      prepare: async () => {
        for (let turn = ids.length; turn < size.people; turn += 1) await create(`more-${turn}`)
      },
      run: async (_, turn) => {
        const filter = encodeURIComponent(`userName eq "user-${turn % size.perRound}@bench.example"`)
        const { totalResults } = await send({ method: 'GET', path: `${base}/Users?filter=${filter}` }, 200)
        if (totalResults !== 1) throw new Error(`the filter found ${String(totalResults)}`)
      },
    },
  ]
}
