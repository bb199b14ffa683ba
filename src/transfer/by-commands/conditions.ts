/** The source's key is gone, of another type, or otherwise not what it was when the copy of it began. */
export class KeyChanged extends Error {
  override readonly name = 'KeyChanged';
}

/** The source's key is gone, or a hash of which every field has expired although the server has not yet taken it away. */
export class KeyGone extends Error {
  override readonly name = 'KeyGone';
}

/** A source that nobody can write to told something else of a key than what came of it. */
export class NotAsTold extends Error {
  override readonly name = 'NotAsTold';
}

/** The temporary key in the target was evicted, flushed or expired while it was built. */
export class TemporaryLost extends Error {
  override readonly name = 'TemporaryLost';
}

/** What the temporary key holds after a cut cannot be told: it is built anew. */
export class TemporaryUnsure extends Error {
  override readonly name = 'TemporaryUnsure';
}

/** The caller asked to stop. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}
