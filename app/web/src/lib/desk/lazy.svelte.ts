/** A part of the client that is fetched when it is first needed. */

export class Lazy<T> {
  value = $state.raw<T | null>(null);
  failed = $state(false);
  private asked = false;

  constructor(private readonly load: () => Promise<T>) {}

  /** Fetch it, once; a failure may be tried again. */
  need(): void {
    if (this.asked) return;
    this.asked = true;
    this.failed = false;
    this.load().then(
      (value) => (this.value = value),
      () => {
        this.asked = false;
        this.failed = true;
      },
    );
  }
}
