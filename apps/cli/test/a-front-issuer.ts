/** The front issuer of a product, which mints for its MCP server, and a client there where one is given. */
import type { Product } from './a-product.js'

export async function aFrontIssuer(product: Product, client?: object): Promise<void> {
  const { json } = await product.admin('GET', '/shared-resources')
  const [resource] = json['resources'] as readonly { readonly id: string }[]
  const asked: readonly (readonly [path: string, body?: object])[] = [
    ['/front-issuer'],
    [`/front-issuer/shared-resources/${resource?.id}`],
    ...(client === undefined ? [] : [['/front-issuer/clients', client] as const]),
  ]
  for (const [path, body] of asked) {
    const { status } = await product.admin('POST', path, body)
    if (status >= 300) throw new Error(`${path} was answered ${status}`)
  }
}
