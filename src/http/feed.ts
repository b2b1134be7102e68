/** One look at a thing for all who follow it, however many they are; each is told only of changes. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Told<T> {
  /** Equal for equal states, in every process: whoever comes back says with it what it has. */
  readonly id: string;
  readonly state: T;
  /** The last that there will be. */
  readonly isLast: boolean;
}

export interface Feed<T> {
  /** Calls with the present state as soon as it is known, then with every other one. The function given back ends it. */
  follow(key: string, tell: (told: Told<T>) => void): () => void;
}

export interface FeedOptions<T> {
  /** Null when there is no such thing. `previous`: what was seen last. */
  look(key: string, previous: T | null): Promise<T | null>;
  isLast(state: T): boolean;
  /** Told once when looking begins to fail; it is gone on with. */
  onTrouble(error: unknown): void;
}

/** Looking takes at most a fifth of the time: what costs more is looked at less often. */
const leastPauseMs = 200;
const restFactor = 4;

export const digestOf = (state: unknown): string => createHash('sha256').update(JSON.stringify(state)).digest('base64url').slice(0, 22);

interface Watch<T> {
  readonly followers: Set<(told: Told<T>) => void>;
  told: Told<T> | null;
}

export function createFeed<T>({ look, isLast, onTrouble }: FeedOptions<T>): Feed<T> {
  const watches = new Map<string, Watch<T>>();

  async function keepLooking(key: string, watch: Watch<T>): Promise<void> {
    let inTrouble = false;
    while (watch.followers.size > 0) {
      const begun = performance.now();
      try {
        const state = await look(key, watch.told?.state ?? null);
        if (state !== null) tell(watch, { id: digestOf(state), state, isLast: isLast(state) });
        inTrouble = false;
      } catch (error) {
        if (!inTrouble) onTrouble(error);
        inTrouble = true;
      }
      if (watch.told?.isLast === true) break;
      await sleep(Math.max(leastPauseMs, restFactor * (performance.now() - begun)), undefined, { ref: false });
    }
    if (watches.get(key) === watch) watches.delete(key);
  }
  function tell(watch: Watch<T>, told: Told<T>): void {
    if (watch.told?.id === told.id) return;
    watch.told = told;
    for (const follower of watch.followers) follower(told);
  }
  return {
    follow(key, follower) {
      let watch = watches.get(key);
      if (watch === undefined) {
        watch = { followers: new Set(), told: null };
        watches.set(key, watch);
        watch.followers.add(follower);
        void keepLooking(key, watch);
      } else {
        watch.followers.add(follower);
        if (watch.told !== null) follower(watch.told);
      }
      const { followers } = watch;
      return () => void followers.delete(follower);
    },
  };
}
