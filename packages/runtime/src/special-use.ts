/**
 * Addresses that a fetch on behalf of a stranger must never reach: our own machine, our network, and what is reserved.
 *
 * An IPv6 address that carries an IPv4 one (mapped, compatible, NAT64, 6to4) is judged by the IPv4 address inside as well.
 *
 * @spec RFC 6890 special-purpose address registries
 * @spec RFC 6052 NAT64 well-known prefix
 */
import { BlockList, isIP } from 'node:net'

const special4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const

const blocked4 = new BlockList()
for (const [net, prefix] of special4) blocked4.addSubnet(net, prefix, 'ipv4')

/** Only 2000::/3 is global unicast; of it, these are not for us. */
const special6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
] as const
const blocked6 = new BlockList()
for (const [net, prefix] of special6) blocked6.addSubnet(net, prefix, 'ipv6')
const global6 = new BlockList()
global6.addSubnet('2000::', 3, 'ipv6')

export const isLoopbackAddress = (address: string): boolean => {
  const words = isIP(address) === 6 ? toWords(address) : undefined
  if (!words) return isIP(address) === 4 && address.startsWith('127.')
  return words.slice(0, 7).every((word) => word === 0) && words[7] === 1
}

/**
 * Whether a URL with this host leads to the machine of whoever follows it. Judged by the name alone: nothing is resolved, so a name whose
 * record says 127.0.0.1 is not among them; `fetchSafely` judges those.
 */
export function isThisMachine(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  const words = isIP(host) === 6 ? toWords(host) : undefined
  const address = (words && embeddedIpv4(words)) ?? host
  return isLoopbackAddress(address) || address === '::' || (isIP(address) === 4 && address.startsWith('0.'))
}

/** True for everything that is not plainly a public unicast address, so what nobody thought of is refused. */
export function isSpecialUseAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return blocked4.check(address, 'ipv4')
  if (family !== 6 || address.includes('%')) return true
  const words = toWords(address)
  if (!words) return true
  const inside = embeddedIpv4(words)
  // Mapped and NAT64 addresses reach the IPv4 address inside; 6to4 is judged by it too.
  if (inside !== undefined) return blocked4.check(inside, 'ipv4')
  return !global6.check(address, 'ipv6') || blocked6.check(address, 'ipv6')
}

function embeddedIpv4(words: readonly number[]): string | undefined {
  const [a, b] = words as [number, number]
  const zero = (from: number, to: number): boolean => words.slice(from, to).every((word) => word === 0)
  if (zero(0, 5) && words[5] === 0xffff) return toIpv4(words[6] as number, words[7] as number)
  if (a === 0x64 && b === 0xff9b && zero(2, 6)) return toIpv4(words[6] as number, words[7] as number)
  if (a === 0x2002) return toIpv4(b, words[2] as number)
  return undefined
}

const toIpv4 = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`

/** The eight words of an IPv6 address. */
export function toWords(address: string): readonly number[] | undefined {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const text = dotted
    ? `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`
    : address
  const [head = '', tail] = text.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? 0 : 8 - left.length - right.length
  const words = [...left, ...Array<string>(Math.max(gap, 0)).fill('0'), ...right].map((word) => Number.parseInt(word, 16))
  return words.length === 8 && words.every((word) => word >= 0 && word <= 0xffff) ? words : undefined
}
