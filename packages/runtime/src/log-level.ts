/** How much a log says. Apart from the log, so that commands that only read settings load no logger. */

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]
