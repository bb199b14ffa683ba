/** The command's name as the user called it. */
function commandName(): string {
  return process.env.npm_command === 'exec' ? 'npx keyferry' : 'keyferry';
}

/** A command line for the user to copy; parts that a shell would take apart are quoted. */
export function commandLine(...parts: readonly string[]): string {
  return [commandName(), ...parts.map(quoted)].join(' ');
}

function quoted(part: string): string {
  const plain = /^[\w./:=@-]+$/.test(part) || isPlaceholder(part);
  return plain ? part : `'${part.replaceAll("'", "'\\''")}'`;
}

/** `<…>` is for the user to fill in. */
function isPlaceholder(part: string): boolean {
  return /^<[\w ]+>$/.test(part);
}
