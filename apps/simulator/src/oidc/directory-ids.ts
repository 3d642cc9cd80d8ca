/** The ids by which a directory names a company (`tid`) and a person (`oid`): they look like Entra's, and are the same after a restart. */
import { createHash } from 'node:crypto'
import type { CompanyId, Person } from '../companies.js'

const idFrom = (name: string): string => {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export const directoryIdOf = (company: CompanyId): string => idFrom(`company ${company}`)
export const objectIdOf = ({ id }: Pick<Person, 'id'>): string => idFrom(`person ${id}`)
