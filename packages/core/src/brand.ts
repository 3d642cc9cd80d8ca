/** A string or number that remembers what it is, so that a subject id cannot be passed where a tenant id is wanted. */
declare const brand: unique symbol
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }
