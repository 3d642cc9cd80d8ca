/** Every job has an end: what is not done within its limit has failed, and its place is free. */

export class JobOverdue extends Error {
  constructor(seconds: number) {
    super(`it was not done within ${seconds} s`)
    this.name = 'JobOverdue'
  }
}

/**
 * Fails when `run` takes longer. JavaScript cannot stop it: what it still does is held by the limits of statements and transactions, and every
 * job may run twice.
 */
export async function withinLimit<T>(seconds: number, run: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new JobOverdue(seconds)), seconds * 1000)
  })
  try {
    return await Promise.race([run(), overdue])
  } finally {
    clearTimeout(timer)
  }
}
