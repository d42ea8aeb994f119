// eslint-disable-next-line @typescript-eslint/triple-slash-reference -- programs that compile this file alone find it, too
/// <reference path="./koffi-packages.d.ts" />

/** The functions of koffi that the engine calls (koffi.dev/functions). A type is written as in C. */
export interface Koffi {
  readonly version: string;
  /** Loads a library; null stands for the libraries that the process has loaded already. */
  readonly load: (path: string | null) => {
    func(name: string, result: string, parameters: readonly string[]): unknown;
  };
  /** The address of the memory of a buffer. */
  readonly address: (buffer: ArrayBuffer) => bigint;
  /** `errno` of the last call. */
  readonly errno: () => number;
  readonly node: {
    /** Watches a descriptor by `uv_poll_t` of libuv. It is part of koffi, but not of its documentation. */
    readonly poll?: (
      fd: number,
      conditions: { readonly readable: boolean; readonly writable: boolean; readonly disconnect?: boolean },
      callback: (status: number) => void,
    ) => unknown;
  };
  readonly struct: (members: Readonly<Record<string, unknown>>) => object;
  /** Size of a type in bytes. */
  readonly sizeof: (type: object) => number;
  /** Offset of a member in bytes. */
  readonly offsetof: (type: object, member: string) => number;
}

/** The processors that the engine supports, as `os.arch()` names them. */
export type Processor = 'x64' | 'arm64';

/**
 * The package of koffi with the binaries for a processor, one for glibc and one for musl. udpcat does not depend on the
 * package `koffi` itself: that has an install script, which installers warn of or refuse, and the binaries for all systems
 * as its own dependencies.
 */
export const packageFor = (processor: Processor): string => `@koromix/koffi-linux-${processor}`;

/** Loads the package for a processor. Rejects if it is not installed. */
export async function loadKoffi(processor: Processor): Promise<Koffi> {
  // The names are written out, so that bundlers find them.
  const loading = processor === 'x64' ? import('@koromix/koffi-linux-x64') : import('@koromix/koffi-linux-arm64');
  const { default: koffi } = (await loading) as { readonly default: Koffi };
  return koffi;
}
