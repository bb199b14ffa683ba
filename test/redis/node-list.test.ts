import { addressesOf, epochsOf, lostReplicasOf, ownSlotsOf } from '../../src/redis/node-list';

const nodes = (own: string) =>
  [
    'id2 10.0.0.2:6379@16379 master - 0 1 2 connected 10-16383',
    `id1 10.0.0.1:6379@16379 myself,master - 0 0 ${own}`,
    '',
  ].join('\n');

describe('the slots of the node that answers', () => {
  const atRest = ownSlotsOf(nodes('1 connected 0-9'));
  it.each([
    ['none', '1 connected', false],
    ['fewer', '1 connected 0-8', false],
    ['on their way from it', '1 connected 0-9 [5->-id2]', true],
    ['on their way to it', '1 connected 0-9 [12-<-id2]', true],
    ['that came back', '7 connected 0-9', false],
  ])('%s: are not those that it had', (_, own, areMoving) => {
    const now = ownSlotsOf(nodes(own));
    expect(now).toMatchObject({ areMoving });
    expect(now?.text).not.toBe(atRest?.text);
  });

  it('are told alike as long as they are the same', () => {
    expect(atRest?.areMoving).toBe(false);
    expect(ownSlotsOf(nodes('1 disconnected 0-9'))).toEqual(atRest);
  });

  it('are not known where it does not say which it is', () => {
    expect(ownSlotsOf('id2 10.0.0.2:6379@16379 master - 0 1 2 connected 10-16383')).toBeUndefined();
    expect(ownSlotsOf('')).toBeUndefined();
  });
});

it('the epochs of the claims of all nodes are told', () => {
  expect(epochsOf(nodes('7 connected 0-9'))).toEqual(
    new Map([
      ['id2', 2n],
      ['id1', 7n],
    ]),
  );
});

it('addresses of all nodes are told, but of those that have none', () => {
  const others = ['id3 :0@0 master,noaddr - 0 0 0 disconnected', 'id4 :6379@16379,name slave id1 0 0 1 connected', ''];
  expect(addressesOf(nodes('1 connected 0-9') + others.join('\n'))).toEqual([
    { id: 'id2', host: '10.0.0.2', port: 6_379 },
    { id: 'id1', host: '10.0.0.1', port: 6_379 },
    { id: 'id4', host: '', port: 6_379 },
  ]);
});

it('replicas that a master does not reach are told, and no others', () => {
  const others = [
    'id3 10.0.0.3:6379@16379 slave id1 0 0 1 connected',
    'id4 10.0.0.4:6379@16379,name slave,fail id1 0 0 1 connected',
    'id5 10.0.0.5:6379@16379 slave,fail? id1 0 0 1 connected',
    'id6 10.0.0.6:6379@16379 slave id1 0 0 1 disconnected',
    'id7 10.0.0.7:6379@16379 slave,fail id2 0 0 1 disconnected',
    'id8 10.0.0.8:6379@16379 master,fail - 0 0 1 disconnected',
  ];
  expect(lostReplicasOf(nodes('1 connected 0-9') + others.join('\n'))).toEqual(['id4', 'id5', 'id6']);
  expect(lostReplicasOf('')).toEqual([]);
});
