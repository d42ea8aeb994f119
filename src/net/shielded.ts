/**
 * Wraps a listener so that its exceptions do not reach the engine that calls it. They become uncaught exceptions of the
 * process instead.
 */
export function shielded<T>(listener: (value: T) => unknown): (value: T) => void {
  return (value) => {
    try {
      listener(value);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}
