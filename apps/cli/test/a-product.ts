/** The whole product on free ports with its own data directory, started through the cli's own functions. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Started, startEverything } from '@drawbridge/cli/start'
import { readEnv } from '@drawbridge/runtime/env'
import { silentLog } from '@drawbridge/runtime/log'
import { stopInOrder } from '@drawbridge/runtime/shutdown'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { aPreparedFolder } from './a-prepared-folder.js'

export type Company = 'acme' | 'globex'
export type AdminAnswer = { readonly status: number; readonly json: Record<string, unknown> }
/** What people and their tools can do to a running product, from outside. */
export type Hands = {
  readonly publicUrl: string
  readonly mcpUrl: string
  issuer(company: Company): string
  admin(method: string, path: string, body?: unknown): Promise<AdminAnswer>
  /** The buttons on the simulator's page of a company. */
  arm(company: Company, fault: string): Promise<void>
  disarm(company: Company, fault: string): Promise<void>
  provision(company: Company): Promise<void>
  setActive(company: Company, person: string, active: boolean): Promise<void>
  /** At the company that speaks OpenID Connect: everything of this person is over there. */
  logOut(person: string): Promise<void>
}
export type Product = Hands & { readonly started: Started; stop(): Promise<void> }
type Addresses = { readonly publicUrl: string; readonly simulatorUrl: string; readonly mcpUrl: string; readonly adminKey: string }

export async function aProduct(more: Readonly<Record<string, string>> = {}): Promise<Product> {
  const folder = await aPreparedFolder('drawbridge product ', more['DRAWBRIDGE_LAB'] === 'true' ? 'lab' : 'demo')
  const started = await startEverything(readEnv({ ...(await environmentIn(folder)), ...more }), () => undefined)
  const { publicUrl } = started.platform.settings
  const { simulatorUrl, exampleUrl: mcpUrl, demonstration } = started
  return {
    ...handsOn({ publicUrl, simulatorUrl, mcpUrl, adminKey: demonstration.adminKey }),
    started,
    stop: async () => {
      await stopInOrder(started.parts, silentLog())
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function handsOn({ publicUrl, simulatorUrl, mcpUrl, adminKey }: Addresses): Hands {
  const press = async (path: string, form: Readonly<Record<string, string>>) => {
    const response = await fetch(`${simulatorUrl}/${path}`, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
    const told = decodeURIComponent(response.headers.get('location') ?? '')
    if (response.status >= 400 || /refused|no fault|not configured|No such/.test(told)) throw new Error(`the simulator says: ${told}`)
  }
  return {
    publicUrl,
    mcpUrl,
    issuer: (company) => `${publicUrl}/t/${company}`,
    admin: async (method, path, body) => {
      const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
      const response = await fetch(`${publicUrl}/admin/v1${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
      const text = await response.text()
      return { status: response.status, json: text === '' ? {} : JSON.parse(text) }
    },
    arm: (company, fault) => press(`${company}/faults/${fault}`, {}),
    disarm: (company, fault) => press(`${company}/faults/${fault}`, { armed: 'false' }),
    provision: (company) => press(`${company}/scim/provision`, {}),
    setActive: (company, person, active) => press(`${company}/scim/active`, { person, active: String(active) }),
    logOut: (person) => press('globex/logout', { person }),
  }
}

export async function environmentIn(folder: string): Promise<Record<string, string>> {
  const port = await freePort()
  return {
    DRAWBRIDGE_DATA_DIRECTORY: join(folder, 'data'),
    DRAWBRIDGE_PORT: String(port),
    DRAWBRIDGE_PUBLIC_URL: `http://localhost:${port}`,
    DRAWBRIDGE_WORKER_PORT: String(await freePort()),
    DRAWBRIDGE_SIMULATOR_PORT: String(await freePort()),
    DRAWBRIDGE_EXAMPLE_SERVER_PORT: String(await freePort()),
    DRAWBRIDGE_EMBEDDED_DATABASE_PORT: String(await freePort()),
    DRAWBRIDGE_LOG_LEVEL: 'warn',
    DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000',
  }
}

/** Evidence from the very second of a barrier is refused, so whoever was reinstated signs in in the next one. */
export const nextSecond = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)))

const pollMs = 10
const patienceMs = 20_000

export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const begun = performance.now()
  while (!(await holds())) {
    if (performance.now() - begun > patienceMs) throw new Error(`still not so after ${patienceMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}
