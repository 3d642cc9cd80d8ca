/** The tools of the example: they know documents, not tokens. Which scope each needs is said in `example-server`. */
import { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

export type Shelf = Map<string, string>

/** Documents on the shelf; beyond this, writing is refused. */
export const maxDocuments = 1000

const say = (text: string) => ({ content: [{ type: 'text' as const, text }] })

export function createDocumentServer(shelf: Shelf): McpServer {
  const server = new McpServer({ name: 'drawbridge-example', version: '0.1.0' })
  server.registerTool(
    'search_documents',
    { description: 'Find documents that contain a text', inputSchema: z.object({ text: z.string().max(200) }) },
    async ({ text }) => {
      const found = [...shelf].filter(([name, content]) => name.includes(text) || content.includes(text))
      return say(found.length === 0 ? 'nothing found' : found.map(([name, content]) => `${name}: ${content}`).join('\n'))
    },
  )
  server.registerTool(
    'write_document',
    { description: 'Write a document', inputSchema: z.object({ name: z.string().min(1).max(100), content: z.string().max(10_000) }) },
    async ({ name, content }) => {
      if (shelf.size >= maxDocuments && !shelf.has(name)) return { ...say('the shelf is full'), isError: true }
      shelf.set(name, content)
      return say(`wrote ${name}`)
    },
  )
  server.registerTool('purge_documents', { description: 'Remove every document, for good', inputSchema: z.object({}) }, async () => {
    const count = shelf.size
    shelf.clear()
    return say(`removed ${count} documents`)
  })
  return server
}
