import { tableRow, withSection } from '../../bench/results-file';

const TITLE = '# Results of the bench';

describe('withSection', () => {
  it('begins a file', () => {
    expect(withSection('', 'Sessions', ['x', '', '- y'])).toBe(`${TITLE}\n\n## Sessions\n\nx\n\n- y\n`);
  });

  it('replaces its own section only, wherever it is', () => {
    const file = `${TITLE}\n\n## Copying\n\na\n\n## Sessions\n\nb\n\n### More\n\nc\n\n## Other\n\nd\n`;
    expect(withSection(file, 'Sessions', ['new'])).toBe(
      `${TITLE}\n\n## Copying\n\na\n\n## Sessions\n\nnew\n\n## Other\n\nd\n`,
    );
    expect(withSection(file, 'Copying', ['new'])).toContain('## Copying\n\nnew\n\n## Sessions\n\nb\n\n### More\n\nc');
    expect(withSection(file, 'Session', ['new'])).toBe(`${file}\n## Session\n\nnew\n`);
  });

  it('says the same when it is written twice', () => {
    const once = withSection(`${TITLE}\n\n## Copying\n\na\n`, 'Sessions', ['b']);
    expect(withSection(once, 'Sessions', ['b'])).toBe(once);
  });

  it('takes the place of a file of one bench without sections', () => {
    expect(withSection(`${TITLE}\n\nMeasured long ago\n`, 'Copying', ['new'])).toBe(`${TITLE}\n\n## Copying\n\nnew\n`);
  });
});

it('tableRow', () => {
  expect(tableRow(['a', '', 'b'])).toBe('| a |  | b |');
});
