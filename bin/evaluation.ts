/** The first argument with which a single executable runs JavaScript text, as `node -e` does. It is for udpcat itself. */
export const EVALUATE = '--evaluate-javascript';
