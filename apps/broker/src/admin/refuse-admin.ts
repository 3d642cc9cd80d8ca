/** A refusal of the admin API as an answer. */
import type { Answer } from '../http/answer.js'
import { refuseAsProblem } from '../http/write-error.js'
import { type AdminErrorReason, adminErrors } from './error.js'

export const refuseAdmin = (
  reason: AdminErrorReason,
  errors?: readonly { readonly path: string; readonly message: string }[],
  headers: Readonly<Record<string, string>> = {},
): Answer => refuseAsProblem(adminErrors[reason], { reason }, { headers, ...(errors ? { errors } : {}) })
