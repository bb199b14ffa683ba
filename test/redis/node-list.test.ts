import { ownSlotsOf } from '../../src/redis/node-list';

const nodes = (own: string) =>
  [
    'id2 10.0.0.2:6379@16379 master - 0 1 2 connected 10-16383',
    `id1 10.0.0.1:6379@16379 myself,master - 0 0 ${own}`,
    '',
  ].join('\n');

describe('the slots of the node that answers', () => {
  it.each([
    ['at rest', '1 connected 0-9', { text: 'id1 1 0-9', areMoving: false }],
    ['none', '1 connected', { text: 'id1 1', areMoving: false }],
    ['on their way from it', '1 connected 0-9 [5->-id2]', { text: 'id1 1 0-9 [5->-id2]', areMoving: true }],
    ['on their way to it', '1 connected 0-9 [12-<-id2]', { text: 'id1 1 0-9 [12-<-id2]', areMoving: true }],
    ['that came back', '7 connected 0-9', { text: 'id1 7 0-9', areMoving: false }],
  ])('%s', (_, own, expected) => {
    expect(ownSlotsOf(nodes(own))).toEqual(expected);
  });

  it('are not known where it does not say which it is', () => {
    expect(ownSlotsOf('id2 10.0.0.2:6379@16379 master - 0 1 2 connected 10-16383')).toBeUndefined();
    expect(ownSlotsOf('')).toBeUndefined();
  });
});
