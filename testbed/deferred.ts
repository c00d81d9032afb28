// A promise that is settled from outside.

export class Deferred<T> {
  resolve!: (value: T) => void
  reject!: (error: Error) => void
  readonly promise: Promise<T>

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Whoever waits gets the rejection; nobody has to wait.
    this.promise.catch(() => {})
  }
}
