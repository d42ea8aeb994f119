/** Keeps an exception of the owner's listener away from the caller. It becomes an uncaught exception of the process. */
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
