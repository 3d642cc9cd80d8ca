/** A customer's identity provider and directory on one's desk: SAML IdP, OpenID provider, SCIM client and fault cards. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type CompanyId, findPerson, getCompany, type Person, peopleOf } from './companies.js'
import { createDesk, type Desk, oidcClientId, oidcCompany, oidcIssuerAt, samlCompany } from './desk.js'
import { createFaults, type FaultId } from './faults.js'
import { FormTooLarge, sendPage } from './http.js'
import { loadKeys, type SimulatorKeys } from './keys.js'
import { directoryIdOf } from './oidc/directory-ids.js'
import { refusalPage } from './pages/sign-in.js'
import type { RelyingParty } from './relying-party.js'
import { answer } from './routes.js'
import { provisionPerson, type ScimDialect, type ScimOutcome, setActive } from './scim-client.js'
import type { Transmitter } from './ssf/transmitter.js'

export type SimulatorSettings = {
  /** Where browsers and the broker reach it; by default `http://<host>:<port>`. */
  readonly publicUrl?: string
  /** 0: any free port. */
  readonly port: number
  readonly host?: string
  /** What each company knows of the broker; more can be said later with `connect`. */
  readonly broker?: Partial<Readonly<Record<CompanyId, RelyingParty>>>
  /** Lab: a person named by login_hint is signed in without a page. */
  readonly signInWithoutAsking?: boolean
  readonly now?: () => Date
  /** Keys are kept here, so that a restart has the same metadata; without it they live in memory. */
  readonly keysFolder?: string
  /** By default to the console. */
  readonly onError?: (error: unknown) => void
}

export type Simulator = {
  start(): Promise<{ readonly url: string }>
  close(): Promise<void>
  /** Enters or changes what a company knows of the broker. */
  connect(company: CompanyId, party: RelyingParty): void
  /** SAML company only. */
  metadataXml(company: CompanyId): string
  metadataUrl(company: CompanyId): string
  /** OpenID Connect company only. */
  oidcIssuer(company: CompanyId): string
  oidcClient(company: CompanyId): { readonly clientId: string; readonly clientSecret: string }
  /** Microsoft Graph for the OpenID Connect company: where it is, where its tokens are, and the company's tenant id. */
  graph(company: CompanyId): { readonly url: string; readonly tokenUrl: string; readonly tenantId: string }
  /** Its transmitter of security events: who it is, what an administrator enters, its streams, and what makes events. */
  signals(company: CompanyId): Transmitter
  people(company: CompanyId): readonly Person[]
  armFault(company: CompanyId, fault: FaultId): void
  disarmFault(company: CompanyId, fault: FaultId): void
  /** Creates one person by SCIM, or everyone. */
  provision(company: CompanyId, personId?: string): Promise<readonly ScimOutcome[]>
  deactivate(company: CompanyId, personId: string, dialect?: ScimDialect): Promise<ScimOutcome>
  reactivate(company: CompanyId, personId: string, dialect?: ScimDialect): Promise<ScimOutcome>
}

type Running = { readonly server: Server; readonly desk: Desk; readonly keys: SimulatorKeys }

/**
 * Throws in production: whoever reaches this page is whoever they like.
 *
 * Reads the environment itself, so that no composition root can forget to ask.
 */
export function createSimulator(settings: SimulatorSettings): Simulator {
  if (process.env['NODE_ENV'] === 'production')
    throw new Error('The company simulator is a development tool and refuses to run with NODE_ENV=production.')
  const parties = new Map<CompanyId, RelyingParty>(Object.entries(settings.broker ?? {}) as [CompanyId, RelyingParty][])
  const faults = createFaults()
  let running: Running | undefined
  const now = () => {
    if (running === undefined) throw new Error('the simulator has not been started')
    return running
  }
  const party = (company: CompanyId) => parties.get(company) ?? {}
  return {
    start: async () => {
      running = await open(settings, faults, party)
      return { url: running.desk.publicUrl }
    },
    close: async () => {
      const { server } = now()
      server.closeAllConnections()
      await new Promise<void>((done) => server.close(() => done()))
    },
    connect: (company, more) => {
      parties.set(company, { ...party(company), ...more })
    },
    metadataXml: (company) => {
      expectCompany(company, samlCompany.id, 'SAML')
      return now().desk.saml.metadata(faults.isArmed(samlCompany, 'expired-metadata'))
    },
    metadataUrl: (company) => {
      expectCompany(company, samlCompany.id, 'SAML')
      return now().desk.saml.addresses.entityId
    },
    oidcIssuer: (company) => {
      expectCompany(company, oidcCompany.id, 'OpenID Connect')
      return oidcIssuerAt(now().desk.publicUrl)
    },
    oidcClient: (company) => {
      expectCompany(company, oidcCompany.id, 'OpenID Connect')
      return { clientId: oidcClientId, clientSecret: now().keys[company].oidcClientSecret }
    },
    graph: (company) => {
      expectCompany(company, oidcCompany.id, 'OpenID Connect')
      const base = `${oidcIssuerAt(now().desk.publicUrl)}/graph`
      return { url: `${base}/v1.0`, tokenUrl: `${base}/{tenantid}/oauth2/v2.0/token`, tenantId: directoryIdOf(company) }
    },
    signals: (company) => now().desk.transmitter(company),
    people: peopleOf,
    armFault: (company, fault) => {
      if (!faults.arm(getCompany(company), fault)) throw new Error(`${company} has no fault ${fault}`)
    },
    disarmFault: (company, fault) => faults.disarm(getCompany(company), fault),
    provision: async (company, personId) => {
      const people = personId === undefined ? peopleOf(company) : [getPerson(company, personId)]
      const outcomes: ScimOutcome[] = []
      for (const person of people) outcomes.push(await provisionPerson(target(now().desk, company), person))
      return outcomes
    },
    deactivate: async (company, personId, dialect) => setActive(target(now().desk, company), getPerson(company, personId), false, dialect),
    reactivate: async (company, personId, dialect) => setActive(target(now().desk, company), getPerson(company, personId), true, dialect),
  }
}

async function open(
  settings: SimulatorSettings,
  faults: ReturnType<typeof createFaults>,
  relyingParty: (company: CompanyId) => RelyingParty,
): Promise<Running> {
  const now = settings.now ?? (() => new Date())
  const host = settings.host ?? '127.0.0.1'
  const keys = await loadKeys(settings.keysFolder, now())
  let desk: Desk | undefined
  const server = createServer((request, response) => {
    if (desk === undefined) return void response.writeHead(503).end()
    void answer(desk, request, response).catch((error: unknown) => refuse(settings, response, request, error))
  })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(settings.port, host, () => done())
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : settings.port
  const publicUrl = (settings.publicUrl ?? `http://${host}:${port}`).replace(/\/$/, '')
  desk = await createDesk({ publicUrl, keys, faults, signInWithoutAsking: settings.signInWithoutAsking ?? false, relyingParty, now })
  return { server, desk, keys }
}

/** A login that is over or a form too large is the visitor's; anything else is told to the caller. */
function refuse(settings: SimulatorSettings, response: ServerResponse, request: IncomingMessage, error: unknown): void {
  if (response.headersSent) return void response.destroy()
  if (error instanceof FormTooLarge) return sendPage(response, 413, refusalPage('Too large', 'The form is too large.'))
  if (error instanceof Error && error.name === 'SessionNotFound')
    return sendPage(response, 400, refusalPage('Login over', 'This login is over, or was begun in another browser.'))
  const report = settings.onError ?? ((cause: unknown) => console.error(cause))
  report(error)
  request.resume()
  sendPage(response, 500, refusalPage('Something broke', 'The simulator made a mistake; its console says more.'))
}

function expectCompany(company: CompanyId, expected: CompanyId, protocol: string): void {
  if (company !== expected) throw new Error(`${company} does not speak ${protocol}; ${expected} does`)
}

function target(desk: Desk, company: CompanyId) {
  const found = desk.scimTarget(company)
  if (found === undefined) throw new Error(`no SCIM service is configured for ${company}`)
  return found
}

function getPerson(company: CompanyId, personId: string): Person {
  const person = findPerson(company, personId)
  if (person === undefined) throw new Error(`nobody called ${personId} at ${company}`)
  return person
}
