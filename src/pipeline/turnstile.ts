/** Lets in as many at once as there are places, in the order they came; one guest may need several places. */

export class Turnstile {
  #free: number;
  readonly #waiting: { places: number; enter: () => void }[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  /** Resolves with the function that gives the places back. */
  async enter(places: number): Promise<() => void> {
    if (this.#waiting.length === 0 && this.#free >= places) this.#free -= places;
    else await new Promise<void>((enter) => this.#waiting.push({ places, enter }));
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#free += places;
      this.#admit();
    };
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.places <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.places;
      next.enter();
    }
  }
}
