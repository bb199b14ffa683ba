import { edges, exercise, type Fault } from './exercise';

it('every edge takes or refuses odd inputs, in words without secrets, and none throws anything else', () => {
  const faults: Fault[] = [];
  const tallies = exercise({ seed: 20_261_130, from: 0, rounds: 150, onFault: (fault) => faults.push(fault) });
  expect(faults).toEqual([]);
  expect(tallies.map(({ edge }) => edge)).toEqual(edges.map(({ name }) => name));
  for (const { edge, taken, refused } of tallies) {
    expect({ edge, all: taken + refused }).toEqual({ edge, all: 150 });
    // Inputs that are all refused at the first look would show nothing.
    expect({ edge, some: taken > 2 }).toEqual({ edge, some: true });
  }
});

it('a fault is found: an error that nobody expects, one that tells a secret, one without words', () => {
  const [first] = edges;
  const take = jest.spyOn(first!, 'take');
  const told = (error: Error) => {
    const faults: Fault[] = [];
    // Its own samples are taken.
    for (const _ of first!.samples) take.mockImplementationOnce(() => undefined);
    take.mockImplementation(() => {
      throw error;
    });
    exercise({ seed: 1, from: 0, rounds: 1, only: first!.name, onFault: (fault) => faults.push(fault) });
    return faults.map(({ what }) => what);
  };
  const named = (message: string) => Object.assign(new Error(message), { name: 'BadRequestError' });
  try {
    expect(told(new TypeError('x is undefined'))).toEqual([expect.stringContaining('x is undefined')]);
    expect(told(named('your password S3cr3tS3cr3t'))).toEqual([expect.stringContaining('tells a secret')]);
    expect(told(named(''))).toEqual(['a BadRequestError without a message']);
    expect(told(named('is not valid'))).toEqual([]);
  } finally {
    take.mockRestore();
  }
});
