/** Whether an address is of this installation. */
import type { BrokerDeps } from '../deps.js'

/**
 * Every issuer of ours, of whichever tenant, is at our public origin; whatever the path, nothing at it is a stranger's. What cannot be read as an
 * address counts as ours. security.md §11
 */
export const isOwnAddress = ({ settings }: Pick<BrokerDeps, 'settings'>, url: string): boolean =>
  !URL.canParse(url) || new URL(url).origin === new URL(settings.publicUrl).origin
