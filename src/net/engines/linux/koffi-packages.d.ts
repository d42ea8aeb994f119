// These packages come without types. `Koffi` in koffi.ts is the type of both.
declare module '@koromix/koffi-linux-x64';
declare module '@koromix/koffi-linux-arm64';
