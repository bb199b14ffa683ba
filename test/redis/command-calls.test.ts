import { changingCalls } from '../../src/redis/command-calls';

it('counts calls of commands that may change keys, and of those that no one knows', () => {
  const info = [
    '# Commandstats',
    'cmdstat_get:calls=9,usec=1,usec_per_call=1.00',
    'cmdstat_set:calls=2,usec=89,usec_per_call=44.50',
    'cmdstat_client|setinfo:calls=2,usec=2,usec_per_call=1.00',
    'cmdstat_xgroup|create:calls=1,usec=4,usec_per_call=4.00,rejected_calls=0,failed_calls=0',
    'cmdstat_FLUSHALL:calls=3,usec=4',
    'cmdstat_json.set:calls=4,usec=4',
  ].join('\r\n');
  expect(changingCalls(info)).toEqual({ set: 2, 'xgroup|create': 1, flushall: 3, 'json.set': 4 });
});

it('tells a server that counts no calls from one on which nothing was written', () => {
  expect(changingCalls('# Commandstats\r\ncmdstat_info:calls=1,usec=1\r\n')).toEqual({});
  expect(changingCalls('')).toBeUndefined();
  expect(changingCalls('# Server\r\nredis_version:7.4.3\r\n')).toBeUndefined();
});
