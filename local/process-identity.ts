import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * Tells a process from a later one that got the same number: on Linux its start time and a hash of its command, elsewhere
 * empty. It is written down, and a command line may hold a password.
 * @returns undefined when no such process runs
 */
export function processIdentity(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields after the command's closing parenthesis; the state is the 3rd field, the start time the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`);
    // One that has ended, or is ending: its memory, and with it the command, is gone first.
    if (fields[0] === 'Z' || command.length === 0) return undefined;
    return `${fields[19] ?? ''} ${createHash('sha256').update(command).digest('base64')}`;
  } catch {
    return '';
  }
}
