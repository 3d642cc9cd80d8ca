/** A fault after which the browser must have what was done before it: who was signed in, and is then told to come again, is signed in. */
export class FaultAfterwards extends Error {
  constructor(
    cause: unknown,
    /** Whole `Set-Cookie` values: what is answered to the fault sets them. */
    readonly setCookies: readonly string[],
  ) {
    super('a fault after something was done', { cause })
  }
}
