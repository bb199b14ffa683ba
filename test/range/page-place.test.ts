import { PagePlace, type KeyNotes, type Step } from '../../src/range/page-place';

const key = Buffer.from('key');

/** How many of some steps counted as progress. */
function counted(place: PagePlace, notes: KeyNotes, steps: readonly Step[]): number {
  let count = 0;
  place.onNote = () => count++;
  for (const step of steps) notes.set(key, { step }, step);
  return count;
}

/** As the next worker has it. */
function next(place: PagePlace): PagePlace {
  const read = PagePlace.read(place.pack());
  if (read === undefined) throw new Error('It cannot be read.');
  return read;
}

it('what is lost and done again counts a few times, and further than it was always', () => {
  const place = new PagePlace();
  const notes = place.notes('copy');
  expect(counted(place, notes, ['further', 'further', 'same'])).toBe(2);
  const again = ['anew', 'further', 'further'] as const;
  expect([1, 2, 3, 4, 5].map(() => counted(place, notes, again))).toEqual([2, 2, 2, 0, 0]);
  expect(counted(place, notes, ['further'])).toBe(1);
  expect(counted(place, notes, again)).toBe(2);
  expect(counted(place, notes, ['otherwise', 'further'])).toBe(2);
});

it('the next worker knows how far the one before got, and gets further or not', () => {
  let place = new PagePlace();
  expect(place.isFurther).toBe(false);
  counted(place, place.notes('copy'), ['further', 'further']);
  expect(place.isFurther).toBe(true);
  const furthers: boolean[] = [];
  for (let worker = 0; worker < 5; worker++) {
    place = next(place);
    counted(place, place.notes('copy'), ['anew', 'further', 'further']);
    furthers.push(place.isFurther);
  }
  expect(furthers).toEqual([true, true, true, false, false]);
});

it('a key that is done brings the work on others no further', () => {
  const place = new PagePlace();
  const notes = place.notes('copy');
  counted(place, notes, ['further', 'further']);
  notes.set(key, undefined);
  expect(place.isFurther).toBe(false);
});
