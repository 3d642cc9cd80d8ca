/** The schema of policies as JSON Schema, for editors and for the reference: what an author writes, before defaults are filled in. */
import { z } from 'zod'
import { policyCasesSchema } from './cases.js'
import { policySchema } from './document.js'

/** The draft that YAML's language server reads best. */
const printed = (schema: z.ZodType, title: string): object => ({ title, ...z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }) })

export const printedPolicySchema = (): object => printed(policySchema, 'A policy of Drawbridge')
export const printedCasesSchema = (): object => printed(policyCasesSchema, 'Test cases of a policy of Drawbridge')
