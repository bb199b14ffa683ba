const WORDS: Readonly<Record<string, string>> = {
  read: 'reading the file',
  copy: 'copying',
  survey: 'looking at the keys',
  compare: 'comparing',
  sync: 'bringing up to date',
  libraries: 'loading function libraries',
  seal: 'putting the file together, and reading it once more',
  look: 'looking up the keys on the target',
  extra: 'looking for keys that only the target has',
  listen: 'listening to the source',
  settle: 'applying once more what changed meanwhile',
  live: 'in step',
  cutover: 'cutting over',
};

/** What is done in a phase, for people: "copying". One of another version is called by its name. */
export function phaseWords(phase: string): string {
  return Object.hasOwn(WORDS, phase) ? (WORDS[phase] ?? phase) : phase;
}
