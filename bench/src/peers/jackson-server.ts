/**
 * `@boxyhq/saml-jackson` as a server of its own, run by `jackson.ts`: its controllers behind bare `node:http`, so that its figures hold
 * nothing of a web framework. Logs nothing, tells nobody anything; all else is as it comes.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { loadPeer } from './peer-packages.js'

export type JacksonSetting = {
  readonly folder: string
  readonly port: number
  readonly databaseUrl: string
  readonly samlMetadata: string
  readonly oidc: { readonly issuer: string; readonly clientId: string; readonly clientSecret: string }
  readonly redirectUri: string
}
/** What it prints in one line once it listens. */
export type JacksonReady = { readonly samlClientId: string; readonly oidcClientId: string; readonly encryptTo: string }

type Redirect = { readonly redirect_url?: string }
type Body = Readonly<Record<string, string>>
type Jackson = {
  controllers(options: object): Promise<{
    readonly connectionAPIController: {
      createSAMLConnection(connection: object): Promise<{ readonly clientID: string }>
      createOIDCConnection(connection: object): Promise<{ readonly clientID: string }>
    }
    readonly oauthController: {
      authorize(query: Body): Promise<Redirect>
      samlResponse(body: Body): Promise<Redirect>
      oidcAuthzResponse(query: Body): Promise<Redirect>
      token(body: Body): Promise<object>
    }
    readonly spConfig: { get(): Promise<{ readonly publicKey: string }> }
  }>
}

async function main(setting: JacksonSetting): Promise<void> {
  const externalUrl = `http://127.0.0.1:${setting.port}`
  const silent = { info: () => undefined, warn: () => undefined, error: (message: string) => console.error(message) }
  const jackson = await loadPeer<Jackson>(setting.folder, '@boxyhq/saml-jackson').controllers({
    ...{ externalUrl, samlPath: '/saml', oidcPath: '/oidc', samlAudience: 'https://jackson.bench.example', noAnalytics: true },
    db: { engine: 'sql', type: 'postgres', url: setting.databaseUrl, ttl: 300, cleanupLimit: 1000 },
    logger: silent,
  })
  const shared = { product: 'bench', defaultRedirectUrl: setting.redirectUri, redirectUrl: JSON.stringify([setting.redirectUri]) }
  const { connectionAPIController: connections, oauthController: oauth, spConfig } = jackson
  const saml = await connections.createSAMLConnection({ ...shared, tenant: 'saml', rawMetadata: setting.samlMetadata })
  const oidc = await connections.createOIDCConnection({
    ...{ ...shared, tenant: 'oidc', oidcClientId: setting.oidc.clientId, oidcClientSecret: setting.oidc.clientSecret },
    oidcDiscoveryUrl: `${setting.oidc.issuer}/.well-known/openid-configuration`,
  })
  const routes: Readonly<Record<string, (given: Body) => Promise<Redirect | object>>> = {
    'GET /authorize': (query) => oauth.authorize(query),
    'POST /saml': (body) => oauth.samlResponse(body),
    'GET /oidc': (query) => oauth.oidcAuthzResponse(query),
    'POST /token': (body) => oauth.token(body),
  }
  const ready: JacksonReady = {
    ...{ samlClientId: saml.clientID, oidcClientId: oidc.clientID },
    encryptTo: (await spConfig.get()).publicKey,
  }
  createServer((request, response) => void serve(routes, request, response)).listen(setting.port, '127.0.0.1', () =>
    console.log(JSON.stringify(ready)),
  )
}

async function serve(
  routes: Readonly<Record<string, (given: Body) => Promise<Redirect | object>>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path = '', search = ''] = (request.url ?? '').split('?', 2)
  try {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const given = Object.fromEntries(new URLSearchParams(request.method === 'POST' ? Buffer.concat(chunks).toString('utf8') : search))
    const answer = await routes[`${request.method} ${path}`]?.(given)
    if (answer !== undefined && 'redirect_url' in answer && answer.redirect_url !== undefined)
      response.writeHead(302, { location: answer.redirect_url }).end()
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  } catch (cause) {
    response.writeHead(400).end(cause instanceof Error ? cause.message : String(cause))
  }
}

await main(JSON.parse(process.argv[2] ?? '{}') as JacksonSetting)
