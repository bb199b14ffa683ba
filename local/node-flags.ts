/**
 * What Node.js is started with for the app on one machine, as `npm start` and the command have it: a small young generation keeps the process
 * small and costs nothing measurable, and so does an old one that is collected when half as much again is there as was left the last time,
 * where a large machine would wait for four times as much.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=16', '--heap-growing-percent=50'];
