/** The few words of npm `oidc-provider` that we use; the package brings no types. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export type Interaction = {
    readonly uid: string
    readonly params: Readonly<Record<string, unknown>>
    readonly prompt: { readonly name: string; readonly reasons: readonly string[] }
  }
  export type OidcContext = {
    readonly oidc?: {
      readonly route?: string
      readonly entities: {
        readonly AuthorizationCode?: { readonly grantId?: string }
        readonly AccessToken?: { readonly grantId?: string }
        readonly Client?: { readonly clientId: string }
      }
    }
    body: unknown
    type: string
  }
  export type GrantModel = { addOIDCScope(scope: string): void; save(): Promise<string> }

  export type ClientModel = { backchannelLogout(accountId: string, sid: string | undefined): Promise<void> }

  export default class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>)
    readonly Grant: new (properties: {
      readonly accountId: string
      readonly clientId: string
    }) => GrantModel
    readonly Client: { find(clientId: string): Promise<ClientModel | undefined> }
    use(middleware: (ctx: OidcContext, next: () => Promise<void>) => Promise<void>): void
    on(event: string, listener: (...args: readonly unknown[]) => void): void
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>
    interactionFinished(request: IncomingMessage, response: ServerResponse, result: Readonly<Record<string, unknown>>): Promise<void>
  }
}
