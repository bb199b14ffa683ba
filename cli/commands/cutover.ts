import { ApiError } from '../client/api-error';
import { TroubleError } from '../outcome';
import { serviceElsewhere } from '../service/local-service';
import { conclude } from './conclude';
import { deployedService, type CommonOptions, type Context } from './context';
import { findRun } from './find-run';

export interface CutoverOptions extends CommonOptions {
  readonly reverse?: boolean;
}

/** `keyferry cutover ID`: asks for it, and waits for the verdict. @returns the exit code: 0 once it is proved */
export async function cutover(id: string, options: CutoverOptions, context: Context): Promise<number> {
  const deployed = deployedService(options);
  const run = deployed === undefined ? (await findRun(id, options)).run : undefined;
  const service = deployed ?? (run && (await serviceElsewhere(run)));
  if (service === undefined) {
    throw new TroubleError(
      `Nobody follows the source of ${id} at the moment: resume it first, and leave that command running.`,
    );
  }
  try {
    await service.client.cutOver(id, options.reverse === true);
  } catch (error) {
    if (error instanceof ApiError && error.code === 'notReady') throw new TroubleError(error.message);
    throw error;
  }
  context.display.note(
    'Stop the writers of the source now. It is proved once nothing was written to it for two seconds.',
  );
  return await conclude(id, service, options, context, run);
}
