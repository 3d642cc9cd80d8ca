/** An MCP client that calls tools for a person: it discovers the issuer, sends the person to sign in, and steps up when a tool asks for it. */
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client'
import { createBrowserLogin, type LoginOptions } from './browser-login.js'

export type AgentOptions = LoginOptions & { readonly serverUrl: string }
export type ExampleAgent = {
  connect(): Promise<void>
  callTool(name: string, args: Readonly<Record<string, unknown>>): Promise<string>
  /** How often the person was sent to the browser. */
  visits(): number
  close(): Promise<void>
}

/** One login for the connection, one more for a step-up; then the refusal is final. */
export const maxLogins = 2

export function createExampleAgent(options: AgentOptions): ExampleAgent {
  const login = createBrowserLogin(options)
  const url = new URL(options.serverUrl)
  const newTransport = () => new StreamableHTTPClientTransport(url, { authProvider: login.provider })
  let transport = newTransport()
  let client: Client | undefined

  /** A transport serves one connection: after each login the agent connects anew with the tokens it has. */
  const connectOnce = async (): Promise<Client> => {
    const fresh = new Client({ name: 'drawbridge-example-agent', version: '0.1.0' })
    transport = newTransport()
    await fresh.connect(transport)
    client = fresh
    return fresh
  }
  const withLogin = async <T>(act: () => Promise<T>): Promise<T> => {
    for (let logins = 0; ; logins++) {
      try {
        return await act()
      } catch (error) {
        if (!(error instanceof UnauthorizedError) || logins >= maxLogins) throw error
        await transport.finishAuth(await login.answer())
        client = undefined
      }
    }
  }
  return {
    connect: async () => void (await withLogin(connectOnce)),
    callTool: (name, args) =>
      withLogin(async () => {
        const connected = client ?? (await connectOnce())
        const result = await connected.callTool({ name, arguments: { ...args } })
        const parts = Array.isArray(result.content) ? result.content : []
        return parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n')
      }),
    visits: () => login.visits(),
    close: async () => {
      await client?.close()
    },
  }
}
