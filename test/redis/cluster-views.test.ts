import { isStranger, ownersOf, type Doubt, type View } from '../../src/redis/cluster-views';
import { parseTopology } from '../../src/redis/topology';

type Run = readonly [first: number, last: number, owner: string];
type Epochs = Readonly<Record<string, number>>;

/** What a node tells: each node's port is the number in its name. */
function view(name: string, runs: readonly Run[], epochs: Epochs, { open = '', info = 'cluster_state:ok\r\n' } = {}) {
  const port = (node: string) => Number(node.slice(1));
  const topology = parseTopology(
    runs.map(([first, last, owner]) => [first, last, [Buffer.from('h'), port(owner), Buffer.from(owner)]]),
    'h',
  );
  const lines = Object.entries(epochs).map(([node, epoch]) => {
    const own = runs.filter(([, , owner]) => owner === node).map(([first, last]) => `${first}-${last}`);
    const flags = node === name ? 'myself,master' : 'master';
    const slots = [...own, ...(node === name && open !== '' ? [open] : [])];
    return [node, `h:${port(node)}@1`, flags, '-', 0, 0, epoch, 'connected', ...slots].join(' ');
  });
  return { node: { host: 'h', port: port(name), id: name }, topology, nodes: lines.join('\n'), info } satisfies View;
}

const halves: readonly Run[] = [
  [0, 8_191, 'n1'],
  [8_192, 16_383, 'n2'],
];
const after: readonly Run[] = [
  [0, 8_191, 'n3'],
  [8_192, 16_383, 'n2'],
];
const epochs = { n1: 1, n2: 2, n3: 1 };
const later = { n1: 1, n2: 2, n3: 10 };
const agreed = [view('n1', halves, epochs), view('n2', halves, epochs), view('n3', halves, epochs)];
const [one, two] = agreed as [View, View];

it.each<[string, readonly View[], Doubt | null, readonly string[]]>([
  ['all agree', agreed, null, ['n1', 'n2']],
  [
    'one does not know that another took its place',
    [one, view('n2', after, later), view('n3', after, later)],
    null,
    ['n3', 'n2'],
  ],
  ['nobody but itself knows that it took the place', [one, two, view('n3', after, later)], null, ['n3', 'n2']],
  ['the one that was replaced is not heard', [two, view('n3', after, later)], null, ['n3', 'n2']],
  [
    'the one that took the place is not heard, and is known to one',
    [one, view('n2', after, later)],
    'unheard',
    ['n3', 'n2'],
  ],
  ['an owner is not heard', [two, view('n3', halves, epochs)], 'unheard', ['n1', 'n2']],
  ['one that has no slots is not heard', [one, two], null, ['n1', 'n2']],
  [
    'a claim is later than that of one that took the place',
    [view('n1', halves, { ...later, n1: 11 }), view('n2', after, later), view('n3', after, later)],
    null,
    ['n1', 'n2'],
  ],
  ['two claims are equally late', [one, two, view('n3', after, epochs)], 'differ', ['n1', 'n2']],
  [
    'one has given slots away, and a third does not know where they went',
    [
      view(
        'n1',
        [
          [0, 4_095, 'n1'],
          [4_096, 16_383, 'n2'],
        ],
        { n1: 1, n2: 5 },
      ),
      view(
        'n2',
        [
          [0, 4_095, 'n1'],
          [4_096, 16_383, 'n2'],
        ],
        { n1: 1, n2: 5 },
      ),
      view('n3', halves, { n1: 1, n2: 5, n3: 0 }),
    ],
    null,
    ['n1', 'n2'],
  ],
  [
    'one is said to own what it does not claim, by a later claim than the one that is made',
    [
      view('n1', after, { n1: 9, n2: 2, n3: 3 }),
      view('n2', halves, { n1: 9, n2: 2, n3: 1 }),
      view('n3', after, { n1: 9, n2: 2, n3: 3 }),
    ],
    'differ',
    ['n3', 'n2'],
  ],
  [
    'nobody claims slots that one is said to own',
    [view('n1', [[8_192, 16_383, 'n2']], epochs), two],
    'differ',
    ['n1', 'n2'],
  ],
  [
    'an owner says that the cluster is down',
    [one, view('n2', halves, epochs, { info: 'cluster_state:fail\r\n' })],
    'down',
    ['n1', 'n2'],
  ],
  [
    'one that was replaced says that the cluster is down',
    [
      view('n1', halves, epochs, { info: 'cluster_state:fail\r\n' }),
      view('n2', after, later),
      view('n3', after, later),
    ],
    null,
    ['n3', 'n2'],
  ],
  ["a slot is nobody's", [view('n1', [[0, 16_382, 'n1']], epochs)], 'down', ['n1']],
  ['slots are on their way', [view('n1', halves, epochs, { open: '[5->-n2]' }), two], 'moving', ['n1', 'n2']],
  ['CLUSTER INFO is refused', [one, two].map((each) => ({ ...each, info: '' })), null, ['n1', 'n2']],
  ['CLUSTER NODES is refused', [one, two].map((each) => ({ ...each, nodes: '' })), null, ['n1', 'n2']],
  [
    'CLUSTER NODES is refused, and two claim the same',
    [one, view('n2', after, later), view('n3', after, later)].map((each) => ({ ...each, nodes: '' })),
    'differ',
    ['n1', 'n2'],
  ],
])('%s', (_, views, doubt, masters) => {
  const owners = ownersOf(views);
  expect(owners.doubt).toBe(doubt);
  expect(owners.topology.masters.map(({ id }) => id)).toEqual(masters);
  // Whoever is asked first.
  expect(ownersOf([...views].reverse()).doubt).toBe(doubt);
});

it('of a node without an id it is told by its address', () => {
  const nameless = (port: number): View => ({
    node: { host: 'h', port },
    topology: parseTopology(
      [
        [0, 8_191, [Buffer.from('h'), 1]],
        [8_192, 16_383, [Buffer.from('h'), 2]],
      ],
      'h',
    ),
    nodes: '',
    info: '',
  });
  expect(ownersOf([nameless(1), nameless(2)])).toMatchObject({ doubt: null });
  expect(ownersOf([nameless(1)])).toMatchObject({ doubt: 'unheard' });
});

it('a node that answers at another address than others tell is met where it answers', () => {
  const moved = view('n1', halves, epochs);
  const views = [
    two,
    {
      ...moved,
      node: { host: 'elsewhere', port: 1, id: 'n1' },
      topology: parseTopology(
        [
          [0, 8_191, [Buffer.from('elsewhere'), 1, Buffer.from('n1')]],
          [8_192, 16_383, [Buffer.from('h'), 2, Buffer.from('n2')]],
        ],
        'elsewhere',
      ),
    },
  ];
  expect(ownersOf(views).topology.ownerOf(5)).toMatchObject({ host: 'elsewhere', port: 1 });
});

it('slots that went and came back are told by another text', () => {
  const back = agreed.map((_, i) => view(`n${i + 1}`, halves, { ...epochs, n1: 7 }));
  const { slots } = ownersOf(agreed);
  expect(ownersOf([two, one]).slots).toBe(slots);
  expect(ownersOf(back)).toMatchObject({ doubt: null });
  expect(ownersOf(back).slots).not.toBe(slots);
});

it.each<[string, View, readonly string[], boolean]>([
  ['nothing was known', one, [], false],
  ['only itself was known', one, ['n1'], false],
  ['it names another that was known', one, ['n1', 'n2', 'n9'], false],
  ['it is alone', view('n1', [[0, 16_383, 'n1']], { n1: 9 }), ['n1', 'n2'], true],
  ['it has no slots, and is alone', view('n1', [], { n1: 0 }), ['n1', 'n2'], true],
  ['it is among others', one, ['n1', 'n8', 'n9'], true],
  ['it tells no ids', { ...one, topology: parseTopology([], 'h'), nodes: '' }, ['n1', 'n2'], false],
])('a view of another cluster counts for nothing: %s', (_, told, known, expected) => {
  expect(isStranger(told, known)).toBe(expected);
});

describe('of a cluster with one master, replicas that nobody reaches', () => {
  const all: readonly Run[] = [[0, 16_383, 'n1']];
  const withReplica = (line: string): View => {
    const only = view('n1', all, { n1: 1 });
    return { ...only, nodes: `${only.nodes}\nn2 h:2@1 ${line}` };
  };
  const lost = withReplica('slave,fail n1 0 0 1 disconnected');

  it.each<[string, readonly View[], number]>([
    ['are told', [lost], 1],
    ['are not told where they have answered', [lost, view('n2', all, { n1: 1, n2: 0 })], 0],
    ['are not told where the master reaches them', [withReplica('slave n1 0 0 1 connected')], 0],
    [
      'are not told where other masters would know',
      [{ ...one, nodes: `${one.nodes}\nn9 h:9@1 slave,fail n1 0 0 1 disconnected` }, two],
      0,
    ],
  ])('%s', (_, views, unseen) => {
    expect(ownersOf(views).unseen).toEqual(unseen);
  });
});
