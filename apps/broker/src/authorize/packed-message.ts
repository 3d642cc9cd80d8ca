/**
 * A message of the POST binding as it is put aside: its octets, a quarter less than base64, where base64 says nothing beyond them.
 *
 * What is judged later is exactly the text that came, whatever it is: how base64 may be written is for the one who judges to say. It is not
 * deflated: that would cost more CPU than the smaller row saves, and whatever is inflated needs a limit.
 */
const asText = 0
const asOctets = 1

export function packMessage(text: string): Buffer {
  const octets = Buffer.from(text, 'base64')
  return octets.toString('base64') === text
    ? Buffer.concat([Buffer.of(asOctets), octets])
    : Buffer.concat([Buffer.of(asText), Buffer.from(text, 'utf8')])
}

/** Undefined: it was not packed by this version. */
export function unpackMessage(packed: Buffer): string | undefined {
  const rest = packed.subarray(1)
  if (packed[0] === asOctets) return rest.toString('base64')
  return packed[0] === asText ? rest.toString('utf8') : undefined
}
