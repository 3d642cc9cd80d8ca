/** Why a signed signal is not believed; `detail` names the rule and holds no value of the message. */
import type { SignalErrorReason } from '@drawbridge/core/signals/error'

export type SignalRefusal = { readonly reason: SignalErrorReason; readonly detail?: Readonly<Record<string, string | number>> }
