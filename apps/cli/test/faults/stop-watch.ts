/** The clock of the ledger: milliseconds of this process, whatever becomes of the clocks on the wall. */
export const now = (): number => performance.now()
