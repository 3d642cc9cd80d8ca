/** The table of commands held against the table of endpoints: nothing of the admin API is out of reach, and no command asks for what is not there. */
import { adminEndpoints } from '@drawbridge/broker/admin/admin-endpoints'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type AdminCommand, camelCase } from './command.js'
import { adminCommands } from './commands.js'
import { helpOf, referenceOf } from './help.js'
import { commonFlags, readWords } from './read-words.js'

const shapeOf = (method: string, path: string) => `${method} ${path.replace('/admin/v1', '').replaceAll(/:\w+|\{[\w-]+\}/g, '*')}`
const endpoints = new Map(adminEndpoints.map((endpoint) => [shapeOf(endpoint.method, endpoint.path), endpoint]))
const callsOf = ({ call, calls = [] }: AdminCommand) => [...(call ? [`${call.method} ${call.path}`] : []), ...calls]
const endpointOf = (call: string) => endpoints.get(shapeOf(...(call.split(' ') as [string, string])))

/** What people do in a laboratory alone stays with those who have one. */
const withoutCommand = ['PUT /lab/clock', 'POST /lab/job-runs', 'GET /lab/job-runs/*', 'PUT /tenants/*/lab/rate-limits']

it('reaches every endpoint of the admin API', () => {
  const reached = new Set(adminCommands.flatMap(callsOf).map((call) => shapeOf(...(call.split(' ') as [string, string]))))
  expect([...endpoints.keys()].filter((endpoint) => !reached.has(endpoint)).sort()).toEqual([...withoutCommand].sort())
})

it('has no name twice', () => {
  const names = adminCommands.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
})

type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema; readonly required?: readonly string[] }
const jsonSchema = (schema: z.ZodType | undefined): Schema =>
  schema ? (z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema) : {}

describe.each(adminCommands.map((command) => ({ name: command.name, command })))('$name', ({ command }) => {
  const { call, flags = {}, takes, shows } = command

  it('calls endpoints that are there, with every part of their paths', () => {
    for (const one of callsOf(command)) expect([one, endpointOf(one) !== undefined]).toEqual([one, true])
    const named = callsOf(command).flatMap((one) => [...one.matchAll(/\{([\w-]+)\}/g)].map(([, word]) => word))
    expect(named.filter((word) => !(takes as readonly string[]).includes(word ?? ''))).toEqual([])
    expect(call === undefined).toBe(command.load !== undefined)
  })

  it('says nothing that the endpoint does not take, and all that it needs', () => {
    if (!call) return
    const endpoint = endpointOf(`${call.method} ${call.path}`)
    const taken = jsonSchema(call.method === 'GET' ? endpoint?.query : endpoint?.schema)
    const document = Object.values(flags).some(({ member }) => member === '')
    const ofBody = Object.entries(flags).filter(([, { kind }]) => kind !== 'if-match')
    const said = ofBody.map(([flag, { member }]) => (member ?? camelCase(flag)).split('.')[0] ?? '')
    const whole = [...said, ...Object.values(call.inBody ?? {}), ...Object.keys(call.body ?? {})].filter(
      (member) => member !== '' && member !== 'all',
    )
    expect(whole.filter((member) => !Object.hasOwn(taken.properties ?? {}, member))).toEqual([])
    if (!document) expect((taken.required ?? []).filter((member) => !whole.includes(member))).toEqual([])
    const sendsBody = whole.length > 0 || document || call.body !== undefined
    if (call.method !== 'GET') expect(sendsBody).toBe(endpoint?.schema !== undefined)
  })

  it('says what was seen only where that is heard', () => {
    if (!Object.values(flags).some(({ kind }) => kind === 'if-match') || !call) return
    expect(endpointOf(`${call.method} ${call.path}`)?.refuses).toContain('client_changed')
  })

  it('shows members that the answer has', () => {
    if (!call || shows === undefined) return
    const answer = jsonSchema(endpointOf(`${call.method} ${call.path}`)?.output?.schema)
    if ('rows' in shows) {
      const row = answer.properties?.[shows.rows]?.items?.properties ?? {}
      const members = shows.columns.map(([, member]) => member.split('.')[0] ?? '')
      expect(members.filter((member) => !Object.hasOwn(row, member))).toEqual([])
      expect(shows.newestFirst === true).toBe(
        Object.hasOwn(jsonSchema(endpointOf(`${call.method} ${call.path}`)?.query).properties ?? {}, 'before'),
      )
    }
  })

  it('has an example that it understands, and help that names all it takes', () => {
    const words = [...command.example.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
    const till = words.findIndex((word) => word === '>')
    const typed = (till === -1 ? words : words.slice(0, till)).slice(1 + command.name.split(' ').length)
    expect(command.example.startsWith(`drawbridge ${command.name}`)).toBe(true)
    expect(readWords(command, typed)).toMatchObject({ ok: true })
    expect(Object.keys(flags).filter((flag) => Object.hasOwn(commonFlags, flag))).toEqual([])
    for (const word of [...takes.map((one) => `<${one}>`), ...Object.keys(flags).map((flag) => `--${flag}`)])
      expect(helpOf(command)).toContain(word)
  })
})

it('asks before it takes anything away', () => {
  const takesAway = adminCommands.filter(
    ({ call }) => call?.method === 'DELETE' || /\/kill$|\/revoke$|\/compromised$/.test(call?.path ?? ''),
  )
  const harmless = ['invitation revoke', 'connection sha1-exception end']
  expect(takesAway.length).toBeGreaterThan(12)
  expect(takesAway.filter(({ confirms, name }) => confirms === undefined && !harmless.includes(name)).map(({ name }) => name)).toEqual([])
})

it('prints a page of reference with every command', () => {
  const page = referenceOf(adminCommands)
  for (const { name } of adminCommands) expect(page).toContain(`## ${name}\n`)
})
