/** The front issuer of a product, which mints for its MCP server, and a client there where one is given. */
import type { Company, Product } from './a-product.js'

export async function aFrontIssuer(product: Pick<Product, 'admin'>, client?: object): Promise<void> {
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

/** A client of the vendor's that acts in its own name at the front, and may read documents of one company. */
export async function aFrontMachine(
  product: Product,
  company: Company,
  over: object = {},
): Promise<{ readonly id: string; readonly secret: string }> {
  const client = { name: 'Worker', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'client_secret_post', ...over }
  const { json } = await product.admin('POST', '/front-issuer/clients', client)
  const id = String(json['clientId'])
  const access = [{ resource: product.mcpUrl, scopes: ['documents:read'] }]
  for (const [method, path, body] of [
    ['POST', `/tenants/${company}/front-clients/${id}`],
    ['PUT', `/tenants/${company}/front-clients/${id}/machine-access`, { access }],
  ] as const) {
    const { status } = await product.admin(method, path, body)
    if (status >= 300) throw new Error(`${path} was answered ${status}`)
  }
  return { id, secret: String(json['clientSecret']) }
}
