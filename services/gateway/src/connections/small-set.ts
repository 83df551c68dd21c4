/** A set that nearly always has one member or none, and costs hardly anything then. */
export class SmallSet<T extends object> implements Iterable<T> {
  #one: T | undefined
  #many: Set<T> | undefined

  get size(): number {
    return this.#many?.size ?? (this.#one === undefined ? 0 : 1)
  }

  add(member: T): void {
    if (this.#many) this.#many.add(member)
    else if (this.#one === undefined) this.#one = member
    else if (this.#one !== member) {
      this.#many = new Set([this.#one, member])
      this.#one = undefined
    }
  }

  delete(member: T): void {
    if (this.#one === member) this.#one = undefined
    this.#many?.delete(member)
    if (this.#many?.size === 0) this.#many = undefined
  }

  /** Members may be deleted, and are not added, while this goes on. */
  [Symbol.iterator](): Iterator<T> {
    if (this.#many) return this.#many.values()
    return (this.#one === undefined ? [] : [this.#one]).values()
  }
}
