/** Whether an address is of this installation. */
import type { BrokerDeps } from '../deps.js'

/**
 * Every issuer of ours, of whichever tenant, is at our public origin, and may be reached at the one that asks for certificates; whatever the path,
 * nothing there is a stranger's. What cannot be read as an address counts as ours. security.md §11
 */
export const isOwnAddress = ({ settings: { publicUrl, mtlsUrl } }: Pick<BrokerDeps, 'settings'>, url: string): boolean =>
  !URL.canParse(url) || [publicUrl, mtlsUrl].some((own) => own !== undefined && new URL(own).origin === new URL(url).origin)
