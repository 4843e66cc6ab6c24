declare const __COXSWAIN_VERSION__: string | undefined;

/** This build's version; `0.0.0-dev` when the sources run unbuilt. */
export const VERSION: string = typeof __COXSWAIN_VERSION__ === 'string' ? __COXSWAIN_VERSION__ : '0.0.0-dev';
