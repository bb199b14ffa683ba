const fs = require('node:fs');
const path = require('node:path');

const folder = () => process.env.FIXTURE_STATE ?? '.';

/** Notes that a range of a migration is done; noted twice is noted once. */
const settle = (id, range) => fs.writeFileSync(path.join(folder(), `${id}-${range}`), '');

/** How many ranges of a migration are done. */
const settled = (id) => fs.readdirSync(folder()).filter((name) => name.startsWith(`${id}-`)).length;

/** One line a call of a function, for tests that count. */
const note = (line) => fs.appendFileSync(path.join(folder(), 'notes'), `${line}\n`);

module.exports = { settle, settled, note };
