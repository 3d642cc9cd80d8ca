/**
 * Sequences of the real clients, driven over HTTP. Each file in fixtures/sequences is a client: drop one in, and a test appears.
 *
 * `{{name}}` is what a step saved; `body` is a part of the answer; `lacks` are members that are not in it (`|` goes inside); `subject` is what
 * became of the person who signed in as `ada`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { aScimBroker, type Directory, type ScimAnswer, type ScimBroker } from '../../test/a-directory.js'

type Step = {
  readonly say: string
  readonly method: string
  readonly path: string
  readonly headers?: Record<string, string>
  readonly send?: object
  readonly status: number
  readonly body?: object
  readonly lacks?: readonly string[]
  readonly save?: Record<string, string>
  readonly subject?: 'alive' | 'dead' | 'back'
}
type Sequence = { readonly client: string; readonly source: string; readonly steps: readonly Step[] }

const folder = new URL('fixtures/sequences/', import.meta.url)
const sequences = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, sequence: JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Sequence }))

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const filled = <T>(value: T, saved: Readonly<Record<string, string>>): T =>
  JSON.parse(
    JSON.stringify(value ?? null).replace(
      /\{\{(\w+)\}\}|%7B%7B(\w+)%7D%7D/g,
      (_, plain: string, coded: string) => saved[plain ?? coded] ?? '',
    ),
  ) as T
const inside = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((found, name) => (found as Record<string, unknown> | undefined)?.[name], value)

/** `{"atLeast": 2}` where a number may grow. */
function expected(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expected)
  if (typeof value !== 'object' || value === null) return value
  if ('atLeast' in value) return expect.any(Number)
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, expected(inner)]))
}

const subjects = {
  alive: { epoch: 1, deactivated: false },
  dead: { deactivated: true },
  back: { deactivated: false },
} as const

async function subjectOf({ tenant }: Directory): Promise<object | undefined> {
  const sql = "SELECT epoch, deactivated_at IS NOT NULL AS deactivated FROM subjects WHERE tenant_id = $1 AND stable_id = 'ada'"
  return (await asOwner<{ epoch: number; deactivated: boolean }>(broker.fixture.ownerUrl, sql, [tenant.tenantId]))[0]
}

function look(step: Step, answer: ScimAnswer): void {
  expect({ say: step.say, status: answer.status, body: answer.body }).toMatchObject({
    say: step.say,
    status: step.status,
    body: expected(step.body ?? {}) as object,
  })
  // Okta's test compares it exactly.
  if (answer.status !== 204 && answer.status !== 304)
    expect(answer.headers.get('content-type')).toBe('application/scim+json; charset=utf-8')
  for (const name of step.lacks ?? []) expect([name, inside(answer.body, name.split('|'))]).toEqual([name, undefined])
}

describe('the sequence of', () => {
  test.each(sequences.map(({ name, sequence }) => [sequence.client, name, sequence] as const))(
    '%s (%s)',
    async (_client, _name, { steps }) => {
      const directory = await broker.aDirectory()
      const saved: Record<string, string> = {}
      for (const raw of steps) {
        const step = filled(raw, saved)
        const answer = await directory.call(step.method, step.path, step.send, step.headers)
        look(step, answer)
        for (const [name, path] of Object.entries(step.save ?? {})) saved[name] = inside(answer.body, path.split('.')) as string
        if (step.subject !== undefined)
          expect({ say: step.say, ...(await subjectOf(directory)) }).toMatchObject({ say: step.say, ...subjects[step.subject] })
      }
    },
  )
})
