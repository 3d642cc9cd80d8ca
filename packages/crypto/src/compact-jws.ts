/** The parts of a compact JWS, as text: nothing in here believes them. @spec RFC 7515 §7.1 */

export const base64url = /^[A-Za-z0-9_-]+$/

export function parseObject(part: string): Readonly<Record<string, unknown>> | undefined {
  if (!base64url.test(part)) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
