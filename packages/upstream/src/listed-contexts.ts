/** What a connection's IdP understands of authentication contexts, as its admin listed it. */
import type { ConnectionConfiguration } from './connection-configuration.js'

export function listedContexts(connection: ConnectionConfiguration): readonly string[] {
  if (connection.kind === 'saml')
    return [...connection.requestedClassRefs, ...(connection.stepUpClassRef === null ? [] : [connection.stepUpClassRef])]
  return [...connection.acrValues, ...(connection.stepUpAcr?.split(' ') ?? [])]
}
