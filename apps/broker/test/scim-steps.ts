/** Steps of a client's sequence, as they stand in the fixtures: what it sends, and what its answer must be. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { Directory, ScimAnswer } from './a-directory.js'

export type ScimStep = {
  readonly say: string
  readonly method: string
  readonly path: string
  readonly headers?: Record<string, string>
  readonly send?: object
  readonly status: number
  /** A part of the answer. */
  readonly body?: object
  /** Members that are not in it; `|` goes inside. */
  readonly lacks?: readonly string[]
  /** What later steps call `{{name}}`: where it stands in the answer. */
  readonly save?: Record<string, string>
}
export type Sequence<Step> = { readonly client: string; readonly source: string; readonly steps: readonly Step[] }
export type Saved = Record<string, string>

/** Each file in the folder is a client. */
export const sequencesIn = <Step>(folder: URL): readonly (readonly [client: string, name: string, Sequence<Step>])[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => {
      const sequence = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Sequence<Step>
      return [sequence.client, name, sequence]
    })

/** `{{name}}` becomes what was saved, in addresses too. */
export const filled = <T>(value: T, saved: Readonly<Saved>): T =>
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

/** Does a step, looks at its answer, and saves of it what later steps need. */
export async function take(directory: Directory, step: ScimStep, saved: Saved): Promise<void> {
  const answer = await directory.call(step.method, step.path, step.send, step.headers)
  look(step, answer)
  for (const [name, path] of Object.entries(step.save ?? {})) saved[name] = inside(answer.body, path.split('.')) as string
}

function look(step: ScimStep, answer: ScimAnswer): void {
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
