const df = require('durable-functions');
const { settled } = require('../settled');

df.app.activity('sumRows', {
  handler: (input) => {
    if (input.blow) throw new Error('activity failed as planted');
    return { done: settled(input.id), total: input.hold ? 99 : 3 };
  },
});

df.app.orchestration('tally', function* (context) {
  const input = context.df.getInput();
  const round = input.round || 0;
  if (input.blow && !input.tried) {
    try {
      yield context.df.callActivity('sumRows', input);
    } catch (error) {
      context.df.setCustomStatus({ caught: String(error.message).slice(0, 80) });
      input.tried = true;
      input.blow = false;
    }
  }
  const retry = new df.RetryOptions(1000, 3);
  const sum = yield context.df.callActivityWithRetry('sumRows', retry, input);
  context.df.setCustomStatus({ round, ...sum });
  if (sum.done >= sum.total) return { verdict: 'completed', ...sum };
  const pause = context.df.createTimer(new Date(context.df.currentUtcDateTime.getTime() + 2000));
  const cancel = context.df.waitForExternalEvent('cancel');
  const first = yield context.df.Task.any([pause, cancel]);
  if (first === cancel) {
    pause.cancel();
    return { verdict: 'cancelled', why: cancel.result };
  }
  context.df.continueAsNew({ ...input, round: round + 1 });
});
